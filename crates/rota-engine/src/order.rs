//! Apps that depend on others: who waits for whom at starts, stops and shutdowns.
//!
//! | what | waits until |
//! | --- | --- |
//! | start of an app at rest | the apps that it depends on serve, or have done their job |
//! | stop or delete of a whole app | apps that depend on it and are on their way out are gone |
//! | shutdown | the same; who waits for each other goes together |
//!
//! Everything else does at once what it always does: restarts, reloads and single slots are not ordered.

use crate::app::{App, Farewell, Life, Operation};
use crate::context::Context;
use crate::slot::{Seat, SlotState};
use crate::{AppId, Command, Effect, Engine, ExitStatus, FailReason, Failure, Outcome};

/// What a dependency is to those that wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// It serves, or its job is done.
    Serves,
    /// It is being started.
    Comes,
    /// It does not serve, and its start is over; it may be restarted by policy.
    Fails,
    /// It is not meant to run.
    Rests,
}

impl Engine {
    /// Starts, stops and shuts down what has waited for others, as far as that can be done now.
    pub(crate) fn keep_order(&mut self, out: &mut Vec<Effect>) {
        while self.open_gates(out) | self.say_farewells(out) | self.advance_shutdown(out) {}
    }

    /// Whether a stop or delete has to wait for apps that are on their way out.
    pub(crate) fn must_wait(&self, app: AppId, command: &Command) -> bool {
        let whole = match command {
            Command::Stop { slots, .. } => slots.is_none(),
            Command::Delete { .. } => true,
            _ => false,
        };
        whole && self.holds_others_up(app)
    }

    /// Whether apps that depend on this one are on their way out.
    fn holds_others_up(&self, app: AppId) -> bool {
        let leaving = |other: &App| {
            let leaves = other.life != Life::Alive || other.is_idle() || other.is_leaving();
            leaves && other.depends_on(app) && !other.workers.is_empty()
        };
        self.apps
            .iter()
            .any(|(id, other)| *id != app && leaving(other))
    }

    fn open_gates(&mut self, out: &mut Vec<Effect>) -> bool {
        let gates = self.apps.iter();
        let gates = gates.filter(|(_, app)| !app.waits_for.is_empty());
        let gates: Vec<AppId> = gates.map(|(id, _)| *id).collect();
        let mut changed = false;
        for id in gates {
            changed |= self.open_gate(id, out);
        }
        changed
    }

    fn open_gate(&mut self, id: AppId, out: &mut Vec<Effect>) -> bool {
        let Some(app) = self.apps.get(&id) else {
            return false;
        };
        let launching = matches!(app.operation, Some(Operation::Launch(_)));
        let standing = |app: &AppId| self.apps.get(app).map_or(Standing::Rests, App::standing);
        let others = app.waits_for.iter().map(|app| (*app, standing(app)));
        let due: Vec<_> = others
            .filter(|(_, standing)| match standing {
                Standing::Comes => false,
                // It is told once, and waits on.
                Standing::Fails => launching,
                Standing::Serves | Standing::Rests => true,
            })
            .collect();
        for (other, standing) in &due {
            self.with_app(id, out, |app, cx| match standing {
                Standing::Comes => {}
                Standing::Serves => {
                    app.waits_for.remove(other);
                }
                Standing::Fails => app.fail_for(cx, *other, false),
                Standing::Rests => {
                    app.fail_for(cx, *other, true);
                    app.give_in();
                }
            });
        }
        if !due.is_empty() {
            self.settle(id, out);
        }
        !due.is_empty()
    }

    fn say_farewells(&mut self, out: &mut Vec<Effect>) -> bool {
        let waiting = self.apps.iter();
        let waiting = waiting.filter(|(_, app)| !app.farewells.is_empty());
        let waiting: Vec<AppId> = waiting.map(|(id, _)| *id).collect();
        let mut changed = false;
        for id in waiting {
            if self.shutdown.is_none() && self.holds_others_up(id) {
                continue;
            }
            changed = true;
            self.with_app(id, out, |app, cx| {
                let farewells: Vec<Farewell> = std::mem::take(&mut app.farewells);
                for farewell in &farewells {
                    app.leave(cx, farewell);
                }
            });
            self.settle(id, out);
        }
        changed
    }

