//! One log file: opening it, appending to it, putting it aside.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, OFlags, RenameFlags};
use rustix::io::Errno;

use super::aside;
use super::folder::{open_folder, open_in};
use super::form::Spoken;
use super::route::Target;
use super::tend::Tender;
use super::times::{self, TimesWriter};
use super::underway::Underway;

/// How often putting a file aside is tried again.
const RETRY_ROTATION: Duration = Duration::from_secs(60);
/// How far a file may grow beyond its size for the sake of a line that does not end.
const LINE_PATIENCE: u64 = 1024 * 1024;

/// A file could not be opened or written.
pub(super) struct Failure {
    /// The kind of trouble: an errno, or 0 for an error that is ours.
    pub code: i32,
    pub last_try: Instant,
}

/// A log file, open or not.
#[derive(Default)]
pub(super) struct LogFile {
    pub open: Option<Open>,
    pub failure: Option<Failure>,
    /// The last write stopped within a line.
    pub torn: bool,
    /// The app that wrote last.
    pub owner: Arc<str>,
    /// It could not be put aside: not tried again before.
    pub rotate_after: Option<Instant>,
}

/// A file that is open.
pub(super) struct Open {
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

/// What the writing of every file needs.
pub(super) struct Around {
    pub dir: PathBuf,
    pub underway: Underway,
    pub tender: Tender,
}

impl LogFile {
    /// Appends; `left` is what could not be.
    pub fn write(
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
    pub fn rotate(
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
