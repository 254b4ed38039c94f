//! `rota stop FILE` and `rota delete FILE`: the apps of a file, those that others depend on last.

use std::path::Path;

use rota_api::{ExitCode, Verb};

use super::tell::show;
use crate::args::WaitFlags;
use crate::cmd::operation;
use crate::context::Context;
use crate::failure::{Done, Failure};
use crate::files::{Source, read};

/// Stops or deletes the apps of a file that are there.
pub(in crate::cmd) fn end(context: &Context, path: &Path, verb: Verb, wait: &WaitFlags) -> Done {
    let file = read(path)?;
    let faults = file.faults();
    if !faults.is_empty() {
        show(context, path, &file, &faults);
        let text = format!(
            "{} has mistakes: it is not sure which apps are meant",
            path.display()
        );
        return Err(Failure::usage(text)
            .hint("mend them, or name the apps")
            .into());
    }
    context.block_on(all(context, path, &file, verb, wait))
}

async fn all(context: &Context, path: &Path, file: &Source, verb: Verb, wait: &WaitFlags) -> Done {
    let known = context.client().await?.apps(&[]).await?.apps;
    let mut code = None;
    for group in file.order().into_iter().rev() {
        let names = group.iter().map(ToString::to_string);
        let targets: Vec<String> = names
            .filter(|name| known.iter().any(|app| app.name == *name))
            .collect();
        if targets.is_empty() {
            continue;
        }
        let request = operation::request(verb, targets, wait);
        let done = operation::command(context, &request, wait.json).await?;
        code = Some(code.filter(|code| *code != ExitCode::Ok).unwrap_or(done));
    }
    code.ok_or_else(|| {
        let text = format!("none of the apps of {} is there", path.display());
        Failure::new(ExitCode::NoSuchTarget, text)
            .hint("`rota list` shows what there is")
            .into()
    })
}
