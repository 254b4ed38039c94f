//! The log files, and what happens when the disk does not want them.
//!
//! A file that cannot be opened or written loses lines, which are counted; it is tried again at most
//! once a second, when there is something to write. Trouble is told once per incident: when an
//! error appears that no other file has at that moment, and when the last file is well again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::aside;
use super::folder::{open_folder, open_in};
use super::form::Spoken;
use super::log_file::{Around, Failure, LogFile};
use super::route::Target;
use super::tend::Tender;
use super::times;
use super::underway::Underway;

/// How often a failing file is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How many files are held open, each with its times; beyond it all are closed, and opened again when needed.
const OPEN_FILES: usize = 256;
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
    /// A file is not put aside although it should be: it grows.
    Growing {
        /// The file.
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

/// Owned by the writer's thread.
pub(super) struct LogFiles {
    files: HashMap<Arc<Path>, LogFile>,
    open: usize,
    around: Around,
    losses: Arc<LossCounters>,
    lost_in_incident: u64,
    on_trouble: Box<dyn Fn(LogTrouble) + Send>,
}

impl LogFiles {
    pub fn new(
        dir: PathBuf,
        tender: Tender,
        losses: Arc<LossCounters>,
        on_trouble: Box<dyn Fn(LogTrouble) + Send>,
    ) -> Self {
        Self {
            files: HashMap::new(),
            open: 0,
            around: Around {
                dir,
                underway: Underway::default(),
                tender,
            },
            losses,
            lost_in_incident: 0,
            on_trouble,
        }
    }

    pub fn dir(&self) -> &Path {
        &self.around.dir
    }

    pub fn tender(&self) -> &Tender {
        &self.around.tender
    }

    /// Appends, or counts what could not be.
    pub fn append(
        &mut self,
        target: &Target,
        bytes: &[u8],
        lines: u64,
        spoken: Spoken<'_>,
        now: Instant,
    ) {
        let file = match self.files.get_mut(&target.path) {
            Some(file) => file,
            None => self.files.entry(Arc::clone(&target.path)).or_default(),
        };
        let waits = file
            .failure
            .as_ref()
            .is_some_and(|failure| now < failure.last_try + RETRY);
        if waits {
            return self.lose(bytes.len(), lines);
        }
        let rotated = file.rotate(&mut self.open, &mut self.around, target, spoken.time, now);
        if let Err(error) = rotated {
            let path = target.path.to_path_buf();
            (self.on_trouble)(LogTrouble::Growing { path, error });
        }
        let mut left = bytes;
        match file.write(&mut self.open, &mut self.around, target, &mut left, spoken) {
            Ok(()) => {
                let recovered = file.failure.take().is_some();
                if recovered {
                    self.recovered();
                }
            }
            Err(error) => {
                self.failed(&target.path, error, now);
                // What was written of it is there.
                let lines = match left.len() == bytes.len() {
                    true => lines,
                    false => memchr::memchr_iter(b'\n', left).count() as u64,
                };
                self.lose(left.len(), lines);
            }
        }
        if self.open > OPEN_FILES {
            self.reopen();
        }
    }

    /// Empties a log; what was put aside of it is the tender's.
    pub fn empty(&mut self, path: &Path) -> io::Result<u64> {
        let (folder, name) = aside::split(path);
        let folder = match open_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            folder => folder?,
        };
        let file = match open_in(&folder, &name, OFlags::WRONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?,
        };
        let length = file.metadata()?.len();
        file.set_len(0)?;
        let _ = fs::remove_file(times::path(&self.around.dir, path, None));
        if let Some(known) = self.files.get_mut(path) {
            self.open -= usize::from(known.open.take().is_some());
            known.torn = false;
        }
        Ok(length)
    }

    /// Closes all files: they are opened again, by name, at the next line. Failing ones are tried
    /// again at once, since somebody probably has mended something.
    pub fn reopen(&mut self) {
        self.around.underway.reopen();
        for file in self.files.values_mut() {
            file.open = None;
            file.rotate_after = None;
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
        self.close_files_of(app, |_| false);
    }

    /// Closes the app's files: those that are still written are opened again at the next line, by the rules of then.
    pub fn release(&mut self, app: &str) {
        self.close_files_of(app, |file| file.torn);
    }

    fn close_files_of(&mut self, app: &str, stays: impl Fn(&LogFile) -> bool) {
        let mut was_failing = false;
        self.files.retain(|_, file| {
            if *file.owner != *app {
                return true;
            }
            self.open -= usize::from(file.open.take().is_some());
            was_failing |= file.failure.take().is_some();
            file.rotate_after = None;
            stays(file)
        });
        if was_failing {
            self.recovered();
        }
    }

    fn failed(&mut self, path: &Path, error: io::Error, now: Instant) {
        let code = error.raw_os_error().unwrap_or(0);
        let known = self
            .files
            .values()
            .filter_map(|file| file.failure.as_ref())
            .any(|failure| failure.code == code);
        if let Some(file) = self.files.get_mut(path) {
            self.open -= usize::from(file.open.take().is_some());
            file.failure = Some(Failure {
                code,
                last_try: now,
            });
        }
        self.count_failing();
        if !known {
            let path = path.to_owned();
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
