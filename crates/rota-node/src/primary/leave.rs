//! Workers that leave, listeners that nobody uses, and what time brings.

use super::core::Primary;
use super::listener::Idle;
use super::rescue::SentBefore;
use super::types::{Bind, Host, ListenerId, Millis, Notice, Role, SocketId, WorkerId};
use crate::channel::outgoing;

impl<C> Primary<C> {
    /// Tells a cluster worker to close its servers, wait for their connections and leave. It gets
    /// no more connections.
    pub fn disconnect(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        self.structure += u64::from(member.dealing);
        member.dealing = false;
        if member.role != Role::Plain && !member.leaving && !member.told_to_leave {
            member.told_to_leave = true;
            self.structure += 1;
            let seq = self.seq();
            host.send(worker, &outgoing::disconnect(seq));
        }
        self.requeue(worker, now, host);
    }

    /// Takes a worker out for good that has nothing to finish: it was never given anything, and cannot have taken
    /// anything by itself. It does not get to listen any more, either. Returns whether it is such a worker; if not,
    /// nothing has changed.
    pub fn leave_unused(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) -> bool {
        if !self.is_unused(worker) {
            return false;
        }
        if let Some(member) = self.members.get_mut(&worker) {
            self.structure += u64::from(member.dealing || !member.draining);
            member.dealing = false;
            member.draining = true;
        }
        // What waits for anybody may have waited for this one.
        self.requeue(worker, now, host);
        true
    }

    fn is_unused(&self, worker: WorkerId) -> bool {
        let Some(member) = self.members.get(&worker) else {
            return false;
        };
        let given = member.dealt > 0
            || member.open > 0
            || !member.pending.is_empty()
            || !member.queue.is_empty()
            || !member.sent_before.is_empty();
        let has_listened = member.listening || !member.listeners.is_empty();
        let dealt = |id: &ListenerId| {
            let attachment = self.listeners.get(id).and_then(|l| l.attachment(worker));
            attachment.is_some_and(|a| a.balance.is_dealt())
        };
        let only_dealt = member.balance().is_dealt() && member.listeners.iter().all(dealt);
        // What an earlier primary has given it is found out later, if at all.
        !given && !(has_listened && (member.before.is_some() || !only_dealt))
    }

    /// The worker announced that it leaves. A connection sent after our answer would crash it, so
    /// it is out of every rotation before.
    pub(super) fn leaves(
        &mut self,
        worker: WorkerId,
        ack: Option<u64>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let first = !member.leaving;
        let ordered = member.told_to_leave || member.draining;
        member.leaving = true;
        self.structure += u64::from(first);
        self.detach_everywhere(worker, now);
        self.requeue(worker, now, host);
        if let Some(ack) = ack {
            let seq = self.seq();
            host.send(worker, &outgoing::leave(seq, ack));
        }
        if first && !ordered {
            host.notice(worker, Notice::Leaving);
        }
    }

    /// The worker's channel has ended or its process is gone: what it has not acknowledged goes to
    /// others, for it can never take it any more. To be called when everything that it wrote has
    /// been read.
    pub fn remove_worker(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        self.detach_everywhere(worker, now);
        if let Some(member) = self.members.remove(&worker) {
            self.structure += 1;
            let sent = member.pending.into_iter();
            let sent = sent.map(|sent| (sent.listener, sent.connection));
            let before = member.sent_before.into_iter().map(SentBefore::into_parts);
            let all: Vec<_> = before.chain(sent).chain(member.queue).collect();
            self.put_back(all.into_iter(), now, host);
        }
    }

