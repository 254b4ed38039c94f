//! What was measured, and that it does not become more.

use std::fmt;

use crate::support::Measures;

/// What there was at a calm moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the beginning.
    pub second: u64,
    /// How many things had been done.
    pub cycles: usize,
    pub held: Measures,
    /// Files in `ROTA_HOME`, without log files.
    pub files: usize,
    /// Processes of the home.
    pub processes: usize,
    /// The keeper's entries when a supervisor took them over last, and their KiB.
    pub kept: Option<(u64, u64)>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} s {:>6} done", self.second, self.cycles)?;
        let Measures {
            keeper,
            supervisor,
            shadow,
        } = &self.held;
        for (name, held) in [("keeper", keeper), ("supervisor", supervisor)] {
            let (anonymous, resident) = (held.anonymous / 1024, held.resident / 1024);
            let files = held.files;
            write!(
                f,
                " | {name} {anonymous:>5} of {resident:>5} KiB, {files:>3} open"
            )?;
        }
        write!(f, " | shadow {:>5} KiB", shadow.anonymous / 1024)?;
        write!(f, " | {} files, {} processes", self.files, self.processes)?;
        match self.kept {
            Some((entries, kib)) => write!(f, ", {entries} entries, {kib} KiB"),
            None => Ok(()),
        }
    }
}

/// What was measured in a stretch of time.
#[derive(Debug, Default)]
pub struct Samples(Vec<Sample>);

/// What a process may have more in the end, in bytes. Commands that have ended are remembered for ten minutes, 256 KiB of
/// them as text at most: the keeper has that text once, and as much again in what its allocator keeps of earlier ones
/// and in the message that brings it; the supervisor has it as text while it is sent, and as values, some times as large.
/// Half an hour at six commands a second that kept 100 bytes each would be a mebibyte.
const KEEPER_GROWTH: u64 = 768 * 1024;
const SUPERVISOR_GROWTH: u64 = 1536 * 1024;
/// It does nothing but sleep.
const SHADOW_GROWTH: u64 = 64 * 1024;

/// A supervisor opens its line to the kernel's socket table when it first needs it, and is asked while it is measured.
const SUPERVISOR_FILES: u64 = 2;

impl Samples {
    /// Takes another one.
    pub fn add(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// These, and others after them.
    pub fn and(&self, later: &Self) -> Self {
        Self(self.0.iter().chain(&later.0).copied().collect())
    }

    /// What has become more of what the keeper and the home hold.
    pub fn check_keeper(&self, complaints: &mut Vec<String>) {
        let mut more = |what, of: fn(&Sample) -> u64, growth| {
            complaints.extend(self.growth(what, of, growth));
        };
        more(
            "the keeper's memory",
            |sample| sample.held.keeper.anonymous,
            KEEPER_GROWTH,
        );
        let files = |sample: &Sample| sample.held.keeper.files as u64;
        more("the keeper's descriptors", files, 0);
        more("files", |sample| sample.files as u64, 0);
        more("processes", |sample| sample.processes as u64, 0);
        let entries = |sample: &Sample| sample.kept.map_or(0, |(entries, _)| entries);
        more("the keeper's entries", entries, 0);
    }

    /// What has become more of what a supervisor and its shadow hold.
    pub fn check_supervisor(&self, complaints: &mut Vec<String>) {
        let mut more = |what, of: fn(&Sample) -> u64, growth| {
            complaints.extend(self.growth(what, of, growth));
        };
        more(
            "the supervisor's memory",
            |sample| sample.held.supervisor.anonymous,
            SUPERVISOR_GROWTH,
        );
        more(
            "the shadow's memory",
            |sample| sample.held.shadow.anonymous,
            SHADOW_GROWTH,
        );
        let files = |sample: &Sample| sample.held.supervisor.files as u64;
        more("the supervisor's descriptors", files, SUPERVISOR_FILES);
    }

    /// Compares the last third with the first one, without its first samples: what is needed at all is there by then.
    /// The median of each: a moment is no growth.
    fn growth(&self, what: &str, of: fn(&Sample) -> u64, most: u64) -> Option<String> {
        let settled = self.0.get(self.0.len() / 8..)?;
        let third = settled.len().div_ceil(3);
        let median = |samples: &[Sample]| {
            let mut values: Vec<u64> = samples.iter().map(of).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied()
        };
        let early = median(settled.get(..third)?)?;
        let late = median(settled.get(settled.len() - third..)?)?;
        println!("{what}: {early}, then {late}");
        (late > early + most).then(|| format!("{what}: {early} has become {late}"))
    }
}
