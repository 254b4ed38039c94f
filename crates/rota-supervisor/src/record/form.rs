//! What stands in the files. JSON with the version of its form; a later rota may add fields.

use std::collections::BTreeSet;
use std::path::Path;

use rota_sys::procfs;
use serde::{Deserialize, Serialize};

use crate::apps::Prepared;
use crate::saved::{SavedSlot, known_version};

/// The form that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

/// A process, for as long as the machine runs: its number alone may have become another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its process id.
    pub(crate) pid: u32,
    /// When it was started, in clock ticks.
    pub(crate) start: u64,
}

impl Identity {
    /// That of a process that lives.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let start = procfs::stat(pid).ok()?.start_ticks;
        Some(Self { pid, start })
    }

    /// Whether it lives; a zombie does not.
    pub(crate) fn lives(self) -> bool {
        procfs::stat(self.pid)
            .is_ok_and(|stat| stat.start_ticks == self.start && !matches!(stat.state, 'Z' | 'X'))
    }
}

/// A worker's process, and what is to be done with it if it outlives its daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// Its main process.
    #[serde(flatten)]
    pub(crate) process: Identity,
    /// The mark in its environment.
    pub(crate) mark: String,
    /// The user that it runs as.
    pub(crate) uid: u32,
    /// Its app's name.
    pub(crate) app: String,
    /// Its slot.
    pub(crate) slot: u32,
    /// It is to serve on.
    pub(crate) serves: bool,
    /// Its agent can be asked to finish what it has.
    pub(crate) drains: bool,
    /// Another one may run beside it.
    pub(crate) beside: bool,
    /// Its socket was made so that others can be bound at its address (`reuseport`).
    pub(crate) own_socket: bool,
    /// The number of its stop signal.
    pub(crate) stop_signal: i32,
    /// How long it may finish what it has, in milliseconds.
    pub(crate) drain_ms: u64,
    /// How long it has from the stop signal to SIGKILL, in milliseconds.
    pub(crate) kill_ms: u64,
}

/// `workers.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WorkersFile {
    version: u32,
    /// The run of the machine.
    boot: String,
    /// `ROTA_HOME`: a copied folder speaks of another daemon.
    home: String,
    /// The daemon's keeper.
    pub(crate) keeper: Identity,
    /// What the marks of its children begin with.
    pub(crate) mark: String,
    /// Its supervisor and the shadow.
    pub(crate) helpers: Vec<Identity>,
    /// Its workers.
    pub(crate) workers: Vec<Trace>,
    /// Workers of daemons before it.
    pub(crate) survivors: Vec<Trace>,
}

impl WorkersFile {
    /// What a daemon writes.
    pub(crate) fn new(home: &Path, keeper: Identity, mark: String) -> Self {
        Self {
            version: VERSION,
            boot: procfs::boot_id().unwrap_or_default(),
            home: home.to_string_lossy().into_owned(),
            keeper,
            mark,
            helpers: Vec::new(),
            workers: Vec::new(),
            survivors: Vec::new(),
        }
    }

    /// Reads it; `None`: it is about processes that cannot be there any more, or not this home's.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub(crate) fn read(bytes: &[u8], home: &Path) -> Result<Option<Self>, String> {
        let file: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        known_version(file.version, VERSION)?;
        let here = procfs::boot_id().is_ok_and(|boot| boot == file.boot);
        Ok(Some(file).filter(|file| here && file.home == home.to_string_lossy()))
    }
}

/// An app as it is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DesiredApp<P = Prepared> {
    /// Its specification and what it means here.
    pub(crate) prepared: P,
    /// Unix time of its first start, in milliseconds.
    pub(crate) created_at: u64,
    /// Its slots.
    pub(crate) slots: Vec<SavedSlot>,
    /// It belongs to a daemon before the one that wrote this, and has not been taken over.
    #[serde(default)]
    pub(crate) pending: bool,
    /// Slots that are stopped and ran when a daemon before ended.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) due: BTreeSet<u32>,
    /// It went with the `rota run` that had it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) transient: bool,
}

