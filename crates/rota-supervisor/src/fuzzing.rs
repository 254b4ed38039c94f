//! Doors for the fuzz targets (`fuzz/`) to what nobody else may see. Only there with `--cfg fuzzing`.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use rota_api::CommandResult;
use rota_engine::{AppFacts, AppId, Effect, Engine, SavedShared, Time, WorkerFacts, WorkerId};
use rota_keeper::protocol::FromKeeper;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::estate::Estate;
use crate::operations::{self, Caller, Operations};
use crate::saved::{AppRecord, Left, SavedApp, SavedDaemon, SavedWorker};

pub use crate::dispatch::written_again as socket;

/// Reads what is left of an app, and writes what is made of it.
#[must_use]
pub fn app(blob: &[u8]) -> Option<Value> {
    let app = SavedApp::read(blob).ok()?.restore(Vec::new());
    serde_json::to_value(AppRecord::of(
        &app,
        None,
        crate::listen::SavedSockets::default(),
    ))
    .ok()
}

/// As [`app`], of a worker.
#[must_use]
pub fn worker(blob: &[u8]) -> Option<Value> {
    serde_json::to_value(SavedWorker::read(blob).ok()?).ok()
}

/// As [`app`], of the counters.
#[must_use]
pub fn daemon(blob: &[u8]) -> Option<Value> {
    serde_json::to_value(serde_json::from_slice::<SavedDaemon>(blob).ok()?).ok()
}

/// As [`app`], of the commands under way; goes on with one more of them, and with none that is known.
#[must_use]
pub fn operations(blob: &[u8]) -> Option<Value> {
    let mut operations = Operations::restore(operations::read(blob).ok()?);
    let saved = operations.save();
    let begun = operations.begin("reload", Caller::default());
    let command = operations.add(begun, AppId(1), "api");
    let answered = operations.answered(command).expect("it is a new one");
    operations.settle(&answered, CommandResult::done("api", "reloaded"));
    operations.abandon_missing(&std::collections::BTreeSet::new());
    serde_json::to_value(saved).ok()
}

/// Takes over from a supervisor that has left these entries and these processes (worker, pid); makes an engine's state
/// of each app that has none. Says how many workers come of it.
///
/// # Panics
/// When a worker comes from nowhere, or more is to be started than anybody may want.
#[must_use]
pub fn estate(entries: &[(&str, &[u8])], children: &[(u64, u32)], null: &File) -> usize {
    let mut left = Left::default();
    for (key, blob) in entries {
        let message = FromKeeper::Entry {
            key: (*key).to_owned(),
            blob: blob.to_vec(),
        };
        left.take(message, descriptors(key, null));
    }
    for &(child, pid) in children {
        let exited = None;
        let child = FromKeeper::Child {
            child,
            pid,
            exited,
            group: None,
        };
        left.take(child, Vec::new());
    }
    let (estate, restored) = Estate::of(&mut left);
    let workers = estate.workers.len();
    assert!(workers <= children.len() && restored.workers.len() <= workers);
    adopt(&estate);
    workers
}

/// As many as such an entry has.
fn descriptors(key: &str, null: &File) -> Vec<OwnedFd> {
    let count = match key.split('/').next() {
        Some("worker") => 3,
        Some("channel" | "listener" | "shadow" | "api") => 1,
        _ => 0,
    };
    let copies = (0..count).map(|_| null.try_clone());
    copies.filter_map(|file| Some(file.ok()?.into())).collect()
}

fn adopt(estate: &Estate) {
    let mut engine = Engine::restore(None::<SavedShared>, Vec::new()).0;
    for facts in &estate.facts {
        let prepared = estate.apps.get(&facts.app);
        let Some(prepared) = prepared.and_then(|app| app.prepared(facts.generation)) else {
            continue;
        };
        let policy = prepared.policy(2);
        let own = estate.workers.iter();
        let own = own.filter(|remains| remains.saved.app == facts.app.0);
        let workers = own.map(|remains| {
            let worker = WorkerFacts {
                worker: WorkerId(remains.worker),
                pid: 1,
                generation: remains.saved.generation,
                policy: policy.clone(),
                started: Time::from_millis(remains.saved.started),
                ready: remains.saved.told_ready,
            };
            (remains.saved.slot, worker)
        });
        let slots = facts.slots(workers.collect());
        let told = AppFacts {
            app: facts.app,
            policy,
            generation: facts.generation,
            known: std::collections::BTreeSet::new(),
            slots,
        };
        let effects = engine.adopt(Time::from_millis(1), told);
        let spawned = effects.iter();
        let spawned = spawned.filter(|effect| matches!(effect, Effect::Spawn { .. }));
        assert!(spawned.count() <= 1024, "more than anybody may want");
    }
}

/// Reads the answer to a probe, in pieces of this size; its status is a good one or not.
///
/// # Panics
/// When it waits for more than there is.
#[must_use]
pub fn probe(answer: &[u8], piece: usize) -> bool {
    let stream = Answer {
        rest: answer,
        piece: piece.max(1),
    };
    let asked = crate::probe::get(stream, "localhost:80".to_owned(), "/");
    let (mut asked, mut context) = (pin!(asked), Context::from_waker(Waker::noop()));
    for _ in 0..16 + 2 * answer.len() {
        if let Poll::Ready(result) = asked.as_mut().poll(&mut context) {
            return result.is_ok();
        }
    }
    panic!("it waits, and nothing will come");
}

/// An answer that is there, after whatever question.
struct Answer<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl AsyncRead for Answer<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.piece.min(self.rest.len()).min(buffer.remaining());
        let (piece, rest) = self.rest.split_at(length);
        buffer.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Answer<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