    fn advance_shutdown(&mut self, out: &mut Vec<Effect>) -> bool {
        if self.shutdown.is_none() {
            return false;
        }
        let apps = self.apps.iter();
        let alive = apps.filter(|(_, app)| app.life == Life::Alive);
        let alive: Vec<AppId> = alive.map(|(id, _)| *id).collect();
        let mut due: Vec<AppId> = alive
            .iter()
            .copied()
            .filter(|app| self.may_shut_down(*app))
            .collect();
        let nobody_leaves = self
            .apps
            .values()
            .all(|app| app.life == Life::Alive || app.workers.is_empty());
        if due.is_empty() && nobody_leaves {
            // They wait for each other.
            due = alive;
        }
        for id in &due {
            self.with_app(*id, out, |app, cx| app.shut_down(cx, false));
            self.settle(*id, out);
        }
        !due.is_empty()
    }

    /// Whether nothing that runs depends on it.
    pub(crate) fn may_shut_down(&self, app: AppId) -> bool {
        let needs = |other: &App| {
            let runs = !other.workers.is_empty() || (other.life == Life::Alive && !other.is_idle());
            runs && other.depends_on(app)
        };
        !self
            .apps
            .iter()
            .any(|(id, other)| *id != app && needs(other))
    }
}

impl App {
    fn depends_on(&self, app: AppId) -> bool {
        self.current.policy.after.contains(&app)
    }

    /// It waits with its own stop.
    fn is_leaving(&self) -> bool {
        !self.farewells.is_empty()
    }

    fn standing(&self) -> Standing {
        if self.life != Life::Alive {
            return Standing::Rests;
        }
        if self.is_idle() {
            return match self.slots.values().all(|slot| self.is_done(slot))
                && !self.slots.is_empty()
            {
                true => Standing::Serves,
                false => Standing::Rests,
            };
        }
        if self.operation.is_some() && !self.serves_whole() {
            return Standing::Comes;
        }
        match (self.serves_whole(), &self.operation) {
            (true, Some(Operation::Launch(_))) => Standing::Comes,
            (true, _) => Standing::Serves,
            (false, _) => Standing::Fails,
        }
    }

    fn serves_whole(&self) -> bool {
        let mut wanted = self.slots.iter().filter(|(_, slot)| slot.wanted);
        self.waits_for.is_empty() && wanted.all(|(number, _)| self.serves(*number))
    }

    /// Its last process ended by itself, as it was meant to.
    fn is_done(&self, slot: &SlotState) -> bool {
        let policy = &slot.spec.policy;
        slot.last_exit.is_some_and(|exit| {
            let good = match exit.status {
                ExitStatus::Code(code) => code == 0 || policy.stop_exit_codes.contains(&code),
                ExitStatus::Signal(_) => false,
            };
            good && exit.stopped.is_none()
        })
    }

    /// Its start has failed because of an app that it depends on.
    fn fail_for(&mut self, cx: &mut Context, app: AppId, resting: bool) {
        if let Some(Operation::Launch(launch)) = &mut self.operation {
            let commands = std::mem::take(&mut launch.commands);
            self.operation = None;
            let failure = Failure {
                reason: FailReason::Dependency { app, resting },
                rolled_back: false,
            };
            cx.reply_all(&commands, &Outcome::Failed(failure));
        }
    }

    /// Nothing of it is to run: what it waits for does not come.
    fn give_in(&mut self) {
        self.waits_for.clear();
        for slot in self.slots.values_mut() {
            if slot.holder().is_none() {
                slot.wanted = false;
                slot.seat = Seat::Empty;
            }
        }
    }
}
