//! What one client does until the load ends.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use super::builder::{ClientSpec, Load};
use super::connection::{Answer, Connection, Fault};
use super::report::{Failure, FailureKind, Phase, Report};
use super::running::Live;
use super::shared::{Moment, Shared};

/// Wait after a connection that could not be made, so that a client does not spin on a dead server.
const AFTER_CONNECT_FAILURE: Duration = Duration::from_millis(10);

/// How long a client waits for a server to close the connection that it said it would close.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Runs all clients until they are told to stop or the number of requests is used up.
pub(super) async fn run_all(
    load: Load,
    mut stopped: watch::Receiver<bool>,
    live: Arc<Live>,
) -> Report {
    let shared = Shared::new(&load, live);
    let tasks = LocalSet::new();
    let mut clients = JoinSet::new();
    for spec in load.clients() {
        clients.spawn_local_on(run(Rc::clone(&shared), spec), &tasks);
    }
    let stopper = Rc::clone(&shared);
    let stop = tasks.spawn_local(async move {
        // An error means that the handle is gone: nobody waits for this load any more.
        let _gone = stopped.wait_for(|&stop| stop).await;
        stopper.stop();
    });
    tasks
        .run_until(async {
            while let Some(ended) = clients.join_next().await {
                if let Err(error) = ended
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
            }
        })
        .await;
    stop.abort();
    shared.take_report()
}

async fn run(shared: Rc<Shared>, spec: ClientSpec) {
    let mut kept: Option<Connection> = None;
    while let Some(connection) = usable(&shared, &spec, kept.take()).await {
        if !shared.next_request() {
            return;
        }
        let Some(connection) = request(&shared, &spec, connection).await else {
            continue;
        };
        match &spec.pause {
            None => kept = Some(connection),
            Some(range) => {
                let pause = Duration::from_millis(random_in(range));
                let until = Instant::now() + pause;
                tokio::select! {
                    go_on = shared.pause(pause) => {
                        if !go_on {
                            return;
                        }
                        kept = Some(connection);
                    }
                    () = connection.closed() => {
                        shared.count_closed_idle(spec.kind);
                        shared.pause(until.saturating_duration_since(Instant::now())).await;
                    }
                }
            }
        }
    }
}

/// The connection for the next request: none to make a new one (which the request then does), or the
/// kept one unless the server has closed it. The outer `None` means that the load has ended.
async fn usable(
    shared: &Shared,
    spec: &ClientSpec,
    kept: Option<Connection>,
) -> Option<Option<Connection>> {
    if shared.stopping() {
        return None;
    }
    match kept {
        Some(connection) if connection.is_closed() => {
            shared.count_closed_idle(spec.kind);
            Some(None)
        }
        other => Some(other),
    }
}

/// Sends one request, connecting first if need be; gives the connection back if it can be used again.
async fn request(
    shared: &Shared,
    spec: &ClientSpec,
    kept: Option<Connection>,
) -> Option<Connection> {
    let begin = shared.now();
    let mut connection = match kept {
        Some(connection) => connection,
        None => match Connection::open(&shared.target, spec.source, shared.timeout).await {
            Ok(connection) => {
                shared.count_connection(spec.kind);
                connection
            }
            Err(fault) => {
                fail(shared, spec, None, fault, begin);
                shared.pause(AFTER_CONNECT_FAILURE).await;
                return None;
            }
        },
    };
    let limit = shared.timeout.saturating_sub(begin.at.elapsed());
    match connection
        .exchange(&spec.request, &shared.worker_from, limit)
        .await
    {
        Ok(answer) => answered(shared, spec, &mut connection, answer, begin)
            .await
            .then_some(connection),
        Err(fault) => {
            fail(shared, spec, Some(&connection), fault, begin);
            None
        }
    }
}

/// Counts a complete answer; true if the connection can be used again.
async fn answered(
    shared: &Shared,
    spec: &ClientSpec,
    connection: &mut Connection,
    answer: Answer,
    begin: Moment,
) -> bool {
    if shared.is_good(answer.status) {
        shared.count_answer(spec.kind, begin);
    } else {
        let fault = Fault {
            kind: FailureKind::BadStatus,
            phase: Phase::Response,
            status: Some(answer.status),
            detail: format!("status {}", answer.status),
        };
        fail(shared, spec, Some(connection), fault, begin);
    }
    let first = connection.answered == 0;
    connection.answered += 1;
    if first {
        shared.note_first_answer();
    }
    if let Some(worker) = answer.worker {
        shared.count_worker(&worker, first);
        connection.worker = Some(worker);
    }
    if !answer.close && !spec.close {
        return true;
    }
    if !spec.close {
        shared.count_closed_politely(spec.kind);
    }
    // Who closes first keeps the address in TIME_WAIT; that shall be the server, as with ab and siege.
    if answer.close {
        let _late = tokio::time::timeout(CLOSE_WAIT, connection.closed()).await;
    }
    false
}

fn fail(
    shared: &Shared,
    spec: &ClientSpec,
    connection: Option<&Connection>,
    fault: Fault,
    begin: Moment,
) {
    shared.count_failure(Failure {
        client: spec.kind,
        kind: fault.kind,
        phase: fault.phase,
        marked: shared.marked_since(begin),
        at: shared.elapsed(),
        connection_age: connection.map_or(Duration::ZERO, Connection::age),
        answered_before: connection.map_or(0, |connection| connection.answered),
        status: fault.status,
        worker: connection.and_then(|connection| connection.worker.clone()),
        client_port: connection.and_then(|connection| connection.port),
        detail: fault.detail,
    });
}

fn random_in(range: &std::ops::Range<u64>) -> u64 {
    if range.is_empty() {
        range.start
    } else {
        fastrand::u64(range.clone())
    }
}
