//! `rota send`.

use std::io::Read as _;

use rota_api::client::ClientError;
use rota_api::paths::MAX_STDIN_BYTES;
use rota_api::{ExitCode, StdinQuery, StdinResponse, StdinView};

use crate::args::SendArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::print_failure;

/// How long room in a full pipe is waited for where nobody has said it, in milliseconds.
pub(crate) const WAIT_MS: u64 = 5000;

pub(super) fn run(context: &Context, args: SendArgs) -> Done {
    let query = StdinQuery {
        targets: vec![args.target],
        wait_ms: args.wait.millis(),
    };
    let sent = match args.text.as_slice() {
        [] => from_stdin(context, &query),
        [dash] if dash == "-" => from_stdin(context, &query),
        words => {
            let end: &str = if args.no_newline { "" } else { "\n" };
            let text = words.join(" ") + end;
            context.block_on(write(context, &query, text.as_bytes()))
        }
    }?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&sent)?;
    } else if let Some(line) = told(&sent) {
        out.line(&line)?;
    }
    out.flush()?;
    Ok(tell_failed(context, &sent))
}

/// Writes all of standard input, as it comes.
fn from_stdin(context: &Context, query: &StdinQuery) -> Result<StdinResponse, Stop> {
    let mut stdin = std::io::stdin().lock();
    let mut piece = vec![0; MAX_STDIN_BYTES];
    // With nothing, which tells at once who will be written to, or why nobody can.
    let mut sum = context.block_on(write(context, query, &[]))?;
    while sum.workers.iter().all(|worker| worker.error.is_none()) {
        let count = stdin.read(&mut piece).map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot read standard input").because(&error)
        })?;
        let Some(piece) = piece.get(..count).filter(|piece| !piece.is_empty()) else {
            break;
        };
        add(&mut sum, context.block_on(write(context, query, piece))?);
    }
    Ok(sum)
}

/// Counts on: the process that is written to may have become another one meanwhile.
fn add(sum: &mut StdinResponse, more: StdinResponse) {
    for mut worker in more.workers {
        let of = |have: &&mut StdinView| have.app == worker.app && have.slot == worker.slot;
        match sum.workers.iter_mut().find(of) {
            Some(have) => {
                worker.written += have.written;
                *have = worker;
            }
            None => sum.workers.push(worker),
        }
    }
}

/// Writes bytes, whatever their number.
pub(crate) async fn write(
    context: &Context,
    query: &StdinQuery,
    bytes: &[u8],
) -> Result<StdinResponse, Stop> {
    let mut pieces = bytes.chunks(MAX_STDIN_BYTES);
    let mut sum = once(context, query, pieces.next().unwrap_or_default()).await?;
    for piece in pieces {
        if sum.workers.iter().any(|worker| worker.error.is_some()) {
            break;
        }
        add(&mut sum, once(context, query, piece).await?);
    }
    Ok(sum)
}

/// By a connection of its own: one that has waited for somebody to type may be broken by now.
async fn once(context: &Context, query: &StdinQuery, bytes: &[u8]) -> Result<StdinResponse, Stop> {
    let mut client = context.client().await?;
    match client.stdin(query, bytes.to_vec()).await {
        Err(ClientError::Restarted) => {
            let text = "the supervisor was restarted meanwhile: whether the text has been written is not known";
            Err(Failure::new(ExitCode::Failed, text).into())
        }
        sent => Ok(sent?),
    }
}

/// How much was written, and to whom; nothing if that is nobody.
pub(crate) fn told(sent: &StdinResponse) -> Option<String> {
    let good = |worker: &&StdinView| worker.error.is_none();
    let reached: Vec<_> = sent.workers.iter().filter(good).collect();
    let first = reached.first()?;
    let bytes = match first.written {
        1 => "1 byte".to_owned(),
        count => format!("{count} bytes"),
    };
    let targets: Vec<_> = reached.iter().map(|worker| worker.target()).collect();
    Some(match targets.as_slice() {
        [one] => format!("{bytes} to {one} (pid {})", first.pid),
        all => format!(
            "{bytes} to each of {} workers: {}",
            all.len(),
            all.join(", ")
        ),
    })
}

/// Tells of every worker that was not written to, or not all; the exit code.
pub(crate) fn tell_failed(context: &Context, sent: &StdinResponse) -> ExitCode {
    let mut code = ExitCode::Ok;
    for worker in &sent.workers {
        if let Some(error) = &worker.error {
            let mut failure = Failure::from(error.clone());
            failure.message = format!("{}: {}", worker.target(), failure.message);
            print_failure(&failure, context.err_paint());
            code = ExitCode::Failed;
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use rota_api::{ApiError, ErrorCode};

    use super::*;

    fn worker(slot: u32, written: u64) -> StdinView {
        StdinView {
            app: "api".to_owned(),
            slot,
            worker: u64::from(slot),
            pid: 100 + slot,
            written,
            error: None,
        }
    }

    fn sent(workers: Vec<StdinView>) -> StdinResponse {
        StdinResponse { workers }
    }

    #[test]
    fn it_is_told_who_was_written_to() {
        let told = |workers| told(&sent(workers));
        assert_eq!(
            told(vec![worker(0, 6)]).as_deref(),
            Some("6 bytes to api:0 (pid 100)")
        );
        let mut full = worker(2, 0);
        full.error = Some(ApiError::new(ErrorCode::StdinFull, "full"));
        assert_eq!(
            told(vec![worker(0, 1), worker(1, 1), full.clone()]).as_deref(),
            Some("1 byte to each of 2 workers: api:0, api:1")
        );
        assert_eq!(told(vec![full]), None);
    }

    #[test]
    fn pieces_are_counted_together() {
        let mut sum = sent(vec![worker(0, 10)]);
        let mut restarted = worker(0, 5);
        restarted.pid = 4711;
        add(&mut sum, sent(vec![restarted, worker(1, 5)]));
        let written: Vec<_> = sum.workers.iter().map(|w| (w.pid, w.written)).collect();
        assert_eq!(written, [(4711, 15), (101, 5)]);
    }
}
