//! When the lines of a file were written, and by whom: a small file beside each log, in the folder `.times` of the logs.
//! A log of plain lines does not say it. It is a help and no more: without it, lines have no time.
//!
//! Entries have 32 bytes: from this offset on, lines are of this time and this worker. There is one for each worker that
//! begins to speak, and a new one after a tenth of a second at the earliest; together they stay below a quarter of the log.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Source;

/// The size of an entry.
const ENTRY: u64 = 32;
/// How much time one entry stands for.
const PRECISION: u64 = 100;
/// The same when there is no room for more.
const COARSE: u64 = 60_000;
/// What a small log may have at any rate.
const FREE: u64 = 64 * 1024;
/// The longest name that is taken over; longer ones become a number.
const LONGEST: usize = 180;

/// Where the times of a log, or of what was put aside of it, are.
pub(super) fn path(dir: &Path, log: &Path, stamp: Option<&str>) -> PathBuf {
    let mut name = match log.strip_prefix(dir) {
        Ok(own) => own.to_string_lossy().into_owned(),
        Err(_) => log.to_string_lossy().into_owned(),
    };
    name = name.replace('%', "%25").replace('/', "%2f");
    if name.len() > LONGEST {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        name = format!("{hash:016x}");
    }
    if let Some(stamp) = stamp {
        name = format!("{name}.{stamp}");
    }
    dir.join(".times").join(name)
}

/// From an offset on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entry {
    pub offset: u64,
    /// Milliseconds since the Unix epoch.
    pub time: u64,
    pub worker: u64,
    pub generation: u32,
    pub slot: u32,
}

impl Entry {
    fn bytes(&self) -> [u8; ENTRY as usize] {
        let mut bytes = [0; ENTRY as usize];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.time.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.worker.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.generation.to_le_bytes());
        bytes[28..].copy_from_slice(&self.slot.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8; ENTRY as usize]) -> Self {
        let long = |at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(part)
        };
        let worker_place = long(24);
        Self {
            offset: long(0),
            time: long(8),
            worker: long(16),
            generation: (worker_place & u64::from(u32::MAX)) as u32,
            slot: (worker_place >> 32) as u32,
        }
    }
}

/// Writes the times of one log.
#[derive(Debug, Default)]
pub(super) struct TimesWriter {
    file: Option<File>,
    last: Option<Entry>,
    size: u64,
    /// It could not be written: not tried again until the log is opened anew.
    failed: bool,
}

impl TimesWriter {
    /// Lines of this worker begin at an offset.
    pub fn note(&mut self, place: impl FnOnce() -> PathBuf, offset: u64, time: u64, by: &Source) {
        let entry = Entry {
            offset,
            time,
            worker: by.worker,
            generation: by.generation,
            slot: by.slot,
        };
        if !self.failed && self.is_due(&entry) {
            self.failed = self.add(place, entry).is_err();
        }
    }

    fn is_due(&self, entry: &Entry) -> bool {
        let Some(last) = &self.last else { return true };
        if entry.offset < last.offset {
            return true;
        }
        let later = entry.time.saturating_sub(last.time);
        let room = self.size < FREE + entry.offset / 4;
        let other = (last.worker, last.slot) != (entry.worker, entry.slot);
        later >= COARSE || (room && (other || later >= PRECISION))
    }

