//! The thread that watches for one app.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::burst::Burst;
use super::polling::Polling;
use super::rules::{Root, Rules, RulesError};
use super::tree::Tree;

/// How often a root that is not there is looked for.
const ROOTS: Duration = Duration::from_secs(1);

/// What is to be watched.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Files and folders, absolute.
    pub(crate) roots: Vec<PathBuf>,
    /// What patterns are relative to.
    pub(crate) base: PathBuf,
    /// The user's patterns.
    pub(crate) ignore: Vec<String>,
    /// Files and folders that rota itself writes.
    pub(crate) own: Vec<PathBuf>,
    /// So long nothing must have changed.
    pub(crate) delay: Duration,
    /// The most folders to watch by inotify; the kernel has its own limit.
    pub(crate) limit: usize,
}

/// What a watcher tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// It watches.
    Watching {
        /// So many folders.
        folders: usize,
    },
    /// The kernel has no room: it looks by itself.
    Polling {
        /// What to do about that.
        why: String,
    },
    /// Something has changed, and nothing more since the delay.
    Changed {
        /// A file that has.
        path: PathBuf,
        /// How many more there are.
        more: usize,
    },
}

/// A watcher; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Handle {
    _alive: OwnedFd,
}

/// Starts a watcher.
///
/// # Errors
/// A pattern that cannot be used, or no room for a thread.
pub(crate) fn start(
    order: Order,
    report: impl FnMut(Report) + Send + 'static,
) -> Result<Handle, StartError> {
    let rules = Rules::new(&order.base, &order.ignore, order.own.clone())?;
    let (ended, alive) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    std::thread::Builder::new()
        .name("watch".to_owned())
        .stack_size(256 * 1024)
        .spawn(move || {
            Watcher {
                rules,
                burst: Burst::default(),
                delay: order.delay,
                report,
            }
            .run(&ended, order.roots, order.limit);
        })?;
    Ok(Handle { _alive: alive })
}

/// Why nothing is watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

struct Watcher<F> {
    rules: Rules,
    burst: Burst,
    delay: Duration,
    report: F,
}

/// How changes are noticed.
enum Eyes {
    Tree(Tree),
    Polling(Polling),
}

impl<F: FnMut(Report)> Watcher<F> {
    fn run(mut self, ended: &OwnedFd, roots: Vec<PathBuf>, limit: usize) {
        let roots: Vec<Root> = roots
            .into_iter()
            .map(|path| self.rules.root(path))
            .collect();
        let mut eyes = match Tree::new(&mut self.rules, &roots, limit) {
            Ok(tree) => {
                let folders = tree.folders();
                (self.report)(Report::Watching { folders });
                Eyes::Tree(tree)
            }
            Err(error) => self.poll_instead(&roots, error),
        };
        loop {
            let wake = match &eyes {
                Eyes::Tree(tree) if tree.is_restless() => Some(Instant::now() + ROOTS),
                Eyes::Tree(_) => None,
                Eyes::Polling(polling) => Some(polling.next()),
            };
            let due = self.burst.due(self.delay);
            if wait(ended, &eyes, [wake, due].into_iter().flatten().min()) {
                return;
            }
            let seen = match &mut eyes {
                Eyes::Tree(tree) => tree.read(&mut self.rules, &mut self.burst),
                Eyes::Polling(polling) => {
                    polling.compare(&mut self.rules, &roots, &mut self.burst);
                    Ok(())
                }
            };
            if let Err(error) = seen {
                eyes = self.poll_instead(&roots, error);
            }
            if self
                .burst
                .due(self.delay)
                .is_some_and(|due| due <= Instant::now())
                && let Some((path, more)) = self.burst.take()
            {
                (self.report)(Report::Changed { path, more });
            }
        }
    }

    fn poll_instead(&mut self, roots: &[Root], error: Errno) -> Eyes {
        // Looked at before it is told: whoever hears of it may count on every change from then on.
        let polling = Polling::new(&mut self.rules, roots);
        (self.report)(Report::Polling { why: advice(error) });
        Eyes::Polling(polling)
    }
}

/// Waits for events, or for a time; true when the watcher is to end.
fn wait(ended: &OwnedFd, eyes: &Eyes, until: Option<Instant>) -> bool {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    // Rounded up by the kernel: an early end would only be another turn.
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let mut fds = vec![PollFd::new(ended, PollFlags::IN)];
    if let Eyes::Tree(tree) = eyes {
        fds.push(PollFd::from_borrowed_fd(tree.as_fd(), PollFlags::IN));
    }
    match poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => return true,
    }
    fds.first().is_some_and(|fd| !fd.revents().is_empty())
}

