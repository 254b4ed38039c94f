//! A place for what workers of another user must reach: `ROTA_HOME` is closed to them.
//!
//! It is in `/run`, where only root can make a folder, and only root runs workers as somebody else. Every folder
//! belongs to us and nobody else may write to it, so no path below it can be bent.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fchmod, fstat, mkdir, open};
use rustix::io::Errno;

/// The folder of all daemons.
const ROOT: &str = "/run/rota";
/// Others may enter it, but not look around.
const PASSAGE: u32 = 0o711;
/// Others may read what is in it.
const READABLE: u32 = 0o755;

/// Where the agent's file lies for everybody to read. It is not a secret, and the same for all daemons.
pub(crate) fn agent() -> io::Result<PathBuf> {
    make(Path::new(ROOT), READABLE)?;
    let path = Path::new(ROOT).join("agent");
    make(&path, READABLE)?;
    Ok(path)
}

/// The notify sockets of this daemon; each one belongs to the user of its worker.
pub(crate) fn notify(keeper: u32) -> io::Result<PathBuf> {
    below(keeper, "notify")
}

/// The folders that workers of this daemon write their profiles to; each one belongs to the user of its worker.
pub(crate) fn profiles(keeper: u32) -> io::Result<PathBuf> {
    below(keeper, "profiles")
}

/// Removes what is empty by now; the rest is still in use.
pub(crate) fn tidy(folder: &Path) {
    let daemon = folder.parent().filter(|daemon| daemon.starts_with(ROOT));
    let Some(daemon) = daemon else { return };
    for path in [folder, daemon] {
        let _in_use = std::fs::remove_dir(path);
    }
}

fn below(keeper: u32, name: &str) -> io::Result<PathBuf> {
    make(Path::new(ROOT), READABLE)?;
    let daemon = Path::new(ROOT).join(keeper.to_string());
    make(&daemon, PASSAGE)?;
    let path = daemon.join(name);
    make(&path, PASSAGE)?;
    Ok(path)
}

/// Makes a folder of this mode, whatever the umask, or verifies that it is ours.
fn make(path: &Path, mode: u32) -> io::Result<()> {
    let wanted = Mode::from_raw_mode(mode);
    match mkdir(path, wanted) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(path, errno.into())),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open(path, flags, Mode::empty()).map_err(|errno| failed(path, errno.into()))?;
    let found = fstat(&folder)?;
    if found.st_uid != rustix::process::geteuid().as_raw() {
        let text = "it belongs to somebody else";
        return Err(failed(path, io::Error::other(text)));
    }
    if found.st_mode & 0o7777 != mode {
        fchmod(&folder, wanted)?;
    }
    Ok(())
}

fn failed(path: &Path, error: io::Error) -> io::Error {
    let text = format!(
        "{}, where workers of another user find what they need: {error}",
        path.display()
    );
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_folder_has_its_mode_and_is_never_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        make(&path, 0o711).unwrap();
        make(&path, 0o755).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(make(&link, 0o711).is_err());
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(make(&folder.path().join("file"), 0o711).is_err());
    }

    #[test]
    fn only_our_own_folders_are_tidied() {
        let folder = tempfile::tempdir().unwrap();
        tidy(folder.path());
        assert!(folder.path().exists());
    }
}
