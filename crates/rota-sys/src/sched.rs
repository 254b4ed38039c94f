//! What the scheduler tells of a process's main thread.

use std::fs;
use std::io;
use std::time::Duration;

/// A process's main thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MainThread {
    /// The state, as in [`crate::procfs::Stat::state`].
    pub state: char,
    /// Its use of processors; `None` where the kernel does not tell (no `CONFIG_SCHED_INFO`).
    pub usage: Option<Usage>,
}

/// Use of processors since the thread was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor.
    pub used: Duration,
    /// Time for which it was ready to run and waited, as far as these waits are over.
    pub waited: Duration,
}

impl MainThread {
    /// Stopped by a signal, or held by a debugger.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// On a processor, or waiting for one.
    #[must_use]
    pub const fn is_runnable(&self) -> bool {
        self.state == 'R'
    }
}

/// Looks at the main thread of a process.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn main_thread(process: u32) -> io::Result<MainThread> {
    let file = |name: &str| format!("/proc/{process}/task/{process}/{name}");
    let state = state(&fs::read(file("stat"))?).ok_or(io::ErrorKind::InvalidData)?;
    let usage = fs::read_to_string(file("schedstat")).ok();
    Ok(MainThread {
        state,
        usage: usage.as_deref().and_then(usage_of),
    })
}

/// The name in parentheses may hold anything: the state comes behind the last `)`.
fn state(line: &[u8]) -> Option<char> {
    let end = line.iter().rposition(|byte| *byte == b')')?;
    line.get(end + 2).map(|byte| char::from(*byte))
}

/// `schedstat` (Documentation/scheduler/sched-stats): time on a processor and time spent waiting on
/// a run queue, both in nanoseconds, and the number of time slices.
fn usage_of(line: &str) -> Option<Usage> {
    let mut fields = line.split_ascii_whitespace();
    let mut nanos = || Some(Duration::from_nanos(fields.next()?.parse().ok()?));
    Some(Usage {
        used: nanos()?,
        waited: nanos()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        assert_eq!(state(b"42 (a) S 9) b) R 7 42"), Some('R'));
        assert_eq!(state(b"42 (a)"), None);
        let usage = usage_of("1500 27 3\n").unwrap();
        assert_eq!(usage.used, Duration::from_nanos(1500));
        assert_eq!(usage.waited, Duration::from_nanos(27));
        assert_eq!(usage_of("1500"), None);
    }

    #[test]
    fn a_process_that_spins_uses_time_and_one_that_is_stopped_is_seen() {
        use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        let used = || {
            main_thread(child.id())
                .unwrap()
                .usage
                .map(|usage| usage.used)
        };
        while used().is_some_and(|used| used < Duration::from_millis(20)) {
            std::thread::yield_now();
        }
        assert!(main_thread(child.id()).unwrap().is_runnable());
        kill_process(pid, Signal::STOP).unwrap();
        waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(main_thread(child.id()).unwrap().is_stopped());
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = main_thread(child.id()).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
