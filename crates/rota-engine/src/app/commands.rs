//! What commands do to an app that is there.
//!
//! | command | nothing going on | launch or rollout going on |
//! | --- | --- | --- |
//! | start | at once | waits |
//! | stop, delete | at once | at once; what goes on is superseded |
//! | stop of some slots | at once | at once; these slots are taken out of what goes on |
//! | restart | at once | at once; what goes on is superseded |
//! | restart of some slots | at once | waits |
//! | reload | at once | waits, joined with others that wait |
//! | scale | at once | waits |
//! | reset | at once | at once, beside it |
//! | define | at once | waits |
//!
//! A planned replacement gives way to all of them and is tried again afterwards.

use std::collections::BTreeSet;

use super::plan::Kind;
use super::queue::Work;
use super::state::{Answer, App, Farewell, Life, Operation, count, superseded};
use crate::context::Context;
use crate::slot::Seat;
use crate::worker::Rung;
use crate::{Command, CommandId, Outcome, Policy, Refusal, Slot, StopReason, Summary, Verb};

impl App {
    /// Carries out a command, or has it wait, or refuses it.
    pub(crate) fn on_command(&mut self, cx: &mut Context, id: CommandId, command: Command) {
        // The supervisor has it in store until it is told that nothing needs it, whatever becomes
        // of the command.
        self.known.extend(command.generation());
        if self.life == Life::Deleting {
            match command {
                Command::Delete { .. } => self.await_end(id),
                _ => cx.reply(id, Outcome::Refused(Refusal::Deleting)),
            }
            return;
        }
        if let Err(refusal) = self.try_command(cx, id, command) {
            cx.reply(id, Outcome::Refused(refusal));
        }
    }

    fn try_command(
        &mut self,
        cx: &mut Context,
        id: CommandId,
        command: Command,
    ) -> Result<(), Refusal> {
        match command {
            Command::Start {
                policy, generation, ..
            } => {
                self.may_start(&policy)?;
                let spec = self.spec(policy, generation);
                self.submit(cx, id, Work::Start(spec));
            }
            Command::Define {
                policy, generation, ..
            } => {
                let spec = self.spec(policy, generation);
                self.submit(cx, id, Work::Define(spec));
            }
            Command::Stop { slots, .. } => match self.choose(slots)? {
                None => self.stop_all(cx, id),
                Some(slots) => self.stop_some(cx, id, &slots),
            },
            Command::Restart { slots, update, .. } => {
                let slots = self.choose(slots)?;
                let spec = update.map(|(policy, generation)| self.spec(policy, generation));
                let whole = slots.is_none();
                let work = Work::Restart(slots, spec);
                if whole {
                    self.supersede(cx, Verb::Restart);
                    self.flush_queue(cx, Verb::Restart, false);
                }
                self.submit(cx, id, work);
            }
            Command::Reload { slots, update, .. } => {
                let slots = self.choose(slots)?;
                let spec = update.map(|(policy, generation)| self.spec(policy, generation));
                self.submit(cx, id, Work::Reload(slots, spec));
            }
            Command::Scale { instances, .. } => {
                self.may_scale(instances)?;
                self.submit(cx, id, Work::Scale(instances));
            }
            Command::Reset { slots, .. } => {
                let slots = self.choose(slots)?;
                self.reset(cx, id, slots.as_ref());
            }
            Command::Delete { .. } => self.delete(cx, id),
            // The engine carries that out on all apps.
            Command::Shutdown { .. } => {}
        }
        Ok(())
    }

    /// Slots as a set; `None`: all there are.
    fn choose(&self, slots: Option<Vec<Slot>>) -> Result<Option<BTreeSet<Slot>>, Refusal> {
        let Some(slots) = slots else {
            return Ok(None);
        };
        let chosen: BTreeSet<_> = slots.into_iter().collect();
        self.all_exist(&chosen)?;
        let whole = count(chosen.len()) == self.instances();
        Ok((!whole).then_some(chosen))
    }

    fn all_exist(&self, chosen: &BTreeSet<Slot>) -> Result<(), Refusal> {
        let instances = self.instances();
        match chosen.iter().find(|slot| **slot >= instances) {
            Some(slot) => Err(Refusal::UnknownSlot { slot: *slot }),
            None => Ok(()),
        }
    }

    fn may_start(&self, policy: &Policy) -> Result<(), Refusal> {
        let resting = |seat| matches!(seat, Seat::Errored);
        let mut slots = self.slots.values().filter(|slot| !slot.retiring);
        if self.is_idle() {
            if policy.instances == 0 {
                return Err(Refusal::NoInstances);
            }
            return Ok(());
        }
        let waits = !self.waits_for.is_empty() && self.operation.is_none();
        match waits || slots.any(|slot| !slot.wanted || resting(slot.seat)) {
            true => Ok(()),
            false => Err(Refusal::AlreadyRunning),
        }
    }

    /// Settings that say "no worker at all" cannot be those of an app at rest: it could not be started.
    fn may_define(&self, policy: &Policy) -> Result<(), Refusal> {
        match self.is_idle() && policy.instances == 0 {
            true => Err(Refusal::NoInstances),
            false => Ok(()),
        }
    }

    fn may_scale(&self, instances: u32) -> Result<(), Refusal> {
        if instances == 0 {
            return Err(Refusal::NoInstances);
        }
        if self.is_idle() {
            return Err(Refusal::NotRunning);
        }
        Ok(())
    }

