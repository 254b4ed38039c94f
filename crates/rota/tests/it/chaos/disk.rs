//! A small file system of its own for the log files, that can be full.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Home;

const BALLAST: &str = "ballast";

/// A file system over the folder of the log files; gone when dropped.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts it; none where that is not allowed.
    pub fn mount(home: &Home) -> Option<Self> {
        let folder = home.rota_home().join("logs");
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(true).create(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self { folder })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the daemon still has files open there.
        let done = Command::new("umount").arg("-l").arg(&self.folder).status();
        assert!(done.unwrap().success(), "umount {}", self.folder.display());
    }
}

/// Fills the file system of this folder to its last byte.
pub fn fill(folder: &Path) {
    let mut ballast = File::create(folder.join(BALLAST)).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![0; size];
        while ballast.write_all(&block).is_ok() {}
    }
}

/// Makes room again.
pub fn relieve(folder: &Path) {
    fs::remove_file(folder.join(BALLAST)).ok();
}

/// Removes all log files, as somebody does who has moved them elsewhere.
pub fn take_logs(folder: &Path) {
    for file in fs::read_dir(folder).unwrap().flatten() {
        if file.file_name() != BALLAST {
            fs::remove_file(file.path()).ok();
        }
    }
}
