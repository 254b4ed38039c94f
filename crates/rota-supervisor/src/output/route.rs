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
            let joined = spec.joined.as_ref();
            let joined = joined.map(|joined| place(cwd, joined, source.slot));
            let joined = joined.filter(|joined| *joined != own);
            files.extend([Some(own), joined].into_iter().flatten());
            files.retain(|path| !is_nowhere(path));
        }
        Self {
            files: files.into_iter().map(target).collect(),
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
        true => PathBuf::from(NOWHERE),
        false => stream_file(dir, &spec.cwd, &spec.logs, &app, slot, stream),
    };
    LogPaths {
        out: path(Stream::Out),
        err: path(Stream::Err),
    }
}

/// Where the output of an app goes, with `{slot}` in files of which each worker has its own; `None` where it goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPlaces {
    pub(crate) out: Option<PathBuf>,
    pub(crate) err: Option<PathBuf>,
    pub(crate) joined: Option<PathBuf>,
}

/// Where the output of an app goes; `dir` is the folder of files that have no place of their own.
pub(crate) fn log_places(spec: &AppSpec, dir: &Path) -> LogPlaces {
    let logs = &spec.logs;
    let own = |stream, own: &Option<PathBuf>| match own {
        Some(path) => whole(&spec.cwd, path),
        None => {
            let key = FileKey {
                app: Arc::from(spec.name.as_str()),
                slot: None,
                stream,
            };
            dir.join(key.name_with((!logs.merge).then_some(SLOT)))
        }
    };
    let there = |path: &PathBuf| !logs.disabled && !is_nowhere(path);
    let joined = logs.joined.as_ref().map(|path| whole(&spec.cwd, path));
    LogPlaces {
        out: Some(own(Stream::Out, &logs.out)).filter(there),
        err: Some(own(Stream::Err, &logs.err)).filter(there),
        joined: joined.filter(there),
    }
}

/// The files of an app that are not in the folder of the logs, for so many workers. `dir` is that folder.
pub fn custom_files(
    app: &Arc<str>,
    dir: &Path,
    cwd: &Path,
    spec: &LogSpec,
    slots: u32,
) -> Vec<Custom> {
    let mut files: Vec<Custom> = Vec::new();
    for (stream, own) in [
        (Some(Stream::Out), &spec.out),
        (Some(Stream::Err), &spec.err),
        (None, &spec.joined),
    ] {
        let Some(own) = own else { continue };
        let each = own.to_string_lossy().contains(SLOT);
        for slot in 0..if each { slots } else { 1 } {
            let besides = |slot| [Stream::Out, Stream::Err].map(|stream| (slot, stream));
            let besides: Vec<_> = match (stream, each) {
                (Some(_), _) => Vec::new(),
                (None, true) => besides(slot).into(),
                (None, false) => (0..slots).flat_map(besides).collect(),
            };
            let besides = besides.into_iter();
            let path = place(cwd, own, slot);
            files.push(Custom {
                app: Arc::clone(app),
                slot: each.then_some(slot),
                stream,
                besides: besides
                    .map(|(slot, stream)| stream_file(dir, cwd, spec, app, slot, stream))
                    .filter(|other| *other != path && !is_nowhere(other))
                    .collect(),
                path,
            });
        }
    }
    files.retain(|file| !is_nowhere(&file.path));
    files
}

/// The word for no file, wherever a file may be named.
fn is_nowhere(path: &Path) -> bool {
    path == Path::new(NOWHERE)
}

/// A path as it was given, for one worker.
fn place(cwd: &Path, path: &Path, slot: u32) -> PathBuf {
    let whole = whole(cwd, path);
    match whole.to_str() {
        Some(text) if text.contains(SLOT) => text.replace(SLOT, &slot.to_string()).into(),
        _ => whole,
    }
}

/// A path as it was given, absolute, and written in one way only, so that apps which share a file are seen to do so.
fn whole(cwd: &Path, path: &Path) -> PathBuf {
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
    whole
}

/// What stands for no file.
const NOWHERE: &str = "/dev/null";
/// What stands for the worker's place in a path.
pub(crate) const SLOT: &str = "{slot}";

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
        spec.out = Some("/dev/null".into());
        assert_eq!(files(&spec, Stream::Out), ["/var/log/all.log"]);
        spec.disabled = true;
        assert!(files(&spec, Stream::Out).is_empty());
    }

    #[test]
    fn the_file_of_both_streams_is_found_with_those_that_have_the_same_lines() {
        let found = |spec: &LogSpec| {
            let (dir, cwd) = (Path::new("/logs"), Path::new("/srv"));
            let files = custom_files(&"api".into(), dir, cwd, spec, 2).into_iter();
            files
                .map(|file| (file.path, file.slot, file.stream, file.besides.len()))
                .collect::<Vec<_>>()
        };
        let mut spec = LogSpec {
            joined: Some("all.log".into()),
            ..LogSpec::default()
        };
        let all = PathBuf::from("/srv/all.log");
        assert_eq!(found(&spec), [(all.clone(), None, None, 4)]);
        // Whoever has it as the own file of a stream needs it.
        spec.err = Some("all.log".into());
        spec.out = Some("/dev/null".into());
        assert_eq!(
            found(&spec),
            [
                (all.clone(), None, Some(Stream::Err), 0),
                (all, None, None, 0)
            ]
        );
        spec.joined = Some("all-{slot}.log".into());
        let last = found(&spec).pop();
        assert_eq!(last, Some(("/srv/all-1.log".into(), Some(1), None, 1)));
    }
}
