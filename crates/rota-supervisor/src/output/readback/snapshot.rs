//! The files of some logs as they are at one moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::super::aside::{self, Aside, State};
use super::super::folder::{open_folder, open_in};
use super::super::names::FileKey;
use super::super::{Filter, Stream};

/// A log that an app has somewhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    /// The app's name.
    pub app: Arc<str>,
    /// The worker's place; `None` = several write it.
    pub slot: Option<u32>,
    /// Which output; `None` = both are in it.
    pub stream: Option<Stream>,
    /// The file.
    pub path: PathBuf,
    /// Other files that have all of its lines: it is read back when none of them is there. Empty: nobody else has them.
    pub besides: Vec<PathBuf>,
}

/// Which logs are meant.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// Of whom.
    pub filter: Filter,
    /// Those that are not in the folder of the logs.
    pub custom: Vec<Custom>,
}

/// One log with all that was put aside of it.
#[derive(Debug)]
pub(super) struct Chain {
    pub app: Arc<str>,
    pub slot: Option<u32>,
    pub stream: Option<Stream>,
    pub path: PathBuf,
    /// Oldest first.
    pub aside: Vec<Aside>,
    /// The one that is being written, and how much of it counts.
    pub active: Option<(File, u64)>,
    pub filter: Arc<Filter>,
    /// Where the times are.
    pub dir: PathBuf,
}

/// The logs as they are at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) chains: Vec<Chain>,
}

impl Logs {
    /// What there is, by app, slot and stream; each file once.
    fn all(&self, dir: &Path) -> Vec<Custom> {
        let mut keys: Vec<FileKey> = Vec::new();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            // A log may have nothing but what was put aside of it.
            let log = match name.find(".log.") {
                Some(at) => &name[..at + 4],
                None => name,
            };
            if log.len() < name.len() && Aside::parse(log, name).is_none() {
                continue;
            }
            keys.extend(FileKey::parse(log));
        }
        keys.sort_unstable();
        keys.dedup();
        let own = keys.into_iter().map(|key| Custom {
            path: key.path(dir),
            app: key.app,
            slot: key.slot,
            stream: Some(key.stream),
            besides: Vec::new(),
        });
        let mut all: Vec<Custom> = Vec::new();
        let mut places = HashMap::new();
        for log in own.chain(self.custom.iter().cloned()) {
            if !self.filter.may_want(&log.app, log.slot, None) {
                continue;
            }
            match places.entry(log.path.clone()) {
                Entry::Vacant(place) => {
                    place.insert(all.len());
                    all.push(log);
                }
                Entry::Occupied(place) => all[*place.get()].join(log),
            }
        }
        all.retain(|log| self.filter.may_want(&log.app, log.slot, log.stream));
        all
    }

    /// The files, without what was put aside.
    pub(in super::super) fn paths(&self, dir: &Path) -> Vec<Arc<Path>> {
        let all = self.all(dir).into_iter();
        all.map(|log| log.path.into()).collect()
    }
}

impl Custom {
    /// Somebody else writes the same file.
    fn join(&mut self, other: Self) {
        if self.slot != other.slot {
            self.slot = None;
        }
        if self.stream != other.stream {
            self.stream = None;
        }
        match self.besides.is_empty() || other.besides.is_empty() {
            true => self.besides.clear(),
            false => self.besides.extend(other.besides),
        }
    }

    /// Its lines are in no other file.
    fn is_needed(&self) -> bool {
        let is_there = |path: &PathBuf| path.exists() || !aside::list(path).is_empty();
        !self.besides.iter().any(is_there)
    }
}

impl Snapshot {
    /// Takes it. Files that cannot be read are left out, and those that would say again what others say.
    pub(in super::super) fn take(dir: &Path, logs: &Logs) -> Self {
        if open_folder(dir).is_err() && logs.custom.is_empty() {
            return Self::default();
        }
        let filter = Arc::new(logs.filter.clone());
        let chain = |log: Custom| {
            let mut aside = aside::list(&log.path);
            aside.retain(|file| file.state != State::Part);
            // Compressed this moment, and there in both forms.
            aside.dedup_by(|second, first| second.stamp == first.stamp);
            Chain {
                active: open(&log.path),
                app: log.app,
                slot: log.slot,
                stream: log.stream,
                path: log.path,
                aside,
                filter: Arc::clone(&filter),
                dir: dir.to_owned(),
            }
        };
        let all = logs.all(dir).into_iter();
        Self {
            chains: all.filter(Custom::is_needed).map(chain).collect(),
        }
    }
}

fn open(path: &Path) -> Option<(File, u64)> {
    let (folder, name) = aside::split(path);
    let file = open_in(&open_folder(&folder).ok()?, &name, OFlags::RDONLY).ok()?;
    let length = file.metadata().ok()?.len();
    Some((file, length))
}
