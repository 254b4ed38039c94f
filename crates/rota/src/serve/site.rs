//! The folder, and what may be seen of it.
//!
//! A path is taken apart here, before the kernel sees it: no `..`, no hidden names, no NUL. Then the kernel opens it *beneath* the
//! folder (`openat2`, Linux 5.6): a symbolic link may point to another file of the folder, and nowhere else, whatever
//! happens meanwhile. Where there is no such call (an old kernel, a seccomp profile), links are looked at first.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// The one hidden name that is meant for the public.
const WELL_KNOWN: &str = ".well-known";
/// A device or a pipe in the folder must not hold anybody up.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// The folder that is served.
#[derive(Debug)]
pub(super) struct Site {
    folder: OwnedFd,
    path: PathBuf,
}

/// What a path means.
#[derive(Debug)]
pub(super) enum Found {
    /// A file that can be sent.
    File(File, std::fs::Metadata),
    /// A folder.
    Folder(File),
}

impl Site {
    /// Opens the folder.
    ///
    /// # Errors
    /// If it is none, or must not be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let folder = rustix::fs::open(&path, flags, Mode::empty())?;
        Ok(Self { folder, path })
    }

    /// What is at a path of [`plain`]; none if there is nothing, or nothing that may be seen.
    pub(super) fn find(&self, path: &str) -> io::Result<Option<Found>> {
        let file = match self.open_below(path) {
            Ok(file) => File::from(file),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        Ok(if metadata.is_file() {
            Some(Found::File(file, metadata))
        } else if metadata.is_dir() {
            Some(Found::Folder(file))
        } else {
            None
        })
    }

    fn open_below(&self, path: &str) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(self.folder.as_fd(), path, FLAGS, Mode::empty(), how) {
            Err(Errno::NOSYS | Errno::PERM) => self.open_checked(path),
            other => Ok(other?),
        }
    }

    fn open_checked(&self, path: &str) -> io::Result<OwnedFd> {
        let real = self.path.join(path).canonicalize()?;
        if !real.starts_with(&self.path) {
            return Err(Errno::XDEV.into());
        }
        Ok(rustix::fs::open(
            &real,
            FLAGS | OFlags::NOFOLLOW,
            Mode::empty(),
        )?)
    }
}

/// Nothing there; or a link that leads out, a name that is too long, a file that must not be read: nothing to be seen.
fn is_absent(error: &io::Error) -> bool {
    let known = [
        Errno::NOENT,
        Errno::NOTDIR,
        Errno::ACCESS,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::XDEV,
        Errno::NXIO,
    ];
    known
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The path of a request, decoded, without the slashes at its ends; none if no file of a site has such a name.
pub(super) fn plain(path: &str) -> Option<String> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    if !decoded.starts_with('/') || decoded.contains(['\0', '\\']) {
        return None;
    }
    let mut names = Vec::new();
    for name in decoded.split('/').filter(|name| !name.is_empty()) {
        if is_hidden(name) {
            return None;
        }
        names.push(name);
    }
    Some(names.join("/"))
}

/// Names that are not for the public: `.`, `..`, `.git`, `.env`.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name != WELL_KNOWN
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_cannot_leave_and_hidden_names_are_none() {
        for (path, expected) in [
            ("/", ""),
            ("/a/b.txt", "a/b.txt"),
            ("//a///b/", "a/b"),
            ("/%61%20b", "a b"),
            ("/a%2fb", "a/b"),
            ("/.well-known/acme", ".well-known/acme"),
            ("/%C3%A4", "ä"),
            ("/a..b/...c".trim_end_matches("/...c"), "a..b"),
        ] {
            assert_eq!(plain(path).as_deref(), Some(expected), "{path}");
        }
        for path in [
            "/../etc/passwd",
            "/a/../b",
            "/%2e%2e/etc/passwd",
            "/..%2fetc",
            "/%2e%2e%2f%2e%2e%2fetc",
            "/.git/config",
            "/a/.env",
            "/.",
            "/./a",
            "/a%00.html",
            "/..\\etc",
            "/%5c..%5c",
            "a",
            "*",
            "",
            "/%ff",
            "/.well-known2",
        ] {
            assert_eq!(plain(path), None, "{path}");
        }
    }

    #[test]
    fn links_lead_to_the_folder_only() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("site");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), "hush").unwrap();
        fs::write(folder.join("sub/page"), "page").unwrap();
        symlink("sub/page", folder.join("inside")).unwrap();
        symlink("../secret", folder.join("outside")).unwrap();
        symlink(outer.path(), folder.join("up")).unwrap();
        symlink("/etc/passwd", folder.join("absolute")).unwrap();
        symlink("loop", folder.join("loop")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RWXU,
            0,
        )
        .unwrap();
        let site = Site::open(&folder).unwrap();
        let is_file = |path: &str| matches!(site.find(path).unwrap(), Some(Found::File(..)));
        assert!(is_file("inside") && is_file("sub/page"));
        assert!(matches!(site.find("sub").unwrap(), Some(Found::Folder(_))));
        assert!(matches!(site.find("").unwrap(), Some(Found::Folder(_))));
        for path in [
            "outside",
            "up",
            "up/secret",
            "absolute",
            "loop",
            "pipe",
            "none",
            "inside/x",
        ] {
            assert!(site.find(path).unwrap().is_none(), "{path}");
        }
        // Where there is no openat2.
        assert!(site.open_checked("inside").is_ok());
        for path in ["outside", "up/secret", "absolute"] {
            assert!(is_absent(&site.open_checked(path).unwrap_err()), "{path}");
        }
    }
}
