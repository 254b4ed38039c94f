//! The primary's rules, one by one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

mod support;

use rota_node::Balance::{IpHash, ReusePort, RoundRobin, Shared};
use rota_node::primary::{Bind, ListenerId, SocketId};
use serde_json::{Value, json};
use support::{FIRST, World};

const KEY: &str = "null:0:4:null:0";
const HERE: [u8; 4] = [127, 0, 0, 1];

fn reply(line: &str) -> Value {
    serde_json::from_str(line.split_once(' ').map_or(line, |(first, rest)| {
        if first.starts_with('@') { rest } else { line }
    }))
    .unwrap()
}

#[test]
fn a_dealt_listener_is_answered_with_its_address() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    let answer = reply(world.last(1));
    assert_eq!(answer["ack"], 3);
    assert_eq!(answer["errno"], 0);
    assert_eq!(answer["key"], KEY);
    assert_eq!(
        answer["sockname"],
        json!({"address": "127.0.0.1", "family": "IPv4", "port": 4000})
    );
}

#[test]
fn a_shared_listener_is_answered_with_the_socket() {
    let mut world = World::new(4);
    world.serving(1, 0, Shared);
    assert!(world.last(1).starts_with("@None "));
    let answer = reply(world.last(1));
    assert_eq!(answer["cmd"], "NODE_HANDLE");
    assert_eq!(answer["type"], "net.Native");
    assert_eq!(answer["msg"]["key"], KEY);
    assert_eq!(answer["msg"]["sockname"], Value::Null);
    assert!(!world.primary.accepts(FIRST), "the worker does that itself");
}

#[test]
fn each_slot_has_its_own_reuseport_socket() {
    let mut world = World::new(4);
    world.serving(1, 0, ReusePort);
    world.serving(2, 1, ReusePort);
    assert!(world.last(1).starts_with("@None "));
    assert!(world.last(2).starts_with("@Some(1) "));
    let second = SocketId {
        listener: ListenerId(0),
        slot: Some(1),
    };
    assert!(!world.primary.accepts(second));
    // Without a worker it is emptied into the others, and the next worker of the slot gets it.
    world.remove(2);
    assert!(world.primary.accepts(second));
    assert!(world.primary.room(second, world.now) > 0);
    world.serving(3, 1, ReusePort);
    assert!(world.last(3).starts_with("@Some(1) "));
    assert_eq!(world.host.open.len(), 2);
}

#[test]
fn udp_is_always_shared() {
    let mut world = World::new(4);
    world.add(1, 0, RoundRobin);
    world.say(1, r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"0.0.0.0","port":53,"addressType":"udp4","fd":-1,"flags":4,"seq":3}"#);
    assert_eq!(reply(world.last(1))["type"], "dgram.Native");
    assert_eq!(world.primary.room(FIRST, 0), 0);
}

#[test]
fn workers_name_what_they_have_inherited_by_numbers_of_their_own() {
    let mut world = World::new(4);
    world.host.descriptors = [((1, 3), 3), ((2, 3), 4)].into();
    for worker in [1, 2] {
        world.add(worker, 0, RoundRobin);
        world.query(worker, "\"fd\":3");
        assert_eq!(reply(world.last(worker))["errno"], 0);
    }
    let on = |world: &World| {
        let open = world.host.open.values();
        let number = |bind: &Bind| match bind {
            Bind::Inherited { number, .. } => *number,
            other => panic!("{other:?}"),
        };
        open.map(number).collect::<Vec<_>>()
    };
    assert_eq!(
        on(&world),
        [3, 4],
        "the same number, and not the same socket"
    );
    world.query(2, "\"fd\":4");
    assert_eq!(
        reply(world.last(2))["errno"],
        -9,
        "it has not inherited that"
    );
    world.remove(1);
    world.primary.close_inherited(3, &mut world.host);
    assert_eq!(on(&world), [4]);
}

