//! Every look at the file system that resolving needs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What is at a path, symbolic links followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Folder,
    File { executable: bool },
}

/// Looks at a path.
pub(super) fn look(path: &Path) -> Found {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Found::Folder,
        Ok(meta) => Found::File {
            executable: meta.permissions().mode() & 0o111 != 0,
        },
        Err(_) => Found::Nothing,
    }
}

/// The first bytes of a file: enough for a shebang or the magic number of an executable.
pub(super) fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    Ok(head)
}

/// True for a text file that neither its mode nor a first line `#!…` makes a program.
pub(crate) fn is_plain_text(path: &Path) -> bool {
    let bare = look(path) == Found::File { executable: false };
    bare && head(path).is_ok_and(|head| !head.starts_with(b"#!") && !head.contains(&0))
}

/// The first executable file of that name on a `PATH`-like list; relative entries are relative to
/// `cwd`.
pub(super) fn on_path(name: &str, path: &str, cwd: &Path) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    path.split(':')
        .map(|folder| cwd.join(folder).join(name))
        .find(|candidate| look(candidate) == Found::File { executable: true })
}

/// The names in a folder that are most like `name`, best first, at most three.
pub(super) fn similar(folder: &Path, name: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let limit = 1 + name.chars().count() / 4;
    // A folder with a million files must not make an error message slow.
    let mut near: Vec<(usize, String)> = entries
        .take(5000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|other| {
            let distance = distance(name, &other);
            let same_stem = Path::new(name).file_stem() == Path::new(&other).file_stem();
            (distance <= limit || same_stem).then_some((distance, other))
        })
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Edits (insert, remove, replace) between two names, letters' case ignored.
fn distance(a: &str, b: &str) -> usize {
    strsim::levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("app.js", "app.js", 0),
            ("ap.js", "app.js", 1),
            ("App.js", "app.js", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn similar_names_are_found_best_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["server.js", "server.ts", "sevre.js", "readme.md"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(
            similar(folder.path(), "serve.js"),
            ["server.js", "server.ts", "sevre.js"]
        );
        assert!(similar(&folder.path().join("none"), "x").is_empty());
    }
}
