//! What signals to the daemon, or to `rota run`, mean. The keeper receives them and passes them on.

use std::rc::Rc;

use rota_engine::{AppId, Command, Event};
use rota_sys::signal::Signal;

use crate::operations::Caller;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Does what a signal asks for.
    pub(crate) fn on_signal(self: &Rc<Self>, number: i32) {
        let Some(signal) = Signal::from_number(number) else {
            return;
        };
        self.transact(|| self.obey(signal));
    }

    fn obey(self: &Rc<Self>, signal: Signal) {
        match signal {
            Signal::HUP | Signal::USR2 => self.reload_all(),
            Signal::TERM | Signal::INT => {
                let again = self.with(|state| state.stopping);
                self.leave_sockets();
                self.shut_down_by_signal(again, Caller::default());
            }
            Signal::QUIT => {
                self.leave_sockets();
                self.shut_down(true, Caller::default());
            }
            Signal::USR1 => self.reopen_logs(),
            Signal::TTIN => self.scale_all(1),
            Signal::TTOU => self.scale_all(-1),
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
    pub(crate) fn command_unheard(self: &Rc<Self>, app: AppId, command: Command) {
        self.transact(|| {
            let id = self.with(|state| {
                let name = state.app_name(app);
                let operation = state.operations.begin("command", Caller::default());
                state.operations.add(operation, app, &name)
            });
            self.feed(Event::Command { id, command });
        });
    }

    /// Apps that are not stopped, in the order of their ids.
    fn running_apps(&self) -> Vec<AppId> {
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
