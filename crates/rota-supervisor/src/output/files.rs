//! The log files, and what happens when the disk does not want them.
//!
//! A file that cannot be opened or written loses lines, which are counted; it is tried again at most
//! once a second, when there is something to write. Trouble is told once per incident: when an
//! error appears that no other file has at that moment, and when the last file is well again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::names::FileKey;

/// How often a failing file is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How many files are held open; beyond it all are closed, and opened again when needed.
const OPEN_FILES: usize = 512;

/// Trouble with the log files. The apps are not affected.
#[derive(Debug)]
pub enum LogTrouble {
    /// Output is being lost because of this error. Not told again while it lasts, nor for other
    /// files with the same error.
    Failing {
        /// The first file that has it.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// All files can be written again.
    Recovered {
        /// So many lines were lost since the trouble began.
        lost_lines: u64,
    },
}

/// How much output was lost, as figures that other threads may read.
#[derive(Debug, Default)]
pub(super) struct LossCounters {
    pub lines: AtomicU64,
    pub bytes: AtomicU64,
    pub failing_files: AtomicU64,
    pub terminal_lines: AtomicU64,
}

struct Failure {
    /// The kind of trouble: an errno, or 0 for an error that is ours.
    code: i32,
    last_try: Instant,
}

#[derive(Default)]
struct LogFile {
    file: Option<File>,
    failure: Option<Failure>,
    /// The last write stopped within a line.
    torn: bool,
}

/// Owned by the writer's thread.
pub(super) struct LogFiles {
    dir: PathBuf,
    files: HashMap<Arc<FileKey>, LogFile>,
    open: usize,
    losses: Arc<LossCounters>,
    lost_in_incident: u64,
    on_trouble: Box<dyn Fn(LogTrouble) + Send>,
}

impl LogFiles {
    pub fn new(
        dir: PathBuf,
        losses: Arc<LossCounters>,
        on_trouble: Box<dyn Fn(LogTrouble) + Send>,
    ) -> Self {
        Self {
            dir,
            files: HashMap::new(),
            open: 0,
            losses,
            lost_in_incident: 0,
            on_trouble,
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends, or counts what could not be.
    pub fn append(&mut self, key: &Arc<FileKey>, bytes: &[u8], lines: u64, now: Instant) {
        let file = self.files.entry(Arc::clone(key)).or_default();
        let waits = file
            .failure
            .as_ref()
            .is_some_and(|failure| now < failure.last_try + RETRY);
        if waits {
            return self.lose(bytes.len(), lines);
        }
        match write(file, &mut self.open, key, &self.dir, bytes) {
            Ok(()) => {
                let recovered = file.failure.take().is_some();
                if recovered {
                    self.recovered();
                }
            }
            Err(error) => {
                self.failed(key, error, now);
                self.lose(bytes.len(), lines);
            }
        }
        if self.open > OPEN_FILES {
            self.reopen();
        }
    }

    /// Closes all files: they are opened again, by name, at the next line. Failing ones are tried
    /// again at once, since somebody probably has mended something.
    pub fn reopen(&mut self) {
        for file in self.files.values_mut() {
            file.file = None;
            if let Some(failure) = &mut file.failure {
                failure.last_try -= RETRY;
            }
        }
        self.open = 0;
        self.files
            .retain(|_, file| file.failure.is_some() || file.torn);
    }

    /// Closes the app's files and forgets them; they stay on disk.
    pub fn remove_app(&mut self, app: &str) {
        let mut was_failing = false;
        self.files.retain(|key, file| {
            let stays = *key.app != *app;
            if !stays {
                self.open -= usize::from(file.file.is_some());
                was_failing |= file.failure.is_some();
            }
            stays
        });
        if was_failing {
            self.recovered();
        }
    }

    fn failed(&mut self, key: &Arc<FileKey>, error: io::Error, now: Instant) {
        let code = error.raw_os_error().unwrap_or(0);
        let known = self
            .files
            .values()
            .filter_map(|file| file.failure.as_ref())
            .any(|failure| failure.code == code);
        if let Some(file) = self.files.get_mut(key) {
            self.open -= usize::from(file.file.take().is_some());
            file.failure = Some(Failure {
                code,
                last_try: now,
            });
        }
        self.count_failing();
        if !known {
            let path = key.path(&self.dir);
            (self.on_trouble)(LogTrouble::Failing { path, error });
        }
    }

    fn recovered(&mut self) {
        if self.count_failing() == 0 {
            let lost_lines = std::mem::take(&mut self.lost_in_incident);
            (self.on_trouble)(LogTrouble::Recovered { lost_lines });
        }
    }

    fn count_failing(&self) -> u64 {
        let failing = self
            .files
            .values()
            .filter(|file| file.failure.is_some())
            .count() as u64;
        self.losses.failing_files.store(failing, Ordering::Relaxed);
        failing
    }

    fn lose(&mut self, bytes: usize, lines: u64) {
        self.lost_in_incident += lines;
        self.losses.lines.fetch_add(lines, Ordering::Relaxed);
        self.losses.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

fn write(
    log: &mut LogFile,
    open_files: &mut usize,
    key: &FileKey,
    dir: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let file = match &mut log.file {
        Some(file) => file,
        None => {
            let file = open(dir, &key.file_name())?;
            *open_files += 1;
            log.file.insert(file)
        }
    };
    if log.torn {
        file.write_all(b"\n")?;
        log.torn = false;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                log.torn = rest[written - 1] != b'\n';
                rest = &rest[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // A piece of a very long line ends without a line break and is whole all the same.
    log.torn = false;
    Ok(())
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    let folder = match open_folder(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)?;
            open_folder(dir)?
        }
        result => result?,
    };
    let flags = OFlags::APPEND | OFlags::WRONLY | OFlags::CREATE;
    open_in(&folder, name, flags)
}

/// The folder of the log files. A link in its place is not followed: it would lead wherever somebody wants.
pub(super) fn open_folder(dir: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP if dir.is_symlink() => {
            io::Error::other("its folder is a symbolic link, which is not followed")
        }
        errno => errno.into(),
    })
}

/// A log file. Never follows a symbolic link, never waits (a FIFO would), and takes regular files only: the
/// folder is ours, but what is in it may have been put there by an app.
pub(super) fn open_in(folder: &OwnedFd, name: &str, flags: OFlags) -> io::Result<File> {
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::from_raw_mode(0o600);
    let file = File::from(rustix::fs::openat(folder, name, flags | careful, mode)?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}
