//! What a worker can make the primary keep.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

mod support;

use rota_node::Balance::{RoundRobin, Shared};
use support::World;

const KEY: &str = "null:0:4:null:0";

#[test]
fn a_worker_that_confirms_no_descriptor_gets_no_more_of_them() {
    let mut world = World::new(4);
    world.add(1, 0, Shared);
    for _ in 0..1000 {
        world.query(1, r#""port":0"#);
        world.close_key(1, KEY);
    }
    let sockets = world.host.sent[&1].iter();
    assert_eq!(sockets.filter(|line| line.starts_with('@')).count(), 256);
    assert!(
        world.last(1).contains(r#""errno":-24"#),
        "{}",
        world.last(1)
    );
    assert!(world.noticed(1, "TooManyListeners") > 0);
    for _ in 0..256 {
        world.say(1, r#"{"cmd":"NODE_HANDLE_ACK"}"#);
    }
    world.query(1, r#""port":0"#);
    assert!(world.last(1).starts_with("@None "), "{}", world.last(1));
}

#[test]
fn what_is_kept_of_a_question_has_a_limit() {
    let mut world = World::new(4);
    world.add(1, 0, RoundRobin);
    let long = "x".repeat(20_000);
    for fields in [
        format!(r#""port":0,"addressType":4,"data":"{long}""#),
        format!(r#""fd":3,"addressType":4,"address":"{long}""#),
    ] {
        world.say(
            1,
            &format!(r#"{{"cmd":"NODE_CLUSTER","act":"queryServer",{fields},"seq":1}}"#),
        );
        assert!(world.last(1).contains(r#""errno":-22"#));
    }
    assert_eq!(world.noticed(1, "BadCluster"), 2);
    assert_eq!(world.primary.listeners().count(), 0);
}
