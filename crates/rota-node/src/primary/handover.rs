//! What a worker's agent says that is the primary's business, and open connections that one worker
//! hands over to another.
//!
//! The agent numbers its servers and says the number right behind the `queryServer` of each; that
//! order is the only link between a number and a listener. A connection that is handed over is ours
//! from the moment at which the giver is told so, and is dealt like an accepted one: it is pending until a
//! worker has acknowledged it, and goes to another one if that one refuses or dies.

use std::sync::Arc;

use super::core::Primary;
use super::hash;
use super::listener::Listener;
use super::member::{Connection, Handed, InFlight, Member};
use super::types::{Host, ListenerId, Millis, Notice, Role, SocketId, Violation, WorkerId};
use crate::agent::{self, DrainOrder, FromAgent, Handover, ToAgent};
use crate::balance::Balance;
use crate::channel::outgoing;

/// Connections of one giver that nobody has acknowledged yet. More stay with the giver.
const MAX_HANDING: usize = 256;
/// Connections of one listener that wait for a worker, whoever gave them.
const MAX_WAITING: usize = 1024;
/// Servers of one worker that connections can be handed to.
const MAX_SERVERS: usize = 512;
/// No message of the agent's is longer.
const MAX_MESSAGE: usize = 64 * 1024;

impl<C> Primary<C> {
    /// Whether the worker's agent has said that it is there.
    #[must_use]
    pub fn has_agent(&self, worker: WorkerId) -> bool {
        self.members.get(&worker).is_some_and(|m| m.agent)
    }

    /// Tells a worker's agent to finish what there is. It gets no more connections. Returns whether
    /// there is an agent to be told.
    pub fn drain(
        &mut self,
        worker: WorkerId,
        order: DrainOrder,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) -> bool {
        let Some(member) = self.members.get_mut(&worker).filter(|m| m.agent) else {
            return false;
        };
        self.structure += u64::from(member.dealing || !member.draining);
        member.dealing = false;
        member.draining = true;
        self.requeue(worker, now, host);
        tell(worker, &ToAgent::Drain(order), host);
        true
    }

    /// A message that Node shows to nobody but the agent, or to us.
    pub(super) fn agent_says(
        &mut self,
        worker: WorkerId,
        json: &str,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(message) = parse(json) else {
            return host.notice(worker, Notice::Internal(json));
        };
        match message {
            FromAgent::Server { id, spare } => self.names_server(worker, id, spare, host),
            // Without its connection it means nothing.
            FromAgent::Handover(_) => self.violation(worker, Violation::BadCluster, host),
            FromAgent::Hello(ref hello) => {
                let speaks = hello.v == agent::VERSION;
                if let Some(member) = self.members.get_mut(&worker) {
                    self.structure += u64::from(member.agent != speaks);
                    member.agent = speaks;
                }
                host.notice(worker, Notice::Agent(message));
                self.serve(worker, now, host);
            }
            FromAgent::Drained(report) => {
                // Its offers have come before it, and been dealt with.
                let given = self.members.get(&worker).map_or(0, |m| m.handed_over);
                let report = report.settled(given);
                host.notice(worker, Notice::Agent(FromAgent::Drained(report)));
            }
            FromAgent::Pong { n, .. } if self.passed_barrier(worker, n, now, host) => {}
            other => host.notice(worker, Notice::Agent(other)),
        }
    }

    /// A message of that kind with a descriptor. Only a connection is of use.
    pub(super) fn with_descriptor(
        &mut self,
        worker: WorkerId,
        json: &str,
        descriptor: C,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(FromAgent::Handover(order)) = parse(json) else {
            return;
        };
        let listener = self.take_over(worker, order, descriptor, host);
        let id = order.id;
        let ok = listener.is_some();
        tell(worker, &ToAgent::Handed { id, ok }, host);
        if let Some(listener) = listener {
            self.deal_waiting(listener, now, host);
        }
    }

    /// The number of the server whose question came just before.
    fn names_server(
        &mut self,
        worker: WorkerId,
        id: u32,
        spare: bool,
        host: &mut impl Host<Connection = C>,
    ) {
        let again = self.may_name_again(worker);
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let Some(asked) = member.asked.take() else {
            if again {
                return;
            }
            return self.violation(worker, Violation::ForgedServer, host);
        };
        self.structure += 1;
        match asked {
            // Refused, or nothing that connections can be handed to.
            None => {}
            Some(_) if id == 0 => {}
            Some(_) if member.servers.len() >= MAX_SERVERS && !member.servers.contains_key(&id) => {
                self.violation(worker, Violation::TooManyListeners, host);
            }
            Some(listener) => {
                member.servers.insert(id, listener);
                if spare {
                    self.send_spare(worker, id, listener, host);
                }
            }
        }
    }

    /// Gives a worker the socket from which we accept for it, for the time when we are gone.
    fn send_spare(
        &mut self,
        worker: WorkerId,
        server: u32,
        id: ListenerId,
        host: &mut impl Host<Connection = C>,
    ) {
        let (Some(listener), Some(member)) =
            (self.listeners.get(&id), self.members.get_mut(&worker))
        else {
            return;
        };
        let balance = listener.attachment(worker).map(|a| a.balance);
        if !matches!(balance, Some(Balance::RoundRobin | Balance::IpHash)) || member.is_silent() {
            return;
        }
        let socket = SocketId {
            listener: id,
            slot: None,
        };
        let line = outgoing::spare(server, listener.backlog());
        host.send_socket(worker, &line, socket);
        member.in_flight.push_back(InFlight::Socket {
            line: line.into(),
            socket,
            tries: 1,
        });
    }

