//! The files, read and replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// A larger file is none of ours: the keeper would not have kept as much.
const MOST: u64 = 256 * 1024 * 1024;

/// Reads a file; `None`: there is none.
///
/// # Errors
/// When it cannot be read, is a link, or is larger than anything that was written.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("it is too large"));
    }
    Ok(Some(bytes))
}

/// Replaces a file, for its owner alone. Who reads it sees the one before or the new one, whole; with `durable` also
/// after a loss of power.
///
/// # Errors
/// When it cannot be written; then the one before is still there.
pub(super) fn replace(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let draft = path.with_extension("json.new");
    // Of a process that died in the middle.
    let _ = fs::remove_file(&draft);
    let written = write(&draft, bytes, durable).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
        return written;
    }
    match path.parent().filter(|_| durable) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    if durable { file.sync_data() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apps.json");
        assert!(read(&path).unwrap().is_none());
        // Half a draft of a process that was killed.
        fs::write(path.with_extension("json.new"), "{").unwrap();
        for (text, durable) in [("one", true), ("two", false)] {
            replace(&path, text.as_bytes(), durable).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), text.as_bytes());
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link).is_err());
        replace(&link, b"three", true).unwrap();
        assert_eq!(
            read(&path).unwrap().unwrap(),
            b"two",
            "the link is replaced"
        );
        assert!(replace(&folder.path().join("none/apps.json"), b"", true).is_err());
    }
}
