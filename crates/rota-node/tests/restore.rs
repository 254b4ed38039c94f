//! A primary that goes on where another one has died.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

mod support;

use std::net::SocketAddr;

use rota_node::Balance::{self, ReusePort, RoundRobin, Shared};
use rota_node::channel::Frame;
use rota_node::primary::{
    Bind, Delivery, ListenerId, Notice, Role, Saved, SockName, SocketId, Stranger, Tuning,
};
use rota_node::{Host, Primary};
use support::{Connection, FIRST, World};

const HERE: [u8; 4] = [127, 0, 0, 1];
const ACK: &str = "{\"cmd\":\"NODE_HANDLE_ACK\"}";
const NACK: &str = "{\"cmd\":\"NODE_HANDLE_NACK\"}";

fn accepted(seq: u64, accepted: bool) -> String {
    format!("{{\"cmd\":\"NODE_CLUSTER\",\"ack\":{seq},\"accepted\":{accepted},\"seq\":9}}")
}

/// What the worker was given and has not answered: numbers of messages.
fn given(world: &World, worker: u64) -> Vec<u64> {
    let dealt = world.host.dealt.get(&worker);
    dealt.into_iter().flatten().map(|(seq, _)| *seq).collect()
}

fn restore(json: &[u8]) -> Option<Primary<Connection>> {
    let saved = Saved::from_json(json).ok()?;
    Primary::restore(&saved, 1, Tuning::default(), 0).ok()
}

/// Two workers of each mode, agents, a drain, a listener without workers.
fn full() -> World {
    let mut world = World::new(4);
    for (worker, mode) in [RoundRobin, Balance::IpHash, Shared, ReusePort, ReusePort]
        .into_iter()
        .enumerate()
    {
        let worker = worker as u64 + 1;
        world.with_agent(worker, worker as u32, mode);
    }
    world.say(1, r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":{"keys":1},"address":null,"port":80,"addressType":4,"seq":3}"#);
    world.query(2, "\"port\":81");
    world.close_key(2, "null:81:4:null:0");
    world.primary.disconnect(2, world.now, &mut world.host);
    world.primary.add_worker(9, 0, Role::Plain);
    world
}

#[test]
fn everything_comes_back() {
    let mut world = full();
    let saved = world.primary.save();
    let sockets: Vec<_> = world.primary.addresses();
    world.die();
    let again = Saved::from_json(&world.primary.save().to_json()).unwrap();
    // Only the numbers of messages have moved on.
    let text = |saved: &Saved| {
        let mut json: serde_json::Value = serde_json::from_slice(&saved.to_json()).unwrap();
        let seq = json["seq"].take().as_u64().unwrap();
        (seq, json)
    };
    let ((old_seq, old), (new_seq, new)) = (text(&saved), text(&again));
    assert_eq!(old, new);
    assert!(new_seq > old_seq);
    assert_eq!(sockets, world.primary.addresses());
    assert_eq!(world.host.open.len(), sockets.len());
    let first = world.primary.workers().next().unwrap();
    assert!(first.agent && first.dealing && !first.listening);
    assert!(!world.primary.workers().nth(1).unwrap().dealing);
}

#[test]
fn damaged_state_is_an_error() {
    let json = full().primary.save().to_json();
    assert!(restore(&json).is_some());
    for length in 0..json.len() {
        assert!(restore(&json[..length]).is_none());
    }
    let text = String::from_utf8(json).unwrap();
    for (part, other) in [
        ("\"version\":1", "\"version\":2"),
        ("\"seq\":", "\"seq\":9999999999"),
        ("\"next_listener\":3", "\"next_listener\":2"),
        ("\"id\":1,\"key\"", "\"id\":0,\"key\""),
        (
            "\"key\":\"null:80:4:null:0\"",
            "\"key\":\"null:0:4:null:0\"",
        ),
        ("\"users\":[{\"worker\":1", "\"users\":[{\"worker\":77"),
        ("\"users\":[{\"worker\":1", "\"users\":[{\"worker\":2"),
        ("\"balance\":\"shared\"", "\"balance\":\"unfair\""),
        ("\"workers\":[{\"id\":1", "\"workers\":[{\"id\":2"),
        ("\"slot\":1", "\"slot\":-1"),
        ("{\\\"keys\\\":1}", "{\\\"keys\\\":"),
    ] {
        assert!(text.contains(part), "{part} in {text}");
        let changed = text.replacen(part, other, 1);
        assert!(restore(changed.as_bytes()).is_none(), "{other}");
    }
    // Every byte changed: an error or another state, never a panic.
    for at in 0..text.len() {
        for byte in [b'9', b'"'] {
            let mut changed = text.clone().into_bytes();
            changed[at] = byte;
            if let Some(mut primary) = restore(&changed) {
                primary.tick(1_000_000, &mut Nowhere);
            }
        }
    }
}

#[test]
fn numbers_of_messages_are_never_used_twice() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    let mut last = 0;
    for _ in 0..5 {
        world.accept(HERE).unwrap();
        let seq = given(&world, 1)[0];
        assert!(seq > last);
        last = seq;
        world.answer(1, true);
        world.die();
    }
}

