//! Apps whose files are watched.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_config::{AppSpec, WatchSpec};
use rota_engine::AppId;
use tokio::sync::mpsc;

use crate::supervisor::Supervisor;
use crate::watch::{self, Handle, Order, Report};

/// So often in a row the same file, each time so soon: it is probably the app that writes it.
const STREAK: u32 = 5;
const SOON: Duration = Duration::from_secs(15);

/// The same file, again and again.
#[derive(Debug)]
struct Streak {
    path: PathBuf,
    count: u32,
    last: Instant,
}

impl Streak {
    /// True once, when it is long enough to be told of.
    fn note(&mut self, path: &Path, now: Instant) -> bool {
        let goes_on = self.path == path && now.duration_since(self.last) < SOON;
        self.count = if goes_on { self.count + 1 } else { 1 };
        self.path = path.to_owned();
        self.last = now;
        self.count == STREAK
    }
}

/// An app that is watched.
#[derive(Debug)]
pub(super) struct Watching {
    spec: WatchSpec,
    cwd: PathBuf,
    /// The files that rota itself writes for it.
    logs: Vec<PathBuf>,
    /// Tells one watcher from the next.
    number: u64,
    pub(super) folders: Option<u64>,
    pub(super) trouble: Option<String>,
    streak: Streak,
    /// `None`: it could not be begun.
    _handle: Option<Handle>,
}

impl Watching {
    /// What is watched of an app.
    pub(super) fn roots(spec: &AppSpec) -> Vec<PathBuf> {
        let paths = spec.watch.iter().flat_map(|watch| &watch.paths);
        let roots: Vec<PathBuf> = paths
            .map(|path| spec.cwd.join(path).components().collect())
            .collect();
        match roots.is_empty() {
            true => vec![spec.cwd.clone()],
            false => roots,
        }
    }
}

impl Supervisor {
    /// Watches an app's files, or does so no more.
    pub(super) fn tend_watching(self: &Rc<Self>, app: AppId, spec: Option<&AppSpec>) {
        let wanted = spec.and_then(|spec| Some((spec, spec.watch.as_ref()?)));
        let begin = self.with(|state| {
            let renewals = &mut state.renewals;
            let same = renewals.watching.get(&app).map(|kept| {
                wanted.is_some_and(|(spec, watch)| {
                    kept.spec == *watch && kept.cwd == spec.cwd && kept.logs == logs(spec)
                })
            });
            if same == Some(false) {
                renewals.watching.remove(&app);
            }
            renewals.number += 1;
            (same != Some(true)).then_some(renewals.number)
        });
        if let (Some(number), Some((spec, watch))) = (begin, wanted) {
            self.watch_files(app, number, spec, watch);
        }
    }

    fn watch_files(self: &Rc<Self>, app: AppId, number: u64, spec: &AppSpec, watch: &WatchSpec) {
        let logs = logs(spec);
        let home = self.home.root().to_owned();
        let own = logs.iter().cloned().chain([home]).collect();
        let order = Order {
            roots: Watching::roots(spec),
            base: spec.cwd.clone(),
            ignore: watch.ignore.clone(),
            own,
            delay: watch.delay.duration(),
            limit: usize::MAX,
        };
        let (sender, mut reports) = mpsc::unbounded_channel();
        let started = watch::start(order, move |report| {
            // Fails when the supervisor ends.
            let _ = sender.send(report);
        });
        let (handle, trouble) = match started {
            Ok(handle) => (Some(handle), None),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some(trouble) = &trouble {
            let name = &spec.name;
            self.say(&format!("{name}: its files are not watched: {trouble}"));
        }
        let kept = Watching {
            spec: watch.clone(),
            cwd: spec.cwd.clone(),
            logs,
            number,
            folders: None,
            trouble,
            streak: Streak {
                path: PathBuf::new(),
                count: 0,
                last: Instant::now(),
            },
            _handle: handle,
        };
        self.with(|state| state.renewals.watching.insert(app, kept));
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while let Some(report) = reports.recv().await {
                this.watcher_reports(app, number, report);
            }
        });
    }

    fn watcher_reports(self: &Rc<Self>, app: AppId, number: u64, report: Report) {
        let found = self.with(|state| {
            let name = state.app_name(app);
            let kept = state.renewals.watching.get_mut(&app)?;
            if kept.number != number {
                return None;
            }
            let mut again = false;
            match &report {
                Report::Watching { folders } => kept.folders = u64::try_from(*folders).ok(),
                Report::Polling { why } => {
                    kept.folders = None;
                    kept.trouble = Some(why.clone());
                }
                Report::Changed { path, .. } => again = kept.streak.note(path, Instant::now()),
            }
            Some((name, kept.cwd.clone(), kept.spec.action, again))
        });
        let Some((name, cwd, action, again)) = found else {
            return;
        };
        match report {
            Report::Watching { .. } => {}
            Report::Polling { why } => self.say(&format!(
                "{name}: its files are looked at every second or less often: {why}"
            )),
            Report::Changed { path, more } => {
                let path = match path.strip_prefix(&cwd) {
                    Ok(inside) if inside.as_os_str().is_empty() => &cwd,
                    Ok(inside) => inside,
                    Err(_) => &path,
                };
                let path = path.display().to_string().escape_debug().to_string();
                if again {
                    self.say(&format!(
                        "{name}: {path} changes after every start: if it is the app that writes it, `--ignore-watch` leaves it out"
                    ));
                }
                let why = match more {
                    0 => format!("{path} has changed"),
                    1 => format!("{path} and one more file have changed"),
                    more => format!("{path} and {more} more files have changed"),
                };
                self.renew(app, action, &why);
            }
        }
    }
}

/// The log files that have a place of their own.
fn logs(spec: &AppSpec) -> Vec<PathBuf> {
    let logs = [&spec.logs.out, &spec.logs.err, &spec.logs.joined];
    let place = |path: &PathBuf| spec.cwd.join(path).components().collect();
    logs.into_iter().flatten().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_again_and_again_is_told_of_once() {
        let begin = Instant::now();
        let mut streak = Streak {
            path: PathBuf::new(),
            count: 0,
            last: begin,
        };
        let mut told = |path: &str, seconds| {
            streak.note(Path::new(path), begin + Duration::from_secs(seconds))
        };
        let often: Vec<bool> = (0..7).map(|n| told("/a", n)).collect();
        assert_eq!(often.iter().filter(|told| **told).count(), 1);
        assert!(often[4]);
        assert!((0..4).all(|n| !told("/a", 100 + n * 20)), "not so soon");
        assert!(!told("/b", 200) && !told("/a", 201));
    }
    #[test]
    fn own_log_files_are_known_by_their_whole_paths() {
        let name = rota_config::AppName::new("a").unwrap();
        let mut spec = AppSpec::new(name, "a.js", "/srv");
        spec.logs.out = Some("./logs/out.log".into());
        spec.logs.joined = Some("/var/log/all.log".into());
        let paths = ["/srv/logs/out.log", "/var/log/all.log"].map(PathBuf::from);
        assert_eq!(logs(&spec), paths);
    }
}
