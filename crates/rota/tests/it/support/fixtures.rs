//! Where the servers and clients of the tests are, and that they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::process::run;

fn tests_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests")
            .canonicalize()
            .unwrap()
    })
}

/// Installs, once, what the tests need (`tests/setup`).
pub fn setup() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let done = Command::new(tests_dir().join("setup")).status().unwrap();
        assert!(done.success(), "tests/setup failed");
    });
}

/// A server of `tests/apps`.
pub fn app_path(name: &str) -> PathBuf {
    tests_dir().join("apps").join(name)
}

/// A client of `tests/clients`.
pub fn client_path(name: &str) -> PathBuf {
    tests_dir().join("clients").join(name)
}

/// The folder with `key.pem` and `cert.pem`.
pub fn tls_dir() -> PathBuf {
    setup();
    tests_dir().join(".cache/tls")
}

/// The binary of a Node version (18, 20, 22, 24), or of `bun` and `deno`.
pub fn node_bin(name: &str) -> PathBuf {
    setup();
    let path = match name {
        "bun" | "deno" => tests_dir().join("node_modules/.bin").join(name),
        version => tests_dir().join(format!("node_modules/node{version}/bin/node")),
    };
    let version = run(Command::new(&path).arg("--version")).ok();
    assert!(!version.out.is_empty(), "{} does not run", path.display());
    path
}
