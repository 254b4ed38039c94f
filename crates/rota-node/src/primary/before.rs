//! What still comes from the time of a primary that has died.
//!
//! A worker does not notice that its primary is another one. What it had said and the old one had not taken
//! off its channel comes (again); what the old one had sent it answers. It handles messages in order, so all
//! that is over when it has answered the first connection of ours.

use std::collections::BTreeSet;

use super::core::Primary;
use super::member::InFlight;
use super::types::{Host, ListenerId, LostBefore, Millis, Notice, WorkerId};

/// Answers and confirmations that are tolerated. The old primary had fewer under way.
const MOST: u16 = 256;

/// What one worker may still say.
#[derive(Debug)]
pub(super) struct Before {
    /// Its next line may be the rest of one whose beginning has been read.
    line: bool,
    /// It may ask for these listeners again.
    queries: BTreeSet<ListenerId>,
    /// Its agent may say again which server it has asked for.
    server: bool,
    /// Answers to connections that may come.
    answers: u16,
    /// Confirmations of descriptors that may come; 0 = all that come are of ours.
    descriptors: u16,
}

impl Before {
    pub(super) fn new(listeners: &BTreeSet<ListenerId>) -> Self {
        Self {
            line: true,
            queries: listeners.clone(),
            server: true,
            answers: MOST,
            descriptors: MOST,
        }
    }
}

impl<C> Primary<C> {
    /// A line has begun. Returns whether it may be the rest of a longer one.
    pub(super) fn is_broken_off(&mut self, worker: WorkerId) -> bool {
        let before = self.members.get_mut(&worker).map(|m| m.before.as_mut());
        before
            .flatten()
            .is_some_and(|before| std::mem::take(&mut before.line))
    }

    /// Whether the worker may ask for that listener once more.
    pub(super) fn may_ask_again(&mut self, worker: WorkerId, listener: ListenerId) -> bool {
        let before = self.members.get_mut(&worker).map(|m| m.before.as_mut());
        before
            .flatten()
            .is_some_and(|before| before.queries.remove(&listener))
    }

    /// Whether the worker's agent may name a server once more. The next time it may not.
    pub(super) fn may_name_again(&mut self, worker: WorkerId) -> bool {
        let before = self.members.get_mut(&worker).map(|m| m.before.as_mut());
        before
            .flatten()
            .is_some_and(|before| std::mem::take(&mut before.server))
    }

    /// The worker answered a connection that is none of ours. Returns whether the old primary may have
    /// sent it. One that was refused is lost: the worker has closed it, and our copy was closed before.
    pub(super) fn answered_before(
        &mut self,
        worker: WorkerId,
        seq: u64,
        accepted: bool,
        host: &mut impl Host<Connection = C>,
    ) -> bool {
        let floor = self.seq_floor;
        let Some(member) = self.members.get_mut(&worker) else {
            return false;
        };
        let Some(before) = member.before.as_mut() else {
            return false;
        };
        if seq >= floor || before.answers == 0 {
            return false;
        }
        before.answers -= 1;
        if accepted {
            member.dealt += 1;
        } else {
            member.refused += 1;
            host.notice(worker, Notice::LostBefore(LostBefore::Refused));
        }
        true
    }

    /// The worker confirms a descriptor, or the loss of one. Returns whether that may be one of the old
    /// primary's: then it says nothing of ours. Listening sockets of ours are taken for confirmed, or sent
    /// again: too often does no harm.
    pub(super) fn is_confirmed_before(&mut self, worker: WorkerId) -> bool {
        let Some(member) = self.members.get_mut(&worker) else {
            return false;
        };
        let Some(before) = member.before.as_mut() else {
            return false;
        };
        let socket = matches!(member.in_flight.front(), Some(InFlight::Socket { .. }));
        if socket || before.descriptors == 0 {
            return false;
        }
        before.descriptors -= 1;
        true
    }

    /// The worker has answered that connection of ours: nothing older can come any more. Connections of
    /// ours that it was sent before that one have not arrived, and go to others.
    pub(super) fn nothing_from_before(
        &mut self,
        worker: WorkerId,
        seq: u64,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let Some(before) = member.before.as_mut() else {
            return;
        };
        if before.descriptors == 0 && before.answers == 0 {
            return;
        }
        before.descriptors = 0;
        before.answers = 0;
        self.take_back_saved(worker, now, host);
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let is_it = |sent: &InFlight| matches!(sent, InFlight::Connection(of) if *of == seq);
        let Some(at) = member.in_flight.iter().position(is_it) else {
            return;
        };
        let older: Vec<InFlight> = member.in_flight.drain(..=at).collect();
        for sent in older {
            if let InFlight::Connection(of) = sent
                && let Some(member) = self.members.get_mut(&worker)
                && let Some(lost) = member.take_pending(of)
            {
                member.refused += 1;
                self.not_taken(worker, lost, now, host);
            }
        }
    }
}
