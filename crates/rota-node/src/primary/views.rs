//! The primary's figures.

use super::core::Primary;
use super::types::{ListenerId, Slot, SockName, SocketId, WorkerId};
use crate::balance::Balance;

/// One worker's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerView {
    /// The worker.
    pub worker: WorkerId,
    /// Its slot.
    pub slot: Slot,
    /// Open connections as far as known.
    pub open: u64,
    /// Sent and not answered.
    pub pending: usize,
    /// Waiting for this very worker.
    pub queued: usize,
    /// Taken since it started.
    pub dealt: u64,
    /// Not taken.
    pub refused: u64,
    /// Handed over by it to others.
    pub handed_over: u64,
    /// Of those taken, the ones that came from other workers.
    pub taken_over: u64,
    /// Its agent has said that it is there.
    pub agent: bool,
    /// A server of its listens, or has done so.
    pub listening: bool,
    /// It has sent the message `"ready"`.
    pub ready: bool,
    /// It has said that it leaves.
    pub leaving: bool,
    /// It may get connections now.
    pub dealing: bool,
    /// How often it broke the protocol.
    pub violations: u64,
}

/// One listener's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerView<'a> {
    /// The listener.
    pub id: ListenerId,
    /// Node's key.
    pub key: &'a str,
    /// Its address.
    pub sockname: &'a SockName,
    /// UDP.
    pub udp: bool,
    /// The mode of its newest worker.
    pub balance: Option<Balance>,
    /// Workers that use it.
    pub workers: usize,
    /// Accepted and waiting for a worker.
    pub waiting: usize,
    /// The slot that has the first socket as its own.
    pub first_slot: Option<Slot>,
}

impl<C> Primary<C> {
    /// Every worker, by id.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView> {
        self.members.iter().map(|(worker, member)| WorkerView {
            worker: *worker,
            slot: member.slot,
            open: member.open,
            pending: member.pending.len(),
            queued: member.queue.len(),
            dealt: member.dealt,
            refused: member.refused,
            handed_over: member.handed_over,
            taken_over: member.taken_over,
            agent: member.agent,
            listening: member.listening,
            ready: member.ready,
            leaving: member.leaving,
            dealing: member.serves() && !member.blocked,
            violations: member.violations,
        })
    }

    /// Every listener, by id.
    pub fn listeners(&self) -> impl Iterator<Item = ListenerView<'_>> {
        self.listeners.iter().map(|(id, listener)| ListenerView {
            id: *id,
            key: &listener.key,
            sockname: &listener.sockname,
            udp: listener.is_udp(),
            balance: listener
                .attached
                .iter()
                .max_by_key(|a| a.worker)
                .map(|a| a.balance),
            workers: listener.attached.len(),
            waiting: listener.waiting.len() + listener.handed.len(),
            first_slot: listener.first_slot,
        })
    }

    /// The sockets of a listener.
    #[must_use]
    pub fn sockets(&self, id: ListenerId) -> Vec<SocketId> {
        let slots = self.listeners.get(&id).map(|l| &l.slots);
        let slots = slots.into_iter().flatten().map(|slot| Some(*slot));
        std::iter::once(None)
            .chain(slots)
            .map(|slot| SocketId { listener: id, slot })
            .collect()
    }
}
