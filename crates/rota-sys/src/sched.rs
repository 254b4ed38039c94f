//! What the scheduler tells of a process's main thread, and how much it gives to a session.

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

/// The nice value of the session of a process as a whole, among all sessions: the kernel's autogroup (sched(7), "The
/// autogroup feature"). `None` where the kernel has none, or has switched it off.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn session_nice(process: u32) -> io::Result<Option<i32>> {
    // Without autogroup there is no such file: that a process is gone shows in its folder.
    match fs::read_to_string(format!("/proc/{process}/autogroup")) {
        Ok(line) => Ok(nice_of(&line).filter(|_| autogroup_is_on())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::metadata(format!("/proc/{process}")).map(|_| None)
        }
        Err(error) => Err(error),
    }
}

/// Sets the nice value of the session of a process as a whole, -20 to 19. Nobody needs a privilege to set one of 0 or more for
/// a process of their own, and to set it back.
///
/// # Errors
/// `WouldBlock` for whoever is not root when anybody else has just done this: the kernel lets that happen ten times a
/// second (kernel/sched/autogroup.c). `NotFound` when there is no such process, or no autogroup.
pub fn set_session_nice(process: u32, nice: i32) -> io::Result<()> {
    fs::write(format!("/proc/{process}/autogroup"), nice.to_string())
}

/// The file of a process is there as well when the feature is off, and does nothing.
fn autogroup_is_on() -> bool {
    fs::read("/proc/sys/kernel/sched_autogroup_enabled").is_ok_and(|value| value.starts_with(b"1"))
}

/// `/autogroup-27 nice 10`.
fn nice_of(line: &str) -> Option<i32> {
    line.trim_end().rsplit_once(" nice ")?.1.parse().ok()
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
    fn a_session_is_nice() {
        assert_eq!(nice_of("/autogroup-27 nice 10\n"), Some(10));
        assert_eq!(nice_of("/autogroup-27 nice -3\n"), Some(-3));
        assert_eq!(nice_of("/autogroup-27"), None);
        let gone = session_nice(u32::MAX).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        session_nice(std::process::id()).unwrap();
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
