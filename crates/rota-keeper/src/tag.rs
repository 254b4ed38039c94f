//! The mark by which a process is known as a worker's, wherever it has gone.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use rota_sys::procfs;

use crate::protocol::MARK;

/// Marks of this keeper: no other keeper's children are ever taken for its own.
#[derive(Debug)]
pub(crate) struct Tag {
    keeper: String,
}

impl Tag {
    /// A mark from the home and this process's identity (its pid may have been another's before).
    pub(crate) fn new(home: &Path) -> Self {
        let me = std::process::id();
        let mut hasher = DefaultHasher::new();
        (
            home,
            me,
            procfs::stat(me).map_or(0, |stat| stat.start_ticks),
        )
            .hash(&mut hasher);
        Self {
            keeper: format!("{:016x}", hasher.finish()),
        }
    }

    /// The marks of an earlier image of this process.
    pub(crate) fn again(keeper: &str) -> Self {
        Self {
            keeper: keeper.to_owned(),
        }
    }

    /// What all of them have in common, for [`Self::again`].
    pub(crate) fn keeper(&self) -> &str {
        &self.keeper
    }

    /// The value for a child.
    pub(crate) fn of(&self, child: u64) -> String {
        format!("{}:{child}", self.keeper)
    }

    /// The child that a value belongs to, if it is one of this keeper's.
    pub(crate) fn child_of(&self, value: &[u8]) -> Option<u64> {
        let number = value
            .strip_prefix(self.keeper.as_bytes())?
            .strip_prefix(b":")?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    /// The child that a process belongs to by its environment.
    pub(crate) fn read(&self, process: u32) -> Option<u64> {
        self.child_of(&procfs::environ_value(process, MARK).ok()??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own() {
        let tag = Tag::new(Path::new("/home/a"));
        assert_eq!(tag.child_of(tag.of(42).as_bytes()), Some(42));
        assert_eq!(
            Tag::new(Path::new("/home/b")).child_of(tag.of(42).as_bytes()),
            None
        );
        assert_eq!(Tag::again(tag.keeper()).of(7), tag.of(7));
        for value in ["", ":", "42", "x:42"] {
            assert_eq!(tag.child_of(value.as_bytes()), None);
        }
        assert_eq!(tag.child_of(format!("{}x", tag.of(4)).as_bytes()), None);
    }
}