#[test]
fn failures_are_told_and_not_remembered() {
    let mut world = World::new(4);
    world.host.failure = Some(-98);
    world.add(1, 0, RoundRobin);
    world.say(1, r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":{"keys":1},"address":null,"port":80,"addressType":4,"seq":3}"#);
    let answer = reply(world.last(1));
    assert_eq!(
        (&answer["errno"], &answer["data"]),
        (&json!(-98), &json!({"keys": 1}))
    );
    world.host.failure = None;
    world.serving(2, 1, RoundRobin);
    assert_eq!(reply(world.last(2))["errno"], 0);
}

#[test]
fn data_is_that_of_the_first_who_has_any() {
    let mut world = World::new(4);
    for (worker, data, expected) in [
        (1, "null", "null"),
        (2, "{\"k\":2}", "{\"k\":2}"),
        (3, "{\"k\":3}", "{\"k\":2}"),
    ] {
        world.add(worker, 0, RoundRobin);
        world.say(worker, &format!(r#"{{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":{data},"address":null,"port":0,"addressType":4,"seq":3}}"#));
        assert_eq!(reply(world.last(worker))["data"].to_string(), expected);
    }
}

#[test]
fn connections_go_to_the_fewest_and_in_turn() {
    let mut world = World::new(4);
    for worker in 1..=3 {
        world.serving(worker, worker as u32, RoundRobin);
    }
    for _ in 0..6 {
        world.accept(HERE).unwrap();
    }
    assert_eq!(
        (world.has(1), world.has(2), world.has(3)),
        (vec![1, 4], vec![2, 5], vec![3, 6])
    );
}

#[test]
fn a_newcomer_catches_up_in_its_own_time() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    let dealt = |world: &World| -> Vec<u64> { world.primary.workers().map(|w| w.dealt).collect() };
    let deal = |world: &mut World, count| {
        let mut before = dealt(world);
        for _ in 0..count {
            world.accept(HERE).unwrap();
            for worker in 1..=3 {
                world.answer(worker, true);
            }
        }
        before.resize(3, 0);
        let after = dealt(world).into_iter().chain([0]);
        let news: Vec<u64> = after
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        news
    };
    assert_eq!(deal(&mut world, 40), [20, 20, 0]);
    world.now += 5_000;
    world.serving(3, 2, RoundRobin);
    assert_eq!(deal(&mut world, 6), [2, 2, 2], "it begins as one of many");
    world.now += 500;
    assert_eq!(deal(&mut world, 10), [0, 0, 10], "half of it has worn off");
    assert_eq!(deal(&mut world, 3), [1, 1, 1]);
    world.now += 500;
    // 23 each of the old ones and 13 of the new one: now it gets the rest.
    assert_eq!(deal(&mut world, 10), [0, 0, 10]);
    assert_eq!(deal(&mut world, 3), [1, 1, 1]);
}

#[test]
fn who_begins_together_is_equal() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    for _ in 0..3 {
        world.accept(HERE).unwrap();
    }
    world.now += 300;
    world.serving(2, 1, RoundRobin);
    for _ in 0..3 {
        world.accept(HERE).unwrap();
    }
    assert_eq!((world.has(1), world.has(2)), (vec![1, 2, 3], vec![4, 5, 6]));
}

#[test]
fn live_connections_count_and_ended_ones_do_not() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    let mut peers = Vec::new();
    for _ in 0..10 {
        let number = world.accept(HERE).unwrap();
        let peer = std::net::SocketAddr::from((HERE, u16::try_from(number).unwrap() + 1024));
        if world.answer(1, true).is_some() {
            peers.push(peer);
        }
        world.answer(2, true);
    }
    world.now += 1_000;
    assert_eq!(
        world.primary.to_reconcile(world.now),
        [(ListenerId(0), 4000)]
    );
    // Those of worker 2 have ended.
    world
        .primary
        .reconcile(ListenerId(0), world.now, peers.into_iter());
    let open: Vec<u64> = world.primary.workers().map(|w| w.open).collect();
    assert_eq!(open, [5, 0]);
    for _ in 0..4 {
        world.accept(HERE).unwrap();
    }
    assert_eq!(world.has(2).len(), 4);
    // Nothing new, nothing to ask.
    world.primary.to_reconcile(world.now + 5_000);
    assert!(world.primary.to_reconcile(world.now + 9_000).is_empty());
}

