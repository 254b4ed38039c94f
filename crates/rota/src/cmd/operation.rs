//! What the verbs that change something have in common.

use rota_api::client::Events;
use rota_api::{CommandRequest, CommandResult, ExitCode, StreamEvent, Verb};
use rota_config::{Env, SpecUpdate};

use crate::args::{StopArgs, UpdateFlags, WaitFlags};
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::{Ink, Out, clean, print_failure};

use super::specs;

/// A command with nothing but targets: `stop`, `delete`, `reset`.
pub fn plain(context: &Context, verb: Verb, args: StopArgs) -> Done {
    let request = request(verb, args.targets, &args.wait);
    context.block_on(command(context, &request, args.wait.json))
}

/// A request without further ado.
pub fn request(verb: Verb, targets: Vec<String>, wait: &WaitFlags) -> CommandRequest<SpecUpdate> {
    CommandRequest {
        verb,
        targets,
        instances: None,
        wait: !wait.no_wait,
        update: None,
    }
}

/// What `restart`, `reload` and the start of a stopped app change.
pub fn update(flags: &UpdateFlags) -> Result<Option<SpecUpdate>, Stop> {
    let pairs = specs::pairs(&flags.env)?;
    let set_env: Env = pairs
        .iter()
        .map(|pair| (pair.key.as_str(), pair.value.as_str()))
        .collect();
    let update = SpecUpdate {
        whole: None,
        caller_env: flags.update_env.then(specs::caller_env),
        set_env,
        unset_env: Vec::new(),
        interpreter: match &flags.interpreter {
            Some(interpreter) => Some(specs::interpreter(interpreter)?),
            None => None,
        },
        interpreter_args: flags.node_args.as_deref().map(specs::words),
    };
    Ok((!update.is_empty()).then_some(update))
}

/// Sends a command to the running daemon and tells what happens.
pub async fn command(context: &Context, request: &CommandRequest<SpecUpdate>, json: bool) -> Done {
    let client = context.client().await?;
    tell(context, client.command(request).await?, json).await
}

/// Shows progress, then the results; the exit code is that of the first failure.
pub async fn tell(context: &Context, events: Events, json: bool) -> Done {
    results(context, &follow(context, events, json).await?, json)
}

/// What a change of settings that needs no new workers came to.
pub fn defined(results: &mut [CommandResult]) {
    for result in results.iter_mut().filter(|result| result.ok) {
        result.message = "has the new settings; its workers stay".to_owned();
    }
}

/// Shows progress; gives the results.
pub async fn follow(
    context: &Context,
    mut events: Events,
    json: bool,
) -> Result<Vec<CommandResult>, Stop> {
    let mut out = context.out();
    let mut progress = context.progress();
    while let Some(event) = events.next().await? {
        if json {
            out.json(&event)?;
            out.flush()?;
        }
        match event {
            StreamEvent::Progress(event) if !json => progress.show(&event),
            StreamEvent::Progress(_) => {}
            StreamEvent::Finished(finished) => {
                progress.clear();
                return Ok(finished.results);
            }
        }
    }
    Err(Failure::from(rota_api::client::ClientError::Ended).into())
}

/// Shows results; the exit code is that of the first failure.
pub fn results(context: &Context, results: &[CommandResult], json: bool) -> Done {
    let mut out = context.out();
    let mut code = ExitCode::Ok;
    for result in results {
        if result.ok {
            if !json {
                let text = success(result, |app| out.ink(Ink::Bold, app));
                out.line(&text)?;
                drained(&mut out, result)?;
            }
            continue;
        }
        let failure = Failure::of_result(result);
        // In the order in which it happened, also when both outputs are the same terminal.
        out.flush()?;
        if !json {
            print_failure(&failure, context.err_paint());
            drained(&mut out, result)?;
        }
        if code == ExitCode::Ok {
            code = failure.code;
        }
    }
    out.flush()?;
    Ok(code)
}

/// What became of the connections of the workers that have left, if they have told.
fn drained(out: &mut Out, result: &CommandResult) -> Result<(), Stop> {
    match &result.drained {
        None => Ok(()),
        Some(drained) => out.line(&format!("  drained: {drained}")),
    }
}

/// A success in one line; what is done to the daemon as a whole names no app.
fn success(result: &CommandResult, name: impl Fn(&str) -> String) -> String {
    let message = clean(&result.message);
    match result.app.as_str() {
        "" => message.into_owned(),
        app => format!("{}: {message}", name(&clean(app))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_names_its_app_if_it_has_one() {
        let line = |app: &str| {
            success(&CommandResult::done(app, "2 workers"), |app| {
                format!("<{app}>")
            })
        };
        assert_eq!(line("api"), "<api>: 2 workers");
        assert_eq!(line(""), "2 workers");
    }
}
