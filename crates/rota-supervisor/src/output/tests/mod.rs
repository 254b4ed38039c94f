//! Tests of the whole: pipes in, files, followers and terminal out.

mod disk;
mod flow;
mod forms;
mod hub;
mod rotation;
mod terminal;

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rota_config::LogSpec;
use tempfile::TempDir;
use tokio::task::LocalSet;

use super::*;

/// A hub with a folder of its own.
struct Fixture {
    dir: TempDir,
    hub: LogHub,
    troubles: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    fn new(terminal: Option<Terminal>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&troubles);
        let hub = LogHub::start(LogOptions {
            dir: dir.path().join("logs"),
            terminal,
            journald: "/nowhere".into(),
            on_trouble: Box::new(move |trouble| told.lock().unwrap().push(describe(&trouble))),
        })
        .unwrap();
        Self { dir, hub, troubles }
    }

    /// A worker's stream: the reader and the worker's end.
    fn attach(&self, source: Source) -> (Reader, fs::File) {
        self.attach_with(source, &LogSpec::default())
    }

    /// The same with settings.
    fn attach_with(&self, source: Source, logs: &LogSpec) -> (Reader, fs::File) {
        let (ours, theirs) = worker_pipe().unwrap();
        (
            attach(&self.hub, source, logs, ours).unwrap(),
            fs::File::from(theirs),
        )
    }

    fn log(&self, name: &str) -> String {
        let path = self.dir.path().join("logs").join(name);
        fs::read_to_string(path).unwrap_or_default()
    }
}

fn attach(hub: &LogHub, source: Source, logs: &LogSpec, fd: OwnedFd) -> std::io::Result<Reader> {
    hub.attach(source, logs, Path::new("/"), fd)
}

/// The last lines of everything.
async fn past(hub: &LogHub, lines: u64) -> Vec<PastLine> {
    let wanted = Wanted {
        lines: Some(lines),
        ..Wanted::default()
    };
    collect(hub, Logs::default(), wanted).await
}

async fn collect(hub: &LogHub, logs: Logs, wanted: Wanted) -> Vec<PastLine> {
    let mut past = hub.read_back(logs, wanted).await.unwrap();
    let mut lines = Vec::new();
    while let Some(more) = past.next().await {
        lines.extend(more);
    }
    lines
}

fn describe(trouble: &LogTrouble) -> String {
    match trouble {
        LogTrouble::Failing { path, error } => {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            format!("{name}: {error}")
        }
        LogTrouble::Growing { path, error } => {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            format!("{name} grows: {error}")
        }
        LogTrouble::Recovered { lost_lines } => format!("recovered, {lost_lines} lost"),
    }
}

fn source(app: &str, slot: u32, worker: u64, stream: Stream) -> Source {
    Source {
        app: app.into(),
        slot,
        worker,
        generation: 1,
        stream,
    }
}

/// Writes on a thread of its own: a full pipe must not stop the reader, which is this thread.
async fn write_all(mut file: fs::File, bytes: Vec<u8>) {
    tokio::task::spawn_blocking(move || file.write_all(&bytes))
        .await
        .unwrap()
        .unwrap();
}

fn numbered(count: usize) -> String {
    (0..count)
        .map(|number| format!("line {number}\n"))
        .collect()
}

async fn within<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

fn pipe() -> (fs::File, OwnedFd) {
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (fs::File::from(ours), theirs)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
