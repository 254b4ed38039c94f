//! A load that is under way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::builder::Load;
use super::client;
use super::report::Report;

/// What may be read, and the mark that may be set, while the load runs.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) begin: Instant,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    /// How often the mark was set or taken away: odd while it is set.
    pub(super) marks: AtomicU64,
    /// When the last first answer on a connection came, in µs since the beginning; 0 before there was one.
    fresh: AtomicU64,
    /// The longest time between two such answers, in µs, since somebody asked.
    gap: AtomicU64,
}

impl Live {
    /// A connection has had its first answer.
    pub(super) fn answered_first(&self) {
        let now = micros(self.begin.elapsed());
        let before = self.fresh.swap(now, Ordering::Relaxed);
        if before > 0 {
            self.gap
                .fetch_max(now.saturating_sub(before), Ordering::Relaxed);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// A load that is under way; dropping it stops it, and forgets what it saw.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    report: Option<oneshot::Receiver<Report>>,
    thread: Option<JoinHandle<()>>,
    live: Arc<Live>,
}

impl Running {
    pub(super) fn spawn(load: Load) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Sockets are looked at more often than after tokio's usual 61 tasks: a client that does not
            // look cannot know that its idle connection was closed.
            .event_interval(13)
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (done, report) = oneshot::channel();
        let live = Arc::new(Live {
            begin: Instant::now(),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            marks: AtomicU64::new(0),
            fresh: AtomicU64::new(0),
            gap: AtomicU64::new(0),
        });
        let seen = Arc::clone(&live);
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                let report = runtime.block_on(client::run_all(load, stopped, seen));
                // The handle may have been dropped: then nobody wants the report.
                let _unwanted = done.send(report);
            })?;
        Ok(Self {
            stop,
            report: Some(report),
            thread: Some(thread),
            live,
        })
    }

    /// Time since the load began: the clock of [`Failure::at`](super::Failure::at).
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.live.begin.elapsed()
    }

    /// Sets a mark or takes it away: what happens while it is set, for instance during a reload, is counted in
    /// [`KindReport::marked`](super::KindReport::marked), the rest in `unmarked`.
    pub fn mark(&self, on: bool) {
        let marked = self.live.marks.load(Ordering::Relaxed) % 2 == 1;
        if marked != on {
            self.live.marks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.live.answered.load(Ordering::Relaxed)
    }

    /// Requests failed so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.live.failed.load(Ordering::Relaxed)
    }

    /// The longest time in which no new connection got an answer, since this was asked the last time; what lasts still
    /// counts as far as it has come. Zero before the first answer.
    #[must_use]
    pub fn take_longest_gap(&self) -> Duration {
        let last = self.live.fresh.load(Ordering::Relaxed);
        let ended = self.live.gap.swap(0, Ordering::Relaxed);
        let lasting = match last {
            0 => 0,
            last => micros(self.live.begin.elapsed()).saturating_sub(last),
        };
        Duration::from_micros(ended.max(lasting))
    }

    /// Waits until this many requests were answered since the load began. The caller bounds the time.
    pub async fn until_answered(&self, requests: u64) {
        while self.answered() < requests {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// As [`Running::until_answered`], blocking the thread; false if the limit passed before.
    #[must_use]
    pub fn until_answered_blocking(&self, requests: u64, limit: Duration) -> bool {
        let begin = Instant::now();
        while self.answered() < requests {
            if begin.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Lets running requests end, closes the connections and returns what happened.
    pub async fn stop(mut self) -> Report {
        self.tell_stop();
        self.take_report().await
    }

    /// As [`Running::stop`], blocking the thread; must not be called from async code.
    #[must_use]
    pub fn stop_blocking(mut self) -> Report {
        self.tell_stop();
        self.join()
    }

    /// Waits until a load with a number of requests ([`Load::requests`]) is through.
    pub async fn finished(mut self) -> Report {
        self.take_report().await
    }

    /// As [`Running::finished`], blocking the thread; must not be called from async code.
    #[must_use]
    pub fn finished_blocking(mut self) -> Report {
        self.join()
    }

    async fn take_report(&mut self) -> Report {
        if let Some(report) = self.report.take()
            && let Ok(report) = report.await
        {
            return report;
        }
        self.join()
    }

    fn tell_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the thread. A panic there goes on here: an empty report would look like "no failures".
    fn join(&mut self) -> Report {
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
        self.report
            .take()
            .and_then(|mut report| report.try_recv().ok())
            .unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_stop();
    }
}
