//! What all clients of one load share, on one thread.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::builder::{Load, Target, WorkerFrom};
use super::report::{ClientKind, Failure, FailureKind, Phase, Report};
use super::running::Live;

/// When a request began, and how often the mark had changed by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    marks: u64,
}

/// Settings, counters and the stop flag.
pub(super) struct Shared {
    pub(super) target: Target,
    pub(super) timeout: Duration,
    pub(super) worker_from: WorkerFrom,
    good_status: Range<u16>,
    stopping: Cell<bool>,
    stopped: Notify,
    budget: Cell<Option<u64>>,
    live: Arc<Live>,
    report: RefCell<Report>,
}

impl Shared {
    pub(super) fn new(load: &Load, live: Arc<Live>) -> Rc<Self> {
        Rc::new(Self {
            target: load.target().clone(),
            timeout: load.timeout,
            worker_from: load.worker_from.clone(),
            good_status: load.good_status.clone(),
            stopping: Cell::new(false),
            stopped: Notify::new(),
            budget: Cell::new(load.budget),
            live,
            report: RefCell::default(),
        })
    }

    pub(super) fn stop(&self) {
        self.stopping.set(true);
        self.stopped.notify_waiters();
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Waits for the given time; false when the load ended meanwhile.
    pub(super) async fn pause(&self, time: Duration) -> bool {
        if self.stopping() {
            return false;
        }
        tokio::select! {
            () = self.stopped.notified() => false,
            () = tokio::time::sleep(time) => !self.stopping(),
        }
    }

    /// Asks for leave to send one more request.
    pub(super) fn next_request(&self) -> bool {
        if self.stopping() {
            return false;
        }
        match self.budget.get() {
            None => true,
            Some(0) => false,
            Some(left) => {
                self.budget.set(Some(left - 1));
                true
            }
        }
    }

    /// Now, as the beginning of something.
    pub(super) fn now(&self) -> Moment {
        Moment {
            at: Instant::now(),
            marks: self.live.marks.load(Ordering::Relaxed),
        }
    }

    /// Whether what began then, and ends now, touches a time with the mark set.
    pub(super) fn marked_since(&self, begin: Moment) -> bool {
        let marks = self.live.marks.load(Ordering::Relaxed);
        marks % 2 == 1 || marks != begin.marks
    }

    /// Time since the load began.
    pub(super) fn elapsed(&self) -> Duration {
        self.live.begin.elapsed()
    }

    pub(super) fn is_good(&self, status: u16) -> bool {
        self.good_status.contains(&status)
    }

    pub(super) fn count_connection(&self, client: ClientKind) {
        self.with(client, |kind| kind.connections += 1);
    }

    pub(super) fn count_closed_idle(&self, client: ClientKind) {
        let marked = self.marked_since(self.now());
        self.with(client, |kind| {
            kind.closed_idle += 1;
            kind.part(marked).closed_idle += 1;
        });
    }

    pub(super) fn count_closed_politely(&self, client: ClientKind) {
        let marked = self.marked_since(self.now());
        self.with(client, |kind| {
            kind.closed_politely += 1;
            kind.part(marked).closed_politely += 1;
        });
    }

    pub(super) fn count_answer(&self, client: ClientKind, begin: Moment) {
        let (latency, marked) = (begin.at.elapsed(), self.marked_since(begin));
        self.live.answered.fetch_add(1, Ordering::Relaxed);
        self.with(client, |kind| {
            kind.answered += 1;
            kind.latency.record(latency);
            let part = kind.part(marked);
            part.answered += 1;
            part.latency.record(latency);
        });
    }

    /// A connection has had its first answer.
    pub(super) fn note_first_answer(&self) {
        self.live.answered_first();
    }

    /// Counts an answer of the worker, and the connection if it is the first on it.
    pub(super) fn count_worker(&self, worker: &str, first: bool) {
        let mut report = self.report.borrow_mut();
        if !report.workers.contains_key(worker) {
            report
                .workers
                .insert(worker.to_owned(), super::WorkerCount::default());
        }
        if let Some(count) = report.workers.get_mut(worker) {
            count.requests += 1;
            count.connections += u64::from(first);
        }
    }

    pub(super) fn count_failure(&self, failure: Failure) {
        self.live.failed.fetch_add(1, Ordering::Relaxed);
        let (client, kind): (ClientKind, FailureKind) = (failure.client, failure.kind);
        self.with(client, |counts| {
            *counts.failed.entry(kind).or_default() += 1;
            counts.cut_off +=
                u64::from(failure.phase == Phase::Response && kind != FailureKind::BadStatus);
            counts.part(failure.marked).failed += 1;
        });
        let mut report = self.report.borrow_mut();
        if report.failures.len() < Report::MAX_FAILURES {
            report.failures.push(failure);
        }
    }

    pub(super) fn take_report(&self) -> Report {
        let mut report = self.report.take();
        report.elapsed = self.elapsed();
        report
    }

    fn with(&self, client: ClientKind, change: impl FnOnce(&mut super::KindReport)) {
        change(self.report.borrow_mut().kinds.entry(client).or_default());
    }
}
