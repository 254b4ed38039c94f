//! What the keeper, the dispatcher and the notify sockets report, turned into events.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_engine::{AppId, Event, ExitStatus, SlotStatus, SlotView, WorkerId};
use rota_keeper::protocol::FromKeeper;
use rota_node::agent::DrainReport;
use tokio::sync::watch;

use crate::dispatch::{DispatchCommand, DispatchEvent};
use crate::notify::Notification;
use crate::output::Reader;
use crate::saved::{channel_key, worker_key};
use crate::shortage;
use crate::supervisor::Supervisor;
use crate::words;
use crate::worker::{Readiness, Watchdog, Worker};

impl Supervisor {
    /// A message of the keeper, after it has handed everything back.
    pub(crate) fn on_keeper(self: &Rc<Self>, message: FromKeeper) {
        match message {
            FromKeeper::Spawned {
                child, pid, group, ..
            } => self.spawned(child, pid, group),
            FromKeeper::SpawnFailed {
                child,
                stage,
                errno,
                message,
                ..
            } => {
                let lacking = shortage::is_meant(stage) && shortage::is_errno(errno);
                let event = shortage::event(WorkerId(child), message, lacking);
                self.worker_ended(child, event);
            }
            FromKeeper::Exited { child, exit, .. } => {
                let (worker, status) = (WorkerId(child), exit_status(exit.status));
                self.note_exit(child, &exit);
                self.worker_ended(child, Event::Exited { worker, status });
            }
            FromKeeper::Signal { number } => self.on_signal(number),
            FromKeeper::SignalFailed {
                child,
                signal,
                errno,
            } => {
                let name = self.name_of(child);
                let signal = words::signal_name(signal);
                let error = std::io::Error::from_raw_os_error(errno);
                // A process that has just ended is no news.
                if error.raw_os_error() != Some(rustix::io::Errno::SRCH.raw_os_error()) {
                    self.say(&format!("cannot send {signal} to {name}: {error}"));
                }
            }
            FromKeeper::Refused { about, message, .. } => {
                // A main process that is none of the worker's own: it stays the one that was spawned.
                if let Ok(worker) = about.parse() {
                    self.update(worker, |w| w.pid = w.spawned_pid);
                    self.save_worker(worker);
                }
                self.say(&format!(
                    "the keeper refused a request about {about}: {message}"
                ));
            }
            FromKeeper::UpgradeFailed { message } => self.upgrade_failed(&message),
            // Both threads have to be there for an answer.
            FromKeeper::Ping { number } => self.dispatcher.send(DispatchCommand::Ping { number }),
            // Only at the beginning.
            FromKeeper::Hello(_)
            | FromKeeper::Entry { .. }
            | FromKeeper::Child { .. }
            | FromKeeper::Restored => {}
        }
    }

    /// The process of a worker is gone, or there never was one: connections that it had not taken go to others, and
    /// only when the dispatcher has said what was lost the engine hears of the end. An operation that waits for
    /// nothing else is over then, and its result counts what was lost.
    fn worker_ended(self: &Rc<Self>, worker: u64, event: Event) {
        self.stop_pulse(worker);
        self.remove_pid_file(worker);
        let entry_waits = self.with(|state| {
            let entry = state.workers.get_mut(&worker);
            entry.map(|entry| entry.end = Some(event.clone()))
        });
        self.dispatcher
            .send(DispatchCommand::RemoveWorker { worker });
        if entry_waits.is_none() {
            self.let_go(worker, event);
        }
    }

