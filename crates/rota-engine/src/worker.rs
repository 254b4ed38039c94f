//! One process: from its start to its end, with the ladder that it is stopped by.
//!
//! Drain, then a message if its policy has one, then the stop signal, then SIGKILL, then SIGKILL again until it is gone. A worker can
//! only go down the ladder, and nothing but its end takes it off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::saved::is_default;
use crate::spec::Spec;
use crate::{Effect, Notice, Slot, StopReason, Time, WorkerId, WorkerStatus};

/// SIGKILL is repeated after this time: a process in uninterruptible sleep takes it when it wakes,
/// but a signal that the supervisor could not deliver has to be sent again.
const KILL_AGAIN: Duration = Duration::from_secs(5);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) slot: Slot,
    pub(crate) spec: Spec,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) pid: Option<u32>,
    pub(crate) started: Time,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) ready: Option<Time>,
    pub(crate) phase: Phase,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) stopping: Option<StopReason>,
    /// A successor may run beside it while it is on its way out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) overlap: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Phase {
    Starting {
        until: Time,
    },
    Ready,
    Draining {
        until: Time,
    },
    /// It has been asked to stop by a message.
    Asked {
        until: Time,
    },
    /// `signalled` is false while its process is not known yet: the signal follows `Spawned`.
    Stopping {
        until: Time,
        signalled: bool,
    },
    Killing {
        again: Time,
    },
}

/// On which rung a worker gets onto the ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rung {
    /// As gently as its policy has it.
    Drain,
    /// It drains by its own wish: only the time limit is ours.
    Leave,
    /// With the stop signal, and little patience: it will hardly hear it.
    Hung,
    /// With SIGKILL.
    Kill,
}

impl Worker {
    pub(crate) fn new(id: WorkerId, slot: Slot, spec: Spec, now: Time) -> Self {
        let until = now + spec.policy.ready_timeout;
        Self {
            id,
            slot,
            spec,
            pid: None,
            started: now,
            ready: None,
            phase: Phase::Starting { until },
            stopping: None,
            overlap: false,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// How long it has been ready.
    pub(crate) fn served(&self, now: Time) -> Duration {
        self.ready.map_or(Duration::ZERO, |ready| now.since(ready))
    }

    pub(crate) fn status(&self) -> WorkerStatus {
        match self.phase {
            Phase::Starting { .. } => WorkerStatus::Starting,
            Phase::Ready => WorkerStatus::Ready,
            Phase::Draining { .. } => WorkerStatus::Draining,
            Phase::Asked { .. } | Phase::Stopping { .. } => WorkerStatus::Stopping,
            Phase::Killing { .. } => WorkerStatus::Killing,
        }
    }

    /// When time does something to it.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Ready => None,
            Phase::Starting { until }
            | Phase::Draining { until }
            | Phase::Asked { until }
            | Phase::Stopping { until, .. }
            | Phase::Killing { again: until } => Some(until),
        }
    }

    /// Puts it on the ladder, or further down if it is on it already.
    pub(crate) fn stop(&mut self, cx: &mut Context, rung: Rung, why: StopReason) {
        let reason = *self.stopping.get_or_insert(why);
        match (self.phase, rung) {
            (Phase::Killing { .. }, _)
            | (Phase::Stopping { .. }, Rung::Drain | Rung::Leave | Rung::Hung)
            | (Phase::Draining { .. } | Phase::Asked { .. }, Rung::Drain | Rung::Leave) => {}
            // Also one that is not ready yet: it may listen already, and then it is dealt connections.
            // Whether it has work to finish is known where connections are dealt.
            (Phase::Starting { .. } | Phase::Ready, Rung::Drain) if self.spec.policy.drains => {
                cx.out.push(Effect::Drain { worker: self.id });
                self.drain(cx, reason);
            }
            (Phase::Starting { .. } | Phase::Ready, Rung::Leave) => self.drain(cx, reason),
            (Phase::Starting { .. } | Phase::Ready, Rung::Drain) => self.end(cx, reason),
            (
                Phase::Starting { .. }
                | Phase::Ready
                | Phase::Draining { .. }
                | Phase::Asked { .. },
                Rung::Hung,
            ) => {
                let limit = self.spec.policy.hung_timeout;
                self.signal(cx, reason, limit);
            }
            (
                Phase::Starting { .. }
                | Phase::Ready
                | Phase::Draining { .. }
                | Phase::Asked { .. }
                | Phase::Stopping { .. },
                Rung::Kill,
            ) => self.kill(cx),
        }
    }

