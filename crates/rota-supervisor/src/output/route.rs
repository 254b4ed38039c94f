//! Where the output of a worker goes, and in which form.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rota_config::{AppSpec, LogFormat, LogSpec, RotateSpec, ShowAs};

use super::names::FileKey;
use super::{Custom, Source, Stream};

/// A file, and what becomes of it when it grows.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub path: Arc<Path>,
    pub rotate: Arc<RotateSpec>,
}

/// The ways of one stream of one worker.
#[derive(Debug)]
pub(super) struct Route {
    /// None: nothing is written to files.
    pub files: Vec<Target>,
    pub format: LogFormat,
    pub time: Option<String>,
    pub show: Option<ShowAs>,
    pub journald: bool,
}

impl Route {
    /// As the specification says; `dir` is the folder of files that have no place of their own.
    pub fn of(dir: &Path, cwd: &Path, spec: &LogSpec, source: &Source) -> Self {
        let rotate = Arc::new(spec.rotate.clone());
        let target = |path: PathBuf| Target {
            path: path.into(),
            rotate: Arc::clone(&rotate),
        };
        let mut files = Vec::new();
        if !spec.disabled {
            let own = stream_file(dir, cwd, spec, &source.app, source.slot, source.stream);
            files.push(target(own));
            if let Some(joined) = &spec.joined {
                let joined = place(cwd, joined, source.slot);
                if *joined != *files[0].path {
                    files.push(target(joined));
                }
            }
        }
        Self {
            files,
            format: spec.format,
            time: spec.time.clone().filter(|time| !time.is_empty()),
            show: spec.show,
            journald: spec.journald,
        }
    }

    /// True if the file gets exactly what the worker wrote.
    pub fn is_verbatim(&self) -> bool {
        self.format == LogFormat::Plain && self.time.is_none()
    }
}

/// The route of a stream, which may become another one between two lines.
#[derive(Debug)]
pub(super) struct Routing {
    now: RefCell<Arc<Route>>,
    next: RefCell<Option<Arc<Route>>>,
}

impl Routing {
    pub fn new(route: Route) -> Self {
        Self {
            now: RefCell::new(Arc::new(route)),
            next: RefCell::default(),
        }
    }

    /// From the next line on.
    pub fn change(&self, route: Route) {
        self.next.replace(Some(Arc::new(route)));
    }

    /// The one that holds now; what was begun is ended where it was begun.
    pub fn route(&self, within_line: bool) -> Arc<Route> {
        if !within_line && let Some(next) = self.next.take() {
            self.now.replace(next);
        }
        Arc::clone(&self.now.borrow())
    }
}

/// The file of one stream of one worker.
pub(super) fn stream_file(
    dir: &Path,
    cwd: &Path,
    spec: &LogSpec,
    app: &Arc<str>,
    slot: u32,
    stream: Stream,
) -> PathBuf {
    let own = match stream {
        Stream::Out => &spec.out,
        Stream::Err => &spec.err,
    };
    match own {
        Some(path) => place(cwd, path, slot),
        None => FileKey {
            app: Arc::clone(app),
            slot: (!spec.merge).then_some(slot),
            stream,
        }
        .path(dir),
    }
}

/// Where the output of a worker goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPaths {
    pub(crate) out: PathBuf,
    pub(crate) err: PathBuf,
}

/// Where the output of a slot's workers goes; `/dev/null` where it goes nowhere.
pub(crate) fn log_paths(spec: &AppSpec, dir: &Path, slot: u32) -> LogPaths {
    let app = Arc::from(spec.name.as_str());
    let path = |stream| match spec.logs.disabled {
        true => PathBuf::from("/dev/null"),
        false => stream_file(dir, &spec.cwd, &spec.logs, &app, slot, stream),
    };
    LogPaths {
        out: path(Stream::Out),
        err: path(Stream::Err),
    }
}

/// The files of an app that are not in the folder of the logs, for so many workers.
pub fn custom_files(app: &Arc<str>, cwd: &Path, spec: &LogSpec, slots: u32) -> Vec<Custom> {
    let mut files: Vec<Custom> = Vec::new();
    for (stream, own) in [(Stream::Out, &spec.out), (Stream::Err, &spec.err)] {
        let Some(own) = own else { continue };
        let each = own.to_string_lossy().contains(SLOT);
        for slot in 0..if each { slots } else { 1 } {
            files.push(Custom {
                app: Arc::clone(app),
                slot: each.then_some(slot),
                stream,
                path: place(cwd, own, slot),
            });
        }
    }
    files
}

/// A path as it was given, for one worker: absolute, and written in one way only, so that apps which share a file are
/// seen to do so.
fn place(cwd: &Path, path: &Path, slot: u32) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    match whole.to_str() {
        Some(text) if text.contains(SLOT) => text.replace(SLOT, &slot.to_string()).into(),
        _ => whole,
    }
}

/// What stands for the worker's place in a path.
const SLOT: &str = "{slot}";

#[cfg(test)]
mod tests {
    use super::*;

    fn files(spec: &LogSpec, stream: Stream) -> Vec<String> {
        let source = Source {
            app: "api".into(),
            slot: 2,
            worker: 9,
            generation: 1,
            stream,
        };
        let route = Route::of(Path::new("/logs"), Path::new("/srv/api"), spec, &source);
        let paths = route.files.iter().map(|file| file.path.display());
        paths.map(|path| path.to_string()).collect()
    }

    #[test]
    fn each_stream_has_its_place() {
        let mut spec = LogSpec::default();
        assert_eq!(files(&spec, Stream::Out), ["/logs/api-out-2.log"]);
        spec.merge = true;
        assert_eq!(files(&spec, Stream::Err), ["/logs/api-error.log"]);
        spec.out = Some("../log/./o-{slot}.log".into());
        spec.joined = Some("/var/log/all.log".into());
        assert_eq!(
            files(&spec, Stream::Out),
            ["/srv/log/o-2.log", "/var/log/all.log"]
        );
        spec.out = Some("/var/log/all.log".into());
        assert_eq!(files(&spec, Stream::Out), ["/var/log/all.log"]);
        spec.disabled = true;
        assert!(files(&spec, Stream::Out).is_empty());
    }
}