    fn add(&mut self, place: impl FnOnce() -> PathBuf, entry: Entry) -> io::Result<()> {
        if self.file.is_none() {
            let file = open(&place())?;
            // Whole entries only: somebody may have been killed over one.
            self.size = file.metadata()?.len() / ENTRY * ENTRY;
            file.set_len(self.size)?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if entry.offset == 0 || self.last.is_some_and(|last| entry.offset < last.offset) {
            // The log begins anew.
            file.set_len(0)?;
            self.size = 0;
        }
        file.write_all(&entry.bytes())?;
        self.size += ENTRY;
        self.last = Some(entry);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let careful = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.custom_flags(careful);
    options.open(path).or_else(|error| {
        let folder = path.parent().unwrap_or(path);
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        DirBuilder::new().mode(0o700).create(folder)?;
        options.open(path)
    })
}

/// Reads the times of a log, a few at a time.
#[derive(Debug)]
pub(super) struct Times {
    file: File,
    count: u64,
    /// The entry that holds, and its number.
    now: Option<Entry>,
    next: u64,
    upcoming: Option<Entry>,
}

impl Times {
    /// `None` when nothing is known.
    pub fn open(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let count = file.metadata().ok()?.len() / ENTRY;
        let mut times = Self {
            file,
            count,
            now: None,
            next: 0,
            upcoming: None,
        };
        times.upcoming = times.at(0);
        times.upcoming.is_some().then_some(times)
    }

    /// What holds at an offset; they must be asked for in order.
    pub fn entry(&mut self, offset: u64) -> Option<Entry> {
        while let Some(entry) = self.upcoming.filter(|entry| entry.offset <= offset) {
            self.now = Some(entry);
            self.next += 1;
            self.upcoming = self.at(self.next);
        }
        self.now
    }

    /// Where the first line lies that may be as late as this.
    pub fn seek(&mut self, time: u64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle) {
                Some(entry) if entry.time < time => low = middle + 1,
                _ => high = middle,
            }
        }
        // The first of all stands for what nobody knows the time of, too.
        if low == 0 {
            return 0;
        }
        self.next = low;
        self.now = None;
        self.upcoming = self.at(low);
        self.upcoming.map_or(u64::MAX, |entry| entry.offset)
    }

    fn at(&self, number: u64) -> Option<Entry> {
        let mut bytes = [0; ENTRY as usize];
        (number < self.count).then_some(())?;
        self.file.read_exact_at(&mut bytes, number * ENTRY).ok()?;
        Some(Entry::of(&bytes))
    }
}

/// The log was put aside: its times go with it.
pub(super) fn follow(dir: &Path, log: &Path, stamp: &str) {
    let _ = fs::rename(path(dir, log, None), path(dir, log, Some(stamp)));
}

#[cfg(test)]
mod tests {
    use super::super::Stream;
    use super::*;

    fn by(worker: u64) -> Source {
        Source {
            app: "a".into(),
            slot: 3,
            worker,
            generation: 2,
            stream: Stream::Out,
        }
    }

    #[test]
    fn times_are_found_by_offset_and_by_time() {
        let dir = tempfile::tempdir().unwrap();
        let place = path(dir.path(), &dir.path().join("a.log"), None);
        let mut writer = TimesWriter::default();
        for (offset, time, worker) in [
            (0, 1000, 1),
            (10, 1050, 1), // too early
            (20, 1060, 2),
            (30, 1200, 2),
            (40, 5000, 2),
        ] {
            writer.note(|| place.clone(), offset, time, &by(worker));
        }
        let mut times = Times::open(&place).unwrap();
        let at = |times: &mut Times, offset| times.entry(offset).map(|e| (e.time, e.worker));
        assert_eq!(at(&mut times, 0), Some((1000, 1)));
        assert_eq!(at(&mut times, 19), Some((1000, 1)));
        assert_eq!(at(&mut times, 25), Some((1060, 2)));
        assert_eq!(at(&mut times, 99), Some((5000, 2)));
        assert_eq!(times.entry(99).unwrap().slot, 3);
        assert_eq!(times.entry(99).unwrap().generation, 2);
        assert_eq!(Times::open(&place).unwrap().seek(900), 0);
        assert_eq!(Times::open(&place).unwrap().seek(1100), 30);
        assert_eq!(Times::open(&place).unwrap().seek(9000), u64::MAX);
        // A log that begins anew.
        TimesWriter::default().note(|| place.clone(), 0, 7000, &by(4));
        assert_eq!(Times::open(&place).unwrap().count, 1);
    }

    #[test]
    fn they_stay_small_beside_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let place = path(dir.path(), Path::new("/elsewhere/a.log"), Some("x"));
        assert!(place.ends_with(".times/%2felsewhere%2fa.log.x"));
        let mut writer = TimesWriter::default();
        let lines = 200_000_u64;
        for line in 0..lines {
            writer.note(|| place.clone(), line * 10, line * 5, &by(line % 2));
        }
        assert!(writer.size <= FREE + lines * 10 / 4 + ENTRY);
        let long = Path::new("/").join("x".repeat(250));
        assert!(path(dir.path(), &long, None).file_name().unwrap().len() < 40);
    }
}
