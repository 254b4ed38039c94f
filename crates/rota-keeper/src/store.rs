//! What the keeper keeps for supervisors to come: blobs and descriptors by key.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::notify::Shared;
use crate::protocol::{HELD_BYTES_MAX, KEY_MAX};

/// The most entries.
const ENTRIES_MAX: usize = 65_536;
/// The largest blob, in bytes. Well below the largest message, so that every entry can be handed back.
pub(crate) const BLOB_MAX: usize = 8 * 1024 * 1024;
/// All blobs together, in bytes; one transaction can replace them all.
const BLOBS_MAX: usize = HELD_BYTES_MAX;

/// A kept entry. The descriptors are shared with messages that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub blob: Vec<u8>,
    pub fds: Rc<Vec<OwnedFd>>,
    /// The descriptors are to lie with the manager of the service as well.
    pub shared: bool,
}

/// All entries, bounded.
#[derive(Debug, Default)]
pub(crate) struct Store {
    entries: BTreeMap<String, Entry>,
    blob_bytes: usize,
}

impl Store {
    /// Keeps an entry in place of the one of before; without `fds` that one's are kept. The error says which
    /// limit is in the way, and nothing has changed.
    pub(crate) fn put(
        &mut self,
        key: String,
        blob: Vec<u8>,
        fds: Option<Vec<OwnedFd>>,
    ) -> Result<(), &'static str> {
        let before = self.entries.get(&key);
        let before_bytes = before.map_or(0, |entry| entry.blob.len());
        if key.is_empty() || key.len() > KEY_MAX {
            return Err("the key is empty or too long");
        }
        if before.is_none() && self.entries.len() >= ENTRIES_MAX {
            return Err("too many entries");
        }
        let bytes = self.blob_bytes - before_bytes + blob.len();
        if blob.len() > BLOB_MAX || bytes > BLOBS_MAX {
            return Err("too many bytes");
        }
        self.blob_bytes = bytes;
        let entry = self.entries.entry(key).or_default();
        entry.blob = blob;
        if let Some(fds) = fds {
            entry.fds = Rc::new(fds);
        }
        Ok(())
    }

    /// Forgets an entry, if there is one; true if it was shared.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        self.blob_bytes -= entry.blob.len();
        entry.shared
    }

    /// What the entry holds, now and later, is shared; false: there is none.
    pub(crate) fn share(&mut self, key: &str) -> bool {
        let entry = self.entries.get_mut(key);
        entry.map(|entry| entry.shared = true).is_some()
    }

    pub(crate) fn is_shared(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.shared)
    }

    /// All descriptors that are shared, by the numbers of their files: entries may hold copies of the same one.
    pub(crate) fn shared(&self) -> BTreeMap<u64, Shared> {
        let entries = self.entries.values().filter(|entry| entry.shared);
        let fds = entries.flat_map(|entry| {
            let fds = entry.fds.iter().enumerate();
            fds.map(move |(place, fd)| {
                Some((rota_sys::net::number(fd)?, Shared::new(&entry.fds, place)))
            })
        });
        fds.flatten().collect()
    }

    /// All entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn blobs_are_replaced_and_descriptors_kept() {
        let mut store = Store::default();
        store
            .put("a".into(), vec![1], Some(vec![null(), null()]))
            .unwrap();
        store.put("a".into(), vec![2, 3], None).unwrap();
        store.put("b".into(), vec![], None).unwrap();
        let all: Vec<_> = store
            .iter()
            .map(|(key, entry)| (key.as_str(), entry.blob.len(), entry.fds.len()))
            .collect();
        assert_eq!(all, [("a", 2, 2), ("b", 0, 0)]);
        store.put("a".into(), vec![], Some(vec![])).unwrap();
        store.remove("b");
        store.remove("never there");
        assert_eq!(store.iter().count(), 1);
        assert_eq!(store.blob_bytes, 0);
    }

    #[test]
    fn an_entry_stays_shared_whatever_it_holds() {
        let mut store = Store::default();
        assert!(!store.share("a"), "there is none");
        let (one, two) = (null(), null());
        let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
        store
            .put("a".into(), vec![], Some(vec![copy(&one)]))
            .unwrap();
        store.put("b".into(), vec![], Some(vec![two])).unwrap();
        assert!(store.shared().is_empty());
        assert!(store.share("a") && store.is_shared("a"));
        let numbers = |store: &Store| store.shared().into_keys().collect::<Vec<_>>();
        assert_eq!(numbers(&store), [rota_sys::net::number(&one).unwrap()]);
        store
            .put("a".into(), vec![], Some(vec![copy(&one), copy(&one)]))
            .unwrap();
        store.put("a".into(), vec![1], None).unwrap();
        assert_eq!(numbers(&store).len(), 1, "copies of one");
        store.put("a".into(), vec![], Some(vec![])).unwrap();
        assert!(numbers(&store).is_empty());
        assert!(store.remove("a") && !store.remove("b") && !store.remove("a"));
    }

    #[test]
    fn limits_refuse_and_change_nothing() {
        let mut store = Store::default();
        store.put("a".into(), vec![7], Some(vec![null()])).unwrap();
        assert!(store.put("a".into(), vec![0; BLOB_MAX + 1], None).is_err());
        assert!(store.put(String::new(), vec![], None).is_err());
        assert!(store.put("k".repeat(KEY_MAX + 1), vec![], None).is_err());
        for n in 0..BLOBS_MAX / BLOB_MAX - 1 {
            store
                .put(format!("big{n}"), vec![0; BLOB_MAX], None)
                .unwrap();
        }
        assert!(
            store
                .put("one too many".into(), vec![0; BLOB_MAX], None)
                .is_err()
        );
        let (_, entry) = store.iter().next().unwrap();
        assert_eq!(
            (entry.blob.as_slice(), entry.fds.len()),
            ([7].as_slice(), 1)
        );
    }
}
