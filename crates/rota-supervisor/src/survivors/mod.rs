//! Workers that have outlived their daemon: its keeper was killed, and they were told to serve on, or hang.
//!
//! At a daemon's start its predecessor's files (see [`crate::record`]) say which processes there were. Of those that are
//! still what they were, some are ended before anything is started: those that should have ended by themselves, and
//! those beside which no other can run. The others serve until the apps that this daemon makes of the files have
//! workers of their own that do, which listen on copies of the very same sockets; then they are asked to finish, and
//! leave. Until the last of them has gone they stand in this daemon's files as well.
//!
//! - `find`: what the files say, and what is true of it;
//! - `sockets`: copies of what they listen on;
//! - `leave`: the end of such a process, and of all that it has started;
//! - `meet`: what is done with them at the start;
//! - `adopt`: apps made of the files;
//! - `tend`: when they go.

mod adopt;
mod find;
mod leave;
mod meet;
mod sockets;
mod tend;

pub(crate) use sockets::{is_at, is_reachable};

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use rota_api::SurvivorView;
use rota_config::{AppSpec, Instances};

use crate::apps::Prepared;
use crate::home::Home;
use crate::record::{DesiredApp, Trace};

/// One that serves on, or is on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Survivor {
    trace: Trace,
    /// The process, whatever becomes of its number.
    process: Rc<OwnedFd>,
    /// It has been asked to go.
    leaves: bool,
}

/// What a daemon that was killed has left behind, for who starts the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// The apps that it had, with as many instances as they had last, and whether any was to run.
    pub apps: Vec<(AppSpec, bool)>,
    /// Those of its workers that are still there.
    pub workers: Vec<SurvivorView>,
}

impl LeftBehind {
    /// Looks at what is in a home that has no daemon. Changes nothing.
    #[must_use]
    pub fn in_home(home: &Path) -> Self {
        // No keeper has this mark.
        let found = find::find(&Home::new(home.to_owned()), "");
        let apps = found.apps.into_iter().map(|app| {
            let wanted = !app.due_slots().is_empty();
            let mut spec = app.prepared.spec;
            if let Ok(count @ 1..) = u32::try_from(app.slots.len()) {
                spec.instances = Instances::Count(count);
            }
            (spec, wanted)
        });
        Self {
            apps: apps.collect(),
            workers: found.survivors.iter().map(Survivor::view).collect(),
        }
    }
}

impl Survivor {
    fn view(&self) -> SurvivorView {
        SurvivorView {
            app: self.trace.app.clone(),
            slot: self.trace.slot,
            pid: self.trace.process.pid,
            leaving: self.leaves,
        }
    }

    fn lives(&self) -> bool {
        !rota_sys::process::has_exited(&self.process).unwrap_or(false)
    }
}

/// All that a daemon before has left behind.
#[derive(Debug, Default)]
pub(crate) struct Survivors {
    list: Vec<Survivor>,
    /// Apps that have not been taken over.
    pending: Vec<DesiredApp>,
    /// Copies of the sockets that they listen on, by the apps' names, until the app is there.
    sockets: BTreeMap<String, Vec<OwnedFd>>,
    /// Apps whose sockets could not be had, and which bind others beside them.
    beside: BTreeSet<String>,
    /// Apps whose survivors had to end before anything was started.
    interrupted: BTreeSet<String>,
    /// Apps that have been deleted since.
    dropped: BTreeSet<String>,
    /// The daemon ends when they have gone.
    awaited: bool,
    /// They are killed instead of asked.
    at_once: bool,
}

impl Survivors {
    /// For the files.
    pub(crate) fn traces(&self) -> Vec<Trace> {
        self.list.iter().map(|one| one.trace.clone()).collect()
    }

    /// Apps that have not been taken over, for the files.
    pub(crate) fn pending(&self) -> impl Iterator<Item = DesiredApp<&Prepared>> {
        self.pending.iter().map(DesiredApp::as_pending)
    }

    /// For people.
    pub(crate) fn views(&self) -> Vec<SurvivorView> {
        let alive = self.list.iter().filter(|one| one.lives());
        alive.map(Survivor::view).collect()
    }

    /// Takes out what is remembered under these names.
    pub(crate) fn put_by(&mut self, names: &BTreeSet<String>) -> Vec<DesiredApp> {
        let is = |app: &mut DesiredApp| names.contains(app.name());
        self.pending.extract_if(.., is).collect()
    }

    /// Whether they listen on the socket of this number.
    pub(crate) fn have(&self, number: u64) -> bool {
        let mut sockets = self.sockets.values().flatten();
        sockets.any(|fd| rota_sys::net::number(fd) == Some(number))
    }

    /// The app has been deleted.
    pub(crate) fn drop_app(&mut self, name: &str) {
        if self.of(name).next().is_some() {
            self.dropped.insert(name.to_owned());
        }
    }

    fn of<'a>(&'a self, app: &'a str) -> impl Iterator<Item = &'a Survivor> {
        self.list.iter().filter(move |one| one.trace.app == app)
    }
}
