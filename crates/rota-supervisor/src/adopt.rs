//! Taking over from a supervisor that died: its apps, its workers, and what it was about to do.
//!
//! The first start is the same thing with nothing to take over. What was left is consistent, because every event was
//! one transaction: where the engine's state names a worker, its process has been ordered and the keeper knows what
//! became of it. What is performed again here is what went on inside the dead process: draining, probing, watching.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_engine::{AppFacts, AppId, CommandId, Effect, Event, Time, WorkerFacts, WorkerId};
use rota_keeper::protocol::FromKeeper;
use rota_sys::cgroup::Group;

use crate::apps::App;
use crate::checkpoint;
use crate::dispatch::{DispatchCommand, RestoredFacts};
use crate::estate::{Estate, Facts, Remains};
use crate::identity::Person;
use crate::launch::{LaunchError, Pipes};
use crate::notify::NotifySocket;
use crate::output;
use crate::saved::{Child, worker_key};
use crate::stdin::Input;
use crate::supervisor::{Supervisor, monotonic_millis};
use crate::worker::{CpuSample, Readiness, Watchdog};

impl Supervisor {
    /// Takes over what an earlier supervisor has left. `heard` is what the dispatcher has found.
    pub(crate) fn take_over(self: &Rc<Self>, estate: Estate, heard: Vec<RestoredFacts>) {
        for complaint in &estate.complaints {
            self.say(complaint);
        }
        self.with(|state| {
            state.last_app = estate.daemon.last_app;
            state.stopping = estate.daemon.stopping;
            state.stopping_since = estate.daemon.stopping_since;
            state.exit_code = estate.daemon.exit_code;
            state.leaves_sockets = estate.daemon.leaves_sockets;
            state.something_failed = estate.daemon.something_failed;
            state.upgrading = estate.daemon.upgrading.map(CommandId);
            let positions = estate.daemon.positions.iter();
            state.positions = positions
                .map(|(&app, position)| (AppId(app), position.clone()))
                .collect();
            state.changes.know(estate.daemon);
            let highest = estate.apps.keys().map(|app| app.0).max();
            state.last_app = state.last_app.max(highest.unwrap_or(0));
            state.apps = estate.apps;
        });
        self.transact(|| {
            self.act_as_users();
            // The one before may have died with a command of which only the sockets are known.
            for app in self.with(|state| state.apps.keys().copied().collect::<Vec<_>>()) {
                self.end_unneeded_sockets(app);
            }
            for remains in estate.workers {
                self.attach(remains);
            }
            // Before apps are made anew, whose effects come by themselves.
            let outstanding = self.with(|state| state.engine.outstanding());
            for facts in &estate.facts {
                self.adopt_by_facts(facts, &estate.children);
            }
            self.abandon_operations();
            self.meet_children(&estate.children);
            self.do_again(outstanding, &estate.children);
            for facts in heard {
                self.heard_meanwhile(&facts);
            }
            for remains in estate.ended {
                self.read_remains(remains);
            }
            self.look_after_renewals();
            self.feed(Event::Tick);
        });
    }

    /// The apps' Unix sockets are made and removed as their users.
    fn act_as_users(&self) {
        let users: Vec<_> = self.with(|state| {
            let apps = state.apps.values();
            let user = |app: &App| {
                app.prepared(app.newest)?
                    .person
                    .as_ref()
                    .map(Person::fs_user)
            };
            apps.map(|app| (app.id, user(app))).collect()
        });
        for (app, user) in users {
            let act_as = DispatchCommand::ActAs { app: app.0, user };
            self.dispatcher.send(act_as);
        }
    }

