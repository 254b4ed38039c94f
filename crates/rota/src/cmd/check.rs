//! `rota check`.

use std::path::Path;

use rota_api::ExitCode;
use rota_config::file::{ConfigFile, Problem};
use serde_json::json;

use super::file::{self, DEFAULT};
use crate::args::CheckArgs;
use crate::context::Context;
use crate::failure::{Done, Failure};
use crate::output::Ink;

pub(super) fn run(context: &Context, args: &CheckArgs) -> Done {
    let path = args.file.as_deref().unwrap_or(Path::new(DEFAULT));
    let file = file::read(path)?;
    let problems = problems(&file);
    let mut out = context.out();
    if args.json {
        out.pretty_json(&json!({
            "file": file.path(),
            "ok": problems.is_empty(),
            "apps": file.names().collect::<Vec<_>>(),
            "profiles": file.profiles(),
            "problems": file::as_json(&file, &problems),
        }))?;
    } else if problems.is_empty() {
        let names: Vec<String> = file
            .names()
            .map(|name| out.ink(Ink::Bold, name.as_str()))
            .collect();
        out.line(&format!(
            "{}: no mistakes; apps: {}",
            path.display(),
            names.join(", ")
        ))?;
    }
    out.flush()?;
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

/// What is wrong under any profile, and with the programs.
fn problems(file: &ConfigFile) -> Vec<Problem> {
    let mut all = Vec::new();
    let profiles = file.profiles().into_iter().map(Some);
    for profile in [None].into_iter().chain(profiles) {
        match file::describe(file, profile) {
            Ok(apps) => all.extend(file.programs(&apps)),
            Err(problems) => all.extend(problems),
        }
    }
    all.sort_by_key(|problem| problem.at.start);
    all.dedup();
    all
}
