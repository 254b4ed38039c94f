//! Everything that a worker can listen on.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rota_node::Balance;

use super::balance::ALL;
use super::support::{Cluster, HTTP, eventually, get, get_unix, nodes};
use crate::dispatch::{DispatchCommand, DispatchEvent};

/// Says over the channel what became of each of several `listen()` calls.
const REPORT: &str = r"
const net = require('net');
const report = (name, server) => {
  server.on('error', e => process.send({ name, error: e.code, syscall: e.syscall }));
  server.on('listening', () => process.send({ name, address: server.address() }));
  return server;
};
";

fn report_of(cluster: &Cluster, worker: u64) -> serde_json::Value {
    serde_json::from_str(&cluster.message(worker)).unwrap()
}

#[test]
fn any_address_takes_both_families() {
    for node in nodes() {
        let mut cluster = Cluster::with_node(&node);
        let script = HTTP.replace(", process.env.HOST || '127.0.0.1'", "");
        let worker = cluster.worker(0, Balance::RoundRobin, &script);
        let address = cluster.listening(worker);
        assert!(address.is_ipv6(), "{address}");
        for ip in ["127.0.0.1", "::1"] {
            let address = SocketAddr::new(ip.parse().unwrap(), address.port());
            assert_eq!(get(address, "/").unwrap(), worker.to_string());
        }
    }
}

#[test]
fn ipv6_only_leaves_ipv4_alone() {
    let mut cluster = Cluster::new();
    let script = format!(
        "{REPORT} report('six', net.createServer()).listen({{ port: 0, host: '::', ipv6Only: true }});"
    );
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    let port = report_of(&cluster, worker)["address"]["port"]
        .as_u64()
        .unwrap();
    TcpListener::bind(("0.0.0.0", u16::try_from(port).unwrap())).unwrap();
}

#[test]
fn several_servers_and_repeated_port_zero() {
    let script = r"
const net = require('net');
const ports = [];
for (let i = 0; i < 3; i++) {
  const server = net.createServer(s => s.end()).listen(0, '127.0.0.1', () => {
    ports.push(server.address().port);
    if (ports.length === 3) process.send(ports.sort());
  });
}
";
    let mut cluster = Cluster::new();
    let first = cluster.worker(0, Balance::RoundRobin, script);
    let second = cluster.worker(1, Balance::RoundRobin, script);
    let (first, second) = (cluster.message(first), cluster.message(second));
    assert_eq!(first, second, "the same ports for both");
    let ports: Vec<u16> = serde_json::from_str(&first).unwrap();
    assert!(ports[0] != ports[1] && ports[1] != ports[2]);
}

#[test]
fn unix_sockets_in_every_mode() {
    for balance in ALL {
        let mut cluster = Cluster::new();
        let path = cluster.path("http.sock");
        let script = HTTP.replace(
            "+process.env.PORT || 0, process.env.HOST || '127.0.0.1'",
            &format!("{{ path: {path:?}, readableAll: true, writableAll: true }}"),
        );
        let ids = [0, 1].map(|slot| cluster.worker(slot, balance, &script));
        for worker in ids {
            cluster.wait("listening", |e| {
                matches!(e, DispatchEvent::Listening { worker: w, port: 0, .. } if *w == worker)
                    .then_some(())
            });
        }
        for _ in 0..20 {
            get_unix(&path).unwrap();
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o666, 0o666);
        cluster.send(DispatchCommand::RemoveApp { app: 1 });
        cluster.stats();
        assert!(!path.exists(), "{balance}");
    }
}

#[test]
fn long_paths_are_reached_through_their_folder() {
    let mut cluster = Cluster::new();
    let folder = cluster.path(&"f".repeat(120));
    std::fs::create_dir(&folder).unwrap();
    let script = format!(
        "{REPORT} report('long', net.createServer(s => s.end())).listen({:?});",
        folder.join("s")
    );
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    let report = report_of(&cluster, worker);
    assert_eq!(report["error"], serde_json::Value::Null, "{report}");
    assert!(folder.join("s").exists());
}