#[test]
fn the_window_bounds_what_is_unanswered() {
    let mut world = World::new(2);
    world.serving(1, 0, RoundRobin);
    assert!(world.accept(HERE).is_some() && world.accept(HERE).is_some());
    assert_eq!(world.accept(HERE), None);
    world.answer(1, true);
    assert!(world.accept(HERE).is_some());
}

#[test]
fn our_copy_is_closed_at_the_acknowledgement() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.accept(HERE).unwrap();
    assert!(world.closed.borrow().is_empty());
    world.answer(1, true);
    assert!(world.closed.borrow().contains(&1));
}

#[test]
fn refused_connections_go_to_others_and_the_refuser_rests() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    world.accept(HERE).unwrap();
    world.answer(1, false);
    assert_eq!(world.has(2), [1]);
    world.answer(2, false);
    // Both rest: nobody accepts, and nothing spins.
    assert_eq!(world.accept(HERE), None);
    assert_eq!(world.primary.next_deadline(world.now), Some(200));
    world.pass(200);
    assert_eq!(world.has(1).len() + world.has(2).len(), 1);
    assert!(world.closed.borrow().is_empty());
}

#[test]
fn what_was_not_acknowledged_goes_to_others() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    for _ in 0..3 {
        world.accept(HERE).unwrap();
    }
    world.serving(2, 1, RoundRobin);
    world.remove(1);
    assert_eq!(world.has(2), [1, 2, 3]);
}

#[test]
fn a_lost_descriptor_sends_the_connection_elsewhere() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    world.accept(HERE).unwrap();
    world.say(1, "{\"cmd\":\"NODE_HANDLE_NACK\"}");
    assert_eq!(world.has(2), [1]);
}

#[test]
fn a_lost_socket_is_sent_again_a_few_times() {
    let mut world = World::new(4);
    world.serving(1, 0, Shared);
    for _ in 0..10 {
        world.say(1, "{\"cmd\":\"NODE_HANDLE_NACK\"}");
    }
    assert_eq!(world.host.sent[&1].len(), 4);
    assert_eq!(world.noticed(1, "SocketLost"), 1);
    assert_eq!(world.noticed(1, "ForgedHandleAck"), 6);
}

#[test]
fn nothing_is_dealt_behind_the_answer_to_a_leaver() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    world.say(
        1,
        r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":8}"#,
    );
    assert_eq!(reply(world.last(1))["ack"], 8);
    assert_eq!(world.noticed(1, "Leaving"), 1);
    for _ in 0..4 {
        world.accept(HERE).unwrap();
    }
    assert_eq!(world.has(1), [0; 0]);
}

#[test]
fn the_told_to_leave_get_one_order_and_no_answers() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.primary.disconnect(1, 0, &mut world.host);
    world.primary.disconnect(1, 0, &mut world.host);
    assert_eq!(reply(world.last(1))["act"], "disconnect");
    assert_eq!(world.host.sent[&1].len(), 2);
    world.query(1, "\"port\":81");
    assert_eq!(world.host.sent[&1].len(), 2);
    assert_eq!(world.accept(HERE), None);
}

#[test]
fn a_lone_workers_listener_waits_for_the_next() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.close_key(1, KEY);
    assert_eq!(world.noticed(1, "NoListeners"), 1);
    world.say(
        1,
        r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":8}"#,
    );
    world.remove(1);
    world.pass(1_000_000);
    assert_eq!(world.host.open.len(), 1);
    world.serving(2, 0, RoundRobin);
    assert_eq!(world.host.open.len(), 1);
    // It has died, and with it everybody who could say that its port is not wanted any more.
    world.remove(2);
    world.primary.retire_idle(&mut world.host);
    assert_eq!(world.host.open.len(), 1);
    // One that has only just been started says nothing about it either.
    world
        .primary
        .add_worker(3, 0, rota_node::primary::Role::Cluster(RoundRobin));
    world.primary.retire_idle(&mut world.host);
    assert_eq!(world.host.open.len(), 1);
    // A new version serves elsewhere.
    world.query(3, "\"port\":81");
    world.primary.retire_idle(&mut world.host);
    assert_eq!(world.host.open.len(), 1);
    assert!(
        world
            .primary
            .listeners()
            .all(|listener| listener.key == "null:81:4:null:0")
    );
}