    /// The process is there: catches up with what was decided in the meantime.
    pub(crate) fn spawned(&mut self, cx: &mut Context, pid: u32) {
        if self.pid.is_some() {
            return;
        }
        self.pid = Some(pid);
        match &mut self.phase {
            Phase::Stopping { until, signalled } if !*signalled => {
                *signalled = true;
                *until = cx.now + self.spec.policy.kill_timeout;
                cx.out.push(Effect::StopSignal { worker: self.id });
            }
            Phase::Killing { .. } => cx.out.push(Effect::Kill { worker: self.id }),
            Phase::Starting { .. }
            | Phase::Ready
            | Phase::Draining { .. }
            | Phase::Asked { .. }
            | Phase::Stopping { .. } => {}
        }
    }

    /// It has no connections left, or never had any. One that leaves by its own wish may also end by itself: it has
    /// as long for that as for the stop signal.
    pub(crate) fn drained(&mut self, cx: &mut Context) {
        let Phase::Draining { until } = &mut self.phase else {
            return;
        };
        match self.stopping {
            Some(StopReason::Left) => *until = (*until).min(cx.now + self.spec.policy.kill_timeout),
            Some(reason) => self.end(cx, reason),
            None => {}
        }
    }

    /// Goes a rung down when the time on the present one is over.
    pub(crate) fn descend(&mut self, cx: &mut Context) {
        let reason = self.stopping.unwrap_or(StopReason::Replaced);
        match self.phase {
            Phase::Draining { until } if until <= cx.now => self.end(cx, reason),
            // It has had its time: what did not hear the message gets little more for the signal.
            Phase::Asked { until } if until <= cx.now => {
                let limit = self.spec.policy.hung_timeout;
                self.signal(cx, reason, limit);
            }
            Phase::Stopping { until, .. } if until <= cx.now => self.kill(cx),
            Phase::Killing { again } if again <= cx.now => self.kill(cx),
            Phase::Starting { .. }
            | Phase::Ready
            | Phase::Draining { .. }
            | Phase::Asked { .. }
            | Phase::Stopping { .. }
            | Phase::Killing { .. } => {}
        }
    }

    /// Asks it to end: by a message if its policy has one and somebody can hear it, by the stop signal otherwise.
    fn end(&mut self, cx: &mut Context, reason: StopReason) {
        let limit = self.spec.policy.kill_timeout;
        if !self.spec.policy.asks || self.pid.is_none() {
            return self.signal(cx, reason, limit);
        }
        self.phase = Phase::Asked {
            until: cx.now + limit,
        };
        cx.out.push(Effect::StopMessage { worker: self.id });
        self.tell_stopping(cx, reason);
    }

    fn drain(&mut self, cx: &mut Context, reason: StopReason) {
        self.phase = Phase::Draining {
            until: cx.now + self.spec.policy.drain_timeout,
        };
        cx.notice(Notice::Draining {
            slot: self.slot,
            worker: self.id,
            reason,
        });
    }

    fn signal(&mut self, cx: &mut Context, reason: StopReason, limit: Duration) {
        let signalled = self.pid.is_some();
        let asked = matches!(self.phase, Phase::Asked { .. });
        self.phase = Phase::Stopping {
            until: cx.now + limit,
            signalled,
        };
        if signalled {
            cx.out.push(Effect::StopSignal { worker: self.id });
        }
        if !asked {
            self.tell_stopping(cx, reason);
        }
    }

    fn tell_stopping(&self, cx: &mut Context, reason: StopReason) {
        cx.notice(Notice::Stopping {
            slot: self.slot,
            worker: self.id,
            reason,
        });
    }

    fn kill(&mut self, cx: &mut Context) {
        let first = !matches!(self.phase, Phase::Killing { .. });
        self.phase = Phase::Killing {
            again: cx.now + KILL_AGAIN,
        };
        cx.out.push(Effect::Kill { worker: self.id });
        if first {
            cx.notice(Notice::Killing {
                slot: self.slot,
                worker: self.id,
                reason: self.stopping.unwrap_or(StopReason::Replaced),
            });
        }
    }
}
