//! An end within a given time: whoever has asked for it kills what is left after that.

use std::rc::Rc;
use std::time::Duration;

use rota_engine::{Event, WorkerId, WorkerStatus};

use crate::operations::Caller;
use crate::supervisor::{Supervisor, monotonic_millis};

/// The parts of the time that is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    /// Until here workers may drain.
    drain: Duration,
    /// Until here they may act on their stop signal.
    stop: Duration,
}

/// What rota itself needs after the last worker, at most.
const OWN: Duration = Duration::from_millis(500);

/// A tenth for ourselves; of the rest a third, or what the apps want if that is less, for stop handlers.
fn parts(grace: Duration, kill: Duration) -> Parts {
    let stop = grace - (grace / 10).min(OWN);
    let drain = stop - (stop / 3).min(kill);
    Parts { drain, stop }
}

/// How much of its drain time a worker has, in milliseconds, if `stopping_since` (monotonic) an end within `grace_ms` is
/// under way.
pub(crate) fn drain_within(
    limit: u64,
    grace_ms: Option<u64>,
    stopping_since: Option<u64>,
    kill: Duration,
) -> u64 {
    let (Some(grace), Some(since)) = (grace_ms, stopping_since) else {
        return limit;
    };
    let until = parts(Duration::from_millis(grace), kill).drain.as_millis();
    let passed = monotonic_millis().saturating_sub(since);
    limit.min(
        u64::try_from(until)
            .unwrap_or(u64::MAX)
            .saturating_sub(passed),
    )
}

impl Supervisor {
    /// The end, asked for by a signal: within the time of `--grace`, if there is one.
    pub(crate) fn shut_down_by_signal(self: &Rc<Self>, now: bool, caller: Caller) {
        if self.run.grace_ms.is_some() && !now {
            self.with(|state| {
                state.stopping_since.get_or_insert_with(monotonic_millis);
            });
        }
        self.shut_down(now, caller);
        self.go_on_with_grace();
    }

    /// Watches the time, also if the supervisor before this one was asked to end.
    pub(crate) fn go_on_with_grace(self: &Rc<Self>) {
        let since = self.with(|state| state.stopping_since.filter(|_| state.stopping));
        let (Some(grace), Some(since)) = (self.run.grace_ms, since) else {
            return;
        };
        let parts = parts(Duration::from_millis(grace), self.longest_kill());
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let passed = Duration::from_millis(monotonic_millis().saturating_sub(since));
            tokio::time::sleep(parts.drain.saturating_sub(passed)).await;
            this.end_drains();
            tokio::time::sleep(parts.stop - parts.drain).await;
            this.kill_the_rest();
        });
    }

    /// The longest time that any app has for its stop handlers.
    pub(crate) fn longest_kill(&self) -> Duration {
        self.with(|state| {
            let apps = state.apps.values();
            let prepared = apps.flat_map(|app| app.generations.values());
            let times = prepared.map(|prepared| prepared.spec.stop.kill_timeout.duration());
            times.max().unwrap_or_default()
        })
    }

    fn end_drains(self: &Rc<Self>) {
        let draining: Vec<u64> = self.with(|state| {
            let is = |id: &u64| {
                let view = state.engine.worker(WorkerId(*id));
                view.is_some_and(|view| view.status == WorkerStatus::Draining)
            };
            state.workers.keys().copied().filter(is).collect()
        });
        if !draining.is_empty() {
            self.say(&format!(
                "{} workers have not finished what they have; the time of --grace is short",
                draining.len()
            ));
        }
        for worker in draining {
            self.feed(Event::Drained {
                worker: WorkerId(worker),
            });
        }
    }

    fn kill_the_rest(self: &Rc<Self>) {
        let left = self.with(|state| state.workers.len());
        if left > 0 {
            self.say(&format!(
                "the time of --grace is over: {left} workers are killed"
            ));
            self.transact(|| self.shut_down(true, Caller::default()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_shared_out() {
        let secs = Duration::from_secs_f64;
        let of = |grace, kill| {
            let parts = parts(secs(grace), secs(kill));
            (parts.drain.as_secs_f64(), parts.stop.as_secs_f64())
        };
        assert_eq!(of(10.0, 2.0), (7.5, 9.5));
        assert_eq!(of(3.0, 5.0), (1.8, 2.7));
        assert_eq!(of(0.0, 5.0), (0.0, 0.0));
        assert_eq!(drain_within(30_000, None, Some(0), Duration::ZERO), 30_000);
        let since = monotonic_millis();
        let left = drain_within(30_000, Some(10_000), Some(since), Duration::from_secs(2));
        assert!((7_000..=7_500).contains(&left), "{left}");
        assert_eq!(
            drain_within(100, Some(10_000), Some(since), Duration::ZERO),
            100
        );
    }
}
