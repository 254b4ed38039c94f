//! Who workers are, what they may use, what is kept from others.

mod links;
mod secrets;
mod users;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A line of `/proc/PID/status`, in words.
fn status_of(pid: u32, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let words = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    words.split_whitespace().map(str::to_owned).collect()
}

/// Whether a test can become somebody else; says so if it cannot.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: only root can run workers as another user");
    }
    root
}

/// Whether everybody can reach a file; says so if not.
fn is_open(path: &Path) -> bool {
    let real = path.canonicalize().unwrap();
    let open = real
        .ancestors()
        .all(|part| part.metadata().unwrap().permissions().mode() & 0o001 != 0);
    if !open {
        println!("skipped: {} is closed to other users", path.display());
    }
    open
}