/// Remembers nothing.
struct Nowhere;

impl Host for Nowhere {
    type Connection = Connection;

    fn open(&mut self, _: SocketId, _: &str, _: &Bind) -> Result<SockName, i32> {
        Err(-98)
    }

    fn close(&mut self, _: SocketId) {}

    fn send(&mut self, _: u64, _: &[u8]) {}

    fn send_socket(&mut self, _: u64, _: &[u8], _: SocketId) {}

    fn examine(&mut self, _: &Connection, _: &SockName) -> Result<Option<SocketAddr>, Stranger> {
        Ok(None)
    }

    fn deal(&mut self, _: u64, _: u64, _: &[u8], _: &Connection) -> Delivery {
        Delivery::Sent
    }

    fn notice(&mut self, _: u64, _: Notice<'_>) {}
}

#[test]
fn the_number_that_is_saved_is_far_ahead() {
    let mut world = World::new(4);
    world.add(1, 0, RoundRobin);
    let leave = br#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":1}"#;
    let mut leave = || {
        let (bytes, handle) = (leave.as_slice(), None);
        let frame = Frame::Line { bytes, handle };
        world.primary.receive(1, frame, 0, &mut Nowhere);
        world.primary.structure()
    };
    let structure = leave();
    // Each of them is answered with a new number.
    let mut used = 1_u64;
    while leave() == structure {
        used += 1;
    }
    assert!(used > 50_000);
    assert!(bound_of(&world) > used + 100_000);
}

fn bound_of(world: &World) -> u64 {
    let json: serde_json::Value = serde_json::from_slice(&world.primary.save().to_json()).unwrap();
    json["seq"].as_u64().unwrap()
}

#[test]
fn what_the_dead_one_sent_may_be_answered_once() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    for _ in 0..3 {
        world.accept(HERE).unwrap();
    }
    let old = given(&world, 1);
    world.die();
    for line in [
        ACK,
        &accepted(old[0], true),
        ACK,
        &accepted(old[1], false),
        NACK,
    ] {
        world.hear(1, line);
    }
    assert_eq!(world.noticed(1, "LostBefore(Refused)"), 1);
    assert_eq!(world.noticed(1, "LostBefore(NotReceived)"), 1);
    let view = world.primary.workers().next().unwrap();
    assert_eq!((view.dealt, view.refused, view.violations), (1, 1, 0));
    // Numbers that nobody has used are forged all the same.
    world.hear(1, &accepted(1 << 40, true));
    assert_eq!(world.noticed(1, "ForgedAnswer"), 1);
    // So is everything once the worker has answered something new, or has said too much.
    world.host.dealt.clear();
    world.accept(HERE).unwrap();
    world.answer(1, true);
    world.hear(1, &accepted(old[2], true));
    world.hear(1, ACK);
    assert_eq!(world.noticed(1, "Forged"), 3);
}

#[test]
fn endless_answers_to_the_dead_are_violations() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.die();
    for _ in 0..300 {
        world.hear(1, &accepted(1, false));
        world.hear(1, ACK);
    }
    assert_eq!(world.noticed(1, "LostBefore"), 256);
    assert_eq!(world.noticed(1, "Forged"), 88);
}

