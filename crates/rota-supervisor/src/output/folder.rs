//! Folders of log files, and files in them, opened with care.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The folder of the log files. A link in its place is not followed: it would lead wherever somebody wants.
pub(super) fn open_folder(dir: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP if dir.is_symlink() => {
            io::Error::other("its folder is a symbolic link, which is not followed")
        }
        errno => errno.into(),
    })
}

/// A log file. Never follows a symbolic link, never waits (a FIFO would), and takes regular files only: the
/// folder is ours, but what is in it may have been put there by an app.
pub(super) fn open_in(folder: &OwnedFd, name: &str, flags: OFlags) -> io::Result<File> {
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::from_raw_mode(0o600);
    let file = File::from(rustix::fs::openat(folder, name, flags | careful, mode)?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}