    /// Reads on what a worker writes, and remembers what was known of it.
    fn attach(self: &Rc<Self>, remains: Remains) {
        let Remains {
            worker: id,
            saved,
            fds,
            has_channel,
        } = remains;
        let app = AppId(saved.app);
        let prepared = self.with(|state| {
            let app = state.apps.get(&app)?;
            app.prepared(saved.generation).cloned()
        });
        let Some(prepared) = prepared else { return };
        let mut fds = fds.into_iter();
        let started = Instant::now()
            .checked_sub(Duration::from_millis(
                monotonic_millis().saturating_sub(saved.started),
            ))
            .unwrap_or_else(Instant::now);
        let made = pipes(&mut fds).and_then(|pipes| {
            let (slot, generation) = (saved.slot, saved.generation);
            self.worker(
                &prepared,
                app,
                slot,
                generation,
                WorkerId(id),
                pipes,
                started,
            )
        });
        let mut entry = match made {
            Ok(entry) => entry,
            Err(error) => {
                return self.say(&format!(
                    "{}:{}: its output cannot be read any more: {error}",
                    prepared.spec.name, saved.slot
                ));
            }
        };
        entry.told_ready = saved.told_ready;
        entry.has_channel = has_channel;
        entry.disconnecting = saved.disconnecting;
        entry.status_text = saved.status_text;
        entry.agent.hello = saved.hello;
        entry.agent.pulse.left = saved.unanswered;
        entry.agent.pulse.looked_for = saved.looked_for;
        if saved.looked_for {
            self.disown_inspector(id);
        }
        entry.gives_way = saved.gives_way;
        entry.limits = saved.limits;
        entry.watchdog = saved.watchdog.map(|span| Watchdog {
            span,
            fed: Instant::now(),
        });
        let mut take = |there: bool| there.then(|| fds.next()).flatten();
        let (notify, input) = (take(saved.notify), take(saved.stdin));
        entry.input = input.map(Input::new).map(Rc::new);
        let notify = notify.map(|socket| {
            let folder = self.notify_folder(&prepared)?;
            let socket = NotifySocket::adopt(&folder, id, socket)?;
            Ok::<_, LaunchError>(socket.listen(self.notices.clone())?)
        });
        match notify.transpose() {
            Ok(notify) => entry.notify = notify,
            Err(error) => self.say(&format!("{}:{}: {error}", prepared.spec.name, saved.slot)),
        }
        self.with(|state| state.workers.insert(id, entry));
    }

    /// Reads what a worker wrote before it ended. One that the engine still waits for has never been a process.
    fn read_remains(self: &Rc<Self>, remains: Remains) {
        let (worker, app) = (remains.worker, AppId(remains.saved.app));
        if self.with(|state| state.workers.contains_key(&worker)) {
            return;
        }
        self.attach(remains);
        match self.with(|state| state.workers.remove(&worker)) {
            Some(mut entry) => {
                self.read_to_the_end(app, worker, std::mem::take(&mut entry.output));
            }
            None => self.keeper.drop_entry(&worker_key(WorkerId(worker))),
        }
    }

    /// Makes the engine's state of an app from what is the case: its workers go on, the operation that was under way
    /// is set aside.
    fn adopt_by_facts(self: &Rc<Self>, facts: &Facts, children: &[Child]) {
        let app = facts.app;
        let told = self.with(|state| {
            let entry = state.apps.get(&app)?;
            let prepared = entry.prepared(facts.generation)?;
            let policy = |generation| {
                let prepared = entry.prepared(generation).unwrap_or(prepared);
                prepared.policy(self.cpus)
            };
            let alive = |worker: u64| {
                let mut own = children.iter().filter(|c| c.worker == worker);
                own.find(|child| child.exited.is_none())
            };
            let workers = state.workers.iter().filter(|(_, w)| w.app == app);
            let workers: Vec<(u32, WorkerFacts)> = workers
                .filter_map(|(id, worker)| {
                    let facts = WorkerFacts {
                        worker: WorkerId(*id),
                        pid: alive(*id)?.pid,
                        generation: worker.generation,
                        policy: policy(worker.generation),
                        started: Time::from_millis(checkpoint::started(worker)),
                        ready: worker.told_ready,
                    };
                    Some((worker.slot, facts))
                })
                .collect();
            Some(AppFacts {
                app,
                policy: policy(facts.generation),
                generation: facts.generation,
                known: entry.generations.keys().copied().collect(),
                slots: facts.slots(workers),
            })
        });
        let Some(told) = told else { return };
        let name = self.with(|state| state.app_name(app));
        self.say(&format!(
            "{name}: taken over from what runs; what was under way is set aside"
        ));
        let now = self.now();
        let effects = self.with(|state| state.engine.adopt(now, told));
        self.perform_all(effects);
    }

