//! Heartbeats: asks the workers, and does what follows from their silence.
//!
//! The rule is the engine's (`rota_engine::Pulses`). One timer serves all workers, and all of the same
//! interval are asked at the same moment.

use std::cell::RefCell;
use std::rc::Rc;

use rota_api::{Progress, ProgressKind};
use rota_engine::{PulseEffect, PulseSettings, Pulses, Sight, Unanswered, WorkerId, WorkerStatus};
use rota_node::agent::ToAgent;
use tokio::sync::Notify;

use super::block::Blocks;
use super::hang::Suspicion;
use crate::dispatch::DispatchCommand;
use crate::supervisor::Supervisor;
use crate::words;

/// The heartbeats of all workers, and what wakes their timer.
#[derive(Default)]
pub(crate) struct Heart {
    pulses: RefCell<Pulses>,
    rearm: Notify,
}

impl Heart {
    /// Works on the heartbeats; the timer is set anew afterwards. Not to be nested.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Pulses) -> T) -> T {
        let mut pulses = self.pulses.borrow_mut();
        let before = pulses.next_deadline();
        let result = work(&mut pulses);
        if pulses.next_deadline() != before {
            self.rearm.notify_one();
        }
        result
    }

    /// What the next supervisor has to know of a worker's silence.
    pub(crate) fn unanswered(&self, worker: u64) -> Option<Unanswered> {
        self.pulses.borrow().unanswered(WorkerId(worker))
    }
}

/// The heartbeat of one worker.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// An inspector is open: the worker may be held for as long as somebody likes.
    shielded: bool,
    /// What an earlier supervisor has noted of its silence, until we ask it ourselves.
    pub(crate) left: Option<Unanswered>,
    /// That one was looking for its stack, and it has not answered since.
    pub(crate) looked_for: bool,
    /// It did not answer for so long that its stack is being looked for.
    pub(super) suspicion: Option<Suspicion>,
    /// For how long its event loop was blocked.
    pub(super) blocks: Blocks,
    /// Where it hung, for the record of its failure.
    pub(super) verdict: Option<Result<Vec<String>, String>>,
}

impl Pulse {
    /// Its stack is being looked for, or was since it last answered.
    pub(crate) fn is_suspected(&self) -> bool {
        self.looked_for || self.suspicion.is_some()
    }
}

impl Supervisor {
    /// Asks the workers at their times, for as long as the daemon runs.
    pub(crate) async fn keep_pulse(self: Rc<Self>) {
        loop {
            let deadline = self.heart.pulses.borrow().next_deadline();
            let Some(deadline) = deadline else {
                self.heart.rearm.notified().await;
                continue;
            };
            let wait = deadline.since(self.now());
            tokio::select! {
                () = tokio::time::sleep(wait) => self.feel_pulse(),
                () = self.heart.rearm.notified() => {}
            }
        }
    }

    /// Asks, and looks at those who owe an answer.
    fn feel_pulse(self: &Rc<Self>) {
        let now = self.now();
        let pid = |worker: WorkerId| self.with(|state| state.workers.get(&worker.0)?.pid);
        let effects = {
            let mut pulses = self.heart.pulses.borrow_mut();
            pulses.tick(now, |worker| sight(pid(worker)?))
        };
        for effect in effects {
            self.follow(effect);
        }
    }

    fn follow(self: &Rc<Self>, effect: PulseEffect) {
        match effect {
            PulseEffect::Ask { worker, n } => self.tell_agent(worker.0, &ToAgent::Ping { n }),
            PulseEffect::Note { worker } => self.save_worker(worker.0),
            PulseEffect::Missed { worker, halted, .. } => {
                self.dispatcher
                    .send(DispatchCommand::StopDealing { worker: worker.0 });
                let why = if halted {
                    "is stopped, by a signal or a debugger, and does not answer"
                } else {
                    "does not answer (1 missed beat)"
                };
                self.tell_of(worker.0, |slot| {
                    format!("worker {slot} {why}: it gets no new connections until it does")
                });
            }
            PulseEffect::Suspect { worker } => self.suspect(worker.0),
            PulseEffect::Hung { worker, silent, .. } => self.condemn(worker.0, silent),
            PulseEffect::Postponed { workers } => self.say(&format!(
                "all {workers} workers stopped answering together, which is more likely the machine's fault: \
                 they are given their time once more"
            )),
        }
    }

    /// A worker is ready: from now on it has to answer, if it has an agent that can.
    pub(crate) fn start_pulse(&self, worker: u64) {
        if let Some((settings, shielded)) = self.pulse_settings(worker) {
            let now = self.now();
            self.heart
                .with(|pulses| pulses.watch(now, WorkerId(worker), settings, shielded));
        }
    }

