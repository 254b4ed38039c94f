//! What became of a lost request, and why such a thing happens.

use rota_load::{Failure, FailureKind, Phase};

/// What happened, as the client saw it.
pub(super) fn outcome(lost: &Failure) -> String {
    match lost.kind {
        FailureKind::ConnectRefused => "connection refused".to_owned(),
        FailureKind::ConnectFailed => format!("cannot connect: {}", lost.detail),
        FailureKind::Reset if lost.phase == Phase::Response => {
            "connection reset within the answer".to_owned()
        }
        FailureKind::Reset => "connection reset".to_owned(),
        FailureKind::ClosedBeforeResponse => "connection closed before the answer".to_owned(),
        FailureKind::ClosedMidResponse => "connection closed within the answer".to_owned(),
        FailureKind::BadStatus => format!("status {}", lost.status.unwrap_or_default()),
        FailureKind::Malformed => format!("not HTTP/1.1: {}", lost.detail),
        FailureKind::Timeout => "no whole answer in time".to_owned(),
    }
}

/// Why that happens during a reload, and what helps.
pub(super) fn cause(lost: &Failure) -> &'static str {
    match lost.kind {
        FailureKind::ConnectRefused => {
            "nobody listened at that moment: the old worker had closed the port before a new one had it. That happens \
             to a program that opens its port itself; as cluster workers, or with --listen, the port stays open"
        }
        FailureKind::ConnectFailed => {
            "this machine could not make the connection; see what it says"
        }
        FailureKind::ClosedMidResponse => CUT_OFF,
        FailureKind::Reset if lost.phase == Phase::Response => CUT_OFF,
        FailureKind::Reset | FailureKind::ClosedBeforeResponse if lost.answered_before > 0 => {
            "a kept connection was closed while the next request was on its way, a race that a server cannot win. With \
             the agent the connection is handed over instead; TLS, HTTP/2, --no-agent, --fork and other runtimes \
             cannot have that"
        }
        FailureKind::Reset | FailureKind::ClosedBeforeResponse => {
            "the worker ended with a new connection in its hands: it took longer than --drain-timeout, or the app exits \
             by itself without waiting for its requests"
        }
        FailureKind::BadStatus => {
            "the app itself answered with an error: what does it do when it is told to stop, and before it is ready?"
        }
        FailureKind::Malformed => {
            "the answer is none of HTTP/1.1: is there another protocol at this address?"
        }
        FailureKind::Timeout => {
            "no whole answer within 30 s: the app is overloaded or stuck; fewer clients (--concurrency) tell which"
        }
    }
}

/// Lost without a reload: the clients, the app or its settings are the reason.
pub(super) const OUTSIDE: &str = "no reload was running: the app loses such requests by itself. A keep-alive timeout \
    that is shorter than the clients' pauses (up to 500 ms) does that, and so does overload";

const CUT_OFF: &str = "the worker ended before its answer was whole: it took longer than --drain-timeout, or the app \
    exits by itself in its own signal handler";
