//! What a process is waiting for, as far as `/proc` tells.
//!
//! Much of it is only for those who could trace the process: what is not told is `None`.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::procfs;
use crate::signal::Signal;

/// What the main thread of a process is doing at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// State, processor time and the like.
    pub stat: procfs::Stat,
    /// The system call that it is in.
    pub call: Option<Call>,
    /// The processes that it has started and that still run: id, and name or command line.
    pub children: Vec<(u32, String)>,
}

/// A system call that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name; `None` for one that is not among the usual ones to wait in.
    pub name: Option<&'static str>,
    /// Its number.
    pub number: i64,
    /// The file that it is about, where its first argument is a descriptor.
    pub file: Option<PathBuf>,
}

/// The system calls that processes wait in, and whether their first argument is a descriptor.
const CALLS: &[(i64, &str, bool)] = &[
    (libc::SYS_read, "read", true),
    (libc::SYS_readv, "readv", true),
    (libc::SYS_pread64, "pread64", true),
    (libc::SYS_preadv, "preadv", true),
    (libc::SYS_write, "write", true),
    (libc::SYS_writev, "writev", true),
    (libc::SYS_pwrite64, "pwrite64", true),
    (libc::SYS_pwritev, "pwritev", true),
    (libc::SYS_fsync, "fsync", true),
    (libc::SYS_fdatasync, "fdatasync", true),
    (libc::SYS_flock, "flock", true),
    (libc::SYS_fcntl, "fcntl", true),
    (libc::SYS_recvfrom, "recvfrom", true),
    (libc::SYS_recvmsg, "recvmsg", true),
    (libc::SYS_sendto, "sendto", true),
    (libc::SYS_sendmsg, "sendmsg", true),
    (libc::SYS_connect, "connect", true),
    (libc::SYS_accept4, "accept4", true),
    (libc::SYS_epoll_pwait, "epoll_wait", false),
    (libc::SYS_ppoll, "poll", false),
    (libc::SYS_pselect6, "select", false),
    (libc::SYS_openat, "open", false),
    (libc::SYS_futex, "futex", false),
    (libc::SYS_wait4, "wait4", false),
    (libc::SYS_waitid, "waitid", false),
    (libc::SYS_nanosleep, "nanosleep", false),
    (libc::SYS_clock_nanosleep, "nanosleep", false),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, "epoll_wait", false),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, "poll", false),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_select, "select", false),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, "open", false),
];
/// The most children that are named.
const CHILDREN_MAX: usize = 10;

/// Looks at a process.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn look(process: u32) -> io::Result<Wait> {
    let stat = procfs::stat(process)?;
    Ok(Wait {
        stat,
        call: call(process),
        children: procfs::children(process)
            .unwrap_or_default()
            .into_iter()
            .take(CHILDREN_MAX)
            .filter_map(|child| Some((child, command(child)?)))
            .collect(),
    })
}

/// Whether a process has a handler for a signal.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn handles(process: u32, signal: Signal) -> io::Result<bool> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let mask = mask.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    let bit = u32::try_from(signal.number() - 1).unwrap_or(u32::MAX);
    Ok(mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

fn call(process: u32) -> Option<Call> {
    let line = fs::read_to_string(format!("/proc/{process}/syscall")).ok()?;
    let (number, first) = parse_call(&line)?;
    let known = CALLS.iter().find(|(known, _, _)| *known == number);
    let file = known
        .filter(|(_, _, is_file)| *is_file)
        .and_then(|_| fs::read_link(format!("/proc/{process}/fd/{first}")).ok());
    Some(Call {
        name: known.map(|(_, name, _)| *name),
        number,
        file,
    })
}

/// `running`, or a number and six arguments; -1 when it waits for something else than a system call.
pub(crate) fn parse_call(line: &str) -> Option<(i64, u64)> {
    let mut words = line.split_ascii_whitespace();
    let number = words.next()?.parse().ok().filter(|number| *number >= 0)?;
    let first = words.next()?.strip_prefix("0x")?;
    Some((number, u64::from_str_radix(first, 16).ok()?))
}

fn command(process: u32) -> Option<String> {
    let words = procfs::cmdline(process).ok()?;
    let line = words.join(&b' ');
    let line = String::from_utf8_lossy(&line);
    let text: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_waiting_process_says_for_what() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Until it has come to its `read`: a look is no event, so it is looked for. Where tracing is not allowed there is
        // no call to see, and one that runs has none: sleeping as `cat` it has come as far.
        let wait = loop {
            let wait = look(child.id()).unwrap();
            let reads = |call: &Call| call.name == Some("read");
            let sleeps = wait.stat.state == 'S' && command(child.id()).as_deref() == Some("cat");
            if sleeps && wait.call.as_ref().is_none_or(reads) {
                break wait;
            }
        };
        if let Some(call) = wait.call {
            let file = call.file.unwrap();
            assert!(file.to_string_lossy().starts_with("pipe:"), "{file:?}");
        }
        assert!(!handles(child.id(), Signal::USR1).unwrap());
        let own = look(std::process::id()).unwrap();
        let name = |(pid, name): &(u32, String)| *pid == child.id() && name == "cat";
        assert!(own.children.iter().any(name), "{own:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(look(child.id()).is_err());
    }

    #[test]
    fn calls_are_read() {
        assert_eq!(parse_call("running\n"), None);
        assert_eq!(parse_call("-1 0x7ffd 0x1"), None);
        assert_eq!(
            parse_call("0 0x11 0x7ffd 0x400 0 0 0 0x1 0x2\n"),
            Some((0, 17))
        );
        assert_eq!(parse_call(""), None);
    }
}
