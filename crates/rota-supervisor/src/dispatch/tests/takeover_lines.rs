//! What a worker says and is told around the death of a dispatcher. The test plays the worker.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use rota_node::Balance;

use super::handover::{ORDER, hand_over, read_until, receive_connection, send_with};
use super::keeping::Moment;
use super::support::{Cluster, eventually};
use crate::dispatch::{ChannelKind, DispatchCommand, DispatchEvent};

const QUERY: &str = "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":0,\"data\":null,\
    \"address\":\"127.0.0.1\",\"port\":0,\"addressType\":4,\"seq\":1}\n";
const HELLO: &str =
    "{\"cmd\":\"NODE_ROTA\",\"act\":\"hello\",\"v\":1,\"node\":\"v20.0.0\",\"pid\":1}\n";
const SERVER: &str = "{\"cmd\":\"NODE_ROTA\",\"act\":\"server\",\"id\":1}\n";

const KIND: ChannelKind = ChannelKind::Cluster {
    balance: Balance::RoundRobin,
};

fn played(cluster: &mut Cluster, slot: u32) -> UnixStream {
    UnixStream::from(cluster.channel(1, slot, KIND))
}

/// A worker that listens, and where.
fn listening(cluster: &mut Cluster) -> (UnixStream, SocketAddr) {
    let mut worker = played(cluster, 0);
    worker.write_all(QUERY.as_bytes()).unwrap();
    read_until(&mut worker, "\"sockname\"");
    (worker, address(cluster))
}

fn address(cluster: &Cluster) -> SocketAddr {
    let stats = cluster.stats();
    stats.apps[0].listeners[0].address.parse().unwrap()
}

fn answer(worker: &mut UnixStream, seq: u64, accepted: bool) {
    let line = format!(
        "{{\"cmd\":\"NODE_HANDLE_ACK\"}}\n{{\"cmd\":\"NODE_CLUSTER\",\"ack\":{seq},\"accepted\":{accepted},\"seq\":9}}\n"
    );
    worker.write_all(line.as_bytes()).unwrap();
}

fn all_taken(cluster: &Cluster, worker: u64) {
    eventually("all is taken off the channel", || {
        cluster.unread(worker) == 0
    });
}

fn violations(cluster: &Cluster) -> u64 {
    cluster.stats().workers.iter().map(|w| w.violations).sum()
}

fn lost(cluster: &Cluster, part: &str) {
    cluster.wait(part, |event| match event {
        DispatchEvent::LostBefore { what, .. } if what.contains(part) => Some(()),
        _ => None,
    });
}

#[test]
fn a_question_is_answered_whenever_the_dispatcher_dies() {
    for (moment, text) in [
        // The socket is open, and nobody knows.
        (Moment::Before, "\"ours\":true"),
        // The socket is kept, its listener is not.
        (Moment::Behind, "\"ours\":true"),
        (Moment::Before, "\"users\":[{"),
        // All is saved, nothing is answered and nothing is taken off the channel.
        (Moment::Behind, "\"users\":[{"),
    ] {
        let mut cluster = Cluster::mortal("node");
        let mut worker = played(&mut cluster, 0);
        let held = cluster.kept.hold(moment, text);
        worker.write_all(QUERY.as_bytes()).unwrap();
        held.wait();
        worker.set_nonblocking(true).unwrap();
        let said = std::io::Read::read(&mut worker, &mut [0; 1]);
        assert!(said.is_err(), "answered before it was saved");
        worker.set_nonblocking(false).unwrap();
        let adopted = cluster.restart();
        let known = (moment, text) == (Moment::Behind, "\"users\":[{");
        let kept = (moment, text) != (Moment::Before, "\"ours\":true");
        assert_eq!(adopted.complaints.len(), usize::from(kept && !known));
        let reply = read_until(&mut worker, "\"sockname\"");
        assert!(reply.contains("\"ack\":1,"), "{reply}");
        all_taken(&cluster, 1);
        assert_eq!(
            (violations(&cluster), cluster.kept.count("listener/")),
            (0, 1)
        );
        // It is served, and another restart finds the same.
        let _client = TcpStream::connect(address(&cluster)).unwrap();
        let (_, seq) = receive_connection(&mut worker);
        assert_eq!(cluster.restart().complaints, [""; 0]);
        answer(&mut worker, seq, true);
        eventually("it has it", || cluster.stats().workers[0].dealt == 1);
        // Once more it is a violation now.
        worker.write_all(QUERY.repeat(2).as_bytes()).unwrap();
        eventually("it is told", || violations(&cluster) == 1);
    }
}

