//! Descriptors, memory and files of the daemon.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use rota_sys::procfs;

use crate::support::{Home, eventually_maybe};

/// What the daemon holds.
#[derive(Debug, Clone, Copy)]
pub struct Measures {
    /// Descriptors of the keeper and of the supervisor.
    pub files: (usize, usize),
    /// Resident memory of the keeper and of the supervisor, in bytes.
    pub resident: (u64, u64),
}

impl Measures {
    /// Measures the daemon now.
    pub fn of(home: &Home) -> Self {
        let (keeper, supervisor) = home.daemon_pids();
        let files = |pid| procfs::fd_count(pid).unwrap();
        let resident = |pid| procfs::stat(pid).unwrap().resident;
        Self {
            files: (files(keeper), files(supervisor)),
            resident: (resident(keeper), resident(supervisor)),
        }
    }

    /// Measures the daemon when its descriptors have come down to what they were, or do not.
    pub fn settled(home: &Home, before: Self) -> Self {
        eventually_maybe(|| {
            let now = Self::of(home);
            (now.files.0 <= before.files.0 && now.files.1 <= before.files.1).then_some(now)
        })
        .unwrap_or_else(|| Self::of(home))
    }
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64| bytes / 1024;
        write!(
            f,
            "keeper {} descriptors, {} KiB; supervisor {} descriptors, {} KiB",
            self.files.0,
            kib(self.resident.0),
            self.files.1,
            kib(self.resident.1)
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