#[test]
fn a_descriptor_of_the_dead_is_not_taken_for_one_of_ours() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.accept(HERE).unwrap();
    world.die();
    world.host.dealt.clear();
    world.serving(2, 1, RoundRobin);
    world.pass(5_000);
    for _ in 0..2 {
        world.accept(HERE).unwrap();
    }
    let ours = world.has(1);
    assert_eq!(ours.len(), 1);
    // The old one's did not arrive. Ours has: nobody else may get it.
    world.hear(1, NACK);
    assert!(!world.has(2).contains(&ours[0]));
    world.answer(1, true);
    assert!(world.closed.borrow().contains(&ours[0]));
    let view = world.primary.workers().next().unwrap();
    assert_eq!((view.dealt, view.pending, view.violations), (1, 0, 0));
}

#[test]
fn one_of_ours_that_did_not_arrive_goes_to_another_when_that_is_certain() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.die();
    world.accept(HERE).unwrap();
    world.accept(HERE).unwrap();
    let first = world.lose(1).unwrap();
    assert!(!world.closed.borrow().contains(&first));
    // The second one is answered: the first one never will be.
    world.answer(1, true);
    world.serving(2, 1, RoundRobin);
    assert_eq!(world.has(2), [first]);
    assert_eq!(world.noticed(1, "Violation"), 0);
}

#[test]
fn questions_may_be_repeated_once_in_every_mode() {
    for mode in [RoundRobin, Shared, ReusePort] {
        let mut world = World::new(4);
        world.with_agent(1, 0, mode);
        world.with_agent(2, 1, mode);
        let reply = world.last(2).to_owned();
        world.die();
        let open = world.host.open.len();
        world.repeat(2, 3);
        let part = |line: &str| line.split("\"seq\"").next().unwrap().to_owned();
        assert_eq!(part(world.last(2)), part(&reply), "{mode}");
        assert_eq!(world.host.open.len(), open);
        assert_eq!(world.primary.listeners().next().unwrap().workers, 2);
        assert_eq!(world.noticed(2, "Violation"), 0);
        world.query(2, "\"port\":0");
        assert_eq!(world.noticed(2, "DoubleQuery"), 1);
    }
}

#[test]
fn a_server_may_be_named_once_more() {
    let mut world = World::new(4);
    world.with_agent(1, 0, RoundRobin);
    world.die();
    let server = r#"{"cmd":"NODE_ROTA","act":"server","id":1}"#;
    world.hear(1, server);
    assert_eq!(world.noticed(1, "Violation"), 0);
    world.hear(1, server);
    assert_eq!(world.noticed(1, "ForgedServer"), 1);
}

#[test]
fn only_the_first_line_may_be_broken_off() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.die();
    world.hear(1, "half\"}");
    assert_eq!(world.noticed(1, "Violation"), 0);
    world.hear(1, "half\"}");
    assert_eq!(world.noticed(1, "NotJson"), 1);
    world.die();
    world.hear(1, "\"whole\"");
    world.hear(1, "half\"}");
    assert_eq!(world.noticed(1, "NotJson"), 2);
}

#[test]
fn what_cannot_be_had_again_is_given_up() {
    let mut world = World::new(4);
    world.serving(1, 0, ReusePort);
    world.serving(2, 1, ReusePort);
    world.die();
    let slot = SocketId {
        listener: ListenerId(0),
        slot: Some(1),
    };
    world.host.open.remove(&slot);
    world.primary.give_up(slot, &mut world.host);
    assert_eq!(world.primary.addresses().len(), 1);
    // The next worker of that slot gets one of its own.
    world.serving(3, 1, ReusePort);
    assert!(world.host.open.contains_key(&slot));
    world.primary.give_up(FIRST, &mut world.host);
    assert!(world.primary.addresses().is_empty() && world.host.open.is_empty());
    assert_eq!(world.primary.workers().count(), 3);
    assert_eq!(world.primary.room(FIRST, 0), 0);
}

#[test]
fn connections_that_are_found_count() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    world.die();
    let peer = |port| SocketAddr::from((HERE, port));
    for port in [1, 2, 2, 3] {
        world.primary.found_open(ListenerId(0), peer(port), 1);
    }
    world.primary.found_open(ListenerId(0), peer(3), 2);
    world.primary.found_open(ListenerId(7), peer(4), 2);
    let open = |world: &World| -> Vec<u64> { world.primary.workers().map(|w| w.open).collect() };
    assert_eq!(open(&world), [3, 0]);
    world.accept(HERE).unwrap();
    assert_eq!(world.has(2).len(), 1);
    let live = [peer(1)].into_iter();
    world.primary.reconcile(ListenerId(0), world.now, live);
    assert_eq!(open(&world), [1, 0]);
}