impl DesiredApp {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.prepared.spec.name.as_str()
    }

    /// As it is written.
    pub(crate) fn as_pending(&self) -> DesiredApp<&Prepared> {
        DesiredApp {
            prepared: &self.prepared,
            created_at: self.created_at,
            slots: self.slots.clone(),
            pending: true,
            due: self.due.clone(),
            transient: self.transient,
        }
    }

    /// Whether any worker of it was to run.
    pub(crate) fn is_wanted(&self) -> bool {
        self.slots.iter().any(|slot| slot.wanted)
    }

    /// The slots that `resurrect` starts.
    pub(crate) fn due_slots(&self) -> BTreeSet<u32> {
        if self.transient {
            return BTreeSet::new();
        }
        let known = |slot: &&SavedSlot| slot.wanted || self.due.contains(&slot.slot);
        let slots = self.slots.iter().filter(known);
        slots.map(|slot| slot.slot).collect()
    }
}

/// `apps.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AppsFile<P = Prepared> {
    version: u32,
    /// `ROTA_HOME`; nothing in files of rota 0.1.
    #[serde(default)]
    home: String,
    /// What the marks of the daemon's children begin with.
    #[serde(default)]
    pub(crate) mark: String,
    pub(crate) apps: Vec<DesiredApp<P>>,
}

impl<'a> AppsFile<&'a Prepared> {
    pub(super) fn new(home: &Path, mark: &str, apps: Vec<DesiredApp<&'a Prepared>>) -> Self {
        Self {
            version: VERSION,
            home: home.to_string_lossy().into_owned(),
            mark: mark.to_owned(),
            apps,
        }
    }
}

impl AppsFile {
    /// Reads it. Unlike processes, what is to run outlives the run of the machine.
    ///
    /// # Errors
    /// What is wrong with it, for the log: also that it is another home's.
    pub(crate) fn read(bytes: &[u8], home: &Path) -> Result<Self, String> {
        let file: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        known_version(file.version, VERSION)?;
        if !file.home.is_empty() && file.home != home.to_string_lossy() {
            return Err(format!("it was written for {}", file.home));
        }
        Ok(file)
    }

    /// It does not say whose it is.
    pub(crate) fn is_nameless(&self) -> bool {
        self.home.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> WorkersFile {
        let me = Identity::of(std::process::id()).unwrap();
        let mut file = WorkersFile::new(Path::new("/h"), me, "0123".to_owned());
        file.workers.push(Trace {
            process: me,
            mark: "0123:1".to_owned(),
            uid: 0,
            app: "api".to_owned(),
            slot: 0,
            serves: true,
            drains: true,
            beside: true,
            own_socket: false,
            stop_signal: 15,
            drain_ms: 1,
            kill_ms: 2,
        });
        file
    }

    #[test]
    fn a_file_is_believed_at_its_place_and_in_this_run_of_the_machine() {
        let read = |file: &WorkersFile, home: &str| {
            let bytes = serde_json::to_vec(file).unwrap();
            WorkersFile::read(&bytes, Path::new(home))
        };
        let read_back = read(&file(), "/h").unwrap().unwrap();
        assert_eq!(read_back.workers, file().workers);
        assert!(read(&file(), "/copy").unwrap().is_none());
        let mut other = file();
        other.boot = "before".to_owned();
        assert!(read(&other, "/h").unwrap().is_none());
        let mut later = file();
        later.version = 2;
        assert!(read(&later, "/h").unwrap_err().contains("form 2"));
        assert!(WorkersFile::read(b"", Path::new("/h")).is_err());
    }

    #[test]
    fn a_number_is_not_a_process() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.lives());
        let start = me.start + 1;
        assert!(!Identity { start, ..me }.lives());
    }

    #[test]
    fn apps_of_other_forms_and_homes_are_refused() {
        let read = |text: &str| AppsFile::read(text.as_bytes(), Path::new("/h"));
        let old = read(r#"{"version":1,"apps":[]}"#).unwrap();
        assert!(old.apps.is_empty() && old.is_nameless());
        let own = read(r#"{"version":1,"home":"/h","mark":"01","apps":[]}"#).unwrap();
        assert!(!own.is_nameless() && own.mark == "01");
        let copied = r#"{"version":1,"home":"/other","apps":[]}"#;
        assert!(read(copied).unwrap_err().contains("/other"));
        assert!(read(r#"{"version":9,"apps":[]}"#).is_err());
        assert!(read("{").is_err());
    }
}
