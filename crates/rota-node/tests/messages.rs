//! What lines of workers mean, as Node 18 to 24 write them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

use rota_node::channel::{AddressType, ClusterMessage, Incoming, Inner, ParseError, parse};

#[test]
fn answers_are_read_fast_and_slow_alike() {
    let lines = [
        r#"{"cmd":"NODE_CLUSTER","ack":12,"accepted":true,"seq":3}"#,
        r#"{"cmd":"NODE_CLUSTER", "ack":12,"accepted":true,"seq":3}"#,
        r#"{"seq":3,"accepted":true,"ack":12,"cmd":"NODE_CLUSTER"}"#,
    ];
    for line in lines {
        let Ok(Incoming::Cluster { message, .. }) = parse(line.as_bytes()) else {
            panic!("{line}");
        };
        let ClusterMessage::Answer { ack, accepted } = message else {
            panic!("{line}");
        };
        assert_eq!((ack, accepted), (12, true), "{line}");
    }
}

#[test]
fn questions_are_read_with_every_field() {
    let line = br#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":2,"data":{"k":[1]},"address":"/a b","port":-1,"addressType":-1,"backlog":"7","readableAll":1,"writableAll":false,"flags":null,"seq":4}"#;
    let Ok(Incoming::Cluster {
        seq: Some(4),
        message: ClusterMessage::QueryServer(query),
    }) = parse(line)
    else {
        panic!("not understood");
    };
    assert_eq!(query.key(), "/a b:-1:-1:null:2");
    assert_eq!(query.address_type, Some(AddressType::Pipe));
    assert_eq!(query.backlog, Some(7));
    assert!(query.readable_all && !query.writable_all);
    assert_eq!(query.data.unwrap().get(), r#"{"k":[1]}"#);
}

#[test]
fn internal_is_what_node_calls_internal() {
    let user = [
        "1",
        "\"NODE_X\"",
        "null",
        "[{\"cmd\":\"NODE_X\"}]",
        r#"{"cmd":"NODE_"}"#,
        r#"{"cmd":"node_x"}"#,
        r#"{"cmd":1}"#,
        r#"{"a":{"cmd":"NODE_X"}}"#,
        r#"{"a":"\"cmd\":\"NODE_X\""}"#,
    ];
    for line in user {
        assert!(
            matches!(parse(line.as_bytes()), Ok(Incoming::User(_))),
            "{line}"
        );
    }
    for line in [
        r#"{"cmd":"NODE_X"}"#,
        r#"{"a":1,"cmd":"NODE_ROTA"}"#,
        r#" {"cmd":"\u004eODE_X"}"#,
    ] {
        let read = parse(line.trim_start().as_bytes());
        assert!(matches!(read, Ok(Incoming::Internal(_))), "{line} {read:?}");
    }
}

#[test]
fn messages_with_a_descriptor_are_unpacked() {
    let cases: [(&str, Option<Inner<'_>>); 3] = [
        (
            r#"{"cmd":"NODE_HANDLE","type":"net.Server","msg":{"a":1}}"#,
            Some(Inner::User(r#"{"a":1}"#)),
        ),
        (
            r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"online"}}"#,
            Some(Inner::Internal(r#"{"cmd":"NODE_CLUSTER","act":"online"}"#)),
        ),
        (r#"{"cmd":"NODE_HANDLE"}"#, None),
    ];
    for (line, expected) in cases {
        let Ok(Incoming::Handle { inner }) = parse(line.as_bytes()) else {
            panic!("{line}");
        };
        assert_eq!(inner, expected, "{line}");
    }
}

#[test]
fn nonsense_is_an_error() {
    for line in ["", "{", "{]", "undefined", "\u{feff}1", "1 2"] {
        assert_eq!(
            parse(line.as_bytes()).unwrap_err(),
            ParseError::NotJson,
            "{line}"
        );
    }
    assert_eq!(parse(b"\"\xff\"").unwrap_err(), ParseError::NotJson);
    for line in [
        r#"{"cmd":"NODE_CLUSTER"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"fly"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"close"}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"queryServer","addressType":5}"#,
        r#"{"cmd":"NODE_CLUSTER","act":"queryServer","port":[]}"#,
        r#"{"cmd":"NODE_CLUSTER","ack":"x"}"#,
        r#"{"cmd":"NODE_CLUSTER","ack":-1,"accepted":true,"seq":1}"#,
    ] {
        assert_eq!(
            parse(line.as_bytes()).unwrap_err(),
            ParseError::BadCluster,
            "{line}"
        );
    }
}
