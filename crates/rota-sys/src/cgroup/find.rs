//! Where the control group of this process is in the file system.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

/// Why there is no group to be found.
#[derive(Debug, Error)]
pub enum Absent {
    /// The kernel has none, or the process is in version 1 only.
    #[error("this system has no control groups of version 2")]
    NoVersion2,
    /// They exist and are mounted nowhere, or nowhere where this process's own can be seen.
    #[error("the control groups of version 2 are not mounted where rota can see its own ({0})")]
    NotMounted(String),
    /// `/proc` cannot be read.
    #[error("/proc cannot be read")]
    Proc(#[source] io::Error),
}

/// The directory of the version 2 group of this process, in a pure mount of version 2 or a hybrid one.
///
/// # Errors
/// See [`Absent`].
pub fn own() -> Result<PathBuf, Absent> {
    let groups = fs::read_to_string("/proc/self/cgroup").map_err(Absent::Proc)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(Absent::Proc)?;
    locate(&groups, &mounts)
}

/// A directory and all that are above it and still groups, the nearest first.
pub fn parents(directory: &Path) -> impl Iterator<Item = &Path> {
    let is_group = |path: &&Path| path.join("cgroup.procs").exists();
    directory.ancestors().take_while(is_group)
}

/// The same, from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
pub(crate) fn locate(groups: &str, mounts: &str) -> Result<PathBuf, Absent> {
    let path = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .ok_or(Absent::NoVersion2)?;
    let elsewhere = || Absent::NotMounted(path.to_owned());
    // In a group outside of its namespace, as after an `unshare`: `/../..`.
    let own = Path::new(path);
    if own.components().any(|part| part == Component::ParentDir) {
        return Err(elsewhere());
    }
    let fits = |mount: &Mount| {
        let below = own.strip_prefix(&mount.root).ok()?;
        Some((mount.writable, mount.point.join(below)))
    };
    let found: Vec<_> = mounts.lines().filter_map(mount).collect();
    let mut found: Vec<_> = found.iter().filter_map(fits).collect();
    // A second mount may be read-only.
    found.sort_by_key(|(writable, _)| !writable);
    let directory = found.into_iter().next().ok_or_else(elsewhere)?.1;
    // Joining with nothing leaves a slash at the end.
    Ok(directory.components().collect())
}

/// A mount of version 2.
struct Mount {
    root: PathBuf,
    point: PathBuf,
    writable: bool,
}

/// `36 35 98:0 /root /mount/point rw,noatime shared:1 - cgroup2 cgroup2 rw`
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    if after.split(' ').next()? != "cgroup2" {
        return None;
    }
    let mut fields = before.split(' ').skip(3);
    let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Mount {
        root: unescape(root),
        point: unescape(point),
        writable: options.split(',').any(|option| option == "rw"),
    })
}

/// Blanks, line ends and backslashes are three octal digits behind a backslash.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| first == b'\\');
        let byte = octal.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[3..] } else { behind };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    fn found(groups: &str, mounts: &str) -> String {
        match locate(groups, mounts) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn pure_and_hybrid() {
        let groups = "4:memory:/a\n1:name=systemd:/b\n0::/system.slice/rota.service\n";
        assert_eq!(
            found(groups, HYBRID),
            "/sys/fs/cgroup/unified/system.slice/rota.service"
        );
        let pure = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(found("0::/\n", pure), "/sys/fs/cgroup");
        assert_eq!(found("0::/a b:c\n", pure), "/sys/fs/cgroup/a b:c");
    }

    #[test]
    fn in_a_container() {
        // Without a namespace of its own, the container's group is what is mounted.
        let bind = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(found("0::/docker/abc/x\n", bind), "/sys/fs/cgroup/x");
        assert!(found("0::/docker/other\n", bind).contains("not mounted"));
        assert!(found("0::/../other\n", bind).contains("not mounted"));
        // A second, writable mount is the better one.
        let both = format!("{bind}31 23 0:26 / /mnt/with\\040blank rw - cgroup2 none rw\n");
        assert_eq!(
            found("0::/docker/abc\n", &both),
            "/mnt/with blank/docker/abc"
        );
    }

    #[test]
    fn version_1_alone() {
        assert!(found("4:memory:/a\n", HYBRID).contains("no control groups of version 2"));
        let none = HYBRID.replace("cgroup2", "tmpfs");
        assert!(found("0::/\n", &none).contains("not mounted"));
        assert_eq!(found("0::/", "\n - \n1 2 3 - cgroup2\n"), found("0::/", ""));
    }
}