#[test]
fn errors_arrive_with_nodes_own_codes() {
    for node in nodes() {
        for balance in [Balance::RoundRobin, Balance::Shared, Balance::ReusePort] {
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = taken.local_addr().unwrap().port();
            let mut cluster = Cluster::with_node(&node);
            let script = format!(
                "{REPORT}
report('taken', net.createServer()).listen({port}, '127.0.0.1');
report('any', net.createServer()).listen({port});
report('folder', net.createServer()).listen('/nonexistent/folder/s');
report('elsewhere', net.createServer()).listen(0, '192.0.2.1');
report('fd', net.createServer()).listen({{ fd: 77 }});"
            );
            let worker = cluster.worker(0, balance, &script);
            for _ in 0..5 {
                let report = report_of(&cluster, worker);
                let expected = match report["name"].as_str().unwrap() {
                    "taken" | "any" => "EADDRINUSE",
                    "folder" => "EACCES",
                    "elsewhere" => "EADDRNOTAVAIL",
                    _ => "EBADF",
                };
                assert_eq!(report["error"], expected, "{node} {balance} {report}");
            }
            drop(taken);
            // The failure is not remembered.
            let worker = cluster.worker(
                0,
                balance,
                &format!("{REPORT} report('now', net.createServer()).listen({port}, '127.0.0.1');"),
            );
            assert_eq!(report_of(&cluster, worker)["address"]["port"], port);
            // Another app cannot have it, whatever the mode.
            let other = cluster.worker_of(
                2,
                0,
                balance,
                &format!(
                    "{REPORT} report('other', net.createServer()).listen({port}, '127.0.0.1');"
                ),
            );
            assert_eq!(
                report_of(&cluster, other)["error"],
                "EADDRINUSE",
                "{balance}"
            );
        }
    }
}

#[test]
fn udp_is_shared() {
    let script = r"
const dgram = require('dgram'), cluster = require('cluster');
const socket = dgram.createSocket({ type: 'udp4' });
socket.on('message', (m, from) => socket.send(m + ' ' + cluster.worker.id, from.port, from.address));
socket.bind(0, '127.0.0.1', () => process.send(socket.address().port));
";
    for node in nodes() {
        let mut cluster = Cluster::with_node(&node);
        let ids = [0, 1].map(|slot| cluster.worker(slot, Balance::RoundRobin, script));
        let ports = ids.map(|id| cluster.message(id));
        assert_eq!(ports[0], ports[1]);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        client
            .connect(("127.0.0.1", ports[0].parse().unwrap()))
            .unwrap();
        for _ in 0..20 {
            client.send(b"ping").unwrap();
            let mut answer = [0; 100];
            let length = client.recv(&mut answer).unwrap();
            assert!(answer[..length].starts_with(b"ping "));
        }
    }
}

#[test]
fn exclusive_servers_are_the_workers_own() {
    let script = format!(
        "{REPORT} report('own', net.createServer()).listen({{ port: 0, host: '127.0.0.1', exclusive: true }});"
    );
    let mut cluster = Cluster::new();
    let ids = [0, 1].map(|slot| cluster.worker(slot, Balance::RoundRobin, &script));
    let ports = ids.map(|id| report_of(&cluster, id)["address"]["port"].clone());
    assert_ne!(ports[0], ports[1]);
}

#[test]
fn an_inherited_descriptor_can_be_listened_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut cluster = Cluster::new();
    cluster.send(DispatchCommand::InheritFd {
        app: 1,
        number: 3,
        fd: listener.into(),
    });
    let script = HTTP.replace(
        "+process.env.PORT || 0, process.env.HOST || '127.0.0.1'",
        "{ fd: 3 }",
    );
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    cluster.listening(worker);
    assert_eq!(get(address, "/").unwrap(), worker.to_string());
}

#[test]
fn data_of_the_first_worker_reaches_all() {
    // What a TLS server does to share its ticket keys.
    let script = r"
const net = require('net');
const server = net.createServer();
server._getServerData = () => ({ keys: 'of worker ' + process.env.NAME });
server._setServerData = data => process.send(data);
server.listen(+process.env.PORT, '127.0.0.1');
";
    let mut cluster = Cluster::new();
    for name in ["one", "two"] {
        cluster.env = vec![("NAME".into(), name.into()), ("PORT".into(), "0".into())];
        let worker = cluster.worker(0, Balance::RoundRobin, script);
        assert_eq!(cluster.message(worker), "{\"keys\":\"of worker one\"}");
    }
    // Also with an error, or the server could not even report it.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    cluster.env = vec![("NAME".into(), "three".into()), ("PORT".into(), port)];
    let script = format!("process.on('uncaughtException', e => process.send(e.code)); {script}");
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    assert_eq!(cluster.message(worker), "{\"keys\":\"of worker three\"}");
    assert_eq!(cluster.message(worker), "\"EADDRINUSE\"");
}

#[test]
fn a_closed_server_frees_its_port_when_the_worker_goes_on() {
    let script = r"
const net = require('net');
net.createServer().listen(0, '127.0.0.1', () => {
  const short = net.createServer();
  short.listen(0, '127.0.0.1', () => {
    const { port } = short.address();
    short.close(() => process.send(port));
  });
});
";
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, script);
    let port: u16 = cluster.message(worker).parse().unwrap();
    eventually("the listener's end", || {
        let left = 1;
        cluster.kept.count("listener/") == left
    });
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}