#[test]
fn a_closed_server_of_a_worker_that_goes_on_is_closed() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.query(1, "\"port\":81");
    world.close_key(1, "null:81:4:null:0");
    assert_eq!(world.host.open.len(), 2);
    world.pass(250);
    assert_eq!(world.host.open.len(), 1);
    // The last one: it may be leaving, so that takes longer.
    world.close_key(1, KEY);
    world.pass(1_000);
    assert_eq!(world.host.open.len(), 1);
    world.pass(29_000);
    assert!(world.host.open.is_empty());
}

#[test]
fn a_client_stays_with_its_slot() {
    let mut world = World::new(100);
    for slot in 0..5 {
        world.serving(u64::from(slot) + 1, slot, IpHash);
    }
    let place = |world: &mut World, client: u8| {
        let number = world.accept([10, 0, 0, client]).unwrap();
        let at = (1..20).find(|w| world.has(*w).contains(&number)).unwrap();
        world.answer(at, true);
        at
    };
    let before: Vec<u64> = (0..100).map(|client| place(&mut world, client)).collect();
    for worker in 1..=5 {
        let share = before.iter().filter(|w| **w == worker).count();
        assert!((8..=35).contains(&share), "{share} of 100 clients");
    }
    world.remove(3);
    for (client, at) in (0..100).zip(&before) {
        let now = place(&mut world, client);
        assert!(
            if *at == 3 { now != 3 } else { now == *at },
            "only the lost slot's clients move"
        );
    }
    // The slot's next worker takes exactly those back, and an old one beside it yields.
    world.serving(13, 2, IpHash);
    world.serving(14, 0, IpHash);
    for (client, at) in (0..100).zip(&before) {
        let expected = match *at {
            3 => 13,
            1 => 14,
            other => other,
        };
        assert_eq!(place(&mut world, client), expected);
    }
}

#[test]
fn a_clients_connections_queue_for_their_worker() {
    let mut world = World::new(2);
    world.serving(1, 0, IpHash);
    world.serving(2, 1, IpHash);
    let mut accepted = 0;
    while world.accept(HERE).is_some() {
        accepted += 1;
        assert!(accepted < 2_000, "the queues are bounded");
    }
    // Everything is still in its place when the worker goes.
    let first = if world.has(1).contains(&1) { 1 } else { 2 };
    world.remove(first);
    let other = 3 - first;
    let mut taken = 0;
    while world.answer(other, true).is_some() {
        taken += 1;
    }
    assert_eq!(taken, accepted);
}

#[test]
fn others_wait_a_moment_for_the_one_whose_turn_it_is() {
    let mut world = World::new(1);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    // Worker 2 has one more: the next is worker 1's, though that one is busy.
    world.accept(HERE).unwrap();
    world.accept(HERE).unwrap();
    world.answer(2, true);
    world.answer(1, true);
    world.accept(HERE).unwrap();
    world.accept(HERE).unwrap();
    world.answer(2, true);
    world.accept(HERE).unwrap();
    world.answer(2, true);
    assert_eq!(world.has(2), [0; 0], "it waits for worker 1");
    world.answer(1, true);
    assert_eq!(world.has(1), [5]);
    // But not for long.
    world.accept(HERE).unwrap();
    world.answer(2, true);
    world.accept(HERE).unwrap();
    assert_eq!(world.has(2), [0; 0]);
    let end = world.primary.next_deadline(world.now).unwrap();
    world.pass(end - world.now);
    assert_eq!(world.has(2), [7]);
}

#[test]
fn a_blocked_channel_passes_its_connection_on() {
    let mut world = World::new(4);
    world.serving(1, 0, RoundRobin);
    world.serving(2, 1, RoundRobin);
    world.host.blocked.insert(1);
    world.accept(HERE).unwrap();
    world.accept(HERE).unwrap();
    assert_eq!(world.has(2), [1, 2]);
    world.host.blocked.clear();
    world.primary.writable(1, 0, &mut world.host);
    world.accept(HERE).unwrap();
    assert_eq!(world.has(1), [3]);
}