#[test]
fn a_server_is_named_whenever_the_dispatcher_dies() {
    for moment in [Moment::Before, Moment::Behind] {
        let mut cluster = Cluster::mortal("node");
        let (mut worker, address) = listening(&mut cluster);
        worker.write_all(HELLO.as_bytes()).unwrap();
        all_taken(&cluster, 1);
        let held = cluster.kept.hold(moment, "\"servers\":{\"1\":0}");
        worker.write_all(SERVER.as_bytes()).unwrap();
        held.wait();
        let adopted = cluster.restart();
        assert!(adopted.workers[0].agent);
        all_taken(&cluster, 1);
        assert_eq!(violations(&cluster), 0);
        // It can hand over what it has, to one with an agent.
        let _client = TcpStream::connect(address).unwrap();
        let (connection, seq) = receive_connection(&mut worker);
        answer(&mut worker, seq, true);
        let mut other = played(&mut cluster, 1);
        let lines = [HELLO, QUERY, SERVER].concat();
        other.write_all(lines.as_bytes()).unwrap();
        read_until(&mut other, "\"sockname\"");
        all_taken(&cluster, 2);
        assert!(hand_over(&mut worker, 1, connection.as_fd()));
    }
}

#[test]
fn answers_to_the_dead_are_no_violations() {
    let mut cluster = Cluster::mortal("node");
    let (mut worker, address) = listening(&mut cluster);
    let _clients: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let given: Vec<_> = (0..3).map(|_| receive_connection(&mut worker)).collect();
    cluster.restart();
    // One of the new dispatcher's, before the others are answered.
    let _client = TcpStream::connect(address).unwrap();
    let (_own, own) = receive_connection(&mut worker);
    assert!(own > given[2].1 + 1000);
    answer(&mut worker, given[0].1, true);
    answer(&mut worker, given[1].1, false);
    lost(&cluster, "a connection that it refused");
    worker
        .write_all(b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n")
        .unwrap();
    lost(&cluster, "could not receive");
    let stats = &cluster.stats().workers[0];
    assert_eq!((stats.dealt, stats.refused, stats.pending), (1, 1, 1));
    answer(&mut worker, own, true);
    eventually("it is taken", || cluster.stats().workers[0].dealt == 2);
    assert_eq!(violations(&cluster), 0);
    // All that is over.
    answer(&mut worker, given[0].1, true);
    eventually("both lines are refused", || violations(&cluster) == 2);
}

#[test]
fn the_rest_of_a_line_is_passed_over() {
    let mut cluster = Cluster::mortal("node");
    let mut worker = played(&mut cluster, 0);
    worker.write_all(b"{\"half\":").unwrap();
    all_taken(&cluster, 1);
    cluster.restart();
    worker.write_all(b"true}\n\"whole\"\n").unwrap();
    assert_eq!(cluster.message(1), "\"whole\"");
    assert_eq!(violations(&cluster), 0);
    worker.write_all(b"true}\n\"again\"\n").unwrap();
    assert_eq!(cluster.message(1), "\"again\"");
    assert_eq!(violations(&cluster), 1);
}

#[test]
fn what_was_said_in_between_is_heard_once_and_in_order() {
    let mut cluster = Cluster::mortal("node");
    let (mut worker, address) = listening(&mut cluster);
    let lines = [HELLO, SERVER].concat();
    worker.write_all(lines.as_bytes()).unwrap();
    let mut other = played(&mut cluster, 1);
    let lines = [HELLO, QUERY, SERVER].concat();
    other.write_all(lines.as_bytes()).unwrap();
    read_until(&mut other, "\"sockname\"");
    all_taken(&cluster, 2);
    let client = TcpStream::connect(address).unwrap();
    let (connection, seq) = receive_connection(&mut worker);
    answer(&mut worker, seq, true);
    eventually("it has it", || cluster.stats().workers[0].dealt == 1);
    // The dispatcher stands still while the worker talks.
    let held = cluster.kept.hold(Moment::Behind, "\"ready\":true");
    worker.write_all(b"\"ready\"\n").unwrap();
    held.wait();
    let inode = inode_of(&connection);
    let before = copies_of(inode);
    for id in 0..3 {
        worker
            .write_all(format!("\"before {id}\"\n").as_bytes())
            .unwrap();
        let line = "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"x\":1}}\n";
        send_with(&worker, line.as_bytes(), connection.as_fd());
        worker
            .write_all(format!("\"behind {id}\"\n").as_bytes())
            .unwrap();
    }
    let adopted = cluster.restart();
    assert!(adopted.workers[0].ready);
    assert_eq!(
        cluster.message(1),
        "\"ready\"",
        "the old one may not have told anybody"
    );
    for id in 0..3 {
        assert_eq!(cluster.message(1), format!("\"before {id}\""));
        assert_eq!(cluster.message(1), "{\"x\":1}");
        assert_eq!(cluster.message(1), format!("\"behind {id}\""));
    }
    for _ in 0..3 {
        assert_eq!(
            read_until(&mut worker, "\n"),
            "{\"cmd\":\"NODE_HANDLE_ACK\"}\n"
        );
    }
    all_taken(&cluster, 1);
    // Connections that were handed over go to the other one, once.
    assert!(hand_over(&mut worker, 7, connection.as_fd()));
    let (taken_over, seq) = receive_connection(&mut other);
    answer(&mut other, seq, true);
    eventually("it is taken", || cluster.stats().workers[1].taken_over == 1);
    drop(taken_over);
    assert_eq!(copies_of(inode), before, "no copy is left behind");
    assert_eq!(violations(&cluster), 0);
    drop(client);
}

#[test]
fn nobody_is_told_twice_to_leave_and_drains_can_be_asked_again() {
    let mut cluster = Cluster::mortal("node");
    let (mut worker, _) = listening(&mut cluster);
    let held = cluster.kept.hold(Moment::Behind, "\"told_to_leave\":true");
    cluster.send(DispatchCommand::Disconnect { worker: 1 });
    held.wait();
    cluster.restart();
    // Dead between the decision and the word: whoever has ordered it has a time limit.
    cluster.send(DispatchCommand::Disconnect { worker: 1 });
    let mut drained = played(&mut cluster, 1);
    drained.write_all(HELLO.as_bytes()).unwrap();
    all_taken(&cluster, 2);
    for _ in 0..2 {
        cluster.send(DispatchCommand::Drain {
            worker: 2,
            order: ORDER,
            starting: false,
        });
        read_until(&mut drained, "\"drain\"");
        cluster.restart();
    }
    cluster.send(DispatchCommand::Drain {
        worker: 2,
        order: ORDER,
        starting: false,
    });
    read_until(&mut drained, "\"drain\"");
    let report = b"{\"cmd\":\"NODE_ROTA\",\"act\":\"drained\"}\n".repeat(2);
    drained.write_all(&report).unwrap();
    super::handover::drained(&cluster, 2).unwrap();
    worker.shutdown(std::net::Shutdown::Write).unwrap();
    cluster.closed(1);
    let mut said = String::new();
    worker.set_nonblocking(true).unwrap();
    let _ = std::io::Read::read_to_string(&mut worker, &mut said);
    assert!(!said.contains("disconnect"), "{said}");
    assert!(!cluster.rest().iter().any(|e| e.contains("Drained")));
}

#[test]
fn a_worker_that_leaves_gets_nothing_from_the_next_dispatcher() {
    let mut cluster = Cluster::mortal("node");
    let (mut worker, address) = listening(&mut cluster);
    let held = cluster.kept.hold(Moment::Behind, "\"leaving\":true");
    let leave = b"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"exitedAfterDisconnect\",\"seq\":5}\n";
    worker.write_all(leave).unwrap();
    held.wait();
    let adopted = cluster.restart();
    assert!(adopted.workers[0].leaving);
    let _client = TcpStream::connect(address).unwrap();
    let said = read_until(&mut worker, "\n");
    assert!(said.contains("\"ack\":5,"), "{said}");
    assert_eq!(cluster.stats().workers[0].pending, 0);
}

fn inode_of(connection: &TcpStream) -> u64 {
    rustix::fs::fstat(connection).unwrap().st_ino
}

/// How many descriptors of this process, which is the dispatchers', too, are that socket.
fn copies_of(inode: u64) -> usize {
    let name = format!("socket:[{inode}]");
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = all.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links
        .filter(|link| link.as_os_str() == name.as_str())
        .count()
}
