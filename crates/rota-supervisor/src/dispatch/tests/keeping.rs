//! What the keeper would have, and a way to stop the dispatcher just before or behind a word to it: as if it had
//! died there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::dispatch::{Keep, Restored};

/// An entry's content and descriptors.
type Entry = (Vec<u8>, Vec<OwnedFd>);

/// Where the dispatcher is to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The entry has not got out.
    Before,
    /// It has, and nothing after it.
    Behind,
}

#[derive(Default)]
struct Notes {
    entries: BTreeMap<String, Entry>,
    /// When an entry of that key is put, its content holds that text.
    trap: Option<(Moment, &'static str, Sender<()>)>,
    holding: bool,
}

/// The keeper's notes.
#[derive(Clone, Default)]
pub struct Notebook(Arc<Mutex<Notes>>);

pub fn copy(fd: impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

impl Notebook {
    /// How many entries have a key that begins so.
    pub fn count(&self, prefix: &str) -> usize {
        let notes = self.0.lock().unwrap();
        let keys = notes.entries.keys();
        keys.filter(|key| key.starts_with(prefix)).count()
    }

    /// The dispatcher is held where it keeps something that contains that text; the receiver tells when.
    pub fn hold(&self, moment: Moment, text: &'static str) -> Held {
        let (sender, receiver) = mpsc::channel();
        self.0.lock().unwrap().trap = Some((moment, text, sender));
        Held(receiver)
    }

    pub fn is_holding(&self) -> bool {
        self.0.lock().unwrap().holding
    }

    /// Everything is lost.
    pub fn clear(&self) {
        self.0.lock().unwrap().entries.clear();
    }

    /// What is handed back, without the workers.
    pub fn restored(&self) -> Restored {
        let mut restored = Restored::default();
        for (key, (blob, fds)) in &self.0.lock().unwrap().entries {
            match key.split_once('/').unwrap() {
                ("primary", app) => restored.apps.push((app.parse().unwrap(), blob.clone())),
                _ => restored
                    .listeners
                    .push((key.clone(), blob.clone(), copy(&fds[0]))),
            }
        }
        restored
    }

    fn put_now(&self, key: &str, entry: Entry) {
        let mut notes = self.0.lock().unwrap();
        notes.entries.insert(key.to_owned(), entry);
    }

    /// Stops the thread for good if it is to be held here.
    fn pass(&self, moment: Moment, blob: &[u8]) {
        let mut notes = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(blob);
        let here =
            |trap: &mut (Moment, &str, Sender<()>)| trap.0 == moment && text.contains(trap.1);
        if let Some((_, _, held)) = notes.trap.take_if(here) {
            notes.holding = true;
            drop(notes);
            held.send(()).unwrap();
            loop {
                std::thread::park();
            }
        }
    }
}

impl From<&Restored> for Notebook {
    fn from(restored: &Restored) -> Self {
        let notes = Self::default();
        for (app, blob) in &restored.apps {
            notes.put_now(&format!("primary/{app}"), (blob.clone(), Vec::new()));
        }
        for (key, blob, fd) in &restored.listeners {
            notes.put_now(key, (blob.clone(), vec![copy(fd)]));
        }
        notes
    }
}

impl Keep for Notebook {
    fn put(&mut self, key: &str, blob: Vec<u8>, fds: Option<Vec<OwnedFd>>) {
        self.pass(Moment::Before, &blob);
        self.put_now(key, (blob.clone(), fds.unwrap_or_default()));
        self.pass(Moment::Behind, &blob);
    }

    fn drop_entry(&mut self, key: &str) {
        self.0.lock().unwrap().entries.remove(key);
    }
}

/// Tells when the dispatcher is held.
pub struct Held(Receiver<()>);

impl Held {
    pub fn wait(&self) {
        self.0.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
