//! What the files of a daemon before say, and what is true of it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use rota_keeper::protocol::MARK;
use rota_sys::process::{has_exited, pidfd_open};
use rota_sys::procfs;

use super::Survivor;
use crate::home::Home;
use crate::record::{self, AppsFile, DesiredApp, Identity, Trace, WorkersFile};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Workers that are still there.
    pub(super) survivors: Vec<Survivor>,
    /// Apps of the daemon before.
    pub(super) apps: Vec<DesiredApp>,
    /// Its supervisor and the shadow, if they have not ended.
    pub(super) helpers: Vec<Rc<OwnedFd>>,
    /// What the marks of its processes begin with; `None`: this is the same daemon, with another supervisor.
    pub(super) marks: Vec<String>,
    /// What could not be read.
    pub(super) complaints: Vec<String>,
}

/// Looks at what is in the home. `mark` is that of the keeper that runs.
pub(super) fn find(home: &Home, mark: &str) -> Found {
    let mut found = Found::default();
    let read = |path: &Path| record::read(path).map_err(|error| error.to_string());
    let path = home.workers_file();
    let file = read(&path).and_then(|bytes| match bytes {
        Some(bytes) => WorkersFile::read(&bytes, home.root()),
        None => Ok(None),
    });
    let file = match file {
        Ok(Some(file)) => file,
        Ok(None) => {
            // An orderly end, or another run of the machine.
            found.read_apps(home, mark, false);
            return found;
        }
        Err(why) => {
            found.complain(&path, &why);
            found.read_apps(home, mark, false);
            return found;
        }
    };
    let same = file.mark == mark;
    if !same && file.keeper.lives() {
        // The lock of the home is ours, so somebody has removed its file: what is that daemon's stays its own.
        found.complain(&path, "the keeper that wrote it still lives");
        return found;
    }
    let mut traces = file.survivors;
    if !same {
        traces.extend(file.workers);
        found.helpers = file.helpers.into_iter().filter_map(open).collect();
        found.marks.push(file.mark);
    }
    found.survivors = traces.into_iter().filter_map(survivor).collect();
    let earlier = found.survivors.iter();
    let earlier = earlier.filter_map(|one| one.trace.mark.split(':').next());
    let earlier: Vec<String> = earlier.map(str::to_owned).collect();
    found.marks.extend(earlier.into_iter().filter(|_| !same));
    found.marks.sort_unstable();
    found.marks.dedup();
    found.read_apps(home, mark, true);
    found
}

impl Found {
    /// `ours`: what `workers.json` says is about this home.
    fn read_apps(&mut self, home: &Home, mark: &str, ours: bool) {
        let path = home.apps_file();
        let bytes = record::read(&path).map_err(|error| error.to_string());
        let file = bytes.and_then(|bytes| {
            let read = |bytes: Vec<u8>| AppsFile::read(&bytes, home.root());
            bytes.map(read).transpose()
        });
        match file {
            Ok(Some(file)) if ours || !file.is_nameless() => {
                let same = !mark.is_empty() && file.mark == mark;
                self.apps = file.apps;
                // What this daemon has had and has no more was deleted.
                self.apps.retain(|app| !same || app.pending);
                // One of `rota run` may stand beside a remembered one of its name: it is the one that may have left workers.
                let mut names = std::collections::BTreeSet::new();
                self.apps.sort_by_key(|app| app.pending);
                self.apps.retain(|app| names.insert(app.name().to_owned()));
                self.apps.sort_by(|a, b| a.name().cmp(b.name()));
            }
            Ok(_) => {}
            Err(why) => self.complain(&path, &why),
        }
    }

    fn complain(&mut self, path: &Path, why: &str) {
        self.complaints.push(format!(
            "{} of a daemon before is not used: {why}",
            path.display()
        ));
    }
}

/// The process, if it is still that one.
pub(super) fn open(identity: Identity) -> Option<Rc<OwnedFd>> {
    // First the descriptor, then the look: what it stands for cannot change in between.
    let process = pidfd_open(identity.pid).ok()?;
    identity.lives().then(|| Rc::new(process))
}

/// The worker, if it is still that one: by the time of its start, its user and its mark.
fn survivor(trace: Trace) -> Option<Survivor> {
    let process = open(trace.process)?;
    let pid = trace.process.pid;
    let own = procfs::user(pid).is_ok_and(|uid| uid == trace.uid);
    let marked = is_marked(pid, |mark| mark == trace.mark.as_bytes());
    let there = !has_exited(&process).unwrap_or(true);
    (own && marked && there).then_some(Survivor {
        trace,
        process,
        leaves: false,
    })
}

/// Whether a process has such a mark and is no part of a daemon: one that somebody has started out of a worker has
/// inherited the mark, and nothing else.
pub(super) fn is_marked(pid: u32, is: impl FnOnce(&[u8]) -> bool) -> bool {
    let mark = procfs::environ_value(pid, MARK).ok().flatten();
    mark.is_some_and(|mark| is(&mark)) && !is_daemon(pid)
}

fn is_daemon(pid: u32) -> bool {
    let line = procfs::cmdline(pid).unwrap_or_default();
    let verb = line.get(1).map(Vec::as_slice);
    verb.is_some_and(|verb| verb == b"__keeper" || verb == b"__supervisor")
}
