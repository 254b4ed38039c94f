//! Open connections that one worker hands over to another.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

mod support;

use std::net::SocketAddr;

use rota_node::Balance::{self, IpHash, ReusePort, RoundRobin, Shared};
use rota_node::agent::{DrainOrder, DrainReport};
use support::World;

const KEY: &str = "null:0:4:null:0";
const ORDER: DrainOrder = DrainOrder {
    timeout: 1000,
    grace: 100,
    handover: true,
    last: false,
};

fn client(number: u8) -> Option<SocketAddr> {
    Some(SocketAddr::from(([10, 0, 0, number], 5000)))
}

fn world(balance: Balance, agents: u64) -> World {
    let mut world = World::new(4);
    for worker in 1..=agents {
        world.with_agent(worker, u32::try_from(worker).unwrap(), balance);
    }
    world
}

#[test]
fn a_connection_goes_to_another_worker_with_its_state_in_every_mode() {
    for balance in [RoundRobin, IpHash, Shared, ReusePort] {
        let mut world = world(balance, 2);
        assert!(world.hand_over(1, 1, 100, client(1)), "{balance}");
        assert_eq!(world.has(2), [100], "{balance}");
        let state = r#"{"keep":5000,"requests":2}"#.to_owned();
        assert_eq!(world.host.states, [(2, 100, state)]);
        assert!(!world.closed.borrow().contains(&100));
        world.answer(2, true);
        assert!(world.closed.borrow().contains(&100), "our copy is closed");
        let views: Vec<_> = world.primary.workers().collect();
        let counts = |at: usize| (views[at].handed_over, views[at].taken_over, views[at].dealt);
        assert_eq!((counts(0), counts(1)), ((1, 0, 0), (0, 1, 1)), "{balance}");
        assert_eq!(views[1].open, 1, "{balance}");
    }
}

#[test]
fn an_open_connection_moves_to_the_count_of_its_new_worker() {
    let mut world = world(RoundRobin, 1);
    let number = world.accept([10, 0, 0, 1]).unwrap();
    world.answer(1, true);
    world.with_agent(2, 1, RoundRobin);
    let peer = SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap() + 1024));
    assert!(world.hand_over(1, 1, number, Some(peer)));
    world.answer(2, true);
    let open: Vec<u64> = world.primary.workers().map(|view| view.open).collect();
    assert_eq!(open, [0, 1]);
}

#[test]
fn newer_workers_are_preferred_and_the_giver_gets_nothing_back() {
    let mut world = world(RoundRobin, 4);
    // The older ones have nothing to do, the newer ones a connection each.
    for number in 0..2 {
        world.hand_over(
            3,
            1,
            10 + number,
            client(10 + u8::try_from(number).unwrap()),
        );
    }
    assert_eq!((world.has(3).len(), world.has(4).len()), (0, 2));
    for number in 0..3 {
        assert!(world.hand_over(
            2,
            1,
            20 + number,
            client(20 + u8::try_from(number).unwrap())
        ));
    }
    assert_eq!((world.has(1).len(), world.has(2).len()), (0, 0));
    assert_eq!(world.has(3).len() + world.has(4).len(), 5);
    // Newer ones that are stuck are not waited for for ever.
    world.pass(200);
    for number in 0..5 {
        assert!(world.hand_over(
            2,
            1,
            30 + number,
            client(30 + u8::try_from(number).unwrap())
        ));
    }
    assert!(!world.has(1).is_empty());
}

#[test]
fn without_anybody_who_could_take_it_it_stays_where_it_is() {
    let mut world = world(RoundRobin, 1);
    assert!(!world.hand_over(1, 1, 100, client(1)), "alone");
    world.serving(2, 1, RoundRobin);
    assert!(!world.hand_over(1, 1, 100, client(1)), "no agent there");
    world.with_agent(3, 2, RoundRobin);
    assert!(!world.hand_over(1, 2, 100, client(1)), "no such server");
    assert!(!world.hand_over(2, 1, 100, client(1)), "no agent here");
    assert!(!world.hand_over(1, 1, 100, None), "no connection");
    assert_eq!(world.noticed(1, "BadHandover"), 1);
    world.primary.drain(3, ORDER, 0, &mut world.host);
    assert!(
        !world.hand_over(1, 1, 100, client(1)),
        "the other one leaves"
    );
}

