//! What is being written at this moment, in a small file: whoever is killed in the middle of a write leaves a torn line, and
//! the next one finds it by this and takes it away. The worker's pipe still holds the line.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::aside;
use super::folder::{open_folder, open_in};

/// Its name in the folder of the logs.
const NAME: &str = ".writing";
/// How much is read at a time when a line's begin is looked for.
const BLOCK: u64 = 64 * 1024;
/// The numbers before the path.
const HEAD: usize = 40;

/// Writes down what is about to be written.
#[derive(Debug, Default)]
pub(super) struct Underway {
    file: Option<File>,
    record: Vec<u8>,
}

impl Underway {
    /// So much will be appended to a file. That it cannot be told is no reason not to write.
    pub fn begin(&mut self, dir: &Path, path: &Path, file: &File, length: usize) -> io::Result<()> {
        let meta = file.metadata()?;
        self.record.clear();
        for number in [
            meta.dev(),
            meta.ino(),
            meta.len(),
            length as u64,
            path.as_os_str().len() as u64,
        ] {
            self.record.extend_from_slice(&number.to_le_bytes());
        }
        self.record.extend_from_slice(path.as_os_str().as_bytes());
        if self.file.is_none() {
            let flags = OFlags::RDWR | OFlags::CREATE;
            self.file = Some(open_in(&open_folder(dir)?, NAME, flags)?);
        }
        match &self.file {
            Some(file) => file.write_all_at(&self.record, 0),
            None => Ok(()),
        }
    }

    /// The folder may be another one.
    pub fn reopen(&mut self) {
        self.file = None;
    }
}

/// Takes away what a write that was not finished has left behind the last whole line. True if there was something.
pub(super) fn mend(dir: &Path) -> io::Result<bool> {
    let record = open_in(&open_folder(dir)?, NAME, OFlags::RDONLY)?;
    let mut head = [0; HEAD];
    record.read_exact_at(&mut head, 0)?;
    let number = |at: usize| {
        let mut part = [0; 8];
        part.copy_from_slice(&head[at * 8..at * 8 + 8]);
        u64::from_le_bytes(part)
    };
    let mut path = vec![0; usize::try_from(number(4)).unwrap_or(0).min(8192)];
    record.read_exact_at(&mut path, HEAD as u64)?;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(&path));
    let (folder, name) = aside::split(&path);
    let file = open_in(&open_folder(&folder)?, &name, OFlags::RDWR)?;
    let meta = file.metadata()?;
    let (start, end) = (number(2), number(2).saturating_add(number(3)));
    let torn = (meta.dev(), meta.ino()) == (number(0), number(1))
        && (start + 1..end).contains(&meta.len());
    if torn {
        file.set_len(line_begin(&file, start, meta.len())?)?;
    }
    Ok(torn)
}

/// Behind the last line break between two offsets; the first of them if there is none.
fn line_begin(file: &File, start: u64, end: u64) -> io::Result<u64> {
    let mut end = end;
    let mut block = Vec::new();
    while end > start {
        let from = end.saturating_sub(BLOCK).max(start);
        block.resize(usize::try_from(end - from).unwrap_or(0), 0);
        file.read_exact_at(&mut block, from)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_torn_line_is_taken_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let add = |bytes: &[u8]| {
            let mut file = fs::OpenOptions::new();
            let mut file = file.append(true).create(true).open(&path).unwrap();
            file.write_all(bytes).unwrap();
            file
        };
        assert!(mend(dir.path()).is_err());
        let file = add(b"old\n");
        let mut underway = Underway::default();
        for (left, mended, after) in [
            ("", false, "old\n"),
            ("one\ntwo\nth", true, "old\none\ntwo\n"),
            ("th", true, "old\none\ntwo\n"),
            ("0123456789\n", false, "old\none\ntwo\n0123456789\n"),
        ] {
            underway.begin(dir.path(), &path, &file, 11).unwrap();
            add(left.as_bytes());
            assert_eq!(mend(dir.path()).unwrap(), mended, "{left:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
        // Another file under that name.
        underway.begin(dir.path(), &path, &file, 1000).unwrap();
        fs::remove_file(&path).unwrap();
        add(b"new, not ours");
        assert!(!mend(dir.path()).unwrap());
    }
}
