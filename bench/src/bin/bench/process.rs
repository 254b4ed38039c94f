//! Running commands with a time limit, and what /proc tells about processes.

use std::fs;
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::context::Result;

/// Runs a command to its end and returns its standard output.
///
/// Output goes to files, not pipes: a daemon that the command leaves behind may hold them open.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<String> {
    let mut out = tempfile::tempfile()?;
    let mut err = tempfile::tempfile()?;
    command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?);
    let mut child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let ended = wait(&mut child, limit)?;
    let stdout = contents(&mut out)?;
    if ended.is_some_and(|status| status.success()) {
        return Ok(stdout);
    }
    let how = ended.map_or_else(
        || format!("did not end within {limit:?}"),
        |status| status.to_string(),
    );
    let stderr = contents(&mut err)?;
    Err(format!("{command:?}: {how}\n{stdout}{stderr}").into())
}

/// Runs a command whose output nobody reads, and returns the time from before its start to its end.
pub(crate) fn time(command: &mut Command, limit: Duration) -> Result<Duration> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    match wait(&mut child, limit)? {
        Some(status) if status.success() => Ok(begin.elapsed()),
        Some(status) => Err(format!("{command:?}: {status}").into()),
        None => Err(format!("{command:?}: did not end within {limit:?}").into()),
    }
}

/// Waits for a child; kills it and returns `None` when the limit passes.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<std::process::ExitStatus>> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or("a child without a pid")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec::try_from(limit)?))? == 0 {
        child.kill()?;
        child.wait()?;
        return Ok(None);
    }
    Ok(Some(child.wait()?))
}

fn contents(file: &mut fs::File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Processor time that the processes have used, user and system, ended threads included.
///
/// The kernel tells it in ticks of (usually) 10 ms.
pub(crate) fn cpu_time(pids: &[u32]) -> Result<Duration> {
    let mut ticks = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may hold anything; the fields behind it are plain.
        let (_, fields) = stat.rsplit_once(')').ok_or("a stat file without a name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        for index in [11, 12] {
            ticks += fields
                .get(index)
                .ok_or("a short stat file")?
                .parse::<u64>()?;
        }
    }
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ticks * 1000 / per_second.max(1)))
}

/// Time on a processor, in nanoseconds, and how often the processes were put on one: idle means no
/// change of both. Threads that have ended are not seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Activity {
    pub(crate) cpu: Duration,
    pub(crate) runs: u64,
}

impl Activity {
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let mut sum = Self::default();
        for pid in pids {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                let text = fs::read_to_string(thread?.path().join("schedstat"))?;
                let mut numbers = text.split_whitespace().map(str::parse::<u64>);
                let mut next = || numbers.next().ok_or("a short schedstat file");
                sum.cpu += Duration::from_nanos(next()??);
                next()??;
                sum.runs += next()??;
            }
        }
        Ok(sum)
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            runs: self.runs.saturating_sub(earlier.runs),
        }
    }
}

/// Memory of processes in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident: shared pages count fully in each process.
    pub(crate) rss: u64,
    /// Proportional: shared pages are divided among those that map them.
    pub(crate) pss: u64,
}

impl Memory {
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let mut sum = Self::default();
        for pid in pids {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            sum.rss += field(&text, "Rss:")?;
            sum.pss += field(&text, "Pss:")?;
        }
        Ok(sum)
    }
}

fn field(text: &str, name: &str) -> Result<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or_else(|| format!("no {name} in smaps_rollup"))?;
    Ok(value.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_or_is_ended() {
        let limit = Duration::from_secs(60);
        let output = run(
            Command::new("sh").args(["-c", "echo out; echo err >&2"]),
            limit,
        );
        assert_eq!(output.unwrap(), "out\n");
        let failed = run(
            Command::new("sh").args(["-c", "echo why >&2; exit 3"]),
            limit,
        );
        let message = failed.unwrap_err().to_string();
        assert!(
            message.contains("why") && message.contains('3'),
            "{message}"
        );
        let endless = run(Command::new("sleep").arg("1000"), Duration::from_millis(20));
        assert!(endless.unwrap_err().to_string().contains("did not end"));
    }

    #[test]
    fn proc_tells_about_this_process() {
        let own = [std::process::id()];
        let begin = Instant::now();
        let before = Activity::of(&own).unwrap();
        // Threads of other tests may end meanwhile, and then are no longer in the sum.
        let ran = || Activity::of(&own).unwrap().since(before).cpu > Duration::ZERO;
        while cpu_time(&own).unwrap() < Duration::from_millis(20) || !ran() {
            assert!(begin.elapsed() < Duration::from_secs(60));
        }
        let memory = Memory::of(&own).unwrap();
        assert!(memory.rss >= memory.pss && memory.pss > 0);
    }

    #[test]
    fn a_field_of_smaps_rollup() {
        let text = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:   1234 kB\nPss:    56 kB\nPss_Dirty: 7 kB\n";
        assert_eq!(field(text, "Rss:").unwrap(), 1234);
        assert_eq!(field(text, "Pss:").unwrap(), 56);
        assert!(field(text, "Swap:").is_err());
    }
}
