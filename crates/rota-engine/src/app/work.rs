//! Start, restart, reload and scale, once it is their turn.

use std::collections::BTreeSet;

use super::launch::Launch;
use super::plan::Kind;
use super::state::{Answer, App, Operation, count};
use crate::context::Context;
use crate::slot::Seat;
use crate::spec::Spec;
use crate::worker::Rung;
use crate::{CommandId, Notice, Slot, StopReason, Verb};

impl App {
    /// Starts what rests. If that is everything, the number of slots is the policy's.
    pub(super) fn start(&mut self, cx: &mut Context, commands: Vec<CommandId>, spec: Spec) {
        if self.is_idle() || self.operation.is_none() && !self.waits_for.is_empty() {
            self.waits_for = spec.policy.after.iter().copied().collect();
            if !self.waits_for.is_empty() {
                cx.notice(Notice::WaitsFor {
                    apps: spec.policy.after.clone(),
                });
            }
        }
        if self.is_idle() {
            self.ever_ready = false;
            self.resize(cx, spec.policy.instances, &spec);
        }
        let resting: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.retiring)
            .filter(|(_, slot)| !slot.wanted || slot.seat == Seat::Errored || !slot.begun)
            .map(|(number, _)| *number)
            .collect();
        self.wake_up(cx, commands, resting, spec);
    }

    /// Starts the slots with this generation, all at once.
    fn wake_up(
        &mut self,
        cx: &mut Context,
        commands: Vec<CommandId>,
        slots: Vec<Slot>,
        spec: Spec,
    ) {
        for number in &slots {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.wake(cx.now);
                slot.begun = false;
                slot.spec = spec.clone();
            }
        }
        let observe = spec.policy.observe_start;
        self.current = spec;
        self.operation = Some(Operation::Launch(Launch::new(commands, slots, observe)));
    }

    /// Adds or retires slots at the upper end; says which processes have to end for that.
    pub(super) fn resize(
        &mut self,
        cx: &mut Context,
        instances: u32,
        spec: &Spec,
    ) -> Vec<crate::WorkerId> {
        for number in 0..instances {
            match self.slots.get_mut(&number) {
                None => self.add_slot(cx, number, spec.clone()),
                Some(slot) if slot.retiring => {
                    slot.wake(cx.now);
                    slot.begun = false;
                    slot.spec = spec.clone();
                }
                Some(_) => {}
            }
        }
        let surplus: Vec<_> = self
            .slots
            .range(instances..)
            .map(|(number, _)| *number)
            .collect();
        let mut gone = Vec::new();
        for number in surplus {
            let why = StopReason::Command(Verb::Scale);
            gone.extend(self.clear_slot(cx, number, Rung::Drain, why, Seat::Empty));
            if let Some(slot) = self.slots.get_mut(&number) {
                slot.wanted = false;
                slot.retiring = true;
            }
        }
        gone
    }

    pub(super) fn restart(
        &mut self,
        cx: &mut Context,
        commands: Vec<CommandId>,
        chosen: Option<BTreeSet<Slot>>,
        update: Option<Spec>,
    ) {
        // Somebody insists.
        self.waits_for.clear();
        let spec = update.unwrap_or_else(|| self.current.clone());
        let slots = self.numbers(chosen, |_| true);
        let mut stopped = 0;
        for number in &slots {
            let seat = Seat::Vacant { until: cx.now };
            let why = StopReason::Command(Verb::Restart);
            let gone = self.clear_slot(cx, *number, Rung::Drain, why, seat);
            stopped += count(gone.len());
            if let Some(slot) = self.slots.get_mut(number) {
                slot.wake(cx.now);
                slot.spec = spec.clone();
            }
        }
        let mut launch = Launch::new(commands, slots, spec.policy.observe_start);
        launch.stopped = stopped;
        self.current = spec;
        self.operation = Some(Operation::Launch(launch));
    }

    /// A rollout; or a start, where nothing runs that it could replace.
    pub(super) fn reload(
        &mut self,
        cx: &mut Context,
        commands: Vec<CommandId>,
        chosen: Option<BTreeSet<Slot>>,
        update: Option<Spec>,
    ) {
        self.waits_for.clear();
        let spec = update.unwrap_or_else(|| self.current.clone());
        if chosen.is_none() {
            let idle = self.is_idle();
            let runs = |slot: &crate::slot::SlotState| slot.wanted && slot.seat != Seat::Errored;
            if !self.slots.values().any(runs) {
                let slots = self.numbers(None, |slot| idle || slot.wanted);
                return self.wake_up(cx, commands, slots, spec);
            }
        }
        // Slots that an operator stopped stay stopped unless they are named.
        let named = chosen.is_some();
        let slots = self.numbers(chosen, |slot| named || slot.wanted);
        self.begin_rollout(cx, Kind::Reload, commands, slots, spec);
    }

    pub(super) fn scale(&mut self, cx: &mut Context, commands: Vec<CommandId>, instances: u32) {
        self.waits_for.clear();
        let before = self.instances();
        let spec = self.current.clone();
        let gone = self.resize(cx, instances, &spec);
        if instances > before {
            let launch = Launch::new(commands, before..instances, std::time::Duration::ZERO);
            self.operation = Some(Operation::Launch(launch));
        } else {
            let answer = Answer::Done {
                started: 0,
                stopped: count(gone.len()),
            };
            self.answer_when_gone(commands, gone, answer);
        }
    }

    /// The chosen slots that fit, in order.
    fn numbers(
        &self,
        chosen: Option<BTreeSet<Slot>>,
        fits: impl Fn(&crate::slot::SlotState) -> bool,
    ) -> Vec<Slot> {
        self.slots
            .iter()
            .filter(|(_, slot)| !slot.retiring && fits(slot))
            .map(|(number, _)| *number)
            .filter(|number| chosen.as_ref().is_none_or(|chosen| chosen.contains(number)))
            .collect()
    }
}
