//! The dispatcher dies, and another one takes over: ports, workers, connections.

use std::net::{SocketAddr, TcpListener, TcpStream};

use rota_node::{Balance, agent};

use super::balance::ALL;
use super::handover::AGENT;
use super::support::{Cluster, HTTP, Load, eventually, get, get_kept, get_unix, nodes};
use crate::dispatch::DispatchCommand;

fn no_violations(cluster: &Cluster) {
    let rest = cluster.rest();
    let bad = |e: &&String| e.contains("Violation") || e.contains("Trouble") || e.contains("Lost");
    assert_eq!(rest.iter().find(bad), None);
}

fn start(cluster: &mut Cluster, balance: Balance, script: &str) -> (Vec<u64>, SocketAddr) {
    let ids: Vec<u64> = (0..2)
        .map(|slot| cluster.worker(slot, balance, script))
        .collect();
    let addresses: Vec<_> = ids.iter().map(|id| cluster.listening(*id)).collect();
    (ids, addresses[0])
}

#[test]
fn everything_goes_on_in_every_mode() {
    for node in nodes() {
        for balance in ALL {
            let mut cluster = Cluster::mortal(&node);
            let (mut ids, address) = start(&mut cluster, balance, HTTP);
            let mut kept = TcpStream::connect(address).unwrap();
            let by = get_kept(&mut kept, "/").unwrap();
            let before = cluster.stats();
            for _ in 0..3 {
                let adopted = cluster.restart();
                assert_eq!(adopted.complaints, [""; 0], "{node} {balance}");
                assert!(adopted.workers.iter().all(|facts| facts.listening));
                assert!(adopted.workers.iter().map(|w| w.worker).eq(ids.clone()));
                assert_eq!(cluster.stats().apps, before.apps);
                assert_eq!(get_kept(&mut kept, "/").unwrap(), by);
                for _ in 0..20 {
                    let answer = get(address, "/").unwrap();
                    assert!(ids.contains(&answer.parse().unwrap()));
                }
                // Another worker replaces one, as before.
                let new = cluster.worker(1, balance, HTTP);
                assert_eq!(cluster.listening(new), address);
                let old = std::mem::replace(&mut ids[1], new);
                if by == old.to_string() {
                    kept = TcpStream::connect(address).unwrap();
                    break;
                }
                assert_eq!(cluster.disconnect(old), Some(0), "{node} {balance}");
            }
            no_violations(&cluster);
        }
    }
}

#[test]
fn deaths_under_load_cost_at_most_what_nobody_had_taken() {
    let mut cluster = Cluster::mortal("node");
    let (_, address) = start(&mut cluster, Balance::RoundRobin, HTTP);
    let load = Load::start(address, 4);
    for _ in 0..10 {
        // Behind some requests of this life.
        for _ in 0..20 {
            let _ = get(address, "/");
        }
        assert_eq!(cluster.restart().complaints, [""; 0]);
    }
    let (good, bad) = load.stop();
    assert!(bad.len() <= 10 * 4, "{} of {good}: {bad:?}", bad.len());
    no_violations(&cluster);
}

#[test]
fn open_connections_are_counted_again() {
    let mut cluster = Cluster::mortal("node");
    let (_, address) = start(&mut cluster, Balance::RoundRobin, HTTP);
    let mut clients: Vec<_> = (0..10)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for client in &mut clients {
        get_kept(client, "/").unwrap();
    }
    cluster.restart();
    eventually("all are found", || {
        cluster
            .stats()
            .workers
            .iter()
            .all(|worker| worker.open == 5)
    });
}

#[test]
fn an_agent_and_its_servers_are_known_still() {
    let mut cluster = Cluster::mortal("node");
    let old = cluster.worker(0, Balance::RoundRobin, AGENT);
    let address = cluster.listening(old);
    let mut client = TcpStream::connect(address).unwrap();
    assert_eq!(get_kept(&mut client, "/").unwrap(), old.to_string());
    let new = cluster.worker(1, Balance::RoundRobin, AGENT);
    cluster.listening(new);
    let adopted = cluster.restart();
    assert!(adopted.workers.iter().all(|facts| facts.agent));
    let order = super::handover::ORDER;
    cluster.send(DispatchCommand::Drain {
        worker: old,
        order,
        starting: false,
    });
    assert_eq!(super::handover::drained(&cluster, old).unwrap().handed, 1);
    assert_eq!(get_kept(&mut client, "/").unwrap(), new.to_string());
    no_violations(&cluster);
}

#[test]
fn workers_that_died_meanwhile_are_forgotten() {
    let mut cluster = Cluster::mortal("node");
    let (ids, address) = start(&mut cluster, Balance::RoundRobin, HTTP);
    cluster.restart_with(|restored| restored.workers.retain(|w| w.worker == ids[1]));
    assert_eq!(cluster.stats().workers.len(), 1);
    for _ in 0..10 {
        assert_eq!(get(address, "/").unwrap(), ids[1].to_string());
    }
    // That is what the next one finds, too.
    cluster.restart_with(|restored| restored.workers.retain(|w| w.worker == ids[1]));
    assert_eq!(cluster.stats().workers.len(), 1);
    assert_eq!(get(address, "/").unwrap(), ids[1].to_string());
}

#[test]
fn a_lost_socket_is_opened_again_at_its_address() {
    for balance in ALL {
        let mut cluster = Cluster::mortal("node");
        let (_, address) = start(&mut cluster, balance, HTTP);
        let adopted = cluster.restart_with(|restored| restored.listeners.clear());
        if balance.is_dealt() {
            assert_eq!(adopted.complaints, [""; 0], "{balance}");
            get(address, "/").unwrap();
        } else {
            // The workers themselves have it.
            assert!(!adopted.complaints.is_empty());
        }
    }
}

