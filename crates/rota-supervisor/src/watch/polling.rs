//! Looking at files again and again, where the kernel cannot tell.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::burst::Burst;
use super::rules::{Root, Rules};
use super::walk::walk;

/// The shortest pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Of all time no more than a twentieth goes into looking.
const SHARE: u32 = 20;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

/// Every file as it was at the last look.
#[derive(Debug)]
pub(super) struct Polling {
    files: BTreeMap<PathBuf, Stamp>,
    next: Instant,
}

impl Polling {
    /// The first look.
    pub(super) fn new(rules: &mut Rules, roots: &[Root]) -> Self {
        let mut polling = Self {
            files: BTreeMap::new(),
            next: Instant::now(),
        };
        polling.files = polling.look(rules, roots);
        polling
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Looks again, if it is time.
    pub(super) fn compare(&mut self, rules: &mut Rules, roots: &[Root], burst: &mut Burst) {
        if Instant::now() < self.next {
            return;
        }
        let before = std::mem::take(&mut self.files);
        self.files = self.look(rules, roots);
        let now = Instant::now();
        for (path, stamp) in &self.files {
            if before.get(path) != Some(stamp) {
                burst.note(path.clone(), now);
            }
        }
        for path in before.into_keys() {
            if !self.files.contains_key(&path) {
                burst.note(path, now);
            }
        }
    }

    fn look(&mut self, rules: &mut Rules, roots: &[Root]) -> BTreeMap<PathBuf, Stamp> {
        let begin = Instant::now();
        let mut files = BTreeMap::new();
        let mut note = |path: PathBuf| {
            if let Ok(file) = path.symlink_metadata() {
                files.insert(path, Stamp::of(&file));
            }
        };
        for root in roots {
            if root.path.is_dir() {
                let enter = |_: &std::path::Path| Ok::<(), Infallible>(());
                let Ok(()) = walk(rules, root, &root.path, enter, &mut note);
            } else {
                note(root.path.clone());
            }
        }
        self.next = Instant::now() + PAUSE.max(begin.elapsed() * SHARE);
        files
    }
}
