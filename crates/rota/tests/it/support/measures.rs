//! Descriptors, memory and files of the daemon.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use rota_sys::procfs;

use super::home::Home;
use super::living::living;
use super::wait::{eventually, eventually_maybe};

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Descriptors.
    pub files: usize,
    /// Resident memory, in bytes.
    pub resident: u64,
    /// That part of it which is no file's: heap and stacks, in bytes. Pages of the program come and go with its use.
    pub anonymous: u64,
}

impl Held {
    fn by(pid: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let anonymous = status.lines().find_map(|line| {
            let kib = line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?;
            kib.parse::<u64>().ok()
        })?;
        Some(Self {
            files: procfs::fd_count(pid).ok()?,
            resident: procfs::stat(pid).ok()?.resident,
            anonymous: anonymous * 1024,
        })
    }
}

/// What the daemon holds.
#[derive(Debug, Clone, Copy)]
pub struct Measures {
    pub keeper: Held,
    pub supervisor: Held,
    /// The supervisor's, which has the same table of descriptors.
    pub shadow: Held,
}

impl Measures {
    /// Measures the daemon now, which is not dying.
    pub fn of(home: &Home) -> Self {
        let (keeper, supervisor) = home.daemon_pids();
        eventually("the daemon's three processes", || {
            let shadow = *living(home).shadows.first()?;
            Some(Self {
                keeper: Held::by(keeper)?,
                supervisor: Held::by(supervisor)?,
                shadow: Held::by(shadow)?,
            })
        })
    }

    /// Whether neither keeper nor supervisor has more descriptors than before.
    pub fn within(&self, before: &Self) -> bool {
        self.keeper.files <= before.keeper.files && self.supervisor.files <= before.supervisor.files
    }

    /// Measures the daemon when its descriptors have come down to what they were, or do not.
    pub fn settled(home: &Home, before: Self) -> Self {
        eventually_maybe(|| Some(Self::of(home)).filter(|now| now.within(&before)))
            .unwrap_or_else(|| Self::of(home))
    }
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64| bytes / 1024;
        write!(
            f,
            "keeper {} descriptors, {} KiB; supervisor {} descriptors, {} KiB",
            self.keeper.files,
            kib(self.keeper.resident),
            self.supervisor.files,
            kib(self.supervisor.resident)
        )
    }
}

/// All files below a folder, without log files (their names go by slots).
pub fn files(home: &Home) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = home.rota_home();
    collect(&root, &root, &mut found);
    found
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if !kind.is_dir() {
            let name = path.strip_prefix(root).unwrap();
            found.insert(name.display().to_string());
        } else if path != root.join("logs") {
            collect(root, &path, found);
        }
    }
}
