//! How fast lines get into files: through rota in each of its forms, through PM2, and by the shell's redirection.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::contender::{Contender, Site};
use crate::context::{Context, Result};
use crate::process;
use crate::table::{Aim, Row, Section, median, ratio};

/// How long the lines may take to arrive.
const LIMIT: Duration = Duration::from_secs(300);
/// The length of a line, as the app writes it.
const LINE: u64 = 100;
/// The last line.
const END: &[u8] = b"the end\n";
/// At least so much of the redirection, in the plain form.
const AIM_PLAIN: f64 = 0.7;
/// The supervisor may need so many MiB.
const AIM_MIB: f64 = 40.0;

/// One way of the lines.
struct Way {
    name: &'static str,
    by: By,
    flags: &'static [&'static str],
    speeds: Vec<f64>,
    lost: u64,
    /// The most resident memory of the manager, in MiB.
    memory: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Shell,
    Rota,
    Pm2,
}

const fn way(name: &'static str, by: By, flags: &'static [&'static str]) -> Way {
    Way {
        name,
        by,
        flags,
        speeds: Vec::new(),
        lost: 0,
        memory: 0.0,
    }
}

/// A rotation that keeps everything, so that lines can be counted.
const KEPT: [&str; 2] = ["--rotate-keep", "1000"];

/// Each way in turn, several times.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let mut ways = vec![way("shell redirection", By::Shell, &[])];
    if context.rota.is_some() {
        ways.push(way("rota, fork, plain", By::Rota, &["--fork"]));
        ways.push(way("rota, cluster, plain", By::Rota, &[]));
        let timed = &["--log-time", "%Y-%m-%d %H:%M:%S%.3f"];
        ways.push(way("rota, cluster, with time", By::Rota, timed));
        ways.push(way(
            "rota, cluster, JSON",
            By::Rota,
            &["--log-format", "json"],
        ));
        let packed = &["--fork", "--rotate-size", "0"];
        ways.push(way("rota, fork, no rotation", By::Rota, packed));
    }
    if context.pm2.is_some() {
        ways.push(way("PM2, fork", By::Pm2, &["-x"]));
        ways.push(way("PM2, cluster", By::Pm2, &["-i", "1"]));
    }
    let megabytes = context.pick(200, 50);
    for _ in 0..context.pick(5, 2) {
        for way in &mut ways {
            one(context, way, megabytes).map_err(|error| format!("{}: {error}", way.name))?;
            if let Some(speed) = way.speeds.last() {
                eprintln!("bench:   {}, {speed:.0} MB/s", way.name);
            }
        }
    }
    Ok(vec![section(&ways, megabytes)])
}

