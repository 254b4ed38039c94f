//! What the kernel tells of a worker, in which the worker has a word: its name and its command are in it.
//!
//! The first byte of the input says which file it is.

#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/rota-sys/src/oom.rs"]
mod oom;
#[path = "../../crates/rota-sys/src/procfs.rs"]
mod procfs;
#[path = "../../crates/rota-sys/src/sock_diag.rs"]
mod sock_diag;
#[path = "../../crates/rota-sys/src/waits.rs"]
mod waits;
/// What `waits` expects beside itself.
mod signal {
    pub use rota_sys::signal::Signal;
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let text = || String::from_utf8_lossy(bytes);
    match kind % 5 {
        0 => stat(bytes),
        1 => drop(procfs::parse_fd_limit(bytes)),
        2 => {
            if let Some((number, _)) = waits::parse_call(&text()) {
                assert!(number >= 0);
            }
        }
        3 => {
            let _ = oom::parse(&text());
            for path in oom::candidates(&text()) {
                let mut parts = path.components();
                assert!(path.starts_with("/sys/fs/cgroup"), "{path:?}");
                assert!(parts.all(|part| part != std::path::Component::ParentDir), "{path:?}");
            }
        }
        _ => {
            let mut found = Vec::new();
            let _ = sock_diag::parse(bytes, 80, &mut found);
            // Each takes a header and a message of its own.
            assert!(found.len() <= bytes.len() / 88);
        }
    }
});

/// A status line is read the same whatever the program's name is.
fn stat(bytes: &[u8]) {
    let plain = procfs::parse_stat(bytes);
    let end = bytes.iter().rposition(|byte| *byte == b')');
    let Some(end) = end else { return assert_eq!(plain, None) };
    for name in [&b"x"[..], b") R 1 (", b"\n", b"\xff", b""] {
        let line = [b"1 (", name, &bytes[end..]].concat();
        assert_eq!(procfs::parse_stat(&line), plain);
    }
}
