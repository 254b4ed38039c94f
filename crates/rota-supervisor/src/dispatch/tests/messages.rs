//! The app's own messages.

use rota_node::Balance;

use rota_node::agent::FromAgent;

use super::support::Cluster;
use crate::dispatch::{DispatchCommand, DispatchEvent};

#[test]
fn every_kind_of_value_arrives_in_order() {
    let script = "for (const m of ['ready', 1, true, { cmd: 'NODE' }, { cmd: 7 }, [1, { a: null }]]) process.send(m);";
    let mut cluster = Cluster::new();
    let cluster_worker = cluster.worker(0, Balance::RoundRobin, script);
    let plain = cluster.plain(script);
    for worker in [cluster_worker, plain] {
        for expected in [
            "\"ready\"",
            "1",
            "true",
            "{\"cmd\":\"NODE\"}",
            "{\"cmd\":7}",
            "[1,{\"a\":null}]",
        ] {
            assert_eq!(cluster.message(worker), expected);
        }
    }
}

#[test]
fn internal_messages_are_apart() {
    let script = "process.send({ cmd: 'NODE_ROTA', act: 'inspector', url: null }); process.send({ act: 'inspector', url: 'x', cmd: 'NODE_ROTA' }); process.send({ cmd: 'NODE_ROTA', act: 'dance' }); process.send('last');";
    let mut cluster = Cluster::new();
    let worker = cluster.plain(script);
    assert_eq!(cluster.message(worker), "\"last\"");
    for url in [None, Some("x".to_owned())] {
        let message = cluster.wait("a message of the agent", |e| match e {
            DispatchEvent::Agent { message, .. } => Some(message.clone()),
            _ => None,
        });
        assert_eq!(message, FromAgent::Inspector { url });
    }
}

#[test]
fn large_messages_pass_both_ways() {
    let script = r"
process.on('message', m => process.send(m.length));
process.send('x'.repeat(900000));
process.send('y'.repeat(9000000), () => process.send('sent'));
";
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, script);
    assert_eq!(cluster.message(worker).len(), 900_002);
    // The longer one is nobody's business here, but it does not stand in the way.
    assert_eq!(cluster.message(worker), "\"sent\"");
    let json = format!("\"{}\"", "z".repeat(5_000_000));
    cluster.send(DispatchCommand::SendMessage { worker, json });
    assert_eq!(cluster.message(worker), "5000000");
    let rest = cluster.rest();
    assert!(!rest.iter().any(|e| e.contains("Violation")), "{rest:?}");
}

#[test]
fn a_worker_that_sends_handles_can_go_on_sending() {
    let script = r"
const net = require('net');
const server = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
  for (let i = 0; i < 5; i++) process.send({ i }, server);
  const socket = net.connect(server.address().port, '127.0.0.1', () => {
    process.send('socket', socket);
    process.send('end');
  });
});
";
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, script);
    for i in 0..5 {
        assert_eq!(cluster.message(worker), format!("{{\"i\":{i}}}"));
    }
    assert_eq!(cluster.message(worker), "\"socket\"");
    assert_eq!(cluster.message(worker), "\"end\"");
}

#[test]
fn nothing_of_ours_reaches_the_apps_handlers() {
    let script = r"
process.on('message', m => process.send({ got: m }));
require('net').createServer(s => s.end()).listen(0, '127.0.0.1', () => process.send('up'));
";
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::Shared, script);
    let address = cluster.listening(worker);
    assert_eq!(cluster.message(worker), "\"up\"");
    for _ in 0..10 {
        drop(std::net::TcpStream::connect(address).unwrap());
    }
    cluster.send(DispatchCommand::SendMessage {
        worker,
        json: "{\"cmd\":\"hello\"}".to_owned(),
    });
    assert_eq!(cluster.message(worker), "{\"got\":{\"cmd\":\"hello\"}}");
}