    fn detach_everywhere(&mut self, worker: WorkerId, now: Millis) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        for id in std::mem::take(&mut member.listeners) {
            self.detach(id, worker, false, now);
        }
    }

    /// The worker closed the server with that key.
    pub(super) fn closed(
        &mut self,
        worker: WorkerId,
        key: &str,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(&id) = self.by_key.get(key) else {
            return;
        };
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        if !member.listeners.remove(&id) {
            return;
        }
        let by_itself = !member.is_going();
        let last = member.listeners.is_empty();
        self.detach(id, worker, by_itself, now);
        self.requeue(worker, now, host);
        if by_itself && last {
            host.notice(worker, Notice::NoListeners);
        }
    }

    fn detach(&mut self, id: ListenerId, worker: WorkerId, by_itself: bool, now: Millis) {
        let Some(listener) = self.listeners.get_mut(&id) else {
            return;
        };
        self.revision += 1;
        self.structure += 1;
        if listener.detach(worker) && listener.attached.is_empty() {
            listener.idle = Some(Idle {
                since: now,
                closed_by: by_itself.then_some(worker),
            });
        }
    }

    /// Closes every listener that no worker uses, if there is a worker by which that can be told: one that stays and
    /// serves elsewhere, or says that it is ready. Where the last one has just died nobody has said that the port is not
    /// wanted any more; its successor finds it open, with the connections that wait there.
    pub fn retire_idle(&mut self, host: &mut impl Host<Connection = C>) {
        let mut members = self.members.values().filter(|member| !member.is_going());
        if !members.any(|member| member.ready || !member.listeners.is_empty()) {
            return;
        }
        self.close_idle(host);
    }

    /// Closes every listener that no worker uses: nobody is going to.
    pub fn close_idle(&mut self, host: &mut impl Host<Connection = C>) {
        let idle = self.listeners.iter().filter(|(_, l)| l.attached.is_empty());
        let idle: Vec<ListenerId> = idle.map(|(id, _)| *id).collect();
        for id in idle {
            self.close_listener(id, host);
        }
    }

    /// Closes the listeners on an inherited descriptor, which is none any more.
    pub fn close_inherited(&mut self, number: i32, host: &mut impl Host<Connection = C>) {
        let is_on =
            |bind: &Bind| matches!(bind, Bind::Inherited { number: on, .. } if *on == number);
        let all = self.listeners.iter().filter(|(_, l)| is_on(&l.bind));
        let all: Vec<ListenerId> = all.map(|(id, _)| *id).collect();
        for id in all {
            self.close_listener(id, host);
        }
    }

    /// Closes every listener. Connections that nobody has taken are closed.
    pub fn close_all(&mut self, host: &mut impl Host<Connection = C>) {
        let all: Vec<ListenerId> = self.listeners.keys().copied().collect();
        for id in all {
            self.close_listener(id, host);
        }
    }

    pub(super) fn close_listener(&mut self, id: ListenerId, host: &mut impl Host<Connection = C>) {
        let Some(listener) = self.listeners.remove(&id) else {
            return;
        };
        self.structure += 1;
        self.by_key.remove(&listener.key);
        for slot in listener.slots {
            host.close(SocketId {
                listener: id,
                slot: Some(slot),
            });
        }
        host.close(SocketId {
            listener: id,
            slot: None,
        });
        for attachment in listener.attached {
            if let Some(member) = self.members.get_mut(&attachment.worker) {
                member.listeners.remove(&id);
            }
        }
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self, now: Millis) -> Option<Millis> {
        let listeners = self.listeners.values();
        let cooling = listeners.clone().flat_map(|l| &l.attached);
        let cooling = cooling.filter_map(|a| a.cooling_until);
        let patience = listeners.clone();
        let patience = patience.filter_map(|l| self.patience_ends(l, now));
        let idle = listeners.filter_map(|l| self.close_at(l.idle?));
        cooling.chain(patience).chain(idle).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis, host: &mut impl Host<Connection = C>) {
        let mut warmed = Vec::new();
        for (id, listener) in &mut self.listeners {
            for attachment in &mut listener.attached {
                if attachment.cooling_until.is_some_and(|until| until <= now) {
                    attachment.cooling_until = None;
                    warmed.push((*id, attachment.worker));
                }
            }
        }
        for (_, worker) in &warmed {
            self.deal_queue(*worker, now, host);
        }
        let waiting = self.listeners.iter().filter(|(_, l)| l.has_waiting());
        let waiting: Vec<ListenerId> = waiting.map(|(id, _)| *id).collect();
        for listener in waiting {
            self.deal_waiting(listener, now, host);
        }
        let over = |idle: Idle| self.close_at(idle).is_some_and(|at| at <= now);
        let idle = self.listeners.iter();
        let idle = idle.filter(|(_, l)| l.attached.is_empty() && l.idle.is_some_and(over));
        let idle: Vec<ListenerId> = idle.map(|(id, _)| *id).collect();
        for id in idle {
            self.close_listener(id, host);
        }
    }

    /// When a listener without a worker is closed. One whose worker has gone, or goes, waits for
    /// the next worker, as long as the host wants: no connection is refused in between.
    fn close_at(&self, idle: Idle) -> Option<Millis> {
        let closer = self.members.get(&idle.closed_by?)?;
        if closer.is_going() {
            None
        } else if closer.listeners.is_empty() {
            Some(idle.since + self.tuning.leave_grace)
        } else {
            Some(idle.since + self.tuning.close_grace)
        }
    }
}
