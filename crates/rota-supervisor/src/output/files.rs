//! The log files, and what happens when the disk does not want them.
//!
//! A file that cannot be opened or written loses lines, which are counted; it is tried again at most
//! once a second, when there is something to write. Trouble is told once per incident: when an
//! error appears that no other file has at that moment, and when the last file is well again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::aside;
use super::form::Spoken;
use super::route::Target;
use super::tend::Tender;
use super::times::{self, TimesWriter};
use super::underway::Underway;

/// How often a failing file is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The same for one that cannot be put aside.
const RETRY_ROTATION: Duration = Duration::from_secs(60);
/// How many files are held open, each with its times; beyond it all are closed, and opened again when needed.
const OPEN_FILES: usize = 256;
/// How far a file may grow beyond its size for the sake of a line that does not end.
const LINE_PATIENCE: u64 = 1024 * 1024;

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

struct Failure {
    /// The kind of trouble: an errno, or 0 for an error that is ours.
    code: i32,
    last_try: Instant,
}

#[derive(Default)]
struct LogFile {
    open: Option<Open>,
    failure: Option<Failure>,
    /// The last write stopped within a line.
    torn: bool,
    /// The app that wrote last.
    owner: Arc<str>,
    /// It could not be put aside: not tried again before.
    rotate_after: Option<Instant>,
}

/// A file that is open.
struct Open {
    file: File,
    length: u64,
    /// When it is put aside whatever its size, in milliseconds since the Unix epoch.
    due: u64,
    /// Its last line has not ended.
    within_line: bool,
    times: TimesWriter,
}

impl Open {
    fn is_due(&self, target: &Target, now: u64) -> bool {
        let size = target.rotate.size.map_or(0, |size| size.bytes());
        let large = size > 0 && self.length >= size;
        let patience = self.within_line && self.length < size.saturating_add(LINE_PATIENCE);
        self.length > 0 && (large || now >= self.due) && !patience
    }
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

/// What the writing of every file needs.
struct Around {
    dir: PathBuf,
    underway: Underway,
    tender: Tender,
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

impl LogFile {
    fn write(
        &mut self,
        open_files: &mut usize,
        around: &mut Around,
        target: &Target,
        left: &mut &[u8],
        spoken: Spoken<'_>,
    ) -> io::Result<()> {
        let bytes = *left;
        if *self.owner != *spoken.source.app {
            self.owner = Arc::clone(&spoken.source.app);
        }
        let open = opened(&mut self.open, open_files, around, target)?;
        // Without it a death at this moment would leave a torn line: no reason not to write.
        let length = bytes.len() + usize::from(self.torn);
        let _ = around
            .underway
            .begin(&around.dir, &target.path, &open.file, length);
        if self.torn {
            open.file.write_all(b"\n")?;
            open.length += 1;
            self.torn = false;
        }
        let start = open.length;
        while !left.is_empty() {
            match open.file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.torn = left[written - 1] != b'\n';
                    open.length += written as u64;
                    *left = &left[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A piece of a very long line ends without a line break and is whole all the same.
        self.torn = false;
        open.within_line = bytes.last().is_some_and(|&byte| byte != b'\n');
        let place = || times::path(&around.dir, &target.path, None);
        open.times.note(place, start, spoken.time, spoken.source);
        Ok(())
    }

    /// Puts the file aside if that is due. One that cannot be put aside is written on; it is told once.
    fn rotate(
        &mut self,
        open_files: &mut usize,
        around: &mut Around,
        target: &Target,
        time: u64,
        now: Instant,
    ) -> io::Result<()> {
        // That it cannot be opened is told by the write.
        let Ok(open) = opened(&mut self.open, open_files, around, target) else {
            return Ok(());
        };
        if self.torn || !open.is_due(target, time) {
            return Ok(());
        }
        if self.rotate_after.is_some_and(|after| now < after) {
            return Ok(());
        }
        let told = self.rotate_after.is_some();
        // Somebody else may have emptied it, or moved it away.
        let meta = open.file.metadata()?;
        open.length = meta.len();
        if !open.is_due(target, time) {
            return Ok(());
        }
        match put_aside(around, target, &meta, time) {
            Ok(()) => {
                self.rotate_after = None;
                *open_files -= 1;
                self.open = None;
                Ok(())
            }
            Err(error) => {
                self.rotate_after = Some(now + RETRY_ROTATION);
                match told {
                    true => Ok(()),
                    false => Err(error),
                }
            }
        }
    }
}

/// Gives the file its other name. One that has another name already, since somebody else rotates, is just opened anew.
fn put_aside(around: &Around, target: &Target, meta: &fs::Metadata, time: u64) -> io::Result<()> {
    let (folder, name) = aside::split(&target.path);
    let folder = open_folder(&folder)?;
    let there = rustix::fs::statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW);
    let is_ours = there.is_ok_and(|there| there.st_ino == meta.ino() && there.st_dev == meta.dev());
    if !is_ours {
        return Ok(());
    }
    let mut time = time;
    let stamp = loop {
        let stamp = aside::stamp(time);
        let new = format!("{name}.{stamp}");
        let taken = rustix::fs::accessat(
            &folder,
            format!("{new}.gz"),
            rustix::fs::Access::EXISTS,
            AtFlags::empty(),
        );
        let renamed = match taken {
            Ok(()) => Err(Errno::EXIST),
            Err(_) => rustix::fs::renameat_with(
                &folder,
                name.as_str(),
                &folder,
                new.as_str(),
                RenameFlags::NOREPLACE,
            ),
        };
        match renamed {
            Ok(()) => break stamp,
            Err(Errno::EXIST) => time += 1,
            Err(error) => return Err(error.into()),
        }
    };
    times::follow(&around.dir, &target.path, &stamp);
    around.tender.tend(target.clone());
    Ok(())
}

/// The file, open.
fn opened<'a>(
    file: &'a mut Option<Open>,
    open_files: &mut usize,
    around: &mut Around,
    target: &Target,
) -> io::Result<&'a mut Open> {
    match file {
        Some(open) => Ok(open),
        None => {
            let open = open(around, target)?;
            *open_files += 1;
            Ok(file.insert(open))
        }
    }
}

fn open(around: &mut Around, target: &Target) -> io::Result<Open> {
    let (dir, name) = aside::split(&target.path);
    let folder = match open_folder(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)?;
            open_folder(&dir)?
        }
        result => result?,
    };
    let flags = OFlags::APPEND | OFlags::WRONLY | OFlags::CREATE;
    let file = open_in(&folder, &name, flags)?;
    let meta = file.metadata()?;
    let begun = match meta.len() {
        0 => std::time::SystemTime::now(),
        // Written last: whoever finds a file of yesterday puts it aside.
        _ => meta.modified()?,
    };
    let period = target.rotate.every;
    let due = period.map_or(u64::MAX, |period| {
        aside::period_end(period, aside::millis(begun))
    });
    // What an earlier one has left undone.
    around.tender.tend(target.clone());
    Ok(Open {
        length: meta.len(),
        due,
        within_line: false,
        times: TimesWriter::default(),
        file,
    })
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
