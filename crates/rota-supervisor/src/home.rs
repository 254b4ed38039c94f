//! Where things are inside `ROTA_HOME`.

use std::path::{Path, PathBuf};

/// The folder of one daemon: its socket, logs and notify sockets.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Names the folder; nothing is created.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// `ROTA_HOME` itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The API socket that the CLI connects to.
    pub fn api_socket(&self) -> PathBuf {
        self.root.join("rota.sock")
    }

    /// What is to run, for the next daemon if this one is killed.
    pub fn apps_file(&self) -> PathBuf {
        self.root.join("apps.json")
    }

    /// Which processes run, for the same case.
    pub fn workers_file(&self) -> PathBuf {
        self.root.join("workers.json")
    }

    /// Where the workers' output goes.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Where the agent's file lives.
    pub fn agent(&self) -> PathBuf {
        self.root.join("agent")
    }

    /// Where workers write their profiles.
    pub fn profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }

    /// Where the `NOTIFY_SOCKET` of each worker lives.
    pub fn notify(&self) -> PathBuf {
        self.root.join("notify")
    }
}
