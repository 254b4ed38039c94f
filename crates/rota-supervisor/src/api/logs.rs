//! `GET /v1/logs`: past lines from the files, then live ones.

use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;
use regex_lite::RegexBuilder;
use rota_api::{
    ApiError, ErrorCode, FlushRequest, FlushResponse, LogLine, LogsQuery, StreamFilter,
};

use super::http::{self, Answer, LineSender};
use crate::output::{self, Filter, Followed, LogTarget, PastLine, Wanted};
use crate::supervisor::Supervisor;

/// How large an expression may become when it is made ready.
const EXPRESSION_BYTES: usize = 1024 * 1024;

/// Answers with lines of JSON; a reader that is too slow is told how many lines it has missed.
pub(super) async fn answer(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let query = LogsQuery::from_query(request.uri().query().unwrap_or_default())
        .map_err(|why| ApiError::new(ErrorCode::BadRequest, why))?;
    let wanted = wanted(&query)?;
    let filter = Filter {
        targets: targets(supervisor, &query.targets)?,
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
    let logs = supervisor.logs_of(filter);
    let past = supervisor.logs.read_back(logs, wanted);
    let (answer, lines) = http::output_stream();
    let supervisor = Rc::clone(supervisor);
    tokio::task::spawn_local(async move {
        match past.await {
            Ok(mut past) => {
                while let Some(some) = past.next().await {
                    let some = some.into_iter().map(past_line);
                    // A reader gets the time that it needs for what lies in files; only live lines do not wait.
                    if !lines.send_all_waiting(some).await {
                        return;
                    }
                }
            }
            Err(error) => supervisor.say(&format!("log files cannot be read back: {error}")),
        }
        drop(supervisor);
        if let Some(live) = live {
            follow(live, &lines).await;
        }
    });
    Ok(answer)
}

/// Empties logs.
pub(super) async fn flush(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: FlushRequest = http::read_json(request.into_body()).await?;
    let filter = Filter {
        targets: targets(supervisor, &request.targets)?,
        stream: None,
    };
    let logs = supervisor.logs_of(filter);
    let emptied = supervisor.logs.empty(logs).await;
    Ok(http::json(&FlushResponse {
        files: emptied.files,
        bytes: emptied.bytes,
        errors: emptied.errors,
    }))
}

/// Opens log files anew.
pub(super) fn reopen(supervisor: &Rc<Supervisor>) -> Answer {
    supervisor.reopen_logs();
    http::json(&serde_json::json!({}))
}

fn wanted(query: &LogsQuery) -> Result<Wanted, ApiError> {
    let grep = query.grep.as_ref().map(|text| {
        let builder = RegexBuilder::new(text).size_limit(EXPRESSION_BYTES).build();
        builder.map_err(|error| {
            let why = format!("`{text}` is no regular expression: {error}");
            ApiError::new(ErrorCode::BadRequest, why)
        })
    });
    Ok(Wanted {
        lines: query.lines.map(u64::from),
        since: query.since,
        until: query.until,
        grep: grep.transpose()?,
    })
}

fn past_line(line: PastLine) -> LogLine {
    LogLine {
        app: line.app.to_string(),
        slot: line.slot.unwrap_or(0),
        worker: line.worker,
        generation: line.generation,
        stream: line.stream.map(stream),
        time: line.time,
        text: line.text,
    }
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
                generation: Some(line.source.generation),
                stream: Some(stream(line.source.stream)),
                time: Some(line.time),
                text: line.text().into_owned(),
            },
            Some(Followed::Lost(count)) => LogLine {
                app: String::new(),
                slot: 0,
                worker: None,
                generation: None,
                stream: Some(rota_api::Stream::Err),
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

fn targets(supervisor: &Rc<Supervisor>, targets: &[String]) -> Result<Vec<LogTarget>, ApiError> {
    if targets.is_empty() || targets.iter().any(|target| target == "all") {
        return Ok(Vec::new());
    }
    let chosen = supervisor.select(targets)?;
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
