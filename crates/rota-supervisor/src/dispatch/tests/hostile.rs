//! Workers that mean harm. A good one beside them must not notice.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rota_node::Balance;
use rota_node::channel::MAX_UNCLAIMED_HANDLES;

use super::support::{Cluster, HTTP, eventually, get};
use crate::dispatch::{ChannelKind, DispatchEvent};

/// A good worker, and a channel at the other end of which the test plays a bad one.
fn pair(balance: Balance) -> (Cluster, SocketAddr, u64, UnixStream) {
    let mut cluster = Cluster::new();
    let good = cluster.worker(0, balance, HTTP);
    let address = cluster.listening(good);
    let bad = cluster.channel(1, 1, ChannelKind::Cluster { balance });
    (cluster, address, good, bad.into())
}

fn violation(cluster: &Cluster, part: &str) {
    cluster.wait(part, |event| match event {
        DispatchEvent::Violation { what, .. } if what.contains(part) => Some(()),
        _ => None,
    });
}

fn still_good(address: SocketAddr, good: u64) {
    for _ in 0..10 {
        assert_eq!(get(address, "/").unwrap(), good.to_string());
    }
}

/// The question by which the good worker has got its listener.
fn query(seq: u32) -> String {
    format!(
        "{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":0,\"data\":null,\
         \"address\":\"127.0.0.1\",\"port\":0,\"addressType\":4,\"seq\":{seq}}}\n"
    )
}

#[test]
fn garbage_is_reported_and_skipped() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    bad.write_all(b"\0\xff{{{\n\n{\"cmd\":\"NODE_CLUSTER\"}\n{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"port\":{}}\n").unwrap();
    violation(&cluster, "not JSON");
    violation(&cluster, "cannot be understood");
    bad.write_all(b"\"fine\"\n").unwrap();
    assert_eq!(cluster.message(2), "\"fine\"");
    still_good(address, good);
}

#[test]
fn an_endless_line_costs_no_memory() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    let before = resident();
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        bad.write_all(&chunk).unwrap();
    }
    still_good(address, good);
    assert!(
        resident() < before + (32 << 20),
        "more than a part of it is held"
    );
    bad.write_all(b"\n\"after\"\n").unwrap();
    violation(&cluster, "104857600 bytes");
    assert_eq!(cluster.message(2), "\"after\"");
}

#[test]
fn a_flood_does_not_starve_the_others() {
    let (cluster, address, good, bad) = pair(Balance::RoundRobin);
    let mut flood = bad.try_clone().unwrap();
    let flooder = std::thread::spawn(move || {
        let chunk = b"{\"a\":1}\n".repeat(1000);
        while flood.write_all(&chunk).is_ok() {}
    });
    violation(&cluster, "too many messages");
    still_good(address, good);
    bad.shutdown(std::net::Shutdown::Both).unwrap();
    flooder.join().unwrap();
    cluster.closed(2);
}

#[test]
fn a_worker_that_does_not_read_is_not_read_from() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    bad.set_nonblocking(true).unwrap();
    let before = resident();
    // Each of these wants an answer.
    let chunk = b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":1}\n".repeat(100);
    let mut written = 0;
    eventually("it is not read from any more", || match bad.write(&chunk) {
        Ok(length) => {
            written += length;
            false
        }
        Err(_) => {
            // The socket's buffer is full and stays so.
            std::thread::sleep(std::time::Duration::from_millis(100));
            bad.write(&chunk).is_err()
        }
    });
    assert!(written < 64 << 20);
    assert!(resident() < before + (32 << 20));
    still_good(address, good);
    drop(bad);
    cluster.closed(2);
}

#[test]
fn forged_answers_are_counted() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    bad.write_all(query(1).as_bytes()).unwrap();
    bad.write_all(b"{\"cmd\":\"NODE_CLUSTER\",\"ack\":1,\"accepted\":true,\"seq\":1}\n{\"cmd\":\"NODE_CLUSTER\",\"ack\":999999,\"accepted\":true,\"seq\":1}\n").unwrap();
    violation(&cluster, "that it was not given");
    bad.write_all(b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n{\"cmd\":\"NODE_HANDLE_NACK\"}\n")
        .unwrap();
    violation(&cluster, "that it was not sent");
    assert_eq!(cluster.stats().workers[1].violations, 4);
    drop(bad);
    cluster.closed(2);
    still_good(address, good);
}

#[test]
fn a_worker_that_refuses_everything_gets_little() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    bad.write_all(query(1).as_bytes()).unwrap();
    let mut answers = bad.try_clone().unwrap();
    let refuser = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = answers.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            for seq in text.split("\"seq\":").skip(1) {
                let seq: String = seq.chars().take_while(char::is_ascii_digit).collect();
                let line = format!(
                    "{{\"cmd\":\"NODE_HANDLE_ACK\"}}\n{{\"cmd\":\"NODE_CLUSTER\",\"ack\":{seq},\"accepted\":false,\"seq\":1}}\n"
                );
                if text.contains("newconn") && bad.write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        }
    });
    eventually("it is attached", || {
        cluster.stats().apps[0].listeners[0].workers == 2
    });
    for _ in 0..20 {
        still_good(address, good);
    }
    let stats = cluster.stats();
    assert!(stats.workers[1].refused < 50, "{stats:?}");
    drop(cluster);
    refuser.join().unwrap();
}

#[test]
fn a_half_closed_channel_is_closed() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    bad.write_all(query(1).as_bytes()).unwrap();
    bad.shutdown(std::net::Shutdown::Write).unwrap();
    cluster.closed(2);
    still_good(address, good);
    let mut rest = Vec::new();
    bad.read_to_end(&mut rest).unwrap();
}

#[test]
fn many_listeners_end_at_a_limit() {
    let (cluster, address, good, mut bad) = pair(Balance::RoundRobin);
    let mut reader = bad.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    for index in 1..600 {
        let line = query(index).replace("\"index\":0", &format!("\"index\":{index}"));
        bad.write_all(line.as_bytes()).unwrap();
    }
    violation(&cluster, "too many listeners");
    still_good(address, good);
}

#[test]
fn unasked_descriptors_are_closed() {
    let (cluster, address, good, bad) = pair(Balance::RoundRobin);
    assert_eq!(copies(&bad), 1);
    for _ in 0..50 {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        let fds = [bad.as_fd(), bad.as_fd(), bad.as_fd()];
        control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds));
        let slices = [std::io::IoSlice::new(b"1\n")];
        rustix::net::sendmsg(&bad, &slices, &mut control, rustix::net::SendFlags::empty()).unwrap();
    }
    violation(&cluster, "belong to no message");
    still_good(address, good);
    // The first ones wait for their message.
    eventually("all others are closed", || {
        copies(&bad) <= 1 + MAX_UNCLAIMED_HANDLES
    });
}

#[test]
fn messages_of_the_cluster_from_a_plain_process_are_refused() {
    let mut cluster = Cluster::new();
    let mut plain = UnixStream::from(cluster.channel(1, 0, ChannelKind::Plain));
    plain.write_all(query(1).as_bytes()).unwrap();
    violation(&cluster, "no cluster worker");
    assert!(cluster.stats().apps[0].listeners.is_empty());
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// How many descriptors of this process are this socket.
fn copies(socket: &UnixStream) -> usize {
    let link = format!("socket:[{}]", rota_sys::net::number(socket).unwrap());
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    all.filter(|entry| {
        std::fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|to| to == Path::new(&link))
    })
    .count()
}
