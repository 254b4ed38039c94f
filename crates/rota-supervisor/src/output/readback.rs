//! The last lines of the log files, read from their ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::files::{open_folder, open_in};
use super::names::FileKey;
use super::{Filter, Stream};

/// How much is read at a time.
const BLOCK: u64 = 64 * 1024;
/// How much of one file is given out at most, however many lines are asked for.
const MOST: u64 = 8 * 1024 * 1024;

/// The last lines of one log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTail {
    /// The app's name.
    pub app: Arc<str>,
    /// The worker's place.
    pub slot: u32,
    /// Which output.
    pub stream: Stream,
    /// The file.
    pub path: PathBuf,
    /// The lines, oldest first, without line breaks.
    pub lines: Vec<String>,
}

/// Reads the last lines of every file that the filter wants, by app, slot and stream. Files that
/// cannot be read are left out.
pub(super) fn read_back(dir: &Path, filter: &Filter, lines: usize) -> Vec<FileTail> {
    let Ok(folder) = open_folder(dir) else {
        return Vec::new();
    };
    let mut keys: Vec<FileKey> = match fs::read_dir(dir) {
        Ok(entries) => entries
            .filter_map(|entry| FileKey::parse(entry.ok()?.file_name().to_str()?))
            .filter(|key| filter.wants(&key.app, key.slot, key.stream))
            .collect(),
        Err(_) => Vec::new(),
    };
    keys.sort_unstable();
    keys.into_iter()
        .filter_map(|key| {
            let path = key.path(dir);
            let file = open_in(&folder, &key.file_name(), OFlags::RDONLY).ok()?;
            let lines = last_lines(&file, lines).ok()?;
            Some(FileTail {
                app: key.app,
                slot: key.slot,
                stream: key.stream,
                path,
                lines,
            })
        })
        .collect()
}

/// The last lines of a file, which may be growing.
fn last_lines(file: &File, wanted: usize) -> io::Result<Vec<String>> {
    let length = file.metadata()?.len();
    // Blocks, the last one first; each is searched for line breaks once.
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut start = length;
    let mut breaks = 0;
    // The line break that ends the last line begins no line.
    while start > 0 && breaks <= wanted && length - start < MOST {
        let size = BLOCK.min(start);
        let mut block = vec![0; usize::try_from(size).unwrap_or(0)];
        file.read_exact_at(&mut block, start - size)?;
        start -= size;
        breaks += block.iter().filter(|&&byte| byte == b'\n').count();
        blocks.push(block);
    }
    blocks.reverse();
    let text = blocks.concat();
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    if text.is_empty() && length == 0 {
        return Ok(Vec::new());
    }
    let mut lines: Vec<&[u8]> = text.rsplit(|&byte| byte == b'\n').take(wanted).collect();
    lines.reverse();
    Ok(lines
        .into_iter()
        .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::LogTarget;
    use super::*;

    fn tail_of(contents: &[u8], wanted: usize) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, contents).unwrap();
        last_lines(&File::open(&path).unwrap(), wanted).unwrap()
    }

    #[test]
    fn small_files() {
        assert!(tail_of(b"", 3).is_empty());
        assert_eq!(tail_of(b"\n", 3), [""]);
        assert_eq!(tail_of(b"a", 3), ["a"]);
        assert_eq!(tail_of(b"a\nb\r\n", 3), ["a", "b"]);
        assert_eq!(tail_of(b"a\nb\nc\nd\n", 3), ["b", "c", "d"]);
        assert_eq!(tail_of(b"a\nb\nc\nd", 3), ["b", "c", "d"]);
        assert_eq!(tail_of(b"a\n\n\n", 2), ["", ""]);
        assert!(tail_of(b"a\nb\n", 0).is_empty());
        assert_eq!(tail_of(b"\xff\n", 1), ["\u{fffd}"]);
    }

    #[test]
    fn lines_over_the_edges_of_blocks() {
        let block = usize::try_from(BLOCK).unwrap();
        for length in [1, 100, block - 1, block, block + 1, 3 * block] {
            let mut contents = Vec::new();
            let mut expected = Vec::new();
            for number in 0..5 {
                let line = format!("{number}{}", "é".repeat(length));
                contents.extend_from_slice(line.as_bytes());
                contents.push(b'\n');
                expected.push(line);
            }
            for wanted in 1..=6 {
                let from = expected.len().saturating_sub(wanted);
                assert_eq!(tail_of(&contents, wanted), expected[from..]);
            }
        }
    }

    #[test]
    fn no_more_than_the_bound_is_read() {
        let contents = vec![b'x'; usize::try_from(MOST + 3 * BLOCK).unwrap()];
        let lines = tail_of(&contents, 1);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].len() as u64, MOST);
    }

    #[test]
    fn the_wanted_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b-out-0.log",
            "a-out-10.log",
            "a-out-2.log",
            "a-error-2.log",
            "note.txt",
        ] {
            fs::write(dir.path().join(name), format!("{name}\n")).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("a-out-3.log")).unwrap();
        let names = |filter: &Filter| -> Vec<String> {
            read_back(dir.path(), filter, 5)
                .into_iter()
                .flat_map(|tail| tail.lines)
                .collect()
        };
        let mut filter = Filter::default();
        assert_eq!(
            names(&filter),
            [
                "a-out-2.log",
                "a-error-2.log",
                "a-out-10.log",
                "b-out-0.log"
            ]
        );
        filter.targets = vec![LogTarget {
            app: "a".into(),
            slots: Some(vec![2]),
        }];
        filter.stream = Some(Stream::Err);
        assert_eq!(names(&filter), ["a-error-2.log"]);
        assert!(read_back(&dir.path().join("none"), &filter, 5).is_empty());
    }
}
