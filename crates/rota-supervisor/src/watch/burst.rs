//! Changes that come together are one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Who never stops writing is not waited for longer than this, beyond the delay.
const LONGEST: Duration = Duration::from_secs(10);

/// Changes since the last report.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// In the order in which they came, each once.
    changed: Vec<PathBuf>,
    /// The same: there may be very many.
    known: HashSet<PathBuf>,
    /// Files that were not there before.
    made: HashSet<PathBuf>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Burst {
    /// Something has changed.
    pub(super) fn note(&mut self, path: PathBuf, now: Instant) {
        if self.known.insert(path.clone()) {
            self.changed.push(path);
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Something is new.
    pub(super) fn note_new(&mut self, path: PathBuf, now: Instant) {
        if !self.known.contains(&path) {
            self.made.insert(path.clone());
        }
        self.note(path, now);
    }

    /// Something has gone. What had come only just before is as if it had never been: an editor's spare copy.
    pub(super) fn note_gone(&mut self, path: PathBuf, now: Instant) {
        if self.made.remove(&path) {
            self.known.remove(&path);
            self.changed.retain(|other| *other != path);
            if self.changed.is_empty() {
                *self = Self::default();
            }
            return;
        }
        self.note(path, now);
    }

    /// When it is over, if nothing more comes.
    pub(super) fn due(&self, delay: Duration) -> Option<Instant> {
        Some((self.last? + delay).min(self.first? + LONGEST + delay))
    }

    /// A file to name, and how many more there are; begins anew.
    pub(super) fn take(&mut self) -> Option<(PathBuf, usize)> {
        let burst = std::mem::take(self);
        let there = |path: &&PathBuf| Path::exists(path);
        let named = burst.changed.iter().find(there);
        let named = named.or_else(|| burst.changed.first())?;
        Some((named.clone(), burst.changed.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(200);

    #[test]
    fn every_change_puts_it_off_but_not_for_ever() {
        let (mut burst, begin) = (Burst::default(), Instant::now());
        assert_eq!(burst.due(DELAY), None);
        let mut now = begin;
        for _ in 0..1000 {
            burst.note("/a".into(), now);
            now += Duration::from_millis(100);
        }
        assert_eq!(burst.due(DELAY), Some(begin + LONGEST + DELAY));
        assert_eq!(burst.take(), Some(("/a".into(), 0)));
        burst.note("/a".into(), now);
        assert_eq!(burst.due(DELAY), Some(now + DELAY));
    }

    #[test]
    fn what_comes_and_goes_is_no_change() {
        let (mut burst, now) = (Burst::default(), Instant::now());
        burst.note_new("/tmp1".into(), now);
        burst.note_gone("/tmp1".into(), now);
        assert_eq!((burst.due(DELAY), burst.take()), (None, None));
        burst.note_new("/tmp1".into(), now);
        burst.note_gone("/tmp1".into(), now);
        burst.note("/a.js".into(), now);
        burst.note_gone("/b.js".into(), now);
        assert_eq!(burst.take(), Some(("/a.js".into(), 1)));
    }
}
