//! On what the figures were taken.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::context::Context;
use crate::{pm2, process};

/// The machine and the versions of everything that took part.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cpus: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) load: String,
    /// Linux shares the processor between sessions first, then within each.
    pub(crate) autogroup: bool,
    pub(crate) node: String,
    pub(crate) rota: Option<String>,
    pub(crate) pm2: Option<String>,
}

pub(crate) fn describe(context: &Context) -> Machine {
    Machine {
        processor: file_value("/proc/cpuinfo", "model name"),
        cpus: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: file_value("/proc/meminfo", "MemTotal")
            .trim_end_matches(" kB")
            .parse::<u64>()
            .map_or(0, |kib| kib / 1024),
        kernel: read("/proc/sys/kernel/osrelease"),
        load: read("/proc/loadavg")
            .split(' ')
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
        autogroup: read("/proc/sys/kernel/sched_autogroup_enabled") == "1",
        node: first_line(Command::new("node").arg("--version")),
        rota: context
            .rota
            .as_deref()
            .map(|rota| first_line(Command::new(rota).arg("--version"))),
        pm2: context.pm2.as_deref().map(pm2::version),
    }
}

fn first_line(command: &mut Command) -> String {
    process::run(command, Duration::from_secs(20))
        .ok()
        .and_then(|text| text.lines().last().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn file_value(path: &str, key: &str) -> String {
    read(path)
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))
        .map_or_else(String::new, |value| value.trim().to_owned())
}