fn advice(error: Errno) -> String {
    let limit = |name: &str| {
        let path = format!("/proc/sys/fs/inotify/{name}");
        let value = std::fs::read_to_string(path).unwrap_or_default();
        format!(
            "fs.inotify.{name} is {}: raise it (`sysctl fs.inotify.{name}=…`), or watch fewer folders",
            value.trim()
        )
    };
    match error {
        Errno::NOSPC => limit("max_user_watches"),
        Errno::MFILE => limit("max_user_instances"),
        other => format!("inotify: {}", io::Error::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    struct Rig {
        folder: tempfile::TempDir,
        reports: Receiver<Report>,
        _handle: Handle,
    }

    impl Rig {
        fn new(limit: usize, roots: &[&str], prepare: impl FnOnce(&Path)) -> Self {
            let folder = tempfile::Builder::new().prefix("watch").tempdir().unwrap();
            let path = folder.path().to_owned();
            prepare(&path);
            let (sender, reports) = channel();
            let order = Order {
                roots: roots.iter().map(|root| path.join(root)).collect(),
                base: path,
                ignore: vec!["*.md".to_owned()],
                own: Vec::new(),
                delay: Duration::from_millis(50),
                limit,
            };
            let handle = start(order, move |report| {
                let _ = sender.send(report);
            });
            Self {
                folder,
                reports,
                _handle: handle.unwrap(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str) {
            fs::write(self.path(name), name).unwrap();
        }

        fn next(&self) -> Report {
            self.reports.recv_timeout(Duration::from_secs(60)).unwrap()
        }

        /// The next change is of this file.
        fn changed(&self, name: &str) {
            match self.next() {
                Report::Changed { path, .. } => assert_eq!(path, self.path(name)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn project(path: &Path) {
        fs::create_dir_all(path.join("lib/deep")).unwrap();
        fs::create_dir_all(path.join("node_modules/x")).unwrap();
        fs::write(path.join("a.js"), "").unwrap();
        fs::write(path.join(".gitignore"), "*.log\n").unwrap();
    }

    #[test]
    fn a_burst_is_one_report_and_what_does_not_count_is_none() {
        let rig = Rig::new(usize::MAX, &[""], project);
        assert_eq!(rig.next(), Report::Watching { folders: 3 });
        for name in ["x.log", "README.md", "node_modules/x/i.js", ".env", "a.js~"] {
            rig.write(name);
        }
        rig.write("lib/b.js");
        rig.write("a.js");
        rig.write("lib/deep/c.js");
        assert_eq!(
            rig.next(),
            Report::Changed {
                path: rig.path("lib/b.js"),
                more: 2
            }
        );
        // As editors save: a new file takes the old one's place.
        rig.write("sedX1");
        fs::rename(rig.path("sedX1"), rig.path("a.js")).unwrap();
        assert_eq!(
            rig.next(),
            Report::Changed {
                path: rig.path("a.js"),
                more: 0
            }
        );
    }

    #[test]
    fn new_folders_are_watched_and_moved_ones_are_not() {
        let rig = Rig::new(usize::MAX, &[""], project);
        rig.next();
        fs::create_dir_all(rig.path("new/below")).unwrap();
        rig.write("new/below/d.js");
        rig.changed("new/below/d.js");
        rig.write("new/below/d.js");
        rig.changed("new/below/d.js");
        let outside = tempfile::tempdir_in(rig.folder.path().parent().unwrap()).unwrap();
        fs::rename(rig.path("new"), outside.path().join("new")).unwrap();
        rig.changed("new");
        fs::write(outside.path().join("new/below/d.js"), "").unwrap();
        // The rules may change as well.
        fs::write(rig.path(".gitignore"), "a.js\n").unwrap();
        rig.write("x.log");
        rig.changed("x.log");
    }

    #[test]
    fn roots_that_go_and_come_and_single_files() {
        let rig = Rig::new(usize::MAX, &["dist", "a.js"], project);
        rig.next();
        rig.write("other.js");
        fs::create_dir(rig.path("dist")).unwrap();
        rig.changed("dist");
        rig.write("dist/x.js");
        rig.changed("dist/x.js");
        fs::remove_dir_all(rig.path("dist")).unwrap();
        assert!(matches!(rig.next(), Report::Changed { .. }));
        fs::create_dir(rig.path("dist")).unwrap();
        rig.changed("dist");
        rig.write("dist/x.js");
        rig.changed("dist/x.js");
        rig.write("a.js.new");
        fs::rename(rig.path("a.js.new"), rig.path("a.js")).unwrap();
        rig.changed("a.js");
    }

    #[test]
    fn without_room_for_watches_it_looks_by_itself() {
        let rig = Rig::new(2, &[""], project);
        match rig.next() {
            Report::Polling { why } => assert!(why.contains("max_user_watches"), "{why}"),
            other => panic!("{other:?}"),
        }
        rig.write("x.log");
        rig.write("lib/b.js");
        rig.changed("lib/b.js");
        fs::remove_file(rig.path("lib/b.js")).unwrap();
        rig.changed("lib/b.js");
    }
}
