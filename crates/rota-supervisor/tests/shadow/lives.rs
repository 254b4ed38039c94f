//! What a shadow does, and how it ends.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

use rota_supervisor::shadow::{Entry, Ledger};
use rota_sys::process::kill;
use rota_sys::procfs;
use rota_sys::signal::Signal;

use crate::rig::{Supervisor, client, has_fd, listen, memory, port_of};
use crate::supervisor::{APP, SOCKET};

const HELD: Entry = Entry::Held {
    app: APP,
    socket: SOCKET,
};

/// Until the supervisor holds so many connections.
fn hold(supervisor: &Supervisor, count: u64) {
    while supervisor.hear() != count {}
}

pub fn signals() {
    let (listening, address) = listen();
    let supervisor = Supervisor::start("hold", &listening);
    let stat = procfs::stat(supervisor.shadow).unwrap();
    assert_eq!(stat.group, supervisor.shadow, "a group of its own");
    // It names itself when it gets to run, which is no event: it is looked for.
    let comm = format!("/proc/{}/comm", supervisor.shadow);
    while std::fs::read_to_string(&comm).unwrap() != "rota-shadow\n" {
        std::thread::yield_now();
    }
    for signal in [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
    ] {
        kill(supervisor.shadow, signal).unwrap();
    }
    let (mut client, port) = client(address);
    hold(&supervisor, 1);
    assert!(has_fd(supervisor.shadow, &listening), "the table is shared");
    supervisor.kill();
    let mut rescue = supervisor.rescue();
    assert!(rescue.complete);
    let rescued = rescue.connections.pop().unwrap();
    assert_eq!((rescued.entry, port_of(&rescued.connection)), (HELD, port));
    // And it works.
    supervisor.bury_shadow();
    client.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    let fd = std::os::fd::AsFd::as_fd(&rescued.connection);
    let mut stream = std::net::TcpStream::from(fd.try_clone_to_owned().unwrap());
    stream.set_nonblocking(false).unwrap();
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
}

pub fn farewell() {
    let (listening, address) = listen();
    let supervisor = Supervisor::start("farewell", &listening);
    let (mut client, _) = client(address);
    supervisor.bury();
    supervisor.bury_shadow();
    let rescue = supervisor.rescue();
    assert!(rescue.connections.is_empty());
    assert!(!rescue.complete, "nothing was said");
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "closed");
}

pub fn line_closed() {
    let (listening, _) = listen();
    let mut supervisor = Supervisor::start("watch", &listening);
    assert_eq!(supervisor.hear(), 0);
    supervisor.line = listening;
    assert_eq!(supervisor.hear(), 1, "its shadow has ended");
    supervisor.bury();
}

pub fn noticed() {
    let (listening, _) = listen();
    let supervisor = Supervisor::start("watch", &listening);
    assert_eq!(supervisor.hear(), 0);
    kill(supervisor.shadow, Signal::KILL).unwrap();
    assert_eq!(supervisor.hear(), 1);
    supervisor.bury();
    assert!(!supervisor.rescue().complete);
}

pub fn unix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listening = OwnedFd::from(listener);
    let supervisor = Supervisor::start("hold", &listening);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"hello").unwrap();
    hold(&supervisor, 1);
    supervisor.kill();
    let mut rescue = supervisor.rescue();
    let rescued = rescue.connections.pop().unwrap();
    assert_eq!((rescued.entry, rescue.connections.len()), (HELD, 0));
    let mut bytes = [0; 8];
    assert_eq!(
        rustix::io::read(&rescued.connection, &mut bytes).unwrap(),
        5
    );
}

/// And what its clients have reset is left out.
pub fn many() {
    const COUNT: usize = 6000;
    let (listening, address) = listen();
    let supervisor = Supervisor::start("hold", &listening);
    let mut clients = Vec::new();
    while clients.len() < COUNT {
        // Not more than the listening socket's queue takes.
        clients.extend((0..100).map(|_| client(address)));
        hold(&supervisor, clients.len() as u64);
    }
    for (gone, _) in clients.drain(..100) {
        rustix::net::sockopt::set_socket_linger(&gone, Some(std::time::Duration::ZERO)).unwrap();
    }
    let killed = Instant::now();
    supervisor.kill();
    let rescue = supervisor.rescue();
    println!(
        "{} connections rescued in {:?}",
        COUNT - 100,
        killed.elapsed()
    );
    assert!(rescue.complete);
    assert!(rescue.connections.iter().all(|one| one.entry == HELD));
    let mut rescued: Vec<_> = rescue
        .connections
        .iter()
        .map(|one| port_of(&one.connection))
        .collect();
    let mut ports: Vec<_> = clients.iter().map(|(_, port)| *port).collect();
    rescued.sort_unstable();
    ports.sort_unstable();
    assert_eq!(rescued, ports);
    supervisor.bury_shadow();
}

/// Reports, and asserts nothing.
pub fn figures() {
    let (listening, _) = listen();
    let supervisor = Supervisor::start("watch", &listening);
    assert_eq!(supervisor.hear(), 0);
    let of = |what| memory(supervisor.shadow, what);
    println!(
        "memory of a shadow (KiB): RSS {}, PSS {}, private {}",
        of("Rss"),
        of("Pss"),
        of("Private_Clean") + of("Private_Dirty")
    );
    supervisor.kill();

    const TURNS: u64 = 5_000_000;
    let ledger = Ledger::new().unwrap();
    let begun = Instant::now();
    for turn in 0..TURNS {
        let fd = 20 + (turn % 64) as i32;
        drop(black_box(ledger.accept(&listening, APP, SOCKET)));
        ledger.held(black_box(fd), APP, SOCKET);
        ledger.sending(black_box(fd), turn, turn);
        ledger.sent(black_box(fd));
        ledger.clear(black_box(fd));
    }
    let each = begun.elapsed().as_secs_f64() * 1e9 / TURNS as f64;
    println!("stores of one connection, from accept to clear: {each:.1} ns");
}
