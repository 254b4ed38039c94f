//! Looking a program up on `PATH`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Finds a program. A name with a slash in it is taken as it is; otherwise the first executable regular file of
/// that name on the colon-separated `path` (the usual system directories if absent). Entries of `path` that are
/// relative, or empty, are relative to `cwd`.
#[must_use]
pub fn find_program(program: &Path, path: Option<&OsStr>, cwd: Option<&Path>) -> Option<PathBuf> {
    let name = program.as_os_str().as_bytes();
    if name.contains(&b'/') {
        return Some(program.to_owned());
    }
    if name.is_empty() {
        return None;
    }
    let path = path.unwrap_or_else(|| OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let here = cwd.unwrap_or_else(|| Path::new("."));
    path.as_bytes()
        .split(|byte| *byte == b':')
        .map(|folder| here.join(OsStr::from_bytes(folder)).join(program))
        .find(|candidate| {
            candidate.is_file() && access(candidate.as_path(), Access::EXEC_OK).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_would() {
        let sh = find_program(Path::new("sh"), None, None).unwrap();
        assert!(sh.is_absolute());
        assert_eq!(
            find_program(Path::new("./x"), None, None).unwrap(),
            Path::new("./x")
        );
        assert_eq!(
            find_program(Path::new("sh"), Some(OsStr::new("/nowhere")), None),
            None
        );
        assert_eq!(find_program(Path::new(""), None, None), None);
        let bin = sh.parent().unwrap();
        assert_eq!(
            find_program(Path::new("sh"), Some(OsStr::new("")), Some(bin)).unwrap(),
            bin.join("").join("sh")
        );
    }
}