fn one(context: &Context, way: &mut Way, megabytes: u64) -> Result<()> {
    let contender = match way.by {
        By::Rota => Contender::ROTA[0],
        By::Pm2 => Contender::Pm2,
        By::Shell => Contender::BASE,
    };
    let site = Site::new(context, contender)?;
    let folder = site.folder().to_owned();
    let log = folder.join("lines.log");
    let out = log.to_str().ok_or("a path that is no UTF-8")?;
    let mut command = site.command()?;
    command
        .env("BENCH_READY", &folder)
        .env("BENCH_MB", megabytes.to_string());
    let mut child = None;
    match way.by {
        By::Shell => {
            command.arg("lines.js").stdout(File::create(&log)?);
            child = Some(command.stderr(Stdio::null()).spawn()?);
        }
        By::Rota => {
            command.args(["start", "lines.js", "--no-wait", "-o", out]);
            command.args(KEPT).args(way.flags);
            process::run(&mut command, LIMIT)?;
        }
        By::Pm2 => {
            command.args(["start", "lines.js", "-s", "--merge-logs", "-o", out]);
            command.args(way.flags);
            process::run(&mut command, LIMIT)?;
        }
    }
    let took = arrival(&log, &folder.join("begun"))?;
    way.speeds.push(megabytes as f64 / took.as_secs_f64());
    let expected = megabytes * 1_000_000 / LINE;
    way.lost += expected.saturating_sub(lines(&log)?);
    if way.by != By::Shell {
        way.memory = way.memory.max(peak(&site.managers()?)?);
    }
    if let Some(mut child) = child {
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

/// How long it took from the first line until the last one was in the file.
fn arrival(log: &Path, begun: &Path) -> Result<Duration> {
    let began = Instant::now();
    while !ends(log) {
        if began.elapsed() > LIMIT {
            return Err(format!("the last line never came to {}", log.display()).into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let begun = Duration::from_millis(fs::read_to_string(begun)?.trim().parse()?);
    Ok(now.saturating_sub(begun))
}

fn ends(log: &Path) -> bool {
    let read = || {
        let mut file = File::open(log).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(200)))
            .ok()?;
        let mut end = Vec::new();
        file.read_to_end(&mut end).ok()?;
        // In JSON it is not the end of its line.
        let word = END.strip_suffix(b"\n")?;
        Some(end.windows(word.len()).any(|part| part == word))
    };
    read().unwrap_or(false)
}

/// How many lines there are, with those in files that were put aside.
fn lines(log: &Path) -> Result<u64> {
    let folder = log.parent().ok_or("a log without a folder")?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("lines.log") && !name.ends_with(".part") {
            files.push(path);
        }
    }
    let mut shell = Command::new("sh");
    // A file may be compressed between the list and the look: then it has its other name.
    shell
        .args(["-c", "for f; do case $f in *.gz) zcat \"$f\";; *) cat \"$f\" 2>/dev/null || zcat \"$f.gz\";; esac; done | grep -c 'line '", "sh"])
        .args(files);
    Ok(process::run(&mut shell, LIMIT)?.trim().parse()?)
}

/// The most memory that one of the processes ever had resident, in MiB.
fn peak(pids: &[u32]) -> Result<f64> {
    let mut most = 0.0_f64;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = line
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or("no VmHWM in a status file")?
            .parse()?;
        most = most.max(kib / 1024.0);
    }
    Ok(most)
}

fn section(ways: &[Way], megabytes: u64) -> Section {
    let base = ways.first().map(|way| median(&way.speeds));
    let rows = ways.iter().map(|way| {
        let speed = median(&way.speeds);
        let memory = match way.by {
            By::Shell => "-".to_owned(),
            _ => format!("{:.0}", way.memory),
        };
        Row {
            name: way.name.to_owned(),
            value: speed,
            cells: vec![
                format!("{speed:.0}"),
                ratio(speed, base),
                way.lost.to_string(),
                memory,
            ],
        }
    });
    Section {
        title: "Lines into files".to_owned(),
        how: format!(
            "A Node program writes {megabytes} MB of lines of {LINE} bytes in blocks of 64 kB; the time ends when the last line is in the file. \
             Files are put aside at 20 MB and compressed."
        ),
        columns: ["", "MB/s", "ratio", "lines lost", "peak MiB"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
        aims: aims(ways),
    }
}

fn aims(ways: &[Way]) -> Vec<Aim> {
    let speed = |name: &str| {
        let way = ways.iter().find(|way| way.name == name)?;
        Some(median(&way.speeds))
    };
    let ours: Vec<&Way> = ways.iter().filter(|way| way.by == By::Rota).collect();
    let mut aims = Vec::new();
    if let (Some(shell), Some(plain)) = (speed("shell redirection"), speed("rota, fork, plain")) {
        let met = plain >= AIM_PLAIN * shell;
        aims.push(Aim::new(
            met,
            format!("plain: at least {AIM_PLAIN} of the redirection"),
        ));
    }
    if let Some(theirs) = speed("PM2, fork") {
        let met = ours.iter().all(|way| median(&way.speeds) > theirs);
        aims.push(Aim::new(met, "every form faster than PM2's fork mode"));
    }
    let lost: u64 = ours.iter().map(|way| way.lost).sum();
    aims.push(Aim::new(lost == 0, "no line lost"));
    let met = ours.iter().all(|way| way.memory <= AIM_MIB);
    aims.push(Aim::new(
        met,
        format!("the supervisor stays below {AIM_MIB} MiB"),
    ));
    aims
}
