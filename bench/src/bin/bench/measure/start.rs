//! From no daemon to the first answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::contender::{Contender, Site};
use crate::context::{Context, Result};
use crate::table::{Aim, Row, Section, median, ratio};

/// Longest wait for the first answer.
const LIMIT: Duration = Duration::from_secs(60);
/// Time between two tries to connect.
const TRY_EVERY: Duration = Duration::from_micros(500);
/// What rota may add to `node app.js`.
const AIM_MS: f64 = 25.0;

/// The plain server, or a manager with one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starter {
    Bare,
    Managed(Contender),
}

/// Starts one worker from nothing, several times, and takes the time to its first answer.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let mut starters = vec![Starter::Bare];
    let managed = [Contender::ROTA[0], Contender::BASE, Contender::Pm2];
    starters.extend(
        Contender::chosen(context, &managed)
            .into_iter()
            .map(Starter::Managed),
    );
    let times = context.pick(21, 3);
    let mut samples = vec![Vec::new(); starters.len()];
    for _ in 0..times {
        for (starter, samples) in starters.iter().zip(&mut samples) {
            samples.push(once(context, *starter)?.as_secs_f64() * 1000.0);
        }
    }
    let bare = median(&samples[0]);
    let rows: Vec<Row> = starters
        .iter()
        .zip(&samples)
        .map(|(starter, samples)| row(*starter, samples, bare))
        .collect();
    let aims = starters
        .iter()
        .zip(&rows)
        .filter(
            |(starter, _)| matches!(starter, Starter::Managed(contender) if contender.is_rota()),
        )
        .map(|(_, row)| {
            let text = format!("rota adds at most {AIM_MS} ms to bare node");
            Aim::new(row.value - bare <= AIM_MS, text)
        })
        .collect();
    Ok(vec![Section {
        title: "Start to first answer when no daemon runs".to_owned(),
        how: format!(
            "One worker; from the start of the command to the answer; median of {times} interleaved times."
        ),
        columns: ["manager", "ms", "more than bare", "by bare", "fastest"]
            .map(str::to_owned)
            .to_vec(),
        rows,
        aims,
    }])
}

fn row(starter: Starter, samples: &[f64], bare: f64) -> Row {
    let value = median(samples);
    let fastest = samples.iter().copied().fold(f64::INFINITY, f64::min);
    Row {
        name: match starter {
            Starter::Bare => "bare `node server.js`".to_owned(),
            Starter::Managed(contender) => contender.name(),
        },
        value,
        cells: vec![
            format!("{value:.1}"),
            format!("{:+.1}", value - bare),
            ratio(value, Some(bare)),
            format!("{fastest:.1}"),
        ],
    }
}

fn once(context: &Context, starter: Starter) -> Result<Duration> {
    let contender = match starter {
        Starter::Bare => Contender::BASE,
        Starter::Managed(contender) => contender,
    };
    let site = Site::new(context, contender)?;
    let mut command = match starter {
        Starter::Bare => {
            let mut command = site.command()?;
            command.arg("server.js");
            command
        }
        Starter::Managed(_) => site.start_command("server.js", 1)?,
    };
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let answered = first_answer(site.address, begin);
    let took = begin.elapsed();
    // Kills the child too, unless it has ended.
    drop(site);
    reap(&mut child)?;
    answered.map(|()| took)
}

fn reap(child: &mut Child) -> Result<()> {
    // An error means that it has ended: it is reaped all the same.
    let _ended = child.kill();
    child.wait()?;
    Ok(())
}

/// Asks until somebody answers.
fn first_answer(address: SocketAddr, begin: Instant) -> Result<()> {
    while begin.elapsed() < LIMIT {
        if ask(address).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(TRY_EVERY);
    }
    Err(format!("no answer from {address} within {LIMIT:?}").into())
}

fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 64];
    let count = stream.read(&mut answer)?;
    Ok(answer[..count].starts_with(b"HTTP/1.1 200"))
}
