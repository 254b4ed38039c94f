//! When `rota run` ends by itself, and with which code.

use std::rc::Rc;

use rota_engine::{AppStatus, AppView, ExitStatus};

use crate::operations::Caller;
use crate::renewal::is_awaited;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// `rota run` ends when every app has ended by itself or was given up, or the one has that it depends on.
    pub(crate) fn end_if_nothing_is_left(self: &Rc<Self>) {
        if !self.foreground {
            return;
        }
        // Later: the effects of this event are still being performed.
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move { this.end_with_apps() });
    }

    fn end_with_apps(self: &Rc<Self>) {
        let from = self.run.exit_code_from.as_deref();
        let (over, followed, failed) = self.with(|state| {
            let all = state.engine.apps().all(|app| has_ended(&app)) && !is_awaited(state);
            let followed = state.engine.apps().find_map(|view| {
                let app = state.apps.get(&view.app)?;
                let meant = from == Some(app.name()) && has_ended(&view);
                meant.then(|| exit_code(&view))
            });
            (all, followed, state.something_failed)
        });
        if let Some(code) = followed {
            let told = self.with(|state| state.exit_code.replace(code).is_some());
            if over {
                self.say(&format!("no app is left to run; exiting with {code}"));
                self.end(code);
            } else if !told {
                let name = from.unwrap_or_default();
                self.say(&format!("{name} has ended: exiting with {code}"));
                self.transact(|| self.shut_down_by_signal(false, Caller::default()));
            }
        } else if over && !self.run.stay {
            self.say("no app is left to run");
            let code = match (self.run.empty_code, self.run.exit_with_app) {
                (Some(code), _) => code,
                (None, true) => self.with(|state| first_failure(state.engine.apps())),
                (None, false) => u8::from(failed),
            };
            self.end(code);
        }
    }
}

fn has_ended(app: &AppView<'_>) -> bool {
    matches!(app.status, AppStatus::Errored | AppStatus::Stopped)
        && app.slots.iter().all(|slot| slot.workers.is_empty())
}

fn first_failure<'a>(apps: impl Iterator<Item = AppView<'a>>) -> u8 {
    let codes = apps.map(|app| exit_code(&app));
    codes.into_iter().find(|code| *code != 0).unwrap_or(0)
}

/// How an app has ended, as a shell tells it: that of its first worker that has failed.
fn exit_code(app: &AppView<'_>) -> u8 {
    let exits = app.slots.iter().filter_map(|slot| slot.last_exit);
    let codes = exits.map(|exit| match exit.status {
        ExitStatus::Code(code) => u8::try_from(code & 0xff).unwrap_or(1),
        ExitStatus::Signal(signal) => u8::try_from(128 + (signal & 0x7f)).unwrap_or(1),
    });
    let code = codes.into_iter().find(|code| *code != 0);
    // Errored without any exit: no process of it could be made.
    let none = u8::from(app.status == AppStatus::Errored);
    code.unwrap_or(none)
}
