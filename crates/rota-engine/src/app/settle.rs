//! Drives an app to where its state says it should be.
//!
//! Every event changes the state a little; what follows from that is found here by looking at the
//! state, not at the event. So nothing depends on the order in which things became possible.

use super::state::{App, Life, Operation, Waiter};
use crate::context::Context;
use crate::slot::{Seat, SlotState};
use crate::{Effect, Slot};

impl App {
    /// Does whatever can be done now.
    pub(crate) fn settle(&mut self, cx: &mut Context) {
        loop {
            self.remove_retired(cx);
            self.advance_operation(cx);
            self.fill_vacant(cx);
            if self.operation.is_some() || self.life != Life::Alive {
                break;
            }
            if !self.next_in_queue(cx) && !self.next_recycling(cx) {
                break;
            }
        }
        self.answer_waiters(cx);
        self.retire_generations(cx);
    }

    /// Whether the slot's vacant seat is for the ordinary restart to fill, when it is time.
    pub(crate) fn may_fill(&self, number: Slot, slot: &SlotState) -> bool {
        let held = self
            .rollout_ref()
            .is_some_and(|rollout| rollout.holds(number));
        let may = self.life == Life::Alive && self.waits_for.is_empty();
        may && slot.wanted && !held && self.has_room(slot, &slot.spec)
    }

    fn fill_vacant(&mut self, cx: &mut Context) {
        let due: Vec<_> = self
            .slots
            .iter()
            .filter(|(number, slot)| {
                matches!(slot.seat, Seat::Vacant { until } if until <= cx.now)
                    && self.may_fill(**number, slot)
            })
            .map(|(number, slot)| (*number, slot.spec.clone()))
            .collect();
        for (number, spec) in due {
            let worker = self.spawn(cx, number, spec);
            if let Some(slot) = self.slots.get_mut(&number) {
                slot.seat = Seat::Filled(worker);
                slot.count_start();
            }
        }
    }

    fn advance_operation(&mut self, cx: &mut Context) {
        match &self.operation {
            Some(Operation::Launch(_)) => self.advance_launch(cx),
            Some(Operation::Rollout(_)) => self.advance_rollout(cx),
            None => {}
        }
    }

    fn remove_retired(&mut self, cx: &mut Context) {
        self.slots.retain(|_, slot| {
            let keep = !slot.retiring || slot.workers().next().is_some();
            if !keep {
                cx.shared.slot_ids.remove(&slot.id);
            }
            keep
        });
    }

    fn answer_waiters(&mut self, cx: &mut Context) {
        for waiter in &mut self.waiters {
            waiter
                .gone
                .retain(|worker| self.workers.contains_key(worker));
        }
        let (due, waiting): (Vec<Waiter>, _) = std::mem::take(&mut self.waiters)
            .into_iter()
            .partition(|waiter| waiter.gone.is_empty());
        self.waiters = waiting;
        for waiter in due {
            cx.reply_all(&waiter.commands, &self.outcome(waiter.answer));
        }
    }

    /// Tells which generations nothing has and nothing will have.
    fn retire_generations(&mut self, cx: &mut Context) {
        let used = self.generations();
        let mut unused = self.known.clone();
        unused.retain(|known| !used.contains(known));
        for generation in unused {
            self.known.remove(&generation);
            cx.out.push(Effect::GenerationRetired {
                app: self.id,
                generation,
            });
        }
    }
}
