//! One file of a log, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use rustix::fs::OFlags;

use super::super::MAX_LINE;
use super::super::aside::{self, Aside, State};
use super::super::folder::{open_folder, open_in};
use super::super::times::{self, Entry, Times};

/// How much of a file is in memory.
const BLOCK: usize = 16 * 1024;
/// The longest line that is read whole: an object of JSON may be some times as long as its text.
const LONGEST: usize = 8 * MAX_LINE;

/// A file that is being read.
pub(super) struct Piece {
    input: Box<dyn BufRead + Send>,
    offset: u64,
    times: Option<Times>,
}

impl Piece {
    /// The one that is being written, up to a length, from an offset on.
    pub fn active(file: &File, length: u64, from: u64, times: Option<Times>) -> io::Result<Self> {
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(from))?;
        let left = length.saturating_sub(from);
        Ok(Self {
            input: Box::new(BufReader::with_capacity(BLOCK, file.take(left))),
            offset: from,
            times,
        })
    }

    /// One that was put aside.
    pub fn aside(log: &Path, file: &Aside, from: u64, times: Option<Times>) -> io::Result<Self> {
        let (folder, name) = aside::split(log);
        let folder = open_folder(&folder)?;
        let plain = Aside {
            stamp: file.stamp.clone(),
            state: State::Plain,
        };
        // It may have been compressed since.
        let open = |state| {
            let name = Aside {
                state,
                ..plain.clone()
            }
            .name(&name);
            open_in(&folder, &name, OFlags::RDONLY)
        };
        let mut piece = match open(State::Plain) {
            Ok(mut file) => {
                file.seek(SeekFrom::Start(from))?;
                return Ok(Self {
                    input: Box::new(BufReader::with_capacity(BLOCK, file)),
                    offset: from,
                    times,
                });
            }
            Err(_) => {
                let packed = BufReader::with_capacity(BLOCK, open(State::Compressed)?);
                let unpacked = MultiGzDecoder::new(packed);
                Self {
                    input: Box::new(BufReader::with_capacity(BLOCK, unpacked)),
                    offset: 0,
                    times,
                }
            }
        };
        piece.skip(from)?;
        Ok(piece)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        while self.offset < bytes {
            let block = self.input.fill_buf()?;
            let most = usize::try_from(bytes - self.offset).unwrap_or(usize::MAX);
            let taken = block.len().min(most);
            if taken == 0 {
                break;
            }
            self.input.consume(taken);
            self.offset += taken as u64;
        }
        Ok(())
    }

    /// Reads the next line without its end; what is known of it. `None` at the end, and where the file is broken.
    pub fn line(&mut self, line: &mut Vec<u8>) -> Option<Option<Entry>> {
        line.clear();
        let begin = self.offset;
        loop {
            let block = match self.input.fill_buf() {
                Ok(block) => block,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A broken archive: what was read of it counts.
                Err(_) => &[],
            };
            if block.is_empty() && line.is_empty() {
                return None;
            }
            let room = LONGEST - line.len();
            let end = memchr::memchr(b'\n', block);
            let taken = end.unwrap_or(block.len()).min(room);
            line.extend_from_slice(&block[..taken]);
            let whole = end.is_some_and(|end| end <= room);
            let done = whole || block.is_empty() || taken == room;
            let taken = taken + usize::from(whole);
            self.input.consume(taken);
            self.offset += taken as u64;
            if done {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(self.times.as_mut().and_then(|times| times.entry(begin)))
    }

    /// How many lines are left.
    pub fn count(mut self) -> u64 {
        let mut lines = 0;
        let mut within = false;
        while let Ok(block) = self.input.fill_buf() {
            let Some(last) = block.last() else { break };
            lines += memchr::memchr_iter(b'\n', block).count() as u64;
            within = *last != b'\n';
            let length = block.len();
            self.input.consume(length);
        }
        lines + u64::from(within)
    }
}

/// What is known of the times of a log, or of what was put aside of it.
pub(super) fn times(dir: &Path, log: &Path, file: Option<&Aside>) -> Option<Times> {
    Times::open(&times::path(dir, log, file.map(|file| file.stamp.as_str())))
}

/// Where the last lines of a file begin, and how many there are, if it has less.
pub(super) fn last_lines(file: &File, length: u64, wanted: u64) -> io::Result<(u64, u64)> {
    let mut block = vec![0; 64 * 1024];
    let mut start = length;
    let mut found = 0;
    while start > 0 {
        let size = (block.len() as u64).min(start);
        start -= size;
        let block = &mut block[..usize::try_from(size).unwrap_or(0)];
        file.read_exact_at(block, start)?;
        let mut end = block.len();
        while let Some(at) = memchr::memrchr(b'\n', &block[..end]) {
            end = at;
            // The line break that ends the last line begins no line.
            if start + at as u64 + 1 < length {
                found += 1;
                if found == wanted {
                    return Ok((start + at as u64 + 1, found));
                }
            }
        }
    }
    Ok((0, found + u64::from(length > 0)))
}
