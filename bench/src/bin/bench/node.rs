//! The versions of Node that take part.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::context::Result;
use crate::process;

/// A version of Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its major version: `22`.
    pub(crate) major: u32,
    /// The program.
    pub(crate) path: PathBuf,
}

impl Node {
    /// The version that `tests/setup` installs from npm, by its number.
    pub(crate) fn find(repository: &Path, major: u32) -> Result<Self> {
        let tests = repository.join("tests");
        let path = tests.join(format!("node_modules/node{major}/bin/node"));
        if !path.exists() {
            eprintln!("bench: tests/setup ...");
            process::run(
                &mut Command::new(tests.join("setup")),
                Duration::from_secs(1800),
            )?;
        }
        if path.exists() {
            Ok(Self { major, path })
        } else {
            Err(format!(
                "there is no {}; tests/setup installs 18, 20, 22 and 24",
                path.display()
            )
            .into())
        }
    }

    /// The folder of the program, for PATH.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}
