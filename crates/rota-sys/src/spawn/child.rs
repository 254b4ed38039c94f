//! Between `fork` and `execve`: system calls only, no memory, no locks, no panic.

use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;
use std::ptr;

use super::Stage;

/// A report of failure: the stage, and the error number in native byte order.
pub(super) const REPORT_LEN: usize = 5;

/// What the child does, prepared. All pointers point to NUL-terminated strings or lists with a null at the
/// end, which outlive the call of [`fork`].
pub(super) struct Plan<'a> {
    pub path: *const c_char,
    pub argv: &'a [*const c_char],
    pub envp: &'a [*const c_char],
    /// Where to write the pid: room for ten digits and a NUL each.
    pub pid_room: &'a [*mut u8],
    pub cwd: Option<*const c_char>,
    /// From, to. All "from" are above all "to".
    pub fds: &'a [(RawFd, RawFd)],
    pub report: RawFd,
    pub new_session: bool,
    pub umask: Option<u32>,
    pub nice: Option<i32>,
    /// The soft limit of open files.
    pub nofile: Option<libc::rlim_t>,
}

/// Forks; the child never returns. The error is an error number.
pub(super) fn fork(plan: &Plan<'_>) -> Result<u32, i32> {
    let mut all = empty_set();
    let mut before = empty_set();
    // No signal handler of this process may run in the child. SAFETY: both sets are initialised.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
    }
    // SAFETY: the child only calls async-signal-safe functions (see `become_program`).
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        become_program(plan);
    }
    let error = last_errno();
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
    u32::try_from(pid).map_err(|_| error)
}

/// Waits for a child that has reported failure, and is about to exit.
pub(super) fn reap(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return;
    };
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(pid, ptr::null_mut(), 0) } == -1 && last_errno() == libc::EINTR {}
}

/// Decodes a report.
pub(super) fn read_report(report: [u8; REPORT_LEN]) -> (Stage, i32) {
    let [stage, a, b, c, d] = report;
    let stage = match stage {
        0 => Stage::Attributes,
        1 => Stage::Cwd,
        2 => Stage::Fds,
        _ => Stage::Exec,
    };
    (stage, i32::from_ne_bytes([a, b, c, d]))
}

fn become_program(plan: &Plan<'_>) -> ! {
    let stage = match set_up(plan) {
        Ok(()) => {
            // SAFETY: the plan's lists and strings are terminated and alive.
            unsafe { libc::execve(plan.path, plan.argv.as_ptr(), plan.envp.as_ptr()) };
            3
        }
        Err(stage) => stage,
    };
    let [a, b, c, d] = last_errno().to_ne_bytes();
    let report = [stage, a, b, c, d];
    // SAFETY: plain system calls; five bytes go into an empty pipe at once.
    unsafe {
        libc::write(plan.report, report.as_ptr().cast(), report.len());
        libc::_exit(127)
    }
}

/// Everything before `execve`; the error is the stage's number in a report, `errno` says why.
fn set_up(plan: &Plan<'_>) -> Result<(), u8> {
    attributes(plan).ok_or(0_u8)?;
    if let Some(cwd) = plan.cwd {
        // SAFETY: a terminated string.
        check(unsafe { libc::chdir(cwd) }).ok_or(1_u8)?;
    }
    // What somebody may have opened without the flag. Kernels before 5.11 do not know the call's flag; there
    // the rule that everything is opened close-on-exec has to do.
    // SAFETY: sets flags only.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3_u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    for &(from, to) in plan.fds {
        // SAFETY: `from` is a copy that only this call knows; `to` belongs to nobody after the fork.
        check(unsafe { libc::dup2(from, to) }).ok_or(2_u8)?;
    }
    // SAFETY: each place has room for ten digits, and this is the child's own copy of the memory.
    unsafe {
        let pid = libc::getpid().unsigned_abs();
        for &place in plan.pid_room {
            write_decimal(pid, place);
        }
        let none = empty_set();
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
    Ok(())
}

fn attributes(plan: &Plan<'_>) -> Option<()> {
    // SAFETY: plain system calls on numbers and on values that live here.
    unsafe {
        check(if plan.new_session {
            libc::setsid()
        } else {
            libc::setpgid(0, 0)
        })?;
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=64 {
            // Fails for SIGKILL, SIGSTOP and the C library's own: those are at their defaults.
            libc::sigaction(signal, &default, ptr::null_mut());
        }
        if let Some(mask) = plan.umask {
            libc::umask(mask & 0o7777);
        }
        if let Some(soft) = plan.nofile {
            // Within what the hard limit is by now, which somebody may have lowered.
            let mut limit: libc::rlimit = std::mem::zeroed();
            check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
            limit.rlim_cur = soft.min(limit.rlim_max);
            check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
        }
        if let Some(nice) = plan.nice {
            let now = libc::getpriority(libc::PRIO_PROCESS, 0);
            check(libc::setpriority(
                libc::PRIO_PROCESS,
                0,
                now.saturating_add(nice),
            ))?;
        }
    }
    Some(())
}

/// # Safety
/// `place` has room for ten digits and a NUL.
unsafe fn write_decimal(mut number: u32, place: *mut u8) {
    let mut digits = [0_u8; 10];
    let mut count = 0;
    loop {
        if let Some(digit) = digits.get_mut(count) {
            *digit = b'0' + (number % 10) as u8;
        }
        count += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    for (index, digit) in digits.iter().take(count).rev().enumerate() {
        // SAFETY: index is at most 9.
        unsafe { place.add(index).write(*digit) };
    }
    // SAFETY: count is at most 10.
    unsafe { place.add(count).write(0) };
}

fn check(result: c_int) -> Option<()> {
    (result != -1).then_some(())
}

fn last_errno() -> i32 {
    // SAFETY: always a valid pointer, to this thread's own.
    unsafe { *libc::__errno_location() }
}

fn empty_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}
