//! Going through folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::rules::{Root, Rules};

/// Tells of every folder in `from`, itself included, and of every file, as far as they count. Links to folders are not
/// followed, and what cannot be read is left out. `enter` may end it with an error.
pub(super) fn walk<E>(
    rules: &mut Rules,
    root: &Root,
    from: &Path,
    mut enter: impl FnMut(&Path) -> Result<(), E>,
    mut file: impl FnMut(PathBuf),
) -> Result<(), E> {
    let mut folders = vec![from.to_owned()];
    while let Some(folder) = folders.pop() {
        // Watched before it is read: what comes in between is told of at least once.
        enter(&folder)?;
        rules.read(&folder);
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            if rules.ignore(root, &path, is_folder) {
                continue;
            }
            if is_folder {
                folders.push(path);
            } else {
                file(path);
            }
        }
    }
    Ok(())
}
