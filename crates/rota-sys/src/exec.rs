//! Becoming another program.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

/// Replaces this process's program by another one, with the environment as it is. The first of `args` is what the
/// program sees as its own name.
///
/// Unlike the standard library's `exec`, this leaves the signal mask as it is: a signal that comes in the middle
/// waits for the new program, instead of ending the process. Call it in a process with one thread. Returns only
/// if it fails.
#[must_use]
pub fn replace(program: &Path, args: &[OsString]) -> io::Error {
    let text = |text: &[u8]| CString::new(text).map_err(io::Error::from);
    let strings: Result<Vec<_>, _> = args.iter().map(|arg| text(arg.as_bytes())).collect();
    let (program, strings) = match (text(program.as_os_str().as_bytes()), strings) {
        (Ok(program), Ok(strings)) => (program, strings),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    let argv: Vec<_> = strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([ptr::null()])
        .collect();
    // SAFETY: both are terminated, and outlive the call.
    unsafe { libc::execv(program.as_ptr(), argv.as_ptr()) };
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_return() {
        let error = replace(Path::new("/nowhere/program"), &["program".into()]);
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = replace(Path::new("/bin/sh"), &["a\0b".into()]);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
