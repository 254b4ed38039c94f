//! `rota test-reload`: clients at the user's own app while it is reloaded, and what they lost.

mod print;
mod reloads;
mod target;
mod verdict;
mod why;

use std::thread::sleep;
use std::time::Duration;

use rota_api::{AppView, ExitCode};
use rota_load::{Load, Running};

use crate::args::TestReloadArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::print_failure;

use reloads::Reloads;
use target::Aim;
use verdict::Verdict;

/// Milliseconds that the clients with pauses wait between an answer and the next request.
const PAUSE_MS: std::ops::Range<u64> = 50..500;
/// Load without a reload before the first one: what the reloads are compared with.
const BEFORE: Duration = Duration::from_secs(3);
/// Load without a reload between two of them, and after the last.
const BETWEEN: Duration = Duration::from_millis(500);
/// The time that a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(context: &Context, args: &TestReloadArgs) -> Done {
    let app = find(context, &args.name)?;
    let probe = target::probe(target::choose(&app, args.url.as_deref())?)?;
    let load = clients(&probe.aim, args.concurrency)
        .start()
        .map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot start the clients").because(&error)
        })?;
    let mut progress = context.progress();
    let begun = print::begin(&app.name, &probe.aim, args);
    print::note(&mut progress, &app.name, &begun);
    sleep(BEFORE);
    let mut reloads = Reloads::default();
    for number in 1..=args.times {
        let going_on = reloads.one(context, &app.name, &load, |text| {
            let text = format!("reload {number} of {}: {text}", args.times);
            print::note(&mut progress, &app.name, &text);
        })?;
        if !going_on {
            break;
        }
        sleep(BETWEEN);
    }
    progress.clear();
    finish(context, args, &app, &probe, load, &reloads)
}

fn finish(
    context: &Context,
    args: &TestReloadArgs,
    app: &AppView,
    probe: &target::Probe,
    load: Running,
    reloads: &Reloads,
) -> Done {
    let report = load.stop_blocking();
    let verdict = Verdict::of(app, probe, &report, reloads);
    let mut out = context.out();
    if args.json {
        out.pretty_json(&verdict)?;
    } else {
        for line in print::render(&verdict, &out) {
            out.line(&line)?;
        }
    }
    out.flush()?;
    if let Some(failure) = &reloads.failed {
        if !args.json {
            print_failure(failure, context.err_paint());
        }
        return Ok(failure.code);
    }
    Ok(match verdict.ok {
        true => ExitCode::Ok,
        false => ExitCode::Failed,
    })
}

/// Three kinds of clients, as many of each. Any answer counts that is not an error of the server: whoever asks for a
/// path that needs a login gets the same answer throughout.
fn clients(aim: &Aim, of_each: u16) -> Load {
    let each = usize::from(of_each);
    aim.load()
        .timeout(PATIENCE)
        .good_status(200..500)
        .keep_alive(each)
        .one_shot(each)
        .idle(each, PAUSE_MS)
}

fn find(context: &Context, name: &str) -> Result<AppView, Stop> {
    let targets = [name.to_owned()];
    let list = context.block_on(async { Ok(context.client().await?.apps(&targets).await?) })?;
    let mut apps = list.apps.into_iter();
    match (apps.next(), apps.next()) {
        (Some(app), None) => Ok(app),
        (Some(_), Some(_)) => Err(Failure::usage(format!("{name} means several apps"))
            .hint("test one app at a time: `rota test-reload NAME`")
            .into()),
        (None, _) => Err(Failure::new(
            ExitCode::NoSuchTarget,
            format!("no app is meant by {name}"),
        )
        .hint("`rota list` shows the apps")
        .into()),
    }
}
