//! Between `fork` and `execve`: system calls only, no memory, no locks, no panic.

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::RawFd;
use std::ptr;

use super::{Attributes, RLIMIT_NOFILE, Stage};

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
    /// The soft limit of open files, unless `attributes` name one.
    pub nofile: Option<libc::rlim_t>,
    pub attributes: &'a Attributes,
    /// The text for `/proc/self/oom_score_adj`.
    pub oom_score: Option<&'a CStr>,
    /// `cgroup.procs` of the group to enter.
    pub cgroup: Option<RawFd>,
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
        4 => Stage::Limits,
        5 => Stage::Priority,
        6 => Stage::Identity,
        7 => Stage::Privileges,
        8 => Stage::Cgroup,
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
    enter_cgroup(plan).ok_or(8_u8)?;
    attributes(plan).ok_or(0_u8)?;
    limits(plan).ok_or(4_u8)?;
    priority(plan).ok_or(5_u8)?;
    identity(plan).ok_or(6_u8)?;
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
    if plan.attributes.no_new_privs {
        // SAFETY: plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).ok_or(7_u8)?;
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

/// Before anything else, so that all of it is counted there. The right to it is that of whoever has opened the file.
fn enter_cgroup(plan: &Plan<'_>) -> Option<()> {
    let Some(entrance) = plan.cgroup else {
        return Some(());
    };
    // SAFETY: one byte that lives for ever; `0` is whoever writes it.
    let written = unsafe { libc::write(entrance, c"0".as_ptr().cast(), 1) };
    (written == 1).then_some(())
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
    }
    Some(())
}

/// While it is still root, where it is: raising a hard limit and lowering the score need that.
fn limits(plan: &Plan<'_>) -> Option<()> {
    let named = |limit: &super::Rlimit| limit.resource == RLIMIT_NOFILE;
    if let Some(soft) = plan
        .nofile
        .filter(|_| !plan.attributes.rlimits.iter().any(named))
    {
        // SAFETY: plain system calls on a value that lives here.
        unsafe {
            // Within what the hard limit is by now, which somebody may have lowered.
            let mut limit: libc::rlimit = std::mem::zeroed();
            check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
            limit.rlim_cur = soft.min(limit.rlim_max);
            check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
        }
    }
    for limit in &plan.attributes.rlimits {
        let value = libc::rlimit {
            rlim_cur: limit.soft,
            rlim_max: limit.hard,
        };
        // The C libraries do not agree on the type of the resource. SAFETY: a value that lives here.
        check(unsafe { libc::setrlimit(limit.resource as _, &value) })?;
    }
    let Some(score) = plan.oom_score else {
        return Some(());
    };
    // SAFETY: terminated strings, and a descriptor that was just opened.
    unsafe {
        let file = libc::open(
            c"/proc/self/oom_score_adj".as_ptr(),
            libc::O_WRONLY | libc::O_CLOEXEC,
        );
        check(file)?;
        let length = score.count_bytes();
        let written = libc::write(file, score.as_ptr().cast(), length);
        let error = last_errno();
        libc::close(file);
        *libc::__errno_location() = error;
        (written == length.cast_signed()).then_some(())
    }
}

fn priority(plan: &Plan<'_>) -> Option<()> {
    let Some(nice) = plan.nice else {
        return Some(());
    };
    // SAFETY: plain system calls on numbers.
    unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        check(libc::setpriority(
            libc::PRIO_PROCESS,
            0,
            now.saturating_add(nice),
        ))
    }
}

/// Groups first: without root they cannot be changed. The system calls themselves, because the C library's
/// functions want to tell the other threads, of which the child has none.
fn identity(plan: &Plan<'_>) -> Option<()> {
    let Some(identity) = &plan.attributes.identity else {
        return Some(());
    };
    let (uid, gid) = (identity.uid, identity.gid);
    let groups = &identity.groups;
    // SAFETY: plain numbers, and a list that is alive with its length.
    unsafe {
        let done = libc::syscall(SETGROUPS, groups.len(), groups.as_ptr()) != -1
            && libc::syscall(SETRESGID, gid, gid, gid) != -1
            && libc::syscall(SETRESUID, uid, uid, uid) != -1;
        done.then_some(())
    }
}

// Where ids once had 16 bits, these calls have another name.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups as SETGROUPS, SYS_setresgid as SETRESGID, SYS_setresuid as SETRESUID};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SETGROUPS, SYS_setresgid32 as SETRESGID, SYS_setresuid32 as SETRESUID,
};

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