#[test]
fn it_goes_on_to_others_when_a_receiver_refuses_or_dies() {
    let mut world = world(Shared, 3);
    assert!(world.hand_over(1, 1, 100, client(1)));
    let first = if world.has(2).is_empty() { 3 } else { 2 };
    world.answer(first, false);
    assert_eq!(world.has(5 - first), [100]);
    world.remove(5 - first);
    world.remove(first);
    // Its giver does not get it back, nor does one without an agent.
    world.serving(4, 1, Shared);
    assert_eq!((world.has(1).len(), world.has(4).len()), (0, 0));
    world.remove(1);
    assert!(!world.closed.borrow().contains(&100), "it waits");
    world.with_agent(5, 1, Shared);
    assert_eq!(world.has(5), [100]);
}

#[test]
fn what_waits_for_an_agent_holds_up_nobody_else() {
    let mut world = world(RoundRobin, 2);
    assert!(world.hand_over(1, 1, 100, client(1)));
    world.remove(2);
    world.remove(1);
    world.serving(3, 0, RoundRobin);
    let number = world.accept([10, 0, 0, 9]).unwrap();
    assert_eq!(world.has(3), [number]);
}

#[test]
fn a_worker_that_has_closed_its_server_can_still_hand_over() {
    let mut world = world(Shared, 2);
    world.primary.drain(1, ORDER, 0, &mut world.host);
    let drain = r#"{"cmd":"NODE_ROTA","act":"drain","timeout":1000,"grace":100,"handover":true,"last":false}"#;
    assert_eq!(world.last(1), drain);
    world.close_key(1, KEY);
    assert_eq!(world.noticed(1, "NoListeners"), 0, "it was told to");
    assert!(world.hand_over(1, 1, 100, client(1)));
    assert_eq!(world.has(2), [100]);
}

#[test]
fn a_lone_drained_worker_leaves_its_listener_to_the_next() {
    let mut world = world(Shared, 1);
    world.primary.drain(1, ORDER, 0, &mut world.host);
    world.close_key(1, KEY);
    world.pass(3_600_000);
    assert_eq!(world.host.open.len(), 1);
}

#[test]
fn a_flood_of_handovers_is_bounded() {
    let mut world = world(RoundRobin, 2);
    let taken = (0..1000).filter(|n| world.hand_over(1, 1, 1000 + n, client(1)));
    assert_eq!(taken.count(), 256);
    // One acknowledged, one more.
    world.answer(2, true);
    assert!(world.hand_over(1, 1, 5000, client(1)));
    assert!(!world.hand_over(1, 1, 5001, client(1)));
}

