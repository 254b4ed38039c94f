//! The API's socket, both sides: what is understood is written so that it is understood as the same, a stream of lines
//! says the same however it is cut, and so does the answer of a server that `rota test-reload` asks.
//!
//! The first byte of the input says what the rest is.

#![no_main]

use std::collections::VecDeque;
use std::fmt::Debug;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use libfuzzer_sys::fuzz_target;
use rota_api::{
    AppList, CommandRequest, ErrorBody, LogLine, LogsQuery, ProfileRequest, ProfileSource, ShutdownRequest,
    SignalRequest, SignalResponse, StackRequest, StackResponse, StartRequest, StreamEvent, Version,
    targets_from_query, targets_to_query,
};
use rota_config::file::Origins;
use rota_config::{AppSpec, SpecUpdate};
use rota_load::WorkerFrom;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[allow(dead_code)]
#[path = "../../crates/rota-api/src/client/error.rs"]
mod error;
#[allow(dead_code)]
#[path = "../../crates/rota-load/src/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../../crates/rota-api/src/client/lines.rs"]
mod lines;
// What `error` and `lines` expect beside themselves.
use rota_api::{ApiError, ExitCode, paths};
// And `http`.
mod builder {
    pub use rota_load::WorkerFrom;
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    match kind % 18 {
        0 => {
            let Some(request) = json::<StartRequest<AppSpec, Origins>>(bytes) else { return };
            for app in &request.apps {
                assert!(app.problems().iter().all(|problem| !problem.to_string().is_empty()));
            }
        }
        1 => {
            let Some(request) = json::<CommandRequest<SpecUpdate>>(bytes) else { return };
            let (Some(update), Ok(name)) = (request.update, "api".parse()) else { return };
            let spec = AppSpec::new(name, "app.js", "/srv");
            let changed = update.apply(&spec);
            assert_eq!(update.apply(&changed), changed);
            assert!(!update.is_empty() || changed == spec);
        }
        2 => drop(json::<SignalRequest>(bytes)),
        3 => drop(json::<StackRequest>(bytes)),
        4 => drop(json::<ProfileRequest>(bytes)),
        5 => drop(json::<ShutdownRequest>(bytes)),
        6 | 7 => query(bytes),
        8 => drop(json::<StackResponse>(bytes)),
        9 => drop(json::<SignalResponse>(bytes)),
        10 => drop(json::<Version>(bytes)),
        11 => drop(json::<ErrorBody>(bytes)),
        12 => drop(json::<ProfileSource>(bytes)),
        13 => drop(json::<LogLine>(bytes)),
        14 => drop(json::<StreamEvent>(bytes)),
        // Its numbers with a point are not read to the last bit.
        15 => {
            if let Ok(list) = serde_json::from_slice::<AppList>(bytes) {
                assert!(serde_json::to_vec(&list).is_ok());
            }
        }
        16 => stream(bytes),
        _ => answer(bytes),
    }
});

fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_string(&value).expect("it can be written");
    assert_eq!(serde_json::from_str::<T>(&text).expect("it can be read"), value, "{text}");
    Some(value)
}

fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(query) = LogsQuery::from_query(text)
        // The other parameters are always written.
        && query.targets.len() <= 997
    {
        assert_eq!(LogsQuery::from_query(&query.to_query()), Ok(query));
    }
    if let Ok(targets) = targets_from_query(text) {
        assert!(targets.len() <= 1000);
        assert_eq!(targets_from_query(&targets_to_query(&targets)), Ok(targets));
    }
}

/// A body that comes in pieces, all of which are there.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// The second byte says how the rest is cut.
fn stream(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let read = |size: usize| {
        let pieces = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
        let mut lines = lines::Lines::<StreamEvent, _>::new(Pieces(pieces));
        let (mut events, mut context) = (Vec::new(), Context::from_waker(Waker::noop()));
        loop {
            match pin!(lines.next()).poll(&mut context) {
                Poll::Ready(Ok(Some(event))) => events.push(event),
                Poll::Ready(Ok(None)) => return (events, None),
                Poll::Ready(Err(error)) => return (events, Some(error.to_string())),
                Poll::Pending => unreachable!("all of it is there"),
            }
        }
    };
    assert_eq!(read(bytes.len().max(1)), read(usize::from(cut) + 1));
}

/// The second byte says how the rest is cut, and where the worker's name is looked for.
fn answer(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let from = if cut & 1 == 0 { WorkerFrom::Body } else { WorkerFrom::Header("x-worker".to_owned()) };
    let read = |size: usize| {
        let mut response = http::Response::new(&from);
        let mut progress = Ok(http::Progress::More);
        for piece in bytes.chunks(size) {
            progress = response.feed(piece);
            if progress.is_err() {
                return Err(());
            }
        }
        let end = (response.status, response.close, response.started(), response.ends_at_close());
        Ok((progress, end, response.worker()))
    };
    let (whole, pieces) = (read(bytes.len().max(1)), read(usize::from(cut >> 1) + 1));
    // A head that does not end is seen to be too long where the pieces end.
    assert!(whole == pieces || bytes.len() > 64 * 1024);
}