    /// Makes a connection ours, if there is somebody who can take it. Returns where it waits.
    fn take_over(
        &mut self,
        worker: WorkerId,
        order: Handover,
        descriptor: C,
        host: &mut impl Host<Connection = C>,
    ) -> Option<ListenerId> {
        let member = self.members.get(&worker)?;
        if member.role == Role::Plain || Arc::strong_count(&member.handing) > MAX_HANDING {
            return None;
        }
        let id = *member.servers.get(&order.server)?;
        let listener = self.listeners.get(&id)?;
        if listener.is_udp() || listener.handed.len() >= MAX_WAITING {
            return None;
        }
        self.receivers(listener, worker).next()?;
        let peer = match host.examine(&descriptor, &listener.sockname) {
            Ok(peer) => peer,
            Err(stranger) => {
                self.violation(worker, Violation::BadHandover(stranger), host);
                return None;
            }
        };
        self.arrivals += 1;
        let member = self.members.get_mut(&worker)?;
        member.handed_over += 1;
        let connection = Connection {
            payload: descriptor,
            peer,
            arrival: self.arrivals,
            handed: Some(Box::new(Handed {
                giver: worker,
                requests: order.requests,
                keep: order.keep,
                _share: Arc::clone(&member.handing),
            })),
        };
        self.listeners.get_mut(&id)?.handed.push_back(connection);
        Some(id)
    }

    /// Workers that may be given a connection of that worker's, sooner or later.
    fn receivers<'a>(
        &'a self,
        listener: &'a Listener<C>,
        giver: WorkerId,
    ) -> impl Iterator<Item = (WorkerId, &'a Member<C>)> {
        listener.attached.iter().filter_map(move |attachment| {
            let member = self.members.get(&attachment.worker)?;
            let able = attachment.worker != giver && member.agent && member.serves();
            able.then_some((attachment.worker, member))
        })
    }

    /// Deals connections that have been handed over, as far as there are workers for them.
    pub(super) fn deal_handed(
        &mut self,
        id: ListenerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        loop {
            let Some(listener) = self.listeners.get(&id) else {
                return;
            };
            let places = listener.handed.iter().enumerate();
            let next = places
                .filter_map(|(at, c)| Some((at, self.choose_receiver(listener, c, now)?)))
                .next();
            let Some((at, worker)) = next else { return };
            let listener = self.listeners.get_mut(&id);
            let Some(connection) = listener.and_then(|l| l.handed.remove(at)) else {
                return;
            };
            if let Err(connection) = self.deal(worker, id, connection, now, host)
                && let Some(listener) = self.listeners.get_mut(&id)
            {
                listener.put_back(connection);
            }
        }
    }

    /// Deals what has been handed over on the listeners of a worker that has room again: before what
    /// waits for that very worker.
    pub(super) fn serve_handed(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(member) = self.members.get(&worker) else {
            return;
        };
        // Almost never is there one.
        let waiting =
            |id: &&ListenerId| self.listeners.get(id).is_some_and(|l| !l.handed.is_empty());
        let busy: Vec<ListenerId> = member.listeners.iter().filter(waiting).copied().collect();
        for listener in busy {
            self.deal_handed(listener, now, host);
        }
    }

    /// The worker that is to have it now. A newer one than the giver is better than an older one, which
    /// may be the next to leave.
    fn choose_receiver(
        &self,
        listener: &Listener<C>,
        connection: &Connection<C>,
        now: Millis,
    ) -> Option<WorkerId> {
        let giver = connection.handed.as_ref()?.giver;
        let able = self
            .candidates(listener, now)
            .filter(|candidate| candidate.worker != giver && candidate.member.agent)
            .map(|candidate| (self.room_of(&candidate) > 0, candidate));
        if let Some(peer) = connection.peer
            && self.is_by_address(listener)
        {
            return able
                .max_by_key(|(_, c)| (hash::preference(peer.ip(), c.member.slot), c.worker))
                .filter(|(room, _)| *room)
                .map(|(_, c)| c.worker);
        }
        able.filter(|(room, c)| *room || self.is_awaited(c.member, now))
            .min_by_key(|(_, c)| {
                let load = Self::counted_load(listener, c);
                (c.worker < giver, load, c.member.last_turn)
            })
            .filter(|(room, _)| *room)
            .map(|(_, c)| c.worker)
    }
}

fn parse(json: &str) -> Option<FromAgent> {
    if json.len() > MAX_MESSAGE {
        return None;
    }
    FromAgent::parse(json)
}

/// The number of the connection that a message offers, if it does.
pub(super) fn offered(json: &str) -> Option<u64> {
    match parse(json)? {
        FromAgent::Handover(order) => Some(order.id),
        _ => None,
    }
}

/// Leaves a connection with the worker that has offered it.
pub(super) fn refuse<C>(worker: WorkerId, id: u64, host: &mut impl Host<Connection = C>) {
    tell(worker, &ToAgent::Handed { id, ok: false }, host);
}

pub(super) fn tell<C>(worker: WorkerId, message: &ToAgent, host: &mut impl Host<Connection = C>) {
    let mut line = message.json().into_bytes();
    line.push(b'\n');
    host.send(worker, &line);
}
