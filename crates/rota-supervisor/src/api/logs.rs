//! `GET /v1/logs`: past lines from the files, then live ones.

use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;
use rota_api::{ApiError, ErrorCode, LogLine, LogsQuery, StreamFilter};

use super::http::{self, Answer, LineSender};
use crate::output::{self, FileTail, Filter, Followed, LogTarget};
use crate::supervisor::Supervisor;

/// The most past lines per file that one may ask for.
const MAX_LINES: u32 = 100_000;

/// Answers with lines of JSON; a reader that is too slow is told how many lines it has missed.
pub(super) async fn answer(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let mut query = LogsQuery::from_query(request.uri().query().unwrap_or_default())
        .map_err(|why| ApiError::new(ErrorCode::BadRequest, why))?;
    query.lines = query.lines.min(MAX_LINES);
    let filter = Filter {
        targets: targets(supervisor, &query)?,
        stream: match query.stream {
            StreamFilter::Both => None,
            StreamFilter::Out => Some(output::Stream::Out),
            StreamFilter::Err => Some(output::Stream::Err),
        },
    };
    // Subscribed before the files are read: what comes in between is in one of the two.
    let live = query
        .follow
        .then(|| supervisor.logs.subscribe(filter.clone()));
    let past = supervisor.logs.read_back(filter, query.lines as usize);
    let (answer, lines) = http::output_stream();
    tokio::task::spawn_local(async move {
        for file in past.await {
            if !send_past(&lines, file).await {
                return;
            }
        }
        if let Some(live) = live {
            follow(live, &lines).await;
        }
    });
    Ok(answer)
}

async fn send_past(lines: &LineSender, file: FileTail) -> bool {
    for text in file.lines {
        let line = LogLine {
            app: file.app.to_string(),
            slot: file.slot,
            worker: None,
            stream: stream(file.stream),
            time: None,
            text,
        };
        // A reader gets the time that it needs for what lies in files; only live lines do not wait.
        if !lines.send_waiting(&line).await {
            return false;
        }
    }
    true
}

async fn follow(mut live: output::Subscription, lines: &LineSender) {
    loop {
        let next = tokio::select! {
            next = live.next() => next,
            () = lines.closed() => return,
        };
        let line = match next {
            Some(Followed::Line(line)) => LogLine {
                app: line.source.app.to_string(),
                slot: line.source.slot,
                worker: Some(line.source.worker),
                stream: stream(line.source.stream),
                time: Some(line.time),
                text: line.text().into_owned(),
            },
            Some(Followed::Lost(count)) => LogLine {
                app: String::new(),
                slot: 0,
                worker: None,
                stream: rota_api::Stream::Err,
                time: None,
                text: format!("{count} lines left out: they came faster than they were read"),
            },
            None => return,
        };
        if !lines.send_waiting(&line).await {
            return;
        }
    }
}

fn stream(stream: output::Stream) -> rota_api::Stream {
    match stream {
        output::Stream::Out => rota_api::Stream::Out,
        output::Stream::Err => rota_api::Stream::Err,
    }
}

fn targets(supervisor: &Rc<Supervisor>, query: &LogsQuery) -> Result<Vec<LogTarget>, ApiError> {
    if query.targets.is_empty() || query.targets.iter().any(|target| target == "all") {
        return Ok(Vec::new());
    }
    let chosen = supervisor.select(&query.targets)?;
    let names = supervisor.names(&chosen);
    Ok(chosen
        .into_iter()
        .zip(names)
        .map(|(selection, name)| LogTarget {
            app: name.into(),
            slots: selection.slots,
        })
        .collect())
}
