//! Asking whether the plan is meant, where it costs something.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rota_api::PlanAction;

use super::Plan;
use crate::args::ApplyArgs;
use crate::context::Context;
use crate::failure::Failure;

/// True if the plan is to be carried out. Somebody at a terminal is asked when apps go or are away for a moment;
/// without one, what was not said on the command line is not done.
pub(super) fn go_on(context: &Context, plan: &Plan, args: &ApplyArgs) -> Result<bool, Failure> {
    if args.yes || plan.costs().next().is_none() {
        return Ok(true);
    }
    if context.talks() && std::io::stdin().is_terminal() {
        return Ok(answer());
    }
    let mut gaps = plan.costs();
    match gaps.find(|entry| entry.action == PlanAction::Recreate) {
        // `--prune` was said.
        None => Ok(true),
        Some(entry) => Err(Failure::usage(format!(
            "{}: an address of `listen` cannot be opened beside the old one; nothing was done",
            entry.app
        ))
        .hint("--yes deletes the app and starts it anew: connections are refused in between")),
    }
}

fn answer() -> bool {
    let mut err = std::io::stderr().lock();
    // A terminal that has gone does not answer either.
    let _closed = write!(err, "go on? [y/N] ").and_then(|()| err.flush());
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}