#[test]
fn an_address_that_somebody_else_has_is_given_up() {
    let mut cluster = Cluster::mortal("node");
    let (_, address) = start(&mut cluster, Balance::RoundRobin, HTTP);
    let mut taken = None;
    let kept = cluster.kept.clone();
    let adopted = cluster.restart_with(|restored| {
        restored.listeners.clear();
        kept.clear();
        taken = Some(TcpListener::bind(address).unwrap());
    });
    assert_eq!(adopted.complaints.len(), 1, "{adopted:?}");
    assert!(adopted.complaints[0].contains("cannot be opened again"));
    assert!(cluster.stats().apps[0].listeners.is_empty());
    assert_eq!(cluster.stats().workers.len(), 2);
}

#[test]
fn a_socket_that_nobody_knows_is_closed() {
    let mut cluster = Cluster::mortal("node");
    let (ids, address) = start(&mut cluster, Balance::RoundRobin, HTTP);
    let adopted = cluster.restart_with(|restored| restored.apps.clear());
    assert_eq!(adopted.complaints.len(), 1, "{adopted:?}");
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(cluster.kept.count("listener/"), 0);
    // The workers are there, as if they had said nothing yet.
    let stats = cluster.stats();
    assert!(stats.workers.iter().map(|w| w.worker).eq(ids));
    assert!(adopted.workers.iter().all(|facts| !facts.listening));
}

#[test]
fn what_cannot_be_read_is_complained_of() {
    for blob in ["", "{", "{\"version\":99}", "{\"version\":1}", "[1]"] {
        let mut cluster = Cluster::mortal("node");
        let (_, address) = start(&mut cluster, Balance::RoundRobin, HTTP);
        let adopted = cluster.restart_with(|restored| restored.apps[0].1 = blob.into());
        assert_eq!(adopted.complaints.len(), 2, "{adopted:?}");
        assert!(adopted.complaints[0].contains("cannot be taken over"));
        let adopted = cluster.restart();
        assert_eq!(adopted.complaints, [""; 0]);
        assert!(TcpStream::connect(address).is_err());
        // A process that another test creates holds a copy of the socket for a moment, and the port with it: once more, then.
        let alone = (0..5).any(|_| {
            let new = cluster.worker(0, Balance::RoundRobin, HTTP);
            get(cluster.listening(new), "/").unwrap();
            let adopted = cluster.restart_with(|restored| restored.listeners[0].1 = blob.into());
            assert!(adopted.complaints[0].contains("cannot be taken over"));
            adopted.complaints.len() == 1
        });
        assert!(alone, "it is complained of once");
    }
}

#[test]
fn a_unix_socket_is_removed_by_whoever_closes_it() {
    let mut cluster = Cluster::mortal("node");
    let path = cluster.path("socket");
    cluster
        .env
        .push(("PORT_PATH".to_owned(), path.display().to_string()));
    let script = HTTP.replace(
        "+process.env.PORT || 0, process.env.HOST || '127.0.0.1'",
        "process.env.PORT_PATH",
    );
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    eventually("it listens", || get_unix(&path).is_ok());
    assert_eq!(cluster.restart().complaints, [""; 0]);
    get_unix(&path).unwrap();
    assert_eq!(cluster.disconnect(worker), Some(0));
    cluster.send(DispatchCommand::CloseIdleListeners { app: 1 });
    eventually("the file's end", || !path.exists());
}

/// Rota's own agent in every worker.
fn with_agent(cluster: &mut Cluster) {
    let file = cluster.path("agent.js");
    std::fs::write(&file, agent::SOURCE).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let settings = agent::Settings {
        file: &file,
        node_options: None,
        cluster: true,
        serve_on: false,
        keeper: std::process::id(),
        stop_signal: "SIGTERM",
        leave: agent::Leave {
            timeout: 1000,
            grace: 1000,
        },
    };
    let settings = serde_json::to_string(&settings).unwrap();
    cluster.env.push((agent::VARIABLE.to_owned(), settings));
    let options = format!("--require {file}");
    cluster.env.push(("NODE_OPTIONS".to_owned(), options));
}

#[test]
fn a_drain_that_is_asked_for_again_goes_on_or_is_reported_again() {
    for node in nodes() {
        let mut cluster = Cluster::mortal(&node);
        with_agent(&mut cluster);
        let script = HTTP.replace(
            "res.end(",
            "if (req.url === '/never') process.send('asked'); else res.end(",
        );
        let worker = cluster.worker(0, Balance::RoundRobin, &script);
        let mut client = TcpStream::connect(cluster.listening(worker)).unwrap();
        std::io::Write::write_all(&mut client, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(cluster.message(worker), "\"asked\"");
        let order = super::handover::ORDER;
        cluster.send(DispatchCommand::Drain {
            worker,
            order,
            starting: false,
        });
        assert!(cluster.stats().workers[0].agent);
        assert!(cluster.restart().workers[0].agent);
        cluster.send(DispatchCommand::Drain {
            worker,
            order,
            starting: false,
        });
        cluster.stats();
        assert!(!cluster.rest().iter().any(|e| e.contains("Drained")));
        drop(client);
        let report = super::handover::drained(&cluster, worker).unwrap();
        assert_eq!((report.running, report.connections), (1, 1), "{node}");
        cluster.restart();
        cluster.send(DispatchCommand::Drain {
            worker,
            order,
            starting: false,
        });
        assert_eq!(super::handover::drained(&cluster, worker), Some(report));
        no_violations(&cluster);
    }
}
