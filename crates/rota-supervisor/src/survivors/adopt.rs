//! Apps made of what a daemon before has written down.

use std::collections::BTreeSet;
use std::rc::Rc;

use rota_engine::{AppFacts, AppId, SlotFacts};

use crate::apps::App;
use crate::record::DesiredApp;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Takes over what is left to be taken over: an app of which workers serve on gets its own, one of which nobody does
    /// is known and stopped. In the foreground nothing but what serves is of interest; the rest stays for another daemon.
    pub(crate) fn adopt_survivors(self: &Rc<Self>) {
        self.adopt_pending(!self.foreground);
    }

    /// The same, in the foreground as well.
    pub(crate) fn adopt_pending(self: &Rc<Self>, all: bool) {
        let pending = self.with(|state| std::mem::take(&mut state.survivors.pending));
        for app in pending {
            let name = app.name().to_owned();
            let (known, serving, interrupted) = self.with(|state| {
                let mut known = state.apps.values();
                let known = known.find(|app| app.name() == name);
                let known = known.map(|app| app.transient);
                let survivors = &state.survivors;
                let interrupted = survivors.interrupted.contains(&name);
                (known, survivors.of(&name).count(), interrupted)
            });
            match known {
                // It has the name for as long as `rota run` lasts.
                Some(true) => {
                    self.with(|state| state.survivors.pending.push(app));
                    continue;
                }
                Some(false) => continue,
                None => {}
            }
            if serving > 0 {
                self.adopt_app(
                    app,
                    true,
                    &format!("{serving} old ones serve on until then"),
                );
            } else if interrupted {
                self.adopt_app(app, true, "the old ones could not stay beside them");
            } else if all {
                let ran = app.is_wanted();
                let why = if ran {
                    "its workers ended with the daemon before"
                } else {
                    "as before"
                };
                self.adopt_app(app, false, why);
            } else {
                self.with(|state| state.survivors.pending.push(app));
            }
        }
    }

    /// These are apps of `rota run`, which nobody brings back; what is remembered under their names stays as it is.
    pub(crate) fn of_the_command_line(
        self: &Rc<Self>,
        names: &BTreeSet<String>,
        namesakes: Vec<DesiredApp>,
    ) {
        let apps: Vec<AppId> = self.with(|state| {
            let own = state.apps.values_mut();
            let own = own.filter(|app| names.contains(app.name()));
            let ids = own.map(|app| {
                app.transient = true;
                app.id
            });
            let ids = ids.collect();
            state.survivors.pending.extend(namesakes);
            ids
        });
        for app in apps {
            self.save_app(app);
        }
    }

    /// `start` has been called for an app of this name: it is what its caller says.
    pub(crate) fn forget_pending(&self, name: &str) {
        self.with(|state| state.survivors.pending.retain(|app| app.name() != name));
    }

    fn adopt_app(self: &Rc<Self>, desired: DesiredApp, wanted: bool, why: &str) {
        let name = desired.name().to_owned();
        let due = match wanted {
            true => BTreeSet::new(),
            false => desired.due_slots(),
        };
        let prepared = Rc::new(desired.prepared);
        let sockets = match wanted {
            true => self.open_missing(None, &prepared.spec),
            false => Ok(Vec::new()),
        };
        let (sockets, wanted) = match sockets {
            Ok(sockets) => (sockets, wanted),
            Err(error) => {
                self.say(&format!("{name}: cannot be taken over: {error}"));
                (Vec::new(), false)
            }
        };
        let policy = prepared.policy(self.cpus);
        let id = self.with(|state| {
            state.last_app += 1;
            let id = AppId(state.last_app);
            let mut app = App::new(id, desired.created_at, prepared);
            app.due = due;
            state.apps.insert(id, app);
            id
        });
        let slots = desired.slots.iter().map(|slot| SlotFacts {
            slot: slot.slot,
            id: slot.id,
            wanted: slot.wanted && wanted,
            workers: Vec::new(),
        });
        let facts = AppFacts {
            app: id,
            policy,
            generation: 1,
            known: BTreeSet::from([1]),
            slots: slots.collect(),
        };
        let what = if wanted {
            "new workers start"
        } else {
            "stopped"
        };
        self.say(&format!("{name}: taken over, {what}; {why}"));
        self.transact(|| {
            if wanted {
                self.recover_sockets(id, &name);
            }
            self.own_sockets(id, sockets);
            self.save_app(id);
            let now = self.now();
            let effects = self.with(|state| state.engine.adopt(now, facts));
            self.perform_all(effects);
        });
        self.wake();
    }
}
