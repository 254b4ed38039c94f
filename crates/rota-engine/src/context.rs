//! What an app borrows from the engine while it handles an event.

use std::collections::BTreeSet;

use crate::backoff::Rng;
use crate::{AppId, CommandId, Effect, Notice, Outcome, Time, WorkerId};

pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) app: AppId,
    pub(crate) shared: &'a mut Shared,
    pub(crate) out: &'a mut Vec<Effect>,
}

/// What all apps share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shared {
    pub(crate) rng: Rng,
    /// The last worker id given out.
    pub(crate) last_worker: u64,
    /// The ids of all slots of all apps.
    pub(crate) slot_ids: BTreeSet<u32>,
}

impl Shared {
    /// Takes the lowest id that no slot has.
    pub(crate) fn take_slot_id(&mut self) -> u32 {
        let mut id = 0;
        for used in &self.slot_ids {
            if *used != id {
                break;
            }
            id += 1;
        }
        self.slot_ids.insert(id);
        id
    }

    pub(crate) fn next_worker(&mut self) -> WorkerId {
        self.last_worker = self.last_worker.saturating_add(1);
        WorkerId(self.last_worker)
    }
}

impl Context<'_> {
    pub(crate) fn notice(&mut self, notice: Notice) {
        self.out.push(Effect::Notice {
            app: self.app,
            notice,
        });
    }

    pub(crate) fn reply(&mut self, command: CommandId, outcome: Outcome) {
        self.out.push(Effect::Reply { command, outcome });
    }

    pub(crate) fn reply_all(&mut self, commands: &[CommandId], outcome: &Outcome) {
        for command in commands {
            self.reply(*command, outcome.clone());
        }
    }
}
