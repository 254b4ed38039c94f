//! What clients see when the manager's thinking process is killed, again and again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rota_bench::load::{Load, Report};
use rustix::process::{Pid, Signal, kill_process};

use crate::contender::{Contender, Service, Site};
use crate::context::{Context, Result};
use crate::table::{Aim, Row, Section, median};

/// Clients that keep their connections, and clients with a connection for every request.
const CLIENTS: (usize, usize) = (100, 50);
/// New connections are watched for so long after each kill, and for as long before it.
const WINDOW: Duration = Duration::from_millis(600);
/// From the end of a window to the next.
const BETWEEN: Duration = Duration::from_millis(300);
/// How long the service is watched after the last kill.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// The longest time in which no new connection may be served.
const AIM_PAUSE_MS: f64 = 100.0;
/// When `rota list` has to answer.
const AIM_LIST_MS: f64 = 150.0;

/// What kills did to the clients.
struct Outcome {
    contender: Contender,
    /// The longest time without an answer on a new connection after each kill, in milliseconds.
    pauses: Vec<f64>,
    /// The same before each kill.
    usual: Vec<f64>,
    /// When the list command answered after each kill.
    lists: Vec<f64>,
    report: Report,
    /// Whether somebody still answers at the end.
    serves: bool,
    /// Workers that are not the same any more, where that can be told.
    changed: Option<usize>,
}

/// Kills the supervisor of rota, and the daemon of PM2, under load.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let contenders = [Contender::ROTA[0], Contender::ROTA[2], Contender::Pm2];
    let mut outcomes = Vec::new();
    for contender in Contender::chosen(context, &contenders) {
        eprintln!("bench:   {}", contender.name());
        outcomes.push(run(context, contender)?);
    }
    let aims = outcomes.iter().filter(|o| o.contender.is_rota());
    Ok(vec![Section {
        title: "The manager is killed".to_owned(),
        how: format!(
            "{} workers under {} clients that keep their connections and {} with a connection for every request. `kill \
             -9` of rota's supervisor again and again; of PM2's daemon once. Pause: the longest \
             time without an answer on any new connection within {WINDOW:?} after a kill, and in as long a time \
             before it. List: from the kill to the answer of the list command.",
            context.workers, CLIENTS.0, CLIENTS.1
        ),
        columns: [
            "manager",
            "kills",
            "requests",
            "failed",
            "workers replaced",
            "pause p50 ms",
            "max",
            "usual p50",
            "max",
            "list p50 ms",
            "max",
            "serves on",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: outcomes.iter().map(row).collect(),
        aims: aims.flat_map(aims_of).collect(),
    }])
}

fn run(context: &Context, contender: Contender) -> Result<Outcome> {
    let service = Site::new(context, contender)?.start("server.js", context.workers)?;
    let address = service.address();
    let load = Load::new(address)
        .keep_alive(CLIENTS.0)
        .one_shot(CLIENTS.1)
        .start()?;
    if !load.until_answered_blocking(1000, Duration::from_secs(60)) {
        return Err(format!("{}: no answers before the first kill", contender.name()).into());
    }
    let workers = |service: &Service| match contender.is_rota() {
        true => service.rota_workers().map(Some),
        false => Ok(None),
    };
    let before = workers(&service)?;
    let kills = if contender.is_rota() {
        context.pick(50, 5)
    } else {
        1
    };
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (mut usual, mut pauses, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..kills {
        std::thread::sleep(BETWEEN);
        let _between = load.take_longest_gap();
        std::thread::sleep(WINDOW);
        usual.push(ms(load.take_longest_gap()));
        let killed = Instant::now();
        kill(service.thinker()?)?;
        lists.push(ms(service.until_listed()?));
        std::thread::sleep(WINDOW.saturating_sub(killed.elapsed()));
        pauses.push(ms(load.take_longest_gap()));
    }
    std::thread::sleep(AFTERWARDS);
    let report = load.stop_blocking();
    let after = workers(&service)?;
    let changed = before.zip(after).map(|(before, after)| {
        let gone = |pid: &&u32| !after.contains(pid);
        before.iter().filter(gone).count()
    });
    Ok(Outcome {
        contender,
        pauses,
        usual,
        lists,
        report,
        serves: probe(address).is_ok(),
        changed,
    })
}

fn row(outcome: &Outcome) -> Row {
    let max = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let pause = median(&outcome.pauses);
    Row {
        name: outcome.contender.name(),
        value: pause,
        cells: vec![
            outcome.pauses.len().to_string(),
            outcome.report.requests().to_string(),
            outcome.report.failed().to_string(),
            outcome
                .changed
                .map_or_else(|| "-".to_owned(), |changed| changed.to_string()),
            format!("{pause:.1}"),
            format!("{:.1}", max(&outcome.pauses)),
            format!("{:.1}", median(&outcome.usual)),
            format!("{:.1}", max(&outcome.usual)),
            format!("{:.1}", median(&outcome.lists)),
            format!("{:.1}", max(&outcome.lists)),
            if outcome.serves { "yes" } else { "no" }.to_owned(),
        ],
    }
}

fn aims_of(outcome: &Outcome) -> Vec<Aim> {
    let name = outcome.contender.name();
    let below = |values: &[f64], limit| values.iter().all(|value| *value <= limit);
    vec![
        Aim::new(
            outcome.report.failed() == 0,
            format!("{name}: no request fails"),
        ),
        Aim::new(
            outcome.changed == Some(0),
            format!("{name}: workers stay the same"),
        ),
        Aim::new(
            below(&outcome.pauses, AIM_PAUSE_MS),
            format!("{name}: new connections are served again within {AIM_PAUSE_MS} ms"),
        ),
        Aim::new(
            below(&outcome.lists, AIM_LIST_MS),
            format!("{name}: the list command answers within {AIM_LIST_MS} ms"),
        ),
    ]
}

fn kill(pid: u32) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(kill_process(pid.ok_or("a bad pid")?, Signal::KILL)?)
}

/// One request on a connection of its own.
fn probe(address: SocketAddr) -> std::io::Result<()> {
    let limit = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err(std::io::Error::other("no answer"))
    }
}
