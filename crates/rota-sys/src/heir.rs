//! A child process that shares its parent's table of open files, and so inherits it when the parent dies.
//!
//! The table is one: what either opens or closes, the other has opened or closed. The kernel closes the
//! descriptors in it when the last of the two has ended, not before.

use std::io;
use std::marker::PhantomData;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_getfd;
use rustix::process::{Pid, setpgid};

use crate::process::pidfd_open;

/// What the child knows of its parent.
#[derive(Debug)]
pub struct Heir {
    parent: OwnedFd,
}

/// What a dead parent has left: a table of open files that nobody but this process uses.
#[derive(Debug)]
pub struct Estate<'a>(PhantomData<&'a Heir>);

impl Heir {
    /// Waits until the parent has ended, every thread of it, or the other end of `line` has been closed.
    /// `None` in the second case.
    pub fn wait(&self, line: impl AsFd) -> Option<Estate<'_>> {
        loop {
            let mut fds = [
                PollFd::new(&self.parent, PollFlags::IN),
                // What it has to say does not matter: the end is reported unasked.
                PollFd::new(&line, PollFlags::empty()),
            ];
            if poll(&mut fds, None).is_err() {
                // Out of memory, for instance: it will pass.
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            if let Some(estate) = self.estate() {
                return Some(estate);
            }
            if !fds[1].revents().is_empty() {
                return None;
            }
        }
    }

    /// What the parent has left, if it has ended.
    #[must_use]
    pub fn estate(&self) -> Option<Estate<'_>> {
        let mut fds = [PollFd::new(&self.parent, PollFlags::IN)];
        // Readable when the last thread has ended, which is after it has let go of the table.
        let polled = poll(&mut fds, Some(&Timespec::default()));
        (polled == Ok(1)).then_some(Estate(PhantomData))
    }
}

impl Estate<'_> {
    /// The descriptor of that number, if there is one.
    #[must_use]
    pub fn get(&self, number: RawFd) -> Option<BorrowedFd<'_>> {
        if number < 0 {
            return None;
        }
        // SAFETY: it stays as it is, open or not: its owners have ended, and this process has one thread, which owns
        // none of the numbers but those it was given. If it is not open, nothing but this one call sees it.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl_getfd(fd).is_ok().then_some(fd)
    }
}

/// Ends the process instead of letting the caller's own code run in it a second time.
struct NoReturn;

impl Drop for NoReturn {
    fn drop(&mut self) {
        exit(101);
    }
}

fn exit(code: u8) -> ! {
    // SAFETY: ends the process without running anything of the parent's in it (handlers at exit, destructors).
    unsafe { libc::_exit(code.into()) }
}

/// Makes a child that shares the table of open files and has its own memory, runs `life` in it and exits
/// with its result. Returns the child's process id, of which `SIGCHLD` comes as of any other.
///
/// The child is in a process group of its own before this returns, so that a signal to the parent's does not
/// reach it, and blocks every signal: only `SIGKILL` ends it, and `SIGSTOP` stops it. What `life` owns is not
/// dropped in the parent, for a descriptor that one of the two closes is closed for both.
///
/// # Errors
/// `InvalidInput` if this process has several threads: their locks would be held for ever in the child. Otherwise
/// what `pidfd_open` and `clone` say.
pub fn fork_sharing_files(life: impl FnOnce(&Heir) -> u8) -> io::Result<u32> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the process has several threads",
        ));
    }
    let heir = Heir {
        parent: pidfd_open(std::process::id())?,
    };
    let before = block_all_signals();
    let child = clone();
    if let Ok(0) = child {
        let _no_return = NoReturn;
        // The parent does it as well: it is done when the first of them goes on.
        let _ = setpgid(None, None);
        exit(life(&heir));
    }
    // SAFETY: a valid set, and no place for the old one.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
    let child = child?;
    let process = Pid::from_raw(child);
    // Fails if the child has ended already.
    let _ = setpgid(process, process);
    mem::forget((life, heir));
    Ok(child.unsigned_abs())
}

/// As `fork`, with the table shared. The C library has no such call: its `clone` wants a stack, as for a thread.
fn clone() -> io::Result<libc::pid_t> {
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    // SAFETY: without CLONE_VM it is a fork: the child has a copy of this memory, this stack (0: go on with
    // the same address) included, and no other thread has left anything half done in it. The last three arguments
    // (thread ids, thread storage) are not asked for; their order, which differs between x86-64 and AArch64,
    // does not matter when all are 0.
    let child = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(flags),
            0_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    };
    match libc::pid_t::try_from(child) {
        Ok(child) if child >= 0 => Ok(child),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns what was blocked before.
fn block_all_signals() -> libc::sigset_t {
    // SAFETY: `sigfillset` initialises the one, and the other is all zeros at first, which is a set.
    unsafe {
        let mut all = mem::zeroed();
        let mut before = mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_has_no_heir() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        let refused = fork_sharing_files(|_| 0).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        drop(go);
        assert!(other.join().unwrap().is_err());
    }
}
