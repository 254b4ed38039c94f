//! Whole-file locks (`flock`): held as long as any copy of the descriptor is open, in whichever process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Opens (makes, 0600) the file and waits until it is ours.
///
/// # Errors
/// When the file cannot be opened, or locks do not work on that file system.
pub fn wait(path: &Path) -> io::Result<OwnedFd> {
    let file = open(path)?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file.into()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Opens (makes, 0600) the file and locks it; `None` if somebody else holds it.
///
/// # Errors
/// When the file cannot be opened, or locks do not work on that file system.
pub fn attempt(path: &Path) -> io::Result<Option<OwnedFd>> {
    let file = open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file.into())),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives a lock back before its descriptor is closed, for every copy of it.
///
/// # Errors
/// When it is not a lock file.
pub fn release(lock: impl AsFd) -> io::Result<()> {
    Ok(flock(lock, FlockOperation::Unlock)?)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // Not through a link that somebody else has put there.
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = attempt(&path).unwrap().unwrap();
        assert!(attempt(&path).unwrap().is_none());
        let copy = held.try_clone().unwrap();
        drop(held);
        assert!(attempt(&path).unwrap().is_none(), "a copy still holds it");
        release(&copy).unwrap();
        assert!(attempt(&path).unwrap().is_some());
        drop(wait(&path).unwrap());
    }
}
