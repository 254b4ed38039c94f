//! Commands that wait until the one before them is done, and which of them become one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::state::{App, superseded};
use crate::context::Context;
use crate::saved::is_default;
use crate::spec::Spec;
use crate::{CommandId, Notice, Slot, Verb};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Queued {
    /// Those who want just this.
    pub(crate) commands: Vec<CommandId>,
    /// Those whose wish it fulfils as well: reloads of what is on disk.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) joined: Vec<CommandId>,
    pub(crate) work: Work,
}

/// A command that can wait. Slots: `None` means all.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    Start(Spec),
    Define(Spec),
    Restart(Option<BTreeSet<Slot>>, Option<Spec>),
    Reload(Option<BTreeSet<Slot>>, Option<Spec>),
    Scale(u32),
}

impl Work {
    pub(crate) fn spec(&self) -> Option<&Spec> {
        match self {
            Self::Start(spec) | Self::Define(spec) => Some(spec),
            Self::Restart(_, update) | Self::Reload(_, update) => update.as_ref(),
            Self::Scale(_) => None,
        }
    }

    pub(crate) fn spec_mut(&mut self) -> Option<&mut Spec> {
        match self {
            Self::Start(spec) | Self::Define(spec) => Some(spec),
            Self::Restart(_, update) | Self::Reload(_, update) => update.as_mut(),
            Self::Scale(_) => None,
        }
    }

    pub(crate) fn verb(&self) -> Verb {
        match self {
            Self::Start(_) => Verb::Start,
            Self::Define(_) => Verb::Define,
            Self::Restart(..) => Verb::Restart,
            Self::Reload(..) => Verb::Reload,
            Self::Scale(_) => Verb::Scale,
        }
    }
}

impl App {
    pub(crate) fn enqueue(&mut self, cx: &mut Context, command: CommandId, work: Work) {
        let mut joined = Vec::new();
        if let Work::Reload(slots, update) = &work {
            if update.is_none() && self.join_waiting_reload(cx, command, slots.as_ref()) {
                return;
            }
            if update.is_some() {
                joined = self.replace_waiting_reloads(cx, command, slots.as_ref());
            }
        }
        cx.notice(Notice::Queued {
            command,
            verb: work.verb(),
        });
        self.queue.push_back(Queued {
            commands: vec![command],
            joined,
            work,
        });
    }

    /// A reload of what is on disk: one that has not begun yet loads it as well.
    fn join_waiting_reload(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        slots: Option<&BTreeSet<Slot>>,
    ) -> bool {
        let waiting = self
            .queue
            .iter_mut()
            .find_map(|queued| match &mut queued.work {
                Work::Reload(chosen, update)
                    if update.is_none() || covers(chosen.as_ref(), slots) =>
                {
                    Some((&queued.commands, &mut queued.joined, chosen))
                }
                Work::Start(_)
                | Work::Define(_)
                | Work::Restart(..)
                | Work::Reload(..)
                | Work::Scale(_) => None,
            });
        let Some((commands, joined, chosen)) = waiting else {
            return false;
        };
        match (chosen.as_mut(), slots) {
            (Some(chosen), Some(slots)) => chosen.extend(slots),
            (_, None) => *chosen = None,
            (None, Some(_)) => {}
        }
        if let Some(into) = commands.first().copied() {
            cx.notice(Notice::Merged { command, into });
        }
        joined.push(command);
        true
    }

    /// A newer version makes waiting reloads of the same slots pointless: those that only wanted
    /// to load what is on disk get that with it, those with a version of their own are superseded.
    fn replace_waiting_reloads(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        slots: Option<&BTreeSet<Slot>>,
    ) -> Vec<CommandId> {
        let mut joined = Vec::new();
        self.queue.retain(|queued| {
            let Work::Reload(chosen, update) = &queued.work else {
                return true;
            };
            if !covers(slots, chosen.as_ref()) {
                return true;
            }
            if update.is_some() {
                cx.reply_all(&queued.commands, &superseded(Verb::Reload));
            } else {
                joined.extend(&queued.commands);
            }
            joined.extend(&queued.joined);
            false
        });
        for merged in &joined {
            cx.notice(Notice::Merged {
                command: *merged,
                into: command,
            });
        }
        joined
    }

    /// Answers all waiting commands that `by` makes pointless.
    pub(crate) fn flush_queue(&mut self, cx: &mut Context, by: Verb, all: bool) {
        self.queue.retain(|queued| {
            let keep = !all && matches!(queued.work, Work::Scale(_) | Work::Define(_));
            if !keep {
                cx.reply_all(&queued.commands, &superseded(by));
                cx.reply_all(&queued.joined, &superseded(by));
            }
            keep
        });
    }

    pub(crate) fn next_in_queue(&mut self, cx: &mut Context) -> bool {
        let Some(next) = self.queue.pop_front() else {
            return false;
        };
        let Queued {
            mut commands,
            joined,
            work,
        } = next;
        commands.extend(joined);
        self.perform(cx, commands, work);
        true
    }
}

/// Whether `wide` has every slot of `narrow`.
fn covers(wide: Option<&BTreeSet<Slot>>, narrow: Option<&BTreeSet<Slot>>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide.is_superset(narrow),
    }
}