#[test]
fn servers_are_numbered_behind_their_questions() {
    let mut world = World::new(4);
    world.with_agent(1, 0, RoundRobin);
    let server = |id| format!(r#"{{"cmd":"NODE_ROTA","act":"server","id":{id}}}"#);
    world.say(1, &server(2));
    assert_eq!(world.noticed(1, "ForgedServer"), 1, "no question before");
    // A refused one maps to nothing.
    world.host.failure = Some(-98);
    world.query(1, "\"port\":80");
    world.say(1, &server(3));
    world.host.failure = None;
    world.query(1, "\"port\":81");
    world.say(1, &server(0));
    assert_eq!(world.noticed(1, "Forged"), 1);
    world.with_agent(2, 1, RoundRobin);
    for (id, ok) in [(0, false), (1, true), (2, false), (3, false)] {
        assert_eq!(world.hand_over(1, id, 100 + id, client(1)), ok, "{id}");
    }
}

#[test]
fn descriptors_with_other_internal_messages_are_dropped() {
    let mut world = world(RoundRobin, 2);
    world.say(
        1,
        r#"{"cmd":"NODE_ROTA","act":"handover","id":1,"server":1,"requests":1}"#,
    );
    assert_eq!(world.noticed(1, "BadCluster"), 1, "without its descriptor");
    world.say(
        1,
        r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_ROTA","act":"else"}}"#,
    );
    assert_eq!(world.last(1), r#"{"cmd":"NODE_HANDLE_NACK"}"#);
}

#[test]
fn a_connection_that_got_lost_on_its_way_stays_with_its_worker() {
    let mut world = world(RoundRobin, 2);
    world.say(1, r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_ROTA","act":"handover","id":7,"server":1,"requests":1}}"#);
    let said = &world.host.sent[&1];
    assert_eq!(
        said[said.len() - 2..],
        [
            r#"{"cmd":"NODE_HANDLE_ACK"}"#,
            r#"{"cmd":"NODE_ROTA","act":"handed","id":7,"ok":false}"#,
        ],
        "Node is not to repeat what its agent will offer again"
    );
}

#[test]
fn only_a_worker_that_can_have_nothing_leaves_unused() {
    // One that has not asked to listen.
    let mut world = World::new(4);
    world.add(1, 0, RoundRobin);
    assert!(world.leave_unused(1));
    for balance in [RoundRobin, IpHash, Shared, ReusePort] {
        // Where connections are dealt it is known that it got none; elsewhere it takes them by itself.
        let mut world = world_of_two(balance);
        assert_eq!(world.leave_unused(1), balance.is_dealt(), "{balance}");
    }
    let mut world = World::new(4);
    world.with_agent(1, 1, RoundRobin);
    world.accept([10, 0, 0, 1]).unwrap();
    assert!(!world.leave_unused(1), "one is under way");
    world.answer(1, true);
    assert!(!world.leave_unused(1), "it has one");
    assert!(world.primary.workers().all(|view| view.dealing));
}

#[test]
fn one_that_has_left_unused_gets_nothing_and_does_not_come_to_listen() {
    let mut world = world_of_two(RoundRobin);
    assert!(world.leave_unused(1));
    for number in 1..10 {
        world.accept([10, 0, 0, number]).unwrap();
        world.answer(2, true);
    }
    let views: Vec<_> = world.primary.workers().collect();
    assert_eq!((views[0].dealt, views[0].pending), (0, 0));
    assert!(!views[0].dealing && views[1].dealt == 9);
}

fn world_of_two(balance: Balance) -> World {
    world(balance, 2)
}

#[test]
fn a_report_is_told_with_what_became_of_the_offers_that_were_still_waiting() {
    let mut world = world(RoundRobin, 2);
    for number in 1..=3 {
        let peer = client(number);
        assert!(world.hand_over(1, 1, 100 + u32::from(number), peer));
    }
    // The agent has heard of one of three, and of five connections that it has offered as well.
    world.say(
        1,
        "{\"cmd\":\"NODE_ROTA\",\"act\":\"drained\",\"handed\":1,\"cut\":4,\"waiting\":5}",
    );
    assert_eq!(world.noticed(1, "handed: 3"), 1);
    assert_eq!(world.noticed(1, "cut: 7"), 1);
}

#[test]
fn what_is_told_of_a_drain_is_no_more_than_what_there_was() {
    let report = DrainReport {
        handed: 4,
        cut: 1,
        waiting: 2,
        ..DrainReport::default()
    };
    let numbers = |report: DrainReport| (report.handed, report.cut, report.waiting);
    assert_eq!(numbers(report.settled(4)), (4, 3, 0));
    assert_eq!(numbers(report.settled(5)), (5, 2, 0));
    assert_eq!(numbers(report.settled(100)), (6, 1, 0));
    // Another supervisor has seen the first ones.
    assert_eq!(numbers(report.settled(0)), (4, 3, 0));
}
