//! Anonymous files in memory, sealed so that a receiver can trust their size and content.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};

const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW);

/// Makes one with this content. Nobody can change it any more, whoever gets a copy of the descriptor.
///
/// # Errors
/// When memory or descriptors are exhausted.
pub fn sealed(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let file = File::from(memfd_create(
        name,
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?);
    file.write_all_at(content, 0)?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file.into())
}

/// Reads one whole that is exactly `length` bytes long; `None` if it is not, or is not a sealed memfd at all
/// (any other file could block the reader or change under it).
///
/// # Errors
/// When reading fails.
pub fn read_sealed(fd: impl AsFd, length: usize) -> io::Result<Option<Vec<u8>>> {
    let sealed = fcntl_get_seals(&fd).is_ok_and(|seals| seals.contains(SEALS));
    if !sealed || u64::try_from(fstat(&fd)?.st_size).ok() != Some(length as u64) {
        return Ok(None);
    }
    read_exact(fd, length).map(Some)
}

/// Reads one whole of at most `max` bytes, sealed or not, from its beginning.
///
/// # Errors
/// `InvalidData` if it is longer; or when it is no memfd, or reading fails.
pub fn read(fd: impl AsFd, max: usize) -> io::Result<Vec<u8>> {
    fcntl_get_seals(&fd)?;
    match usize::try_from(fstat(&fd)?.st_size) {
        Ok(length) if length <= max => read_exact(fd, length),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the memfd is longer than allowed",
        )),
    }
}

fn read_exact(fd: impl AsFd, length: usize) -> io::Result<Vec<u8>> {
    let file = File::from(fd.as_fd().try_clone_to_owned()?);
    let mut content = vec![0; length];
    file.read_exact_at(&mut content, 0)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_cannot_be_changed() {
        let fd = sealed("test", b"hello").unwrap();
        assert_eq!(read_sealed(&fd, 5).unwrap().unwrap(), b"hello");
        assert_eq!(read(&fd, 5).unwrap(), b"hello");
        assert!(read_sealed(&fd, 4).unwrap().is_none());
        assert!(read(&fd, 4).is_err());
        assert!(File::from(fd).write_all_at(b"J", 0).is_err());
    }

    #[test]
    fn other_files_are_not_believed() {
        let (read_end, _write_end) = rustix::pipe::pipe().unwrap();
        assert!(read_sealed(&read_end, 0).unwrap().is_none());
        let open = memfd_create("open", MemfdFlags::CLOEXEC).unwrap();
        assert!(read_sealed(&open, 0).unwrap().is_none());
        assert!(
            read_sealed(File::open("/dev/null").unwrap(), 0)
                .unwrap()
                .is_none()
        );
    }
}
