//! Resource limits.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static ORIGINAL_NOFILE: OnceLock<Rlimit> = OnceLock::new();

/// Raises the number of files that this process may open to the hard limit, and returns it. Children that are
/// started by [`crate::spawn`] get the soft limit of before: programs that use `select` rely on it.
///
/// # Errors
/// When the kernel refuses.
pub fn raise_nofile() -> io::Result<u64> {
    let now = getrlimit(Resource::Nofile);
    ORIGINAL_NOFILE.get_or_init(|| now);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: now.maximum,
            maximum: now.maximum,
        },
    )?;
    Ok(now.maximum.unwrap_or(u64::MAX))
}

/// Says what the soft limit was before an earlier image of this process raised it, so that children get that
/// one. Call it before [`raise_nofile`].
pub fn remember_nofile(soft: u64) {
    ORIGINAL_NOFILE.get_or_init(|| Rlimit {
        current: Some(soft),
        maximum: None,
    });
}

/// The soft limit before [`raise_nofile`]; `None` if that was never called.
#[must_use]
pub fn original_nofile() -> Option<u64> {
    nofile_for_children()
}

/// The soft limit that children shall have, if it is not this process's own.
pub(crate) fn nofile_for_children() -> Option<u64> {
    ORIGINAL_NOFILE
        .get()
        .map(|limit| limit.current.unwrap_or(u64::MAX))
}
