//! What one connection costs the primary, beside Node's own. Not a test: run it by name, optimised:
//! `cargo test --release -p rota-supervisor --lib -- --ignored --nocapture cost`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rota_node::Balance;

use super::support::{Cluster, HTTP, Load};

const WORKERS: u32 = 2;
const CLIENTS: usize = 16;
const TIME: Duration = Duration::from_secs(4);

const NODE_PRIMARY: &str = r"
const cluster = require('cluster');
if (process.argv[2] === 'none') cluster.schedulingPolicy = cluster.SCHED_NONE;
cluster.setupPrimary({ exec: process.argv[3] });
let left = 2;
for (let i = 0; i < 2; i++) cluster.fork();
cluster.on('listening', (w, a) => { if (--left === 0) console.log(a.port); });
process.stdin.resume().on('end', () => process.exit());
";

/// Processor time of a thread or process, in nanoseconds.
fn processor_time(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn dispatcher_thread() -> String {
    let mut newest = String::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        if name.trim() == "dispatch" {
            newest = path.join("schedstat").display().to_string();
        }
    }
    newest
}

/// Connections per second, and microseconds of the primary's processor time for each.
fn measure(address: SocketAddr, schedstat: &str) -> (f64, f64) {
    let warm = Load::start(address, CLIENTS);
    std::thread::sleep(TIME / 4);
    warm.stop();
    let (before, started) = (processor_time(schedstat), Instant::now());
    let load = Load::start(address, CLIENTS);
    std::thread::sleep(TIME);
    let (good, bad) = load.stop();
    let (spent, took) = (processor_time(schedstat) - before, started.elapsed());
    assert!(bad.is_empty(), "{bad:?}");
    let good = u32::try_from(good).unwrap();
    let spent = Duration::from_nanos(spent).as_secs_f64();
    (
        f64::from(good) / took.as_secs_f64(),
        spent * 1e6 / f64::from(good),
    )
}

fn ours(balance: Balance) -> (f64, f64) {
    let mut cluster = Cluster::new();
    let ids: Vec<u64> = (0..WORKERS)
        .map(|slot| cluster.worker(slot, balance, HTTP))
        .collect();
    let addresses: Vec<_> = ids.iter().map(|id| cluster.listening(*id)).collect();
    measure(addresses[0], &dispatcher_thread())
}

fn nodes_own(policy: &str) -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let (primary, worker) = (dir.path().join("primary.js"), dir.path().join("worker.js"));
    std::fs::write(&primary, NODE_PRIMARY).unwrap();
    std::fs::write(&worker, HTTP).unwrap();
    let mut child = Command::new("node")
        .args([primary.as_os_str(), policy.as_ref(), worker.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port.trim().parse().unwrap()));
    let measured = measure(address, &format!("/proc/{}/schedstat", child.id()));
    drop(child.stdin.take());
    child.wait().unwrap();
    measured
}

#[test]
#[ignore = "a measurement, not a test"]
fn cost() {
    // `ROTA_COST=rr,round-robin` measures only those.
    let only = std::env::var("ROTA_COST").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|one| one == name);
    for round in 1..=3 {
        for policy in ["rr", "none"].into_iter().filter(|name| wanted(name)) {
            let (rate, each) = nodes_own(policy);
            println!("{round} node {policy:12} {rate:8.0}/s {each:6.1} us");
        }
        for balance in super::balance::ALL {
            if wanted(balance.as_str()) {
                let (rate, each) = ours(balance);
                println!(
                    "{round} rota {:12} {rate:8.0}/s {each:6.1} us",
                    balance.as_str()
                );
            }
        }
    }
}
