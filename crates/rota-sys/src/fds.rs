//! Descriptors that come from, or go to, a process image before or after `exec`; and pipes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use rustix::fd::AsRawFd as _;
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

static CLAIMING: Mutex<()> = Mutex::new(());

/// Takes possession of a descriptor that this process was started with, and makes it close-on-exec.
///
/// That it really was inherited, and nobody in this process owns it, is seen by its flag: everything that
/// this process opens is close-on-exec, an inherited descriptor cannot be. So it can be claimed only once.
///
/// # Errors
/// `EBADF` when there is no such descriptor, `InvalidInput` when it is one of this process's own, was
/// claimed before, or is one of the standard three.
pub fn claim_inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a standard stream cannot be claimed",
        ));
    }
    let _one_at_a_time = CLAIMING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: used for two `fcntl` calls only, which fail with EBADF if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed)?;
    if flags.contains(FdFlags::CLOEXEC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the descriptor was not inherited",
        ));
    }
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
    // SAFETY: open, and inherited: no value in this process owns it, and from now on it cannot be claimed again.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets a descriptor survive this process's own `exec` and returns its number, for `claim_inherited` there.
///
/// # Errors
/// When its flags cannot be changed.
pub fn keep_on_exec(fd: impl AsFd) -> io::Result<RawFd> {
    let fd = fd.as_fd();
    fcntl_setfd(fd, fcntl_getfd(fd)? - FdFlags::CLOEXEC)?;
    Ok(fd.as_raw_fd())
}

/// Takes [`keep_on_exec`] back, when there was no `exec` after all.
///
/// # Errors
/// When its flags cannot be changed.
pub fn close_on_exec(fd: impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd();
    Ok(fcntl_setfd(fd, fcntl_getfd(fd)? | FdFlags::CLOEXEC)?)
}

/// Makes a pipe's buffer this large, in bytes. More than the system's limit for users
/// (`/proc/sys/fs/pipe-max-size`, 1 MiB) is refused to them.
///
/// # Errors
/// `EPERM` over that limit, or when the user's pipes are over their own.
pub fn set_pipe_size(pipe: impl AsFd, bytes: usize) -> io::Result<usize> {
    Ok(rustix::pipe::fcntl_setpipe_size(pipe, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inherited_descriptors_can_be_claimed_and_only_once() {
        let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        assert!(claim_inherited(read.as_raw_fd()).is_err());
        let copy = read.try_clone().unwrap();
        keep_on_exec(&copy).unwrap();
        close_on_exec(&copy).unwrap();
        assert!(claim_inherited(copy.as_raw_fd()).is_err());
        let number = keep_on_exec(&copy).unwrap();
        std::mem::forget(copy);
        let claimed = claim_inherited(number).unwrap();
        assert!(claim_inherited(number).is_err());
        drop(claimed);
        assert!(claim_inherited(1).is_err());
        assert!(claim_inherited(100_000).is_err());
    }

    #[test]
    fn a_pipe_grows() {
        let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        assert!(set_pipe_size(&read, 256 * 1024).unwrap() >= 256 * 1024);
    }
}
