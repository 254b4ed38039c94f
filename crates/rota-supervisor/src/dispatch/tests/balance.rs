//! Who gets the connections, in each mode.

use std::net::TcpStream;

use rota_node::Balance;

use super::support::{Cluster, HTTP, count, get, get_kept, nodes};
use crate::dispatch::DispatchEvent;

pub const ALL: [Balance; 4] = [
    Balance::RoundRobin,
    Balance::IpHash,
    Balance::Shared,
    Balance::ReusePort,
];

fn start(
    cluster: &mut Cluster,
    workers: u32,
    balance: Balance,
) -> (Vec<u64>, std::net::SocketAddr) {
    let ids: Vec<u64> = (0..workers)
        .map(|slot| cluster.worker(slot, balance, HTTP))
        .collect();
    let addresses: Vec<_> = ids.iter().map(|id| cluster.listening(*id)).collect();
    assert!(
        addresses.windows(2).all(|w| w[0] == w[1]),
        "one port for all"
    );
    (ids, addresses[0])
}

#[test]
fn every_mode_serves_on_every_node() {
    for node in nodes() {
        for balance in ALL {
            let mut cluster = Cluster::with_node(&node);
            let (ids, address) = start(&mut cluster, 2, balance);
            let answers = count((0..100).map(|_| get(address, "/").unwrap()));
            assert_eq!(answers.values().sum::<usize>(), 100, "{node} {balance}");
            for answer in answers.keys() {
                assert!(ids.contains(&answer.parse().unwrap()), "{node} {balance}");
            }
            assert_eq!(
                cluster
                    .rest()
                    .iter()
                    .filter(|e| e.contains("Violation"))
                    .count(),
                0
            );
        }
    }
}

#[test]
fn keep_alive_connections_come_out_even() {
    let mut cluster = Cluster::new();
    let (_, address) = start(&mut cluster, 4, Balance::RoundRobin);
    // One after the other, so that it is exact on a busy machine, too.
    let mut streams = Vec::new();
    let answers = count((0..200).map(|_| {
        let mut stream = TcpStream::connect(address).unwrap();
        let answer = get_kept(&mut stream, "/").unwrap();
        streams.push(stream);
        answer
    }));
    assert_eq!(
        answers.values().copied().collect::<Vec<_>>(),
        [50; 4],
        "{answers:?}"
    );
}

#[test]
fn closed_connections_do_not_count() {
    let mut cluster = Cluster::new();
    let (ids, address) = start(&mut cluster, 2, Balance::RoundRobin);
    let mut kept: Vec<(TcpStream, String)> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            let answer = get_kept(&mut stream, "/").unwrap();
            (stream, answer)
        })
        .collect();
    // All of the first worker's connections end. Two seconds on the dispatcher's clock later it
    // gets all new ones until it has as many as the other.
    let first = ids[0].to_string();
    kept.retain(|(_, answer)| *answer != first);
    assert_eq!(kept.len(), 20);
    super::support::eventually("the end of 20 connections is noticed", || {
        get(address, "/").unwrap();
        let stats = cluster.stats();
        stats.workers[0].open < 10
    });
    let answers = count((0..10).map(|_| {
        let mut stream = TcpStream::connect(address).unwrap();
        let answer = get_kept(&mut stream, "/").unwrap();
        kept.push((stream, answer.clone()));
        answer
    }));
    assert_eq!(answers.get(&first), Some(&10), "{answers:?}");
}

#[test]
fn one_client_stays_with_one_worker() {
    let mut cluster = Cluster::new();
    let (ids, address) = start(&mut cluster, 3, Balance::IpHash);
    let answers = count((0..50).map(|_| get(address, "/").unwrap()));
    assert_eq!(answers.len(), 1, "{answers:?}");
    // When its worker dies another one takes over, and the new one in that slot takes back.
    let first: u64 = answers.keys().next().unwrap().parse().unwrap();
    let slot = ids.iter().position(|id| *id == first).unwrap();
    cluster.kill(first);
    let second = count((0..50).map(|_| get(address, "/").unwrap()));
    assert_eq!(second.len(), 1, "{second:?}");
    let replacement = cluster.worker(u32::try_from(slot).unwrap(), Balance::IpHash, HTTP);
    cluster.listening(replacement);
    let third = count((0..50).map(|_| get(address, "/").unwrap()));
    assert_eq!(third.keys().collect::<Vec<_>>(), [&replacement.to_string()]);
}

