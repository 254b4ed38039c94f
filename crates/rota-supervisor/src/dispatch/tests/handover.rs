//! Open connections that go from one worker to another. The workers' agent here does just what these
//! tests need.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use rota_node::Balance;
use rota_node::agent::{DrainOrder, DrainReport};

use super::balance::ALL;
use super::support::{Cluster, HTTP, eventually, get_kept, nodes};
use crate::dispatch::{ChannelKind, DispatchCommand, DispatchEvent};

pub const ORDER: DrainOrder = DrainOrder {
    timeout: 30_000,
    grace: 1_000,
    handover: true,
    last: false,
};

/// An http server with an agent that hands over whatever is open when it is told to drain.
pub const AGENT: &str = r"
const http = require('http'), net = require('net'), cluster = require('cluster');
const send = process.send, sockets = new Set(), waiting = new Map();
const say = (message, handle) => send.call(process, { cmd: 'NODE_ROTA', ...message }, handle);
const report = { handed: 0, cut: 0 };
let asked = 0;
say({ act: 'hello', v: 1, node: process.version, pid: process.pid });
process.send = function (message, ...rest) {
  const sent = send.call(process, message, ...rest);
  if (message && message.act === 'queryServer') say({ act: 'server', id: 1 });
  return sent;
};
const done = () => { if (waiting.size === 0) say({ act: 'drained', ...report }); };
process.on('internalMessage', (message) => {
  if (message.act === 'newconn' && message.rota) process.send(message.rota);
  if (message.cmd !== 'NODE_ROTA') return;
  if (message.act === 'drain') {
    // As Node closes the server of a worker that accepts by itself; kept connections stay.
    if (process.env.ACCEPTS) net.Server.prototype.close.call(server);
    for (const socket of sockets) {
      socket._handle.readStop();
      waiting.set(++asked, socket);
      say({ act: 'handover', id: asked, server: 1, requests: 1, keep: 5000 }, socket._handle);
    }
    done();
  } else if (message.act === 'handed') {
    report[message.ok ? 'handed' : 'cut']++;
    waiting.get(message.id).destroy();
    waiting.delete(message.id);
    done();
  }
});
const server = http.createServer((req, res) => {
  res.setHeader('Connection', req.headers.connection || 'close');
  res.end(req.url === '/peer' ? String(req.socket.remotePort) : String(cluster.worker.id));
}).listen(+process.env.PORT || 0, '127.0.0.1');
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
";

pub fn drained(cluster: &Cluster, worker: u64) -> Option<DrainReport> {
    cluster.wait("the end of the drain", |event| match event {
        DispatchEvent::Drained { worker: of, report } if *of == worker => Some(*report),
        _ => None,
    })
}

fn drain(cluster: &Cluster, worker: u64) -> DrainReport {
    let order = ORDER;
    cluster.send(DispatchCommand::Drain {
        worker,
        order,
        starting: false,
    });
    drained(cluster, worker).unwrap()
}

fn kept(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect(address).unwrap();
    (0..count).map(connect).collect()
}

