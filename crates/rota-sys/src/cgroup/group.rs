//! One group.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::process::kill;
use crate::signal::Signal;

/// How far down groups are looked for that somebody has made in one of ours.
const DEPTH_MAX: usize = 32;
/// The most that is read of a file.
const FILE_MAX: u64 = 1024 * 1024;

/// A group, by its directory, which may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// The group of this directory.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// A new group in this one.
    ///
    /// # Errors
    /// What `mkdir` says: there is one of that name, no right to it, a read-only mount (`EROFS`), or a limit of
    /// groups (`EAGAIN`).
    pub fn make(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has a file of this name.
    #[must_use]
    pub fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    /// What one of its files says, without the line end.
    ///
    /// # Errors
    /// As for any file.
    pub fn get(&self, file: &str) -> io::Result<String> {
        let mut text = String::new();
        File::open(self.path.join(file))?
            .take(FILE_MAX)
            .read_to_string(&mut text)?;
        text.truncate(text.trim_end().len());
        Ok(text)
    }

    /// The words of one of its files; none if there is no such file.
    #[must_use]
    pub fn words(&self, file: &str) -> Vec<String> {
        let text = self.get(file).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// A file that is one number; `None` too for `max`.
    #[must_use]
    pub fn number(&self, file: &str) -> Option<u64> {
        self.get(file).ok()?.parse().ok()
    }

    /// A number in a file whose lines are a name and a number.
    #[must_use]
    pub fn count(&self, file: &str, name: &str) -> Option<u64> {
        named(&self.get(file).ok()?, name)
    }

    /// Writes one of its files, in one piece as the kernel wants it.
    ///
    /// # Errors
    /// What the kernel says to the value.
    pub fn set(&self, file: &str, value: &str) -> io::Result<()> {
        self.writable(file)?.write_all(value.as_bytes())
    }

    /// A descriptor through which a process enters the group by writing `0` to it, whoever it is by then.
    ///
    /// # Errors
    /// As for any file.
    pub fn entrance(&self) -> io::Result<OwnedFd> {
        Ok(self.writable("cgroup.procs")?.into())
    }

    fn writable(&self, file: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true);
        options.open(self.path.join(file))
    }

    /// Moves a process into it.
    ///
    /// # Errors
    /// No right to it (`EACCES`), or it cannot have processes because groups in it have controllers (`EBUSY`).
    pub fn admit(&self, process: u32) -> io::Result<()> {
        self.set("cgroup.procs", &process.to_string())
    }

    /// The processes in the group itself, not in those below. Those of an outer PID namespace are left out.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let words = self.words("cgroup.procs").into_iter();
        let pids = words.filter_map(|word| word.parse().ok());
        pids.filter(|pid| *pid != 0).collect()
    }

    /// Whether somebody lives in it or below; no if that cannot be told.
    #[must_use]
    pub fn is_populated(&self) -> bool {
        self.count("cgroup.events", "populated") == Some(1)
    }

    /// What tells when that changes.
    ///
    /// # Errors
    /// As for any file.
    pub fn events(&self) -> io::Result<Events> {
        File::open(self.path.join("cgroup.events")).map(Events)
    }

    /// Kills everybody in it and below, those that are being forked too. Where the kernel cannot do that by itself
    /// (before 5.14), everything is frozen first, so that nobody is born meanwhile.
    ///
    /// # Errors
    /// When the kernel could do it and does not.
    pub fn kill(&self) -> io::Result<()> {
        if self.has("cgroup.kill") {
            return self.set("cgroup.kill", "1");
        }
        // Also from 5.2 on only: without it a second look finds those that were born.
        let frozen = self.has("cgroup.freeze") && self.set("cgroup.freeze", "1").is_ok();
        self.kill_one_by_one(0);
        if frozen {
            self.set("cgroup.freeze", "0")?;
        }
        Ok(())
    }

    fn kill_one_by_one(&self, depth: usize) {
        for process in self.processes() {
            if process != std::process::id() {
                // Gone already, or somebody whom this process may not kill: the group stays populated.
                let _ = kill(process, Signal::KILL);
            }
        }
        if depth < DEPTH_MAX {
            for below in self.below() {
                below.kill_one_by_one(depth + 1);
            }
        }
    }

    /// The groups in it.
    #[must_use]
    pub fn below(&self) -> Vec<Self> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(|entry| Self { path: entry.path() }).collect()
    }

    /// Removes it and all that is below, as far as nobody lives there. True: it is gone.
    pub fn remove(&self) -> bool {
        self.remove_to(DEPTH_MAX)
    }

    fn remove_to(&self, depth: usize) -> bool {
        match fs::remove_dir(&self.path) {
            Ok(()) => return true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
            Err(_) if depth == 0 => return false,
            Err(_) => {}
        }
        let below = self.below();
        !below.is_empty()
            && below.iter().all(|group| group.remove_to(depth - 1))
            && fs::remove_dir(&self.path).is_ok()
    }
}

/// `cgroup.events`, opened. It can be polled for `POLLPRI`, which comes when it has changed since it was last read.
#[derive(Debug)]
pub struct Events(File);

impl Events {
    /// Whether somebody lives in the group or below; no if it is gone.
    #[must_use]
    pub fn is_populated(&self) -> bool {
        let mut bytes = [0; 256];
        let length = self.0.read_at(&mut bytes, 0).unwrap_or(0);
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
        named(&text, "populated") == Some(1)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The number behind a name at the beginning of a line.
fn named(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, number)| number.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake() -> (tempfile::TempDir, Group) {
        let folder = tempfile::tempdir().unwrap();
        let group = Group::at(folder.path());
        (folder, group)
    }

    #[test]
    fn files_are_read() {
        let (_folder, group) = fake();
        assert!(group.words("cgroup.controllers").is_empty());
        assert!(!group.is_populated());
        group.set("cgroup.controllers", "cpu memory\n").unwrap();
        assert_eq!(group.words("cgroup.controllers"), ["cpu", "memory"]);
        group
            .set(
                "memory.events",
                "low 0\noom 3\noom_kill 2\noom_group_kill 1\n",
            )
            .unwrap();
        assert_eq!(group.count("memory.events", "oom_kill"), Some(2));
        assert_eq!(group.count("memory.events", "oom"), Some(3));
        assert_eq!(group.count("memory.events", "max"), None);
        group.set("memory.max", "max\n").unwrap();
        assert_eq!(group.number("memory.max"), None);
        group.set("memory.peak", "4096\n").unwrap();
        assert_eq!(group.number("memory.peak"), Some(4096));
        group.set("cgroup.procs", "0\n12\nx\n13\n").unwrap();
        assert_eq!(group.processes(), [12, 13]);
        group
            .set("cgroup.events", "populated 1\nfrozen 0\n")
            .unwrap();
        let events = group.events().unwrap();
        assert!(group.is_populated() && events.is_populated());
        group
            .set("cgroup.events", "populated 0\nfrozen 0\n")
            .unwrap();
        assert!(!events.is_populated());
    }

    #[test]
    fn what_is_below_is_removed_with_it() {
        let (_folder, group) = fake();
        let one = group.make("one").unwrap();
        one.make("two").unwrap().make("three").unwrap();
        assert!(group.make("one").is_err(), "there is one");
        assert!(one.remove() && !one.path().exists());
        assert!(one.remove(), "it is gone");
        let busy = group.make("busy").unwrap();
        busy.set("somebody", "").unwrap();
        assert!(!busy.remove() && busy.path().exists());
    }
}
