//! Processes that cannot be made because this machine, or this user, has no descriptors, processes or memory left.
//! That says nothing of the app whose process it would have been.

use rota_engine::{Event, WorkerId};
use rota_keeper::protocol::SpawnStage;
use rustix::io::Errno;

/// Whether this error number says that something is used up, and may be there again later.
pub(crate) fn is_errno(number: i32) -> bool {
    let lacking = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::AGAIN,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::TOOMANYREFS,
    ];
    lacking.iter().any(|errno| errno.raw_os_error() == number)
}

/// Whether such an error means that in this step. The limits that an app has set for itself are its own affair: waiting
/// does not help.
pub(crate) fn is_meant(stage: SpawnStage) -> bool {
    match stage {
        SpawnStage::Limits | SpawnStage::Priority | SpawnStage::Cwd => false,
        SpawnStage::Request
        | SpawnStage::Prepare
        | SpawnStage::Fork
        | SpawnStage::Group
        | SpawnStage::Attributes
        | SpawnStage::Fds
        | SpawnStage::Exec
        | SpawnStage::Identity
        | SpawnStage::Privileges => true,
    }
}

/// What the engine is told of a process that could not be made.
pub(crate) fn event(worker: WorkerId, reason: String, lacking: bool) -> Event {
    if lacking {
        Event::SpawnDeferred { worker, reason }
    } else {
        Event::SpawnFailed { worker, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_up_is_a_shortage() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM] {
            assert!(is_errno(errno.raw_os_error()), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::TOOBIG] {
            assert!(!is_errno(errno.raw_os_error()), "{errno}");
        }
        assert!(!is_errno(0));
        assert!(is_meant(SpawnStage::Fork) && !is_meant(SpawnStage::Limits));
    }
}