#[test]
fn kept_connections_go_to_the_next_worker_in_every_mode() {
    for node in nodes() {
        for balance in ALL {
            let mut cluster = Cluster::with_node(&node);
            if !balance.is_dealt() {
                cluster.env.push(("ACCEPTS".to_owned(), "1".to_owned()));
            }
            let old = cluster.worker(0, balance, AGENT);
            let mut clients = kept(cluster.listening(old), 20);
            for client in &mut clients {
                assert_eq!(get_kept(client, "/").unwrap(), old.to_string());
            }
            let new = cluster.worker(0, balance, AGENT);
            cluster.listening(new);
            let report = drain(&cluster, old);
            assert_eq!((report.handed, report.cut), (20, 0), "{node} {balance}");
            for client in &mut clients {
                assert_eq!(get_kept(client, "/").unwrap(), new.to_string());
                let port = client.local_addr().unwrap().port();
                assert_eq!(get_kept(client, "/peer").unwrap(), port.to_string());
            }
            assert_eq!(cluster.message(new), r#"{"requests":1,"keep":5000}"#);
            let stats = cluster.stats().workers;
            assert_eq!((stats[0].handed_over, stats[0].open), (20, 0));
            assert_eq!((stats[1].taken_over, stats[1].open), (20, 20));
            assert!(!cluster.rest().iter().any(|e| e.contains("Violation")));
        }
    }
}

#[test]
fn nobody_to_take_them_is_told_at_once() {
    let mut cluster = Cluster::new();
    let old = cluster.worker(0, Balance::RoundRobin, AGENT);
    let address = cluster.listening(old);
    let plain = cluster.worker(1, Balance::RoundRobin, HTTP);
    cluster.listening(plain);
    let mut clients = kept(address, 6);
    let all: Vec<String> = clients
        .iter_mut()
        .map(|client| get_kept(client, "/").unwrap())
        .collect();
    let own = all.iter().filter(|by| **by == old.to_string()).count();
    let report = drain(&cluster, old);
    assert_eq!((report.handed, report.cut), (0, own as u64));
}

#[test]
fn what_nobody_has_acknowledged_outlives_giver_and_receiver() {
    let mut cluster = Cluster::new();
    let old = cluster.worker(0, Balance::RoundRobin, AGENT);
    let mut clients = kept(cluster.listening(old), 10);
    for client in &mut clients {
        get_kept(client, "/").unwrap();
    }
    let stuck = cluster.worker(1, Balance::RoundRobin, AGENT);
    cluster.listening(stuck);
    let pid = i32::try_from(cluster.pid(stuck)).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    assert_eq!(drain(&cluster, old).handed, 10);
    cluster.kill(old);
    cluster.kill(stuck);
    let new = cluster.worker(0, Balance::RoundRobin, AGENT);
    cluster.listening(new);
    for client in &mut clients {
        assert_eq!(get_kept(client, "/").unwrap(), new.to_string());
    }
}

#[test]
fn a_report_counts_once_and_only_when_it_was_asked_for() {
    let script = format!("{AGENT} say({{ act: 'drained', cut: 7 }});");
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    cluster.listening(worker);
    assert_eq!(drain(&cluster, worker), DrainReport::default());
    cluster.disconnect(worker);
    assert!(!cluster.rest().iter().any(|e| e.contains("Drained")));
}

#[test]
fn a_worker_that_dies_before_its_report_is_told_with_what_it_had() {
    // It says that it has an agent and does nothing of what that is told.
    let script = AGENT.replace("'drain'", "'nothing'");
    let mut cluster = Cluster::new();
    let worker = cluster.worker(0, Balance::RoundRobin, &script);
    let mut clients = kept(cluster.listening(worker), 3);
    for client in &mut clients {
        get_kept(client, "/").unwrap();
    }
    let order = ORDER;
    cluster.send(DispatchCommand::Drain {
        worker,
        order,
        starting: false,
    });
    cluster.stats();
    cluster.kill(worker);
    let lost = cluster.wait("what is lost", |event| match event {
        DispatchEvent::Undrained { worker: of, lost } if *of == worker => Some(*lost),
        _ => None,
    });
    assert_eq!((lost.app, lost.slot, lost.open), (1, 0, Some(3)));
    // In this order: whoever waits for the end of the worker knows what it has cost.
    cluster.wait("it is removed", |event| {
        matches!(event, DispatchEvent::Removed { worker: of } if *of == worker).then_some(())
    });
}

/// A worker with an agent beside one that the test plays.
fn pair() -> (Cluster, SocketAddr, UnixStream) {
    let mut cluster = Cluster::new();
    let good = cluster.worker(0, Balance::RoundRobin, AGENT);
    let address = cluster.listening(good);
    let kind = ChannelKind::Cluster {
        balance: Balance::RoundRobin,
    };
    let mut bad = UnixStream::from(cluster.channel(1, 1, kind));
    bad.write_all(
        b"{\"cmd\":\"NODE_ROTA\",\"act\":\"hello\",\"v\":1,\"node\":\"v20.0.0\",\"pid\":1}\n\
          {\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":0,\"data\":null,\
          \"address\":\"127.0.0.1\",\"port\":0,\"addressType\":4,\"seq\":1}\n\
          {\"cmd\":\"NODE_ROTA\",\"act\":\"server\",\"id\":1}\n",
    )
    .unwrap();
    read_until(&mut bad, "\"sockname\"");
    (cluster, address, bad)
}

pub fn read_until(from: &mut UnixStream, part: &str) -> String {
    let (mut text, mut byte) = (String::new(), [0; 1]);
    while !(text.contains(part) && text.ends_with('\n')) {
        from.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    text
}

/// Sends a line with a descriptor.
pub fn send_with(to: &UnixStream, line: &[u8], what: BorrowedFd<'_>) {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    let fds = [what];
    control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds));
    let slices = [std::io::IoSlice::new(line)];
    let flags = rustix::net::SendFlags::empty();
    rustix::net::sendmsg(to, &slices, &mut control, flags).unwrap();
}

/// Hands something over. Returns whether it was taken.
pub fn hand_over(from: &mut UnixStream, id: u64, what: BorrowedFd<'_>) -> bool {
    let line = format!(
        "{{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{{\"cmd\":\"NODE_ROTA\",\
         \"act\":\"handover\",\"id\":{id},\"server\":1,\"requests\":0,\"keep\":0}}}}\n"
    );
    send_with(from, line.as_bytes(), what);
    let said = read_until(from, "\"handed\"");
    assert!(
        said.starts_with("{\"cmd\":\"NODE_HANDLE_ACK\"}\n"),
        "{said}"
    );
    assert!(said.contains(&format!("\"id\":{id},")), "{said}");
    said.contains("\"ok\":true")
}

