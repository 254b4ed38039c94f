//! Signals as readable events (`signalfd`).

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;

use super::Signal;

/// A descriptor that becomes readable when one of its signals has come.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
}

/// A signal that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// Which.
    pub signal: Signal,
    /// The sender's process id; 0 if the kernel sent it (a terminal, for instance).
    pub sender: u32,
}

impl Signals {
    /// Blocks these signals for the calling thread, and threads that it starts later, and makes the
    /// descriptor (non-blocking, close-on-exec). Call it before there are other threads: a signal to the process
    /// is otherwise delivered to one that does not block it. Processes started by [`crate::spawn`] block nothing.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn block(signals: &[Signal]) -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initialises the set; the others work on an initialised one.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            for signal in signals {
                libc::sigaddset(&mut set, signal.number());
            }
            let error = libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut());
            if error != 0 {
                return Err(io::Error::from_raw_os_error(error));
            }
            libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if fd == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// The next signal, or `None` if there is none. Signals of one number that come before the first is read
    /// are one.
    ///
    /// # Errors
    /// When reading fails for another reason than that there is none.
    pub fn read(&self) -> io::Result<Option<ReceivedSignal>> {
        const SIZE: usize = mem::size_of::<libc::signalfd_siginfo>();
        let mut bytes = [0; SIZE];
        match rustix::io::read(&self.fd, &mut bytes) {
            Ok(SIZE) => {}
            Ok(_) | Err(rustix::io::Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
        // SAFETY: all bit patterns are values of this struct of integers, and the size is right.
        let info: libc::signalfd_siginfo = unsafe { mem::transmute(bytes) };
        let signal = i32::try_from(info.ssi_signo)
            .ok()
            .and_then(Signal::from_number);
        Ok(signal.map(|signal| ReceivedSignal {
            signal,
            sender: info.ssi_pid,
        }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes writing to a closed pipe or socket an error instead of death (Rust's runtime does it for `main`
/// already; children get the default back).
pub fn ignore_sigpipe() {
    // SAFETY: no handler is installed, the signal is only ignored.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_signals_are_read() {
        // A real-time signal to this thread only, so that the test runner's other threads never see it.
        let signal = "RTMIN+5".parse().unwrap();
        let signals = Signals::block(&[signal]).unwrap();
        assert_eq!(signals.read().unwrap(), None);
        // SAFETY: sends a blocked signal to this very thread.
        unsafe { libc::pthread_kill(libc::pthread_self(), signal.number()) };
        let received = signals.read().unwrap().unwrap();
        assert_eq!(
            (received.signal, received.sender),
            (signal, std::process::id())
        );
        assert_eq!(signals.read().unwrap(), None);
    }
}