    /// Commands that the engine does not know any more are answered.
    fn abandon_operations(self: &Rc<Self>) {
        let results = self.with(|state| {
            let mut known = state.engine.open_commands();
            known.extend(state.upgrading);
            state.operations.abandon_missing(&known)
        });
        for result in results {
            self.say(&format!("{}: {}", result.app, result.message));
        }
    }

    /// Processes: those that live on, those that ended meanwhile, those that nobody wants.
    fn meet_children(self: &Rc<Self>, children: &[Child]) {
        for child in children {
            let known = self.with(|state| {
                let view = state.engine.worker(WorkerId(child.worker))?;
                state
                    .workers
                    .contains_key(&child.worker)
                    .then_some(view.pid)
            });
            match (child.exited, known) {
                (Some(exit), _) => self.on_keeper(FromKeeper::Exited {
                    child: child.worker,
                    pid: child.pid,
                    exit,
                }),
                (None, Some(None)) => {
                    self.spawned(child.worker, child.pid, child.group.clone());
                }
                (None, Some(Some(_))) => self.resume(child),
                (None, None) => self.end_stranger(child),
            }
        }
    }

    /// A process that belongs to no app: the last act of a supervisor that did not live to say so.
    fn end_stranger(&self, child: &Child) {
        self.say(&format!(
            "process {} belongs to no app that is known: it is killed",
            child.pid
        ));
        let kill = rota_sys::signal::Signal::KILL.number();
        self.keeper.signal_group(child.worker, kill);
    }

    /// A worker that is known lives on: what watched over it in the dead supervisor begins anew.
    fn resume(self: &Rc<Self>, child: &Child) {
        let (worker, pid) = (child.worker, child.pid);
        let ready = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            entry.pid = Some(pid);
            entry.spawned_pid = Some(pid);
            entry.group = child.group.as_ref().map(Group::at);
            let used = rota_sys::procfs::stat(pid).map(|stat| stat.user + stat.system);
            entry.cpu = CpuSample {
                used: used.unwrap_or_default(),
                ..CpuSample::new(Instant::now())
            };
            Some(entry.told_ready)
        });
        self.expect_last_words(worker, pid);
        self.give_way_again(worker);
        self.watch_limits(worker);
        if ready == Some(true) {
            self.give_way_no_more(worker);
            self.start_watchdog(worker);
            self.resume_pulse(worker);
        } else {
            self.await_readiness(worker);
        }
    }

    /// Effects whose performer was the dead supervisor itself.
    fn do_again(self: &Rc<Self>, outstanding: Vec<Effect>, children: &[Child]) {
        let exists = |worker: WorkerId| children.iter().any(|child| child.worker == worker.0);
        let again = outstanding.into_iter().filter(|effect| match effect {
            Effect::Spawn { worker, .. } => !exists(*worker),
            _ => true,
        });
        self.perform_all(again.collect());
    }

    /// What the dispatcher had heard of a worker and nobody else.
    fn heard_meanwhile(self: &Rc<Self>, facts: &RestoredFacts) {
        if facts.listening {
            self.give_way_no_more(facts.worker);
            self.ready_by(facts.worker, Readiness::Listening);
        }
        if facts.ready {
            self.ready_by(facts.worker, Readiness::Word);
        }
        if facts.leaving {
            self.feed(Event::Leaving {
                worker: WorkerId(facts.worker),
            });
        }
    }

    pub(crate) fn perform_all(self: &Rc<Self>, effects: Vec<Effect>) {
        let events: Vec<_> = effects
            .into_iter()
            .filter_map(|effect| self.perform(effect))
            .collect();
        for event in events {
            self.feed(event);
        }
    }
}

/// The read ends of a worker's output; of one whose entry lacks them, such as tell nothing.
fn pipes(fds: &mut impl Iterator<Item = OwnedFd>) -> std::io::Result<Pipes> {
    let mut next = || match fds.next() {
        Some(fd) => Ok(fd),
        None => output::worker_pipe().map(|(ours, _)| ours),
    };
    Ok(Pipes {
        out: next()?,
        err: next()?,
    })
}
