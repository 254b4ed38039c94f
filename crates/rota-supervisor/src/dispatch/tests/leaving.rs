//! Workers that leave while connections come.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};

use rota_node::Balance;

use super::balance::ALL;
use super::support::{Cluster, HTTP, Load, eventually, get, nodes};
use crate::dispatch::{DispatchCommand, DispatchEvent};

#[test]
fn a_rolling_replacement_loses_no_request() {
    for node in nodes() {
        for balance in ALL {
            let mut cluster = Cluster::with_node(&node);
            let mut workers: Vec<u64> = (0..2)
                .map(|slot| cluster.worker(slot, balance, HTTP))
                .collect();
            let addresses: Vec<SocketAddr> =
                workers.iter().map(|id| cluster.listening(*id)).collect();
            let load = Load::start(addresses[0], 8);
            for _ in 0..2 {
                for slot in 0..2 {
                    let new = cluster.worker(slot, balance, HTTP);
                    cluster.listening(new);
                    let old = std::mem::replace(&mut workers[slot as usize], new);
                    assert_eq!(cluster.disconnect(old), Some(0), "{node} {balance}");
                }
            }
            let (good, bad) = load.stop();
            assert!(
                bad.is_empty(),
                "{node} {balance}: {} of {good}: {:?}",
                bad.len(),
                bad.first()
            );
            assert!(!cluster.rest().iter().any(|e| e.contains("Violation")));
        }
    }
}

#[test]
fn a_lone_workers_replacement_refuses_nobody() {
    for balance in ALL {
        let mut cluster = Cluster::new();
        let mut worker = cluster.worker(0, balance, HTTP);
        let address = cluster.listening(worker);
        let load = Load::start(address, 8);
        for _ in 0..3 {
            // Worse than a reload: the old one is gone before the new one begins.
            assert_eq!(cluster.disconnect(worker), Some(0));
            worker = cluster.worker(0, balance, HTTP);
            assert_eq!(cluster.listening(worker), address);
        }
        let (good, bad) = load.stop();
        assert!(
            bad.is_empty(),
            "{balance}: {} of {good}: {:?}",
            bad.len(),
            bad.first()
        );
        assert!(good > 0);
    }
}

#[test]
fn a_killed_worker_takes_only_its_own_connections_along() {
    let mut cluster = Cluster::new();
    let workers: Vec<u64> = (0..3)
        .map(|slot| cluster.worker(slot, Balance::RoundRobin, HTTP))
        .collect();
    let addresses: Vec<SocketAddr> = workers.iter().map(|id| cluster.listening(*id)).collect();
    let load = Load::start(addresses[0], 8);
    cluster.kill(workers[0]);
    let (_, bad) = load.stop();
    // Each client has at most one connection, so that is the most that could have been there.
    assert!(bad.len() <= 8, "{bad:?}");
    for _ in 0..20 {
        get(addresses[0], "/").unwrap();
    }
}

#[test]
fn what_a_dead_worker_did_not_take_goes_to_another() {
    let mut cluster = Cluster::new();
    let stopped = cluster.worker(0, Balance::RoundRobin, HTTP);
    let address = cluster.listening(stopped);
    // It takes nothing any more; what it is sent stays in its channel.
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(cluster.pid(stopped)).unwrap()).unwrap(),
        rustix::process::Signal::STOP,
    )
    .unwrap();
    let clients: Vec<_> = (0..10)
        .map(|_| std::thread::spawn(move || get(address, "/")))
        .collect();
    eventually("the window fills", || {
        cluster.stats().workers[0].pending == 4
    });
    let other = cluster.worker(1, Balance::RoundRobin, HTTP);
    cluster.listening(other);
    cluster.kill(stopped);
    for client in clients {
        assert_eq!(client.join().unwrap().unwrap(), other.to_string());
    }
}

#[test]
fn a_worker_may_leave_by_itself_under_load() {
    let script = format!("{HTTP} setTimeout(() => cluster.worker.disconnect(), 200);");
    for node in nodes() {
        let mut cluster = Cluster::with_node(&node);
        let stays = cluster.worker(0, Balance::RoundRobin, HTTP);
        let address = cluster.listening(stays);
        let load = Load::start(address, 8);
        for _ in 0..3 {
            let leaves = cluster.worker(1, Balance::RoundRobin, &script);
            cluster.wait("leaving", |e| {
                matches!(e, DispatchEvent::Leaving { worker } if *worker == leaves).then_some(())
            });
            cluster.closed(leaves);
            assert_eq!(cluster.reap(leaves), Some(0), "{node}");
        }
        let (good, bad) = load.stop();
        assert!(
            bad.is_empty(),
            "{node}: {} of {good}: {:?}",
            bad.len(),
            bad.first()
        );
    }
}

#[test]
fn a_worker_that_kills_itself_under_load_does_not_crash() {
    // Node's own primary sends it a connection behind the answer, and an assertion fails in it.
    let script = format!("{HTTP} setTimeout(() => cluster.worker.kill(), 100);");
    let mut cluster = Cluster::new();
    let stays = cluster.worker(0, Balance::RoundRobin, HTTP);
    let address = cluster.listening(stays);
    let load = Load::start(address, 8);
    for _ in 0..5 {
        let leaves = cluster.worker(1, Balance::RoundRobin, &script);
        cluster.closed(leaves);
        assert_eq!(cluster.reap(leaves), Some(0));
    }
    load.stop();
}

#[test]
fn closing_the_channel_ends_the_worker() {
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, HTTP);
    cluster.listening(worker);
    cluster.send(DispatchCommand::CloseChannel { worker });
    cluster.closed(worker);
    assert_eq!(cluster.reap(worker), Some(0));
}

#[test]
fn listeners_close_when_they_are_retired() {
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, HTTP);
    let address = cluster.listening(worker);
    assert_eq!(cluster.disconnect(worker), Some(0));
    // Nobody serves, but nobody is refused either.
    let mut waiting = TcpStream::connect(address).unwrap();
    cluster.send(DispatchCommand::CloseIdleListeners { app: 1 });
    eventually("the listener's end", || {
        let left = 0;
        cluster.kept.count("listener/") == left
    });
    assert!(TcpStream::connect(address).is_err());
    // The one in the queue is told, too.
    assert!(matches!(waiting.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn a_worker_that_closes_its_last_server_is_reported() {
    let script = "const s = require('net').createServer().listen(0, '127.0.0.1', () => s.close());";
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, script);
    cluster.wait("no listeners", |e| {
        matches!(e, DispatchEvent::NoListeners { worker: w } if *w == worker).then_some(())
    });
}

#[test]
fn stopped_dealing_can_be_resumed() {
    let mut cluster = Cluster::new();
    let ids: Vec<u64> = (0..2)
        .map(|slot| cluster.worker(slot, Balance::RoundRobin, HTTP))
        .collect();
    let addresses: Vec<SocketAddr> = ids.iter().map(|id| cluster.listening(*id)).collect();
    cluster.send(DispatchCommand::StopDealing { worker: ids[0] });
    cluster.stats();
    for _ in 0..10 {
        assert_eq!(get(addresses[0], "/").unwrap(), ids[1].to_string());
    }
    cluster.send(DispatchCommand::ResumeDealing { worker: ids[0] });
    cluster.send(DispatchCommand::StopDealing { worker: ids[1] });
    cluster.stats();
    for _ in 0..10 {
        assert_eq!(get(addresses[0], "/").unwrap(), ids[0].to_string());
    }
}
