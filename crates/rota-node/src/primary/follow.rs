//! How many connections each worker has open.

use std::net::SocketAddr;

use super::core::Primary;
use super::types::{ListenerId, Millis, WorkerId};

impl<C> Primary<C> {
    /// The worker has a connection more.
    pub(super) fn taken(
        &mut self,
        worker: WorkerId,
        listener: ListenerId,
        peer: Option<SocketAddr>,
    ) {
        let Some(listener) = self.listeners.get_mut(&listener) else {
            return;
        };
        if let Some(attachment) = listener.attachment_mut(worker) {
            attachment.doubtful = false;
        }
        let Some(peer) = peer.filter(|_| listener.followed) else {
            return;
        };
        let (followed, before) = listener.open.insert(peer, worker);
        if let Some(member) = before.and_then(|before| self.members.get_mut(&before)) {
            member.open = member.open.saturating_sub(1);
        }
        if followed && let Some(member) = self.members.get_mut(&worker) {
            member.open += 1;
        }
    }

    /// The listeners whose live connections should be looked up now, with their ports: at most
    /// once per interval, only when connections have been dealt since. Answer each with
    /// [`Self::reconcile`], or with [`Self::unfollow`] when the kernel does not tell.
    pub fn to_reconcile(&mut self, now: Millis) -> Vec<(ListenerId, u16)> {
        let due = now >= self.follow_at || self.follow_now;
        if !self.dealt_since || !due {
            return Vec::new();
        }
        self.dealt_since = false;
        self.follow_now = false;
        self.follow_at = now + self.tuning.follow_interval;
        self.listeners
            .iter()
            // One worker has nobody to be compared with.
            .filter(|(_, l)| l.followed && !l.open.is_empty())
            .filter(|(_, l)| l.attached.len() > 1 || l.open.is_full())
            .map(|(id, l)| (*id, l.sockname.port()))
            .collect()
    }

    /// No question before that time, except when a worker has come: the answer was expensive.
    pub fn put_off_reconciling(&mut self, until: Millis) {
        self.follow_at = self.follow_at.max(until);
    }

    /// The clients of a listener's live connections.
    pub fn reconcile(&mut self, listener: ListenerId, live: impl Iterator<Item = SocketAddr>) {
        let Some(listener) = self.listeners.get_mut(&listener) else {
            return;
        };
        let members = &mut self.members;
        let mut ended = 0_usize;
        listener.open.reconcile(live, |worker| {
            ended += 1;
            if let Some(member) = members.get_mut(&worker) {
                member.open = member.open.saturating_sub(1);
            }
        });
        listener.short_lived = ended > listener.open.len();
    }

    /// The kernel does not tell the live connections of this listener: workers take turns.
    pub fn unfollow(&mut self, id: ListenerId) {
        self.reconcile(id, std::iter::empty());
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.followed = false;
        }
    }
}