    /// Performs the command now, or when what goes on is done.
    fn submit(&mut self, cx: &mut Context, id: CommandId, work: Work) {
        self.postpone_recycling(cx);
        if self.operation.is_some() {
            self.enqueue(cx, id, work);
        } else {
            self.perform(cx, vec![id], work);
        }
    }

    /// Performs a command whose turn it is. It may have become impossible while it waited.
    pub(crate) fn perform(&mut self, cx: &mut Context, commands: Vec<CommandId>, work: Work) {
        let possible = match &work {
            Work::Start(spec) => self.may_start(&spec.policy),
            Work::Define(spec) => self.may_define(&spec.policy),
            Work::Scale(instances) => self.may_scale(*instances),
            Work::Restart(slots, _) | Work::Reload(slots, _) => match slots {
                Some(slots) => self.all_exist(slots),
                None => Ok(()),
            },
        };
        if let Err(refusal) = possible {
            cx.reply_all(&commands, &Outcome::Refused(refusal));
            return;
        }
        match work {
            Work::Start(spec) => self.start(cx, commands, spec),
            Work::Define(spec) => self.define(cx, commands, spec),
            Work::Restart(slots, update) => self.restart(cx, commands, slots, update),
            Work::Reload(slots, update) => self.reload(cx, commands, slots, update),
            Work::Scale(instances) => self.scale(cx, commands, instances),
        }
    }

    /// A stop or delete that waited: now.
    pub(crate) fn leave(&mut self, cx: &mut Context, farewell: &Farewell) {
        match farewell.delete {
            _ if self.life == Life::Deleting => self.await_end(farewell.command),
            true => self.delete(cx, farewell.command),
            false => self.stop_all(cx, farewell.command),
        }
    }

    fn stop_all(&mut self, cx: &mut Context, id: CommandId) {
        self.halt(cx, Verb::Stop, Rung::Drain);
        for slot in self.slots.values_mut() {
            slot.wanted = false;
            slot.finished = false;
            slot.seat = Seat::Empty;
        }
        self.await_end(id);
    }

    fn reset(&mut self, cx: &mut Context, id: CommandId, slots: Option<&BTreeSet<Slot>>) {
        for (number, slot) in &mut self.slots {
            if slots.is_none_or(|slots| slots.contains(number)) {
                slot.forget();
            }
        }
        cx.reply(id, Outcome::Done(Summary::default()));
    }

    fn delete(&mut self, cx: &mut Context, id: CommandId) {
        self.halt(cx, Verb::Delete, Rung::Drain);
        self.life = Life::Deleting;
        self.await_end(id);
    }

    /// Ends every worker and every command, whatever the slots are meant to do.
    pub(crate) fn shut_down(&mut self, cx: &mut Context, now: bool) {
        let rung = if now { Rung::Kill } else { Rung::Drain };
        self.halt(cx, Verb::Shutdown, rung);
        if self.life == Life::Alive {
            self.life = Life::ShuttingDown;
        }
    }

    fn halt(&mut self, cx: &mut Context, by: Verb, rung: Rung) {
        self.supersede(cx, by);
        self.flush_queue(cx, by, true);
        self.recycling.clear();
        self.waits_for.clear();
        let slots: Vec<_> = self.slots.keys().copied().collect();
        for slot in slots {
            self.clear_slot(cx, slot, rung, StopReason::Command(by), Seat::Empty);
        }
    }

    fn await_end(&mut self, id: CommandId) {
        let live: Vec<_> = self.workers.keys().copied().collect();
        let answer = Answer::Done {
            started: 0,
            stopped: count(live.len()),
        };
        self.answer_when_gone(vec![id], live, answer);
    }

    fn stop_some(&mut self, cx: &mut Context, id: CommandId, slots: &BTreeSet<Slot>) {
        self.postpone_recycling(cx);
        let mut gone = Vec::new();
        for number in slots {
            self.drop_from_rollout(*number);
            if let Some(launch) = self.launch() {
                launch.slots.remove(number);
            }
            let why = StopReason::Command(Verb::Stop);
            gone.extend(self.clear_slot(cx, *number, Rung::Drain, why, Seat::Empty));
            if let Some(slot) = self.slots.get_mut(number) {
                slot.wanted = false;
                slot.finished = false;
                slot.begun = false;
            }
        }
        self.supersede_if_empty(cx, Verb::Stop);
        let answer = Answer::Done {
            started: 0,
            stopped: count(gone.len()),
        };
        self.answer_when_gone(vec![id], gone, answer);
    }

    /// Ends what goes on if no slot of it is left.
    fn supersede_if_empty(&mut self, cx: &mut Context, by: Verb) {
        let empty = match &self.operation {
            Some(Operation::Launch(launch)) => launch.slots.is_empty(),
            Some(Operation::Rollout(rollout)) => rollout.before.is_empty() && !rollout.goes_back(),
            None => false,
        };
        if empty {
            self.supersede(cx, by);
        }
    }

    /// Ends the launch or rollout that goes on: another command takes its place.
    fn supersede(&mut self, cx: &mut Context, by: Verb) {
        if let Some(rollout) = self.abandon_rollout(cx) {
            cx.reply_all(&rollout.commands, &superseded(by));
            if rollout.kind == Kind::Reload {
                for slot in self.slots.values_mut() {
                    slot.spec = self.current.clone();
                }
            }
        }
        if let Some(Operation::Launch(launch)) = self.operation.take() {
            cx.reply_all(&launch.commands, &superseded(by));
        }
    }
}