    /// The supervisor of a worker has died: it goes on owing what it owed.
    pub(crate) fn resume_pulse(&self, worker: u64) {
        let Some((settings, shielded)) = self.pulse_settings(worker) else {
            return;
        };
        let left = self.with(|state| state.workers.get_mut(&worker)?.agent.pulse.left.take());
        // The order to the dispatcher may have died with whoever gave it.
        let late = left.is_some_and(|left| left.missing.is_some());
        self.dispatcher.send(if late {
            DispatchCommand::StopDealing { worker }
        } else {
            DispatchCommand::ResumeDealing { worker }
        });
        let now = self.now();
        self.heart
            .with(|pulses| pulses.resume(now, WorkerId(worker), settings, shielded, left));
    }

    /// How a worker is watched, if it is ready and has an agent.
    fn pulse_settings(&self, worker: u64) -> Option<(PulseSettings, bool)> {
        let ready = self.with(|state| {
            let view = state.engine.worker(WorkerId(worker))?;
            Some(view.status == WorkerStatus::Ready)
        });
        let settings = self.with(|state| {
            let entry = state.workers.get(&worker)?;
            entry.agent.hello.as_ref()?;
            let agent = &entry.prepared.spec.agent;
            let settings = PulseSettings::new(
                agent.interval.duration(),
                agent.timeout.duration(),
                agent.misses,
            );
            Some((settings, entry.agent.pulse.shielded))
        });
        settings.filter(|_| ready == Some(true))
    }

    /// A worker leaves, or can say nothing any more: the engine's own limits hold from here on.
    pub(crate) fn stop_pulse(&self, worker: u64) {
        self.heart.with(|pulses| pulses.forget(WorkerId(worker)));
    }

    /// Somebody opened an inspector in a worker, or closed it.
    pub(super) fn shield(&self, worker: u64, open: bool) {
        let changed = self.with(|state| {
            let pulse = &mut state.workers.get_mut(&worker)?.agent.pulse;
            Some((std::mem::replace(&mut pulse.shielded, open) != open).then_some(open))
        });
        if let Some(Some(open)) = changed {
            let now = self.now();
            self.heart
                .with(|pulses| pulses.shield(now, WorkerId(worker), open));
        }
    }

    /// A worker has answered a ping; its event loop was blocked for `longest` milliseconds at most since the
    /// answer before.
    pub(crate) fn beat(self: &Rc<Self>, worker: u64, n: u64, longest: f64) {
        let now = self.now();
        let answer = self
            .heart
            .with(|pulses| pulses.answered(now, WorkerId(worker), n));
        let suspicion = self.with(|state| {
            let pulse = &mut state.workers.get_mut(&worker)?.agent.pulse;
            pulse.looked_for = false;
            pulse.suspicion.take()
        });
        if let Some(answer) = answer.filter(|answer| answer.missed) {
            self.dispatcher
                .send(DispatchCommand::ResumeDealing { worker });
            let after = words::span(answer.silent);
            self.tell_of(worker, |slot| {
                format!("worker {slot} answers again after {after}")
            });
        }
        let debugged = self.is_debugged(worker);
        self.shield(worker, debugged);
        if answer.is_some_and(|answer| answer.noted) {
            // Only now: whoever still finds the note lets the worker have connections again.
            self.save_worker(worker);
        }
        if !debugged {
            self.note_block(worker, answer, longest, suspicion);
        }
    }

    /// News about a worker: for the daemon's log, and for those who wait for a command on its app.
    pub(super) fn tell_of(&self, worker: u64, text: impl FnOnce(u32) -> String) {
        let told = self.with(|state| {
            let entry = state.workers.get(&worker)?;
            let (app, slot) = (entry.app, entry.slot);
            let progress = Progress {
                kind: ProgressKind::Note,
                app: state.app_name(app),
                slot: Some(slot),
                worker: Some(worker),
                pid: entry.pid,
                step: None,
                text: text(slot),
                drained: None,
            };
            state.operations.tell(app, &progress);
            Some(format!("{}: {}", progress.app, progress.text))
        });
        if let Some(line) = told {
            self.say(&line);
        }
    }
}

/// What a process looks like from outside; without the scheduler's figures nothing is forgiven but a stop.
fn sight(pid: u32) -> Option<Sight> {
    let thread = rota_sys::sched::main_thread(pid).ok()?;
    let usage = thread.usage;
    Some(Sight {
        halted: thread.is_stopped(),
        runnable: thread.is_runnable() && usage.is_some(),
        used: usage.map(|usage| usage.used).unwrap_or_default(),
        starved: usage.map(|usage| usage.waited).unwrap_or_default(),
    })
}