#[test]
fn only_connections_of_that_server_are_taken() {
    let (cluster, address, mut bad) = pair();
    let file = File::open("/dev/null").unwrap();
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (half, _other_half) = UnixStream::pair().unwrap();
    let client_side = TcpStream::connect(address).unwrap();
    let new = {
        use rustix::net::{AddressFamily, SocketType, socket};
        socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()
    };
    let strangers = [
        (file.as_fd(), "not a stream socket"),
        (datagrams.as_fd(), "not a stream socket"),
        (listening.as_fd(), "a listening socket"),
        (new.as_fd(), "not connected"),
        (other.as_fd(), "not a connection of that server"),
        (half.as_fd(), "not a connection of that server"),
        (client_side.as_fd(), "not a connection of that server"),
    ];
    for (id, (stranger, _)) in strangers.iter().enumerate() {
        assert!(!hand_over(&mut bad, id as u64, *stranger), "{id}");
    }
    let stats = cluster.stats();
    assert_eq!(stats.workers[1].violations, strangers.len() as u64);
    assert_eq!(stats.workers[0].taken_over, 0);
    cluster.wait("the first of them", |event| match event {
        DispatchEvent::Violation { what, .. } => what.contains(strangers[0].1).then_some(()),
        _ => None,
    });
}

#[test]
fn a_blocking_connection_does_not_stall_the_worker_that_gets_it() {
    let (cluster, address, mut bad) = pair();
    // The good one is out of the way until the other has got a connection.
    cluster.send(DispatchCommand::StopDealing { worker: 1 });
    cluster.stats();
    let mut client = TcpStream::connect(address).unwrap();
    let (connection, seq) = receive_connection(&mut bad);
    let answer = format!(
        "{{\"cmd\":\"NODE_HANDLE_ACK\"}}\n{{\"cmd\":\"NODE_CLUSTER\",\"ack\":{seq},\"accepted\":true,\"seq\":5}}\n"
    );
    bad.write_all(answer.as_bytes()).unwrap();
    eventually("it has the connection", || {
        cluster.stats().workers[1].open == 1
    });
    cluster.send(DispatchCommand::ResumeDealing { worker: 1 });
    cluster.stats();
    connection.set_nonblocking(false).unwrap();
    assert!(hand_over(&mut bad, 1, connection.as_fd()));
    let flags = rustix::fs::fcntl_getfl(&connection).unwrap();
    assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    drop(connection);
    assert_eq!(get_kept(&mut client, "/").unwrap(), "1");
    assert_eq!(cluster.stats().workers[0].taken_over, 1);
}

/// The next connection that the test's worker is given, and its number.
pub fn receive_connection(from: &mut UnixStream) -> (TcpStream, u64) {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [0; 4096];
    let mut slices = [std::io::IoSliceMut::new(&mut buffer)];
    let flags = rustix::net::RecvFlags::empty();
    let message = rustix::net::recvmsg(&*from, &mut slices, &mut control, flags).unwrap();
    let fd = control.drain().find_map(|received| match received {
        rustix::net::RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let text = String::from_utf8_lossy(&buffer[..message.bytes]).into_owned();
    let seq = text.split("\"seq\":").nth(1).unwrap();
    let digits: String = seq.chars().take_while(char::is_ascii_digit).collect();
    let seq = digits.parse().unwrap();
    (TcpStream::from(fd.unwrap()), seq)
}

/// A worker that has not become ready has to leave.
fn leave_before_ready(cluster: &Cluster, worker: u64) {
    cluster.send(DispatchCommand::Drain {
        worker,
        order: ORDER,
        starting: true,
    });
}

#[test]
fn a_worker_that_is_not_ready_and_has_connections_is_drained_like_others() {
    let mut cluster = Cluster::new();
    let old = cluster.worker(0, Balance::RoundRobin, AGENT);
    let mut client = TcpStream::connect(cluster.listening(old)).unwrap();
    assert_eq!(get_kept(&mut client, "/").unwrap(), old.to_string());
    let new = cluster.worker(1, Balance::RoundRobin, AGENT);
    cluster.listening(new);
    leave_before_ready(&cluster, old);
    assert_eq!(drained(&cluster, old).unwrap().handed, 1);
    assert_eq!(get_kept(&mut client, "/").unwrap(), new.to_string());
}

#[test]
fn one_that_was_never_given_anything_has_finished_at_once_and_gets_nothing_any_more() {
    let mut cluster = Cluster::new();
    // It listens, and its event loop turns no more.
    let blocked = "require('http').createServer(() => {}).listen(0, '127.0.0.1', () => {
      process.nextTick(() => setTimeout(() => { for (;;); }, 100)); });";
    let worker = cluster.worker(0, Balance::RoundRobin, blocked);
    let address = cluster.listening(worker);
    leave_before_ready(&cluster, worker);
    assert_eq!(drained(&cluster, worker), None);
    let _client = TcpStream::connect(address).unwrap();
    let stats = cluster.stats();
    let stats = stats.workers.iter().find(|it| it.worker == worker).unwrap();
    assert_eq!((stats.dealing, stats.pending, stats.dealt), (false, 0, 0));
}
