//! Processes: signals to them, their ends, and being the one that inherits orphans.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open as open};

use crate::signal::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It called `exit` with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        number: i32,
        /// Whether the kernel wrote a core file.
        core: bool,
    },
}

/// What a process has used, with those of its descendants that it has waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The largest resident set, in KiB.
    pub max_rss_kib: u64,
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
}

fn pid(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Sends a signal to one process.
///
/// # Errors
/// `ESRCH` when there is none, `EPERM` when it belongs to somebody else.
pub fn kill(process: u32, signal: Signal) -> io::Result<()> {
    let process = pid(process)?.as_raw_nonzero().get();
    // SAFETY: a plain system call; the pid is positive, so that it names one process.
    result(unsafe { libc::kill(process, signal.number()) })
}

/// Sends a signal to every process of a group.
///
/// # Errors
/// `ESRCH` when there is none in it, or for the groups 0 and 1 (which would be our own, and everybody).
pub fn kill_group(group: u32, signal: Signal) -> io::Result<()> {
    let group = pid(group)?.as_raw_nonzero().get();
    if group == 1 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: a plain system call.
    result(unsafe { libc::kill(-group, signal.number()) })
}

/// A descriptor that stands for a process, whatever becomes of its number. Readable once it has exited.
///
/// # Errors
/// `ESRCH` when there is none; `ENOSYS` before Linux 5.3.
pub fn pidfd_open(process: u32) -> io::Result<OwnedFd> {
    Ok(open(pid(process)?, PidfdFlags::NONBLOCK)?)
}

/// Sends a signal to the process that a pidfd stands for.
///
/// # Errors
/// `ESRCH` when it has exited.
pub fn pidfd_kill(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: a null siginfo is allowed: it is as with `kill`.
    let code = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd,
            signal.number(),
            0_usize,
            0_u32,
        )
    };
    result(if code == -1 { -1 } else { 0 })
}

/// Whether the process that a pidfd stands for has exited.
///
/// # Errors
/// When the kernel has no memory to look.
pub fn has_exited(pidfd: impl AsFd) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&Timespec::default()))? > 0)
}

/// A copy of another process's descriptor, close-on-exec: both have the same open file.
///
/// # Errors
/// `EPERM` when this process may not look into that one (`PTRACE_MODE_ATTACH_REALCREDS`: another user's, or Yama's
/// `ptrace_scope`), `EBADF` when it has no such descriptor, `ESRCH` when it has exited, `ENOSYS` before Linux 5.6.
pub fn copy_descriptor(pidfd: impl AsFd, number: RawFd) -> io::Result<OwnedFd> {
    use rustix::process::{ForeignRawFd, PidfdGetfdFlags, pidfd_getfd};
    let number: ForeignRawFd = number;
    Ok(pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())?)
}

/// The process id of some child that has exited and has not been reaped; it stays as it is (a zombie, whose
/// number cannot be reused). `None` when there is no such child.
///
/// # Errors
/// Those of `waitid`, other than that there are no children.
pub fn peek_exited() -> io::Result<Option<u32>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    loop {
        // SAFETY: `info` is a place for the result.
        if unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) } == 0 {
            // SAFETY: zeroed at first, filled by the call if there was a child.
            let process = unsafe { info.assume_init().si_pid() };
            return Ok(u32::try_from(process).ok().filter(|process| *process != 0));
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EINTR) => {}
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            error => return Err(error),
        }
    }
}

/// Reaps a child that has exited; `None` if it has not.
///
/// # Errors
/// `ECHILD` when it is not our child.
pub fn reap(process: u32) -> io::Result<Option<(ExitStatus, Usage)>> {
    let process = pid(process)?.as_raw_nonzero().get();
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both are places for results.
        match unsafe { libc::wait4(process, &mut status, libc::WNOHANG, usage.as_mut_ptr()) } {
            0 => return Ok(None),
            -1 => {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::EINTR) {
                    return Err(error);
                }
            }
            _ => {
                // SAFETY: zeroed at first, filled by the call.
                let usage = unsafe { usage.assume_init() };
                return Ok(Some((decode_status(status), usage_from(&usage))));
            }
        }
    }
}

fn decode_status(status: i32) -> ExitStatus {
    if libc::WIFSIGNALED(status) {
        ExitStatus::Signal {
            number: libc::WTERMSIG(status),
            core: libc::WCOREDUMP(status),
        }
    } else {
        ExitStatus::Code(libc::WEXITSTATUS(status))
    }
}

fn usage_from(usage: &libc::rusage) -> Usage {
    let time = |value: libc::timeval| {
        let seconds = u64::try_from(value.tv_sec).unwrap_or(0);
        Duration::from_secs(seconds)
            + Duration::from_micros(u64::try_from(value.tv_usec).unwrap_or(0))
    };
    Usage {
        max_rss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
        user: time(usage.ru_utime),
        system: time(usage.ru_stime),
    }
}

/// Makes this process the new parent of orphans among its descendants, instead of process 1.
///
/// # Errors
/// When the kernel refuses.
pub fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(
        rustix::process::getpid(),
    ))?)
}

fn result(code: i32) -> io::Result<()> {
    if code == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
