//! `rota check`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rota_api::ExitCode;
use serde_json::json;

use super::file::{self, DEFAULT};
use crate::args::CheckArgs;
use crate::context::Context;
use crate::failure::{Done, Failure};
use crate::files::{Fault, Source, read};
use crate::output::Ink;

pub(super) fn run(context: &Context, args: &CheckArgs) -> Done {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => file::here().unwrap_or_else(|| PathBuf::from(DEFAULT)),
    };
    let path = path.as_path();
    let file = read(path)?;
    let Looked {
        faults: problems,
        warnings,
    } = look(&file);
    let mut out = context.out();
    if args.json {
        out.pretty_json(&json!({
            "file": file.path(),
            "ok": problems.is_empty(),
            "apps": file.names(),
            "profiles": file.profiles(),
            "problems": file::as_json(&file, &problems),
            "warnings": warnings,
        }))?;
    } else if problems.is_empty() {
        let names: Vec<String> = file
            .names()
            .iter()
            .map(|name| out.ink(Ink::Bold, name.as_str()))
            .collect();
        out.line(&format!(
            "{}: no mistakes; apps: {}",
            path.display(),
            names.join(", ")
        ))?;
    }
    out.flush()?;
    if !args.json {
        file::warn(&warnings);
    }
    if problems.is_empty() {
        return Ok(ExitCode::Ok);
    }
    if args.json {
        return Ok(ExitCode::Failed);
    }
    file::show(context, path, &file, &problems);
    let text = match problems.len() {
        1 => "there is a mistake".to_owned(),
        more => format!("there are {more} mistakes"),
    };
    Err(Failure::new(ExitCode::Failed, format!("{}: {text}", path.display())).into())
}

/// What there is to say about a file.
#[derive(Default)]
struct Looked {
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

/// Looks at it under every profile, and at the programs.
fn look(file: &Source) -> Looked {
    let mut looked = Looked::default();
    let mut said = BTreeSet::new();
    let profiles = file.profiles();
    let profiles = profiles.iter().map(|name| Some(name.as_str()));
    for profile in [None].into_iter().chain(profiles) {
        match file::describe(file, profile) {
            Ok(taken) => {
                looked.faults.extend(file.programs(&taken.apps));
                let new = taken
                    .warnings
                    .into_iter()
                    .filter(|text| said.insert(text.clone()));
                looked.warnings.extend(new);
            }
            Err(faults) => looked.faults.extend(faults),
        }
    }
    looked.faults.sort_by_key(|fault| match fault {
        Fault::Line(problem) => problem.at.start,
        Fault::Field(_) => 0,
    });
    let mut unique = Vec::new();
    for fault in looked.faults {
        if !unique.contains(&fault) {
            unique.push(fault);
        }
    }
    looked.faults = unique;
    looked
}
