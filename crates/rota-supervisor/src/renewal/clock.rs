//! Waiting for a time of day.
//!
//! The kernel's own timer, not a sleep: it counts on while the machine is asleep, and says when somebody has set the clock.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// The time has come.
    Due,
    /// The clock was set: it may be nearer, or further away.
    Reset,
}

/// Waits until Unix time `millis`.
///
/// # Errors
/// When there are no descriptors left.
pub(super) async fn until(millis: u64) -> io::Result<Woken> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let timer: OwnedFd = timerfd_create(TimerfdClockId::Realtime, flags)?;
    let nanos = i64::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    let once = Itimerspec {
        it_interval: Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: Timespec {
            tv_sec: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
            tv_nsec: nanos,
        },
    };
    let how = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(&timer, how, &once)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; this owns its descriptor and does not replace it"
    )]
    let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
    loop {
        let mut ready = timer.readable().await?;
        match rustix::io::read(timer.get_ref(), &mut [0; 8]) {
            Ok(_) => return Ok(Woken::Due),
            Err(Errno::CANCELED) => return Ok(Woken::Reset),
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::unix_millis;

    #[tokio::test(flavor = "current_thread")]
    async fn a_time_comes_and_one_that_is_past_has_come() {
        let at = unix_millis() + 30;
        assert_eq!(until(at).await.unwrap(), Woken::Due);
        assert!(unix_millis() >= at);
        assert_eq!(until(at - 5000).await.unwrap(), Woken::Due);
    }
}
