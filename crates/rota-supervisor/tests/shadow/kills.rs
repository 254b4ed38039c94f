//! Kills at any moment. Every client is known by its port, and must be found exactly where it belongs.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rota_supervisor::shadow::{Entry, Ledger, rescue};
use rota_sys::{net, scm};
use rustix::event::PollFlags;

use crate::rig::{LIMIT, Supervisor, listen, port_of, wait};
use crate::supervisor::{APP, SOCKET, WORKER};

const ROUNDS: u64 = 400;
const CLIENTS: usize = 64;

/// A generator (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What the worker has got: port, number, and whether it has acknowledged it. The connections stay open.
type Taken = Vec<(u16, u64, bool, OwnedFd)>;

/// Takes everything, and acknowledges most of it, until the channel ends.
fn worker(channel: OwnedFd, seed: u64) -> JoinHandle<Taken> {
    thread::spawn(move || {
        let mut random = Random(seed);
        let mut taken = Taken::new();
        let mut buffer = [0; 8];
        loop {
            wait(&channel, PollFlags::IN);
            let Ok(mut received) = scm::recv(&channel, &mut buffer) else {
                // The supervisor has died with something unread. The kernel says so once, before what has come.
                continue;
            };
            let Some(connection) = received.fds.pop() else {
                return taken;
            };
            let seq = u64::from_le_bytes(buffer);
            let acknowledged = random.below(8) != 0;
            taken.push((port_of(&connection), seq, acknowledged, connection));
            if acknowledged {
                // Nobody reads it when the supervisor is dead.
                let _ = scm::send(&channel, &buffer, &[]);
            }
        }
    })
}

static CONNECTED: AtomicUsize = AtomicUsize::new(0);

fn clients(address: SocketAddr) -> JoinHandle<Vec<TcpStream>> {
    CONNECTED.store(0, Ordering::SeqCst);
    thread::spawn(move || {
        let connect = |_| {
            let client = TcpStream::connect(address).unwrap();
            CONNECTED.fetch_add(1, Ordering::SeqCst);
            client
        };
        (0..CLIENTS).map(connect).collect()
    })
}

/// A moment somewhere in the life of a supervisor.
fn wait_for_moment(random: &mut Random) {
    let connected = random.below(CLIENTS as u64) as usize;
    while CONNECTED.load(Ordering::SeqCst) < connected {
        std::hint::spin_loop();
    }
    spin(Duration::from_micros(random.below(300)));
}

/// Sleeping would always end at the same points of what others do.
fn spin(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// How many were found where.
#[derive(Debug, Default)]
struct Found {
    never_accepted: usize,
    held: usize,
    sending: usize,
    sent: usize,
    with_worker: usize,
}

/// Finds every client, or fails.
fn account(
    clients: &[TcpStream],
    listening: &OwnedFd,
    rescued: &HashMap<u16, Entry>,
    taken: &Taken,
    found: &mut Found,
) {
    let by_worker: HashMap<u16, bool> = taken.iter().map(|one| (one.0, one.2)).collect();
    assert_eq!(by_worker.len(), taken.len(), "dealt twice");
    let mut missing: HashSet<u16> = HashSet::new();
    for client in clients {
        let port = client.local_addr().unwrap().port();
        let dealt_as = taken.iter().find(|one| one.0 == port).map(|one| one.1);
        match (rescued.get(&port), by_worker.get(&port)) {
            (Some(&Entry::Held { app, socket }), dealt) => {
                assert_eq!((app, socket, dealt), (APP, SOCKET, None), "held, and dealt");
                found.held += 1;
            }
            (Some(entry), dealt) => {
                let (Entry::Sending {
                    app,
                    socket,
                    worker,
                    seq,
                }
                | Entry::Sent {
                    app,
                    socket,
                    worker,
                    seq,
                }) = *entry
                else {
                    unreachable!()
                };
                assert_eq!((app, socket, worker), (APP, SOCKET, WORKER));
                assert!(dealt_as.is_none_or(|as_| as_ == seq), "another number");
                if matches!(entry, Entry::Sent { .. }) {
                    assert!(dealt.is_some(), "sent, and the worker has it not");
                    found.sent += 1;
                } else {
                    found.sending += 1;
                }
            }
            (None, Some(acknowledged)) => {
                assert!(
                    acknowledged,
                    "given up before the worker had said that it has it"
                );
                found.with_worker += 1;
            }
            (None, None) => _ = missing.insert(port),
        }
    }
    while !missing.is_empty() {
        wait(listening, PollFlags::IN);
        let (connection, _) = net::accept(listening).unwrap();
        assert!(missing.remove(&port_of(&connection)), "accepted twice");
        found.never_accepted += 1;
    }
}

pub fn one_by_one() {
    let (listening, address) = listen();
    let mut found = Found::default();
    let mut times = Vec::new();
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let supervisor = Supervisor::start("deal", &listening);
        let worker = worker(supervisor.channel.try_clone().unwrap(), seed);
        let clients = clients(address);
        wait_for_moment(&mut random);
        let killed = Instant::now();
        supervisor.kill();
        let rescue = supervisor.rescue();
        times.push(killed.elapsed());
        assert!(rescue.complete, "round {seed}");
        supervisor.bury_shadow();
        let mut rescued = HashMap::new();
        for one in &rescue.connections {
            let twice = rescued.insert(port_of(&one.connection), one.entry);
            assert_eq!(twice, None, "round {seed}");
        }
        let (clients, taken) = (clients.join().unwrap(), worker.join().unwrap());
        account(&clients, &listening, &rescued, &taken, &mut found);
    }
    assert!(found.held > 0 && found.sent > 0, "{found:?}");
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{ROUNDS} kills: {found:?}");
    println!(
        "from the kill to the end of the rescue: median {:?}, 99 % {:?}, longest {:?}",
        at(50),
        at(99),
        at(100)
    );
}

/// Supervisors that are killed while they take over from one another.
pub fn in_a_row() {
    const GENERATIONS: u64 = 4;
    let (listening, address) = listen();
    let mut found = Found::default();
    for seed in 0..ROUNDS / 4 {
        let mut random = Random(seed ^ 0xabcd);
        let clients = clients(address);
        let mut supervisors: Vec<Supervisor> = Vec::new();
        let mut workers = Vec::new();
        for generation in 0..GENERATIONS {
            let old: Vec<_> = supervisors.iter().map(|one| &one.line).collect();
            let supervisor = Supervisor::succeed("deal", &listening, generation, &old);
            workers.push(worker(supervisor.channel.try_clone().unwrap(), seed));
            if generation == 0 {
                wait_for_moment(&mut random);
            } else {
                spin(Duration::from_micros(random.below(400)));
            }
            supervisor.kill();
            supervisors.push(supervisor);
        }
        let lines = supervisors.iter().map(|one| one.line.try_clone().unwrap());
        let rescue = rescue(Ledger::none(), lines.collect(), LIMIT);
        supervisors.iter().for_each(Supervisor::bury_shadow);
        let mut rescued = HashMap::new();
        for one in &rescue.connections {
            let twice = rescued.insert(port_of(&one.connection), one.entry);
            assert_eq!(twice, None, "round {seed}");
        }
        let taken = workers.into_iter().flat_map(|one| one.join().unwrap());
        let clients = clients.join().unwrap();
        account(&clients, &listening, &rescued, &taken.collect(), &mut found);
    }
    println!("{} kills: {found:?}", ROUNDS / 4 * GENERATIONS);
}
