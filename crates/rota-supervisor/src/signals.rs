//! What signals to the daemon, or to `rota run`, mean. The keeper receives them and passes them on.

use std::rc::Rc;

use rota_engine::{Command, Event};

use crate::supervisor::Supervisor;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGUSR1: i32 = 10;
const SIGUSR2: i32 = 12;
const SIGTERM: i32 = 15;
const SIGTTIN: i32 = 21;
const SIGTTOU: i32 = 22;

impl Supervisor {
    /// Does what a signal asks for.
    pub(crate) fn on_signal(self: &Rc<Self>, number: i32) {
        match number {
            SIGHUP | SIGUSR2 => self.reload_all(),
            SIGTERM | SIGINT => {
                let again = self.with(|state| state.stopping);
                self.shut_down(again, None);
            }
            SIGQUIT => self.shut_down(true, None),
            SIGUSR1 => {
                self.say("reopening the log files");
                self.logs.reopen();
            }
            SIGTTIN => self.scale_all(1),
            SIGTTOU => self.scale_all(-1),
            _ => {}
        }
    }

    fn reload_all(self: &Rc<Self>) {
        self.say("reloading all apps");
        for app in self.running_apps() {
            self.command_unheard(
                app,
                Command::Reload {
                    app,
                    slots: None,
                    update: None,
                },
            );
        }
    }

    fn scale_all(self: &Rc<Self>, change: i64) {
        for app in self.running_apps() {
            let wanted = self.with(|state| {
                let now = state.engine.app(app)?.instances;
                u32::try_from(i64::from(now) + change).ok()
            });
            if let Some(instances) = wanted.filter(|&n| n > 0) {
                self.command_unheard(app, Command::Scale { app, instances });
            }
        }
    }

    /// Gives a command for which nobody waits.
    fn command_unheard(self: &Rc<Self>, app: rota_engine::AppId, command: Command) {
        let id = self.command_id(app);
        self.feed(Event::Command { id, command });
    }

    /// Apps that are not stopped, in the order of their ids.
    fn running_apps(&self) -> Vec<rota_engine::AppId> {
        self.with(|state| {
            let wanted = |app: &rota_engine::AppView<'_>| app.slots.iter().any(|slot| slot.wanted);
            state
                .engine
                .apps()
                .filter(wanted)
                .map(|app| app.app)
                .collect()
        })
    }
}