#[test]
fn a_slots_socket_outlives_its_worker() {
    let mut cluster = Cluster::new();
    let (ids, address) = start(&mut cluster, 2, Balance::ReusePort);
    // Nobody answers for slot 0 any more, but its socket still gets its share.
    cluster.kill(ids[0]);
    for _ in 0..100 {
        assert_eq!(get(address, "/").unwrap(), ids[1].to_string());
    }
    let opened = |cluster: &Cluster| cluster.kept.count("listener/");
    assert_eq!(opened(&cluster), 2);
    let replacement = cluster.worker(0, Balance::ReusePort, HTTP);
    cluster.listening(replacement);
    let answers = count((0..200).map(|_| get(address, "/").unwrap()));
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(opened(&cluster), 2, "the slot's socket is used again");
}

#[test]
fn a_rollout_may_change_the_mode() {
    for (from, to) in [
        (Balance::RoundRobin, Balance::ReusePort),
        (Balance::ReusePort, Balance::RoundRobin),
        (Balance::Shared, Balance::IpHash),
        (Balance::RoundRobin, Balance::Shared),
    ] {
        let mut cluster = Cluster::new();
        let (old, address) = start(&mut cluster, 2, from);
        cluster.env = vec![("PORT".into(), "0".into())];
        let load = super::support::Load::start(address, 4);
        for (slot, old) in old.into_iter().enumerate() {
            let new = cluster.worker(u32::try_from(slot).unwrap(), to, HTTP);
            assert_eq!(cluster.listening(new), address);
            assert_eq!(cluster.disconnect(old), Some(0));
        }
        let (good, bad) = load.stop();
        assert!(bad.is_empty(), "{from} to {to}: {bad:?}");
        assert!(good > 0);
        assert!(get(address, "/").unwrap().parse::<u64>().unwrap() > 2);
    }
}

#[test]
fn workers_at_their_limit_stop_the_accepting() {
    let script = r"
const net = require('net');
const server = net.createServer(s => { s.on('error', () => {}); s.resume(); s.write('hello'); });
server.maxConnections = 2;
server.listen(0, '127.0.0.1');
";
    let mut cluster = Cluster::new();
    let ids: Vec<u64> = (0..2)
        .map(|slot| cluster.worker(slot, Balance::RoundRobin, script))
        .collect();
    let addresses: Vec<_> = ids.iter().map(|id| cluster.listening(*id)).collect();
    // Each goes once it has been served, so that there is room for the next, whichever it is.
    let clients: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = TcpStream::connect(addresses[0]).unwrap();
            std::thread::spawn(move || {
                let mut hello = [0; 5];
                std::io::Read::read_exact(&mut stream, &mut hello).unwrap();
                hello
            })
        })
        .collect();
    for client in clients {
        assert_eq!(&client.join().unwrap(), b"hello");
    }
    let refused: u64 = cluster.stats().workers.iter().map(|w| w.refused).sum();
    assert!(refused < 200, "{refused} attempts for six connections");
}

#[test]
fn a_stuck_worker_does_not_delay_the_others() {
    let script = r"
const http = require('http'), cluster = require('cluster');
process.on('message', () => { for (;;); });
http.createServer((req, res) => res.end(String(cluster.worker.id))).listen(0, '127.0.0.1');
";
    let mut cluster = Cluster::new();
    let ids: Vec<u64> = (0..3)
        .map(|slot| cluster.worker(slot, Balance::RoundRobin, script))
        .collect();
    let addresses: Vec<_> = ids.iter().map(|id| cluster.listening(*id)).collect();
    cluster.send(crate::dispatch::DispatchCommand::SendMessage {
        worker: ids[0],
        json: "\"spin\"".to_owned(),
    });
    // Those that the stuck one has been given wait until it is killed; then others serve them.
    let threads: Vec<_> = (0..40)
        .map(|_| {
            let address = addresses[0];
            std::thread::spawn(move || get(address, "/").unwrap())
        })
        .collect();
    super::support::eventually("the others serve", || {
        let stats = cluster.stats();
        stats.workers[1].dealt + stats.workers[2].dealt >= 36
    });
    cluster.kill(ids[0]);
    let answers = count(threads.into_iter().map(|t| t.join().unwrap()));
    assert!(
        !answers.contains_key(&ids[0].to_string()) || answers[&ids[0].to_string()] < 5,
        "{answers:?}"
    );
    assert_eq!(answers.values().sum::<usize>(), 40);
}

#[test]
fn nothing_is_reported_twice() {
    let mut cluster = Cluster::new();
    let (ids, _) = start(&mut cluster, 1, Balance::RoundRobin);
    cluster.kill(ids[0]);
    // Orders about it are answered by nothing.
    cluster.send(crate::dispatch::DispatchCommand::Disconnect { worker: ids[0] });
    cluster.stats();
    let closed = cluster
        .rest()
        .iter()
        .filter(|e| e.contains("ChannelClosed"))
        .count();
    assert!(closed <= 1);
    cluster.wait("online", |e| {
        matches!(e, DispatchEvent::Online { .. }).then_some(())
    });
}
