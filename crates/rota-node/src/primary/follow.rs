//! How many connections each worker has open.

use std::net::SocketAddr;

use super::core::Primary;
use super::member::Member;
use super::types::{ListenerId, Millis, Role, WorkerId};

/// Connections per second that come and end between two looks, from which on nobody keeps count.
const STORM: u64 = 500;

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

    /// The listeners of a worker, with their ports, if all that it was dealt came from them and is
    /// followed; `None` when its connections cannot be counted.
    #[must_use]
    pub fn followed_by(&self, worker: WorkerId) -> Option<Vec<(ListenerId, u16)>> {
        let member = self.members.get(&worker)?;
        if !matches!(member.role, Role::Cluster(balance) if balance.is_dealt())
            || member.listeners.is_empty()
        {
            return None;
        }
        let followed = |id: &ListenerId| {
            let listener = self.listeners.get(id)?;
            let whole = listener.followed && !listener.open.is_full();
            whole.then(|| (*id, listener.sockname.port()))
        };
        member.listeners.iter().map(followed).collect()
    }

    /// Whether a worker has open connections, as of the last [`Self::reconcile`] of its listeners, or
    /// is about to get some; `None` when it is not known.
    #[must_use]
    pub fn has_connections(&self, worker: WorkerId) -> Option<bool> {
        let member = self.members.get(&worker)?;
        Some(member.open > 0 || !member.pending.is_empty() || !member.queue.is_empty())
    }

    /// No question before that time, except when a worker has come: the answer was expensive.
    pub fn put_off_reconciling(&mut self, until: Millis) {
        self.follow_at = self.follow_at.max(until);
    }

    /// The clients of a listener's live connections, as they are at `now`.
    pub fn reconcile(
        &mut self,
        listener: ListenerId,
        now: Millis,
        live: impl Iterator<Item = SocketAddr>,
    ) {
        let Some(listener) = self.listeners.get_mut(&listener) else {
            return;
        };
        let members = &mut self.members;
        let mut came_and_ended = 0_usize;
        listener.open.reconcile(live, |worker, came_since| {
            came_and_ended += usize::from(came_since);
            if let Some(member) = members.get_mut(&worker) {
                member.open = member.open.saturating_sub(1);
            }
        });
        let elapsed = now.saturating_sub(listener.looked_at).max(1);
        listener.looked_at = now;
        let per_second = (came_and_ended as u64).saturating_mul(1000) / elapsed;
        listener.short_lived = per_second > STORM && came_and_ended > listener.open.len();
        // Head starts were measured by counts with ended connections in them.
        let load = |worker: &WorkerId| -> u64 { members.get(worker).map_or(0, Member::load) };
        let most = listener.attached.iter().map(|a| load(&a.worker)).max();
        for attachment in &mut listener.attached {
            let behind = most
                .unwrap_or(0_u64)
                .saturating_sub(load(&attachment.worker));
            attachment.head_start = attachment.head_start.min(behind);
        }
    }

    /// The kernel does not tell the live connections of this listener: workers take turns.
    pub fn unfollow(&mut self, id: ListenerId, now: Millis) {
        self.reconcile(id, now, std::iter::empty());
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.followed = false;
        }
    }
}