    /// Nothing of a worker that has ended is left at the dispatcher.
    fn removed(self: &Rc<Self>, worker: u64) {
        let ended = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            Some((entry.end.take()?, entry.agent.undrained.take()))
        });
        let Some((event, undrained)) = ended else {
            return;
        };
        if let Some(lost) = undrained {
            self.tell_lost(worker, lost);
        }
        self.let_go(worker, event);
    }

    /// Tells the engine of the end of a worker and lets go what belonged to it: its entry with the keeper, and its
    /// output once that has been read to its end.
    fn let_go(self: &Rc<Self>, worker: u64, event: Event) {
        self.transact(|| {
            self.feed(event);
            self.keeper.forget(worker);
            self.keeper.drop_entry(&channel_key(WorkerId(worker)));
        });
        let Some(mut entry) = self.with(|state| state.workers.remove(&worker)) else {
            return self.keeper.drop_entry(&worker_key(WorkerId(worker)));
        };
        let app = entry.app;
        self.close_if_over(app);
        self.read_to_the_end(app, worker, std::mem::take(&mut entry.output));
    }

    /// Reads what a dead worker has left in its pipes, then lets its entry with the keeper go.
    pub(crate) fn read_to_the_end(self: &Rc<Self>, app: AppId, worker: u64, readers: Vec<Reader>) {
        let (done, drained) = watch::channel(false);
        self.with(|state| state.draining_output.insert(worker, drained));
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            for reader in readers {
                reader.finish().await;
            }
            this.output_ended(app, worker);
            // Fails when nobody waits for it.
            let _ = done.send(true);
        });
    }

    /// Closes the ports of an app of which nothing runs and nothing will: clients shall be refused, and
    /// others may listen there.
    fn close_if_over(&self, app: AppId) {
        let over = self.with(|state| {
            let view = state.engine.app(app)?;
            let rests = |slot: &SlotView<'_>| {
                slot.workers.is_empty()
                    && matches!(slot.status, SlotStatus::Stopped | SlotStatus::Errored)
            };
            Some(view.slots.iter().all(rests))
        });
        if over == Some(true) {
            self.dispatcher
                .send(DispatchCommand::CloseIdleListeners { app: app.0 });
        }
    }

    /// The last line of a worker is in: completes the record of its failure.
    fn output_ended(self: &Rc<Self>, app: AppId, worker: u64) {
        let tail = self.logs.tail(worker);
        let fatal = self.logs.fatal(worker);
        self.logs.forget(worker);
        self.with(|state| {
            state.draining_output.remove(&worker);
            let failures = state.apps.get_mut(&app).map(|app| &mut app.failures);
            for failure in failures.into_iter().flatten() {
                if failure.worker == worker {
                    failure.stderr.clone_from(&tail);
                    failure.read_fatal(fatal.clone());
                }
            }
        });
        self.transact(|| {
            self.keeper.drop_entry(&worker_key(WorkerId(worker)));
            self.save_app(app);
        });
    }

    /// Resolves when all that a worker has written is in, if its process has just ended.
    pub(crate) async fn output_complete(&self, worker: WorkerId) {
        let drained = self.with(|state| state.draining_output.get(&worker.0).cloned());
        if let Some(mut drained) = drained {
            // Fails when the sender is gone, and then the output is in as well.
            let _ = drained.wait_for(|done| *done).await;
        }
    }

    /// An event of the dispatcher.
    pub(crate) fn on_dispatch(self: &Rc<Self>, event: DispatchEvent) {
        match event {
            DispatchEvent::Online { .. } | DispatchEvent::NoListeners { .. } => {}
            DispatchEvent::Listening { worker, .. } => {
                self.give_way_no_more(worker);
                self.ready_by(worker, Readiness::Listening);
            }
            DispatchEvent::UserMessage { worker, json } => {
                if json == "\"ready\"" {
                    self.ready_by(worker, Readiness::Word);
                }
            }
            DispatchEvent::Agent { worker, message } => self.on_agent(worker, message),
            DispatchEvent::Leaving { worker } => self.feed(Event::Leaving {
                worker: WorkerId(worker),
            }),
            DispatchEvent::ChannelClosed { worker } => self.channel_closed(worker),
            DispatchEvent::Drained { worker, report } => self.drained(worker, report),
            DispatchEvent::Undrained { worker, lost } => self.undrained(worker, lost),
            DispatchEvent::Removed { worker } => self.removed(worker),
            DispatchEvent::Violation { worker, what }
            | DispatchEvent::LostBefore { worker, what } => {
                let name = self.name_of(worker);
                self.say(&format!("{name}: {what}"));
            }
            DispatchEvent::Claimed { key } => self.stored_claimed(&key),
            DispatchEvent::Alive { number } => self.keeper.alive(number),
            DispatchEvent::Trouble { what } => self.say(&what),
        }
    }

    /// A sign of readiness: counts if it is the one that this worker is waited for.
    pub(crate) fn ready_by(self: &Rc<Self>, worker: u64, sign: Readiness) {
        let counts = self.with(|state| Some(state.workers.get(&worker)?.readiness == sign));
        if counts == Some(true) {
            self.ready(worker);
        }
    }

    /// A worker has nothing left to finish.
    fn drained(self: &Rc<Self>, worker: u64, report: Option<DrainReport>) {
        self.transact(|| {
            if let Some(report) = report {
                self.drain_report(worker, &report);
            }
            self.feed(Event::Drained {
                worker: WorkerId(worker),
            });
        });
    }

    fn channel_closed(self: &Rc<Self>, worker: u64) {
        self.stop_pulse(worker);
        // The keeper's copy of our end would keep the channel open for the worker.
        self.keeper.drop_entry(&channel_key(WorkerId(worker)));
        let drained = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            entry.has_channel = false;
            Some(entry.disconnecting)
        });
        if drained == Some(true) {
            self.feed(Event::Drained {
                worker: WorkerId(worker),
            });
        }
    }

    /// Something that a program said on its notify socket.
    pub(crate) fn on_notification(self: &Rc<Self>, worker: u64, notification: Notification) {
        match notification {
            Notification::Ready => self.ready_by(worker, Readiness::Word),
            Notification::Stopping => self.feed(Event::Leaving {
                worker: WorkerId(worker),
            }),
            Notification::Status(text) => {
                self.update(worker, |w| w.status_text = Some(text));
                self.save_worker(worker);
            }
            Notification::MainPid(pid) => {
                self.update(worker, |w| w.pid = Some(pid));
                self.transact(|| {
                    self.save_worker(worker);
                    self.keeper.main_pid(worker, pid);
                });
            }
            Notification::Watchdog => self.update(worker, |w| {
                if let Some(watchdog) = &mut w.watchdog {
                    watchdog.fed = Instant::now();
                }
            }),
            Notification::WatchdogTrigger => self.hung(worker, "it triggered its own watchdog"),
            Notification::WatchdogInterval(span) => {
                let fed = Instant::now();
                self.update(worker, |w| w.watchdog = Some(Watchdog { span, fed }));
                self.save_worker(worker);
                self.start_watchdog(worker);
            }
            Notification::Reloading | Notification::Errno(_) | Notification::ExtendTimeout(_) => {}
        }
    }

    pub(crate) fn update(&self, worker: u64, change: impl FnOnce(&mut Worker)) {
        self.with(|state| state.workers.get_mut(&worker).map(change));
    }

    fn hung(self: &Rc<Self>, worker: u64, reason: &str) {
        self.feed(Event::Hung {
            worker: WorkerId(worker),
            reason: reason.to_owned(),
        });
    }

    /// Watches over a worker's `WATCHDOG=1` for as long as it lives. A second watch is harmless.
    pub(crate) fn start_watchdog(self: &Rc<Self>, worker: u64) {
        let watched = self.with(|state| state.workers.get(&worker)?.watchdog);
        if watched.is_none() {
            return;
        }
        let this = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            loop {
                let left = this.with(|state| {
                    let watchdog = state.workers.get(&worker)?.watchdog?;
                    Some((
                        watchdog.span.saturating_sub(watchdog.fed.elapsed()),
                        watchdog.span,
                    ))
                });
                match left {
                    None => return,
                    Some((Duration::ZERO, span)) => {
                        let span = words::span(span);
                        this.hung(worker, &format!("no WATCHDOG=1 for {span}"));
                        return;
                    }
                    Some((left, _)) => tokio::time::sleep(left).await,
                }
            }
        });
        self.update(worker, |w| w.tasks.push(task));
    }

    /// `api:2` for a worker, for messages.
    pub(crate) fn name_of(&self, worker: u64) -> String {
        self.with(|state| {
            let worker = state.workers.get(&worker)?;
            Some(format!("{}:{}", worker.prepared.spec.name, worker.slot))
        })
        .unwrap_or_else(|| format!("worker {worker}"))
    }
}

pub(crate) fn exit_status(status: rota_keeper::protocol::ExitStatus) -> ExitStatus {
    match status {
        rota_keeper::protocol::ExitStatus::Code(code) => ExitStatus::Code(code),
        rota_keeper::protocol::ExitStatus::Signal { number, .. } => ExitStatus::Signal(number),
        // A main process (`MAINPID=`) of somebody else: how it ended was not told to us.
        rota_keeper::protocol::ExitStatus::Unknown => ExitStatus::Code(words::UNKNOWN_CODE),
    }
}
