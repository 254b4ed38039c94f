//! A primary's state goes from a process that dies to the next one.

use serde_json::value::RawValue;

use super::before::Before;
use super::core::{Primary, Tuning};
use super::listener::{Attachment, Idle, Listener};
use super::member::Member;
use super::saved::{self, RestoreError, Saved, SavedListener, SavedUser, SavedWorker};
use super::types::{Bind, Host, ListenerId, Millis, Role, SockName, SocketId, WorkerId};

/// Larger numbers of messages would not survive JavaScript for long.
const MAX_SEQ: u64 = 1 << 52;

impl<C> Primary<C> {
    /// Another number whenever [`Self::save`] has another result. What is sent to workers, and what is taken
    /// off their channels, may rely on a change only once it has been saved.
    #[must_use]
    pub fn structure(&self) -> u64 {
        self.structure
    }

    /// What the next process needs to go on: listeners, workers and who uses what. Connections are not
    /// part of it.
    #[must_use]
    pub fn save(&self) -> Saved {
        let listeners = self.listeners.iter().map(|(id, l)| save_listener(*id, l));
        let workers = self.members.iter().map(|(id, m)| save_worker(*id, m));
        Saved::new(
            self.seq_bound,
            self.next_listener,
            listeners.collect(),
            workers.collect(),
        )
    }

    /// The primary of a process that has died. Its sockets have to be put in their places by the caller
    /// ([`Self::addresses`]), those that cannot be had are given up with [`Self::give_up`]; workers that
    /// are gone are to be removed.
    ///
    /// What workers have said and what they were sent just before the death may have been dealt with or
    /// not: they may repeat themselves and answer what this primary has not sent.
    ///
    /// # Errors
    /// When the state contradicts itself.
    pub fn restore(
        saved: &Saved,
        seed: u64,
        tuning: Tuning,
        now: Millis,
    ) -> Result<Self, RestoreError> {
        let mut primary = Self::new(seed, tuning);
        if saved.seq > MAX_SEQ {
            return Err(RestoreError::Senseless("numbers of messages are too large"));
        }
        primary.begin_seq(saved.seq);
        primary.next_listener = saved.next_listener;
        for worker in &saved.workers {
            if primary.members.insert(worker.id, member(worker)).is_some() {
                return Err(RestoreError::Senseless("a worker is there twice"));
            }
        }
        for listener in &saved.listeners {
            primary.restore_listener(listener, now)?;
        }
        for member in primary.members.values_mut() {
            member.before = Some(Box::new(Before::new(&member.listeners)));
        }
        primary.follow_now = true;
        primary.revision = 1;
        Ok(primary)
    }

    fn restore_listener(&mut self, saved: &SavedListener, now: Millis) -> Result<(), RestoreError> {
        let id = ListenerId(saved.id);
        if saved.id >= self.next_listener || self.listeners.contains_key(&id) {
            return Err(RestoreError::Senseless("the numbers of listeners"));
        }
        if self.by_key.insert(saved.key.clone(), id).is_some() {
            return Err(RestoreError::Senseless("two listeners have the same key"));
        }
        let (bind, name) = (Bind::from(&saved.bind), SockName::from(&saved.name));
        let mut listener = Listener::new(saved.key.clone(), bind, name, self.seed);
        if let Some(data) = &saved.data {
            listener.data = Some(RawValue::from_string(data.clone())?);
        }
        listener.first_slot = saved.first_slot;
        listener.slots = saved.slots.iter().copied().collect();
        for user in &saved.users {
            let Some(member) = self.members.get_mut(&user.worker) else {
                return Err(RestoreError::Senseless("a listener has an unknown user"));
            };
            if !member.listeners.insert(id) {
                return Err(RestoreError::Senseless("a listener has a user twice"));
            }
            listener.attached.push(Attachment {
                worker: user.worker,
                slot: member.slot,
                balance: user.balance,
                cooling_until: None,
                doubtful: false,
                head_start: 0,
                since: 0,
            });
        }
        if listener.attached.is_empty() {
            listener.idle = Some(Idle {
                since: now,
                closed_by: saved.closed_by,
            });
        }
        self.listeners.insert(id, listener);
        Ok(())
    }

    /// Every socket that the primary relies on, with Node's key, how it was asked for, and the address that
    /// it got; a listener's first socket comes before its others.
    #[must_use]
    pub fn addresses(&self) -> Vec<(SocketId, String, Bind, SockName)> {
        let all = self.listeners.iter().flat_map(|(id, listener)| {
            self.sockets(*id).into_iter().map(move |socket| {
                let bind = match socket.slot {
                    None => listener.bind.clone(),
                    Some(_) => listener.sibling(*id),
                };
                let (key, name) = (listener.key.clone(), listener.sockname.clone());
                (socket, key, bind, name)
            })
        });
        all.collect()
    }

    /// There is no such socket (any more), and none can be had in its place. Without its first socket a
    /// listener is closed; its workers do not know that, and get nothing from it.
    pub fn give_up(&mut self, socket: SocketId, host: &mut impl Host<Connection = C>) {
        self.structure += 1;
        match socket.slot {
            None => self.close_listener(socket.listener, host),
            Some(slot) => {
                if let Some(listener) = self.listeners.get_mut(&socket.listener) {
                    listener.slots.remove(&slot);
                }
            }
        }
    }

    /// A connection that a worker had before this primary began, found by other means.
    pub fn found_open(
        &mut self,
        listener: ListenerId,
        peer: std::net::SocketAddr,
        worker: WorkerId,
    ) {
        let (Some(listener), Some(member)) = (
            self.listeners.get_mut(&listener),
            self.members.get_mut(&worker),
        ) else {
            return;
        };
        if listener.followed && listener.open.insert_new(peer, worker) {
            member.open += 1;
        }
    }
}

fn save_listener<C>(id: ListenerId, listener: &Listener<C>) -> SavedListener {
    let users = listener.attached.iter().map(|attachment| SavedUser {
        worker: attachment.worker,
        balance: attachment.balance,
    });
    SavedListener {
        id: id.0,
        key: listener.key.clone(),
        bind: (&listener.bind).into(),
        name: (&listener.sockname).into(),
        data: listener.data.as_deref().and_then(saved::data),
        first_slot: listener.first_slot,
        slots: listener.slots.iter().copied().collect(),
        users: users.collect(),
        closed_by: listener.idle.and_then(|idle| idle.closed_by),
    }
}

fn save_worker<C>(id: WorkerId, member: &Member<C>) -> SavedWorker {
    let servers = member.servers.iter().map(|(number, of)| (*number, of.0));
    SavedWorker {
        id,
        slot: member.slot,
        role: member.role.into(),
        dealing: member.dealing,
        told_to_leave: member.told_to_leave,
        leaving: member.leaving,
        draining: member.draining,
        agent: member.agent,
        listening: member.listening,
        ready: member.ready,
        asked: member.asked.is_some(),
        asked_for: member.asked.flatten().map(|id| id.0),
        servers: servers.collect(),
    }
}

fn member<C>(saved: &SavedWorker) -> Member<C> {
    let servers = saved.servers.iter();
    Member {
        dealing: saved.dealing,
        told_to_leave: saved.told_to_leave,
        leaving: saved.leaving,
        draining: saved.draining,
        agent: saved.agent,
        listening: saved.listening,
        ready: saved.ready,
        asked: saved.asked.then_some(saved.asked_for.map(ListenerId)),
        servers: servers.map(|(n, of)| (*n, ListenerId(*of))).collect(),
        ..Member::new(saved.slot, Role::from(&saved.role))
    }
}
