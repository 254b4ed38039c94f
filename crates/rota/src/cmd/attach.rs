//! `rota attach`.

use std::io::{BufRead as _, Read as _};

use rota_api::paths::MAX_STDIN_BYTES;
use rota_api::{ExitCode, LogsQuery, StdinQuery, StdinView};
use tokio::sync::mpsc;

use super::logs::{self, Form, Look};
use super::send::{self, WAIT_MS};
use crate::args::AttachArgs;
use crate::context::{Context, remark};
use crate::failure::{Done, Failure, Stop};
use crate::output::print_failure;

/// How an attached terminal behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// How many past lines are shown first.
    pub(crate) lines: u32,
    /// Without the app's name in front of lines.
    pub(crate) raw: bool,
    /// What stands behind each line that is sent.
    pub(crate) end: &'a str,
}

pub(super) fn run(context: &Context, args: &AttachArgs) -> Done {
    let manner = Manner {
        lines: args.lines,
        raw: args.raw,
        end: "\n",
    };
    attach(context, &args.target, manner)
}

/// Shows what the one worker that is meant writes, and sends it what comes from standard input, until that ends.
pub(crate) fn attach(context: &Context, target: &str, manner: Manner<'_>) -> Done {
    context.block_on(async {
        let worker = only(context, target).await?;
        if context.talks() {
            remark(&format!(
                "attached to {} (pid {}); Ctrl-C ends this, not the app",
                worker.target(),
                worker.pid
            ));
        }
        let query = LogsQuery {
            targets: vec![worker.target()],
            lines: Some(manner.lines),
            follow: true,
            ..LogsQuery::default()
        };
        let look = Look {
            form: if manner.raw {
                Form::Raw
            } else {
                Form::Prefixed
            },
            time: false,
            grep: None,
        };
        tokio::select! {
            shown = logs::show(context, &query, &look) => shown,
            typed = send_typed(context, worker.target(), manner.end) => typed,
        }
    })
}

/// The worker that is meant, which can be written to.
async fn only(context: &Context, target: &str) -> Result<StdinView, Stop> {
    let query = StdinQuery {
        targets: vec![target.to_owned()],
        wait_ms: 0,
    };
    let mut workers = send::write(context, &query, &[]).await?.workers;
    match (workers.pop(), workers.as_slice()) {
        (Some(worker), []) => Ok(worker),
        (last, others) => {
            let all = others.iter().chain(&last).map(StdinView::target);
            let all: Vec<_> = all.collect();
            let text = format!(
                "`{target}` means {} workers, and attach takes one",
                all.len()
            );
            let failure = Failure::usage(text);
            Err(failure.hint(format!("name it: {}", all.join(", "))).into())
        }
    }
}

/// Sends line by line what comes from standard input, to its end. A line that cannot be sent is told of.
async fn send_typed(context: &Context, target: String, end: &str) -> Done {
    let query = StdinQuery {
        targets: vec![target],
        wait_ms: WAIT_MS,
    };
    let mut lines = typed();
    while let Some(line) = lines.recv().await {
        let mut line = line.map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot read standard input").because(&error)
        })?;
        if line.ends_with(b"\n") {
            line.pop();
            line.extend_from_slice(end.as_bytes());
        }
        match send::write(context, &query, &line).await {
            Ok(sent) => {
                send::tell_failed(context, &sent);
            }
            // Between two workers of a slot there is none to write to; the next line may find the next one.
            Err(Stop::Failure(failure)) if failure.code == ExitCode::Failed => {
                print_failure(&failure, context.err_paint());
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(ExitCode::Ok)
}

/// Standard input in lines, or in pieces of lines that are very long. Read on a thread of its own: what is typed does
/// not come when one wants it to.
fn typed() -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let limit = u64::try_from(MAX_STDIN_BYTES).unwrap_or(u64::MAX);
            let read = stdin.by_ref().take(limit).read_until(b'\n', &mut line);
            let last = !matches!(read, Ok(count) if count > 0);
            let item = read.map(|_| line);
            // The end itself is no line; the other side has gone when nobody receives it.
            let told = matches!(item, Ok(ref line) if line.is_empty())
                || sender.blocking_send(item).is_ok();
            if last || !told {
                return;
            }
        }
    });
    lines
}
