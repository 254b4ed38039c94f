//! Other settings for an app as it is: no process is started, stopped or replaced.

use super::state::{Answer, App};
use crate::context::Context;
use crate::slot::Seat;
use crate::spec::Spec;
use crate::{CommandId, Notice};

impl App {
    /// Takes settings over. Those of an app at rest say how many slots it has; slots and workers of the current
    /// generation have them at once. What has left that generation, or is on its way out, keeps what it was told.
    pub(super) fn define(&mut self, cx: &mut Context, commands: Vec<CommandId>, spec: Spec) {
        let before = self.current.generation;
        if self.is_idle() {
            self.resize(cx, spec.policy.instances, &spec);
            for slot in self.slots.values_mut() {
                slot.wanted = false;
                slot.seat = Seat::Empty;
                slot.spec = spec.clone();
            }
        }
        for slot in self.slots.values_mut() {
            if slot.spec.generation == before {
                slot.spec = spec.clone();
            }
        }
        for worker in self.workers.values_mut() {
            if worker.spec.generation == before && worker.stopping.is_none() {
                worker.spec = spec.clone();
            }
        }
        cx.notice(Notice::Defined {
            generation: spec.generation,
        });
        self.current = spec;
        let answer = Answer::Done {
            started: 0,
            stopped: 0,
        };
        cx.reply_all(&commands, &self.outcome(answer));
    }
}
