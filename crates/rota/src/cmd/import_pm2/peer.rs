//! The PM2 that runs here: whether it does, what it knows, and what it is told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rota_config::Env;
use rota_config::foreign::pm2::Known;
use serde_json::Value;

/// How long PM2 may take to do what it is told: its own kill timeout may be long.
const LIMIT: Duration = Duration::from_secs(120);
/// More it does not tell, in bytes.
const MOST: u64 = 64 << 20;

/// PM2, as far as it is here.
pub(super) struct Peer {
    /// Its folder.
    pub(super) home: PathBuf,
    /// Its program, if its daemon runs and the program is there.
    program: Option<PathBuf>,
}

impl Peer {
    /// Looks for it.
    pub(super) fn find(env: &Env) -> Self {
        let home = env
            .get("PM2_HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        let home = home.unwrap_or_else(|| Path::new(env.get("HOME").unwrap_or("/")).join(".pm2"));
        // Asking when none runs would start one.
        let runs = UnixStream::connect(home.join("rpc.sock")).is_ok();
        let program = runs
            .then(|| program(env.get("PATH").unwrap_or_default()))
            .flatten();
        Self { home, program }
    }

    /// True if it can be asked.
    pub(super) fn answers(&self) -> bool {
        self.program.is_some()
    }

    /// Its processes.
    pub(super) fn list(&self) -> io::Result<Value> {
        let text = self.tell(&["jlist"])?;
        // Other lines may be in front: banners, versions that differ.
        let list = text.lines().rev().find(|line| line.starts_with('['));
        serde_json::from_str(list.unwrap_or_default()).map_err(io::Error::other)
    }

    /// Runs `pm2` with arguments; gives what it prints.
    pub(super) fn tell(&self, args: &[&str]) -> io::Result<String> {
        let program = self.program.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut child = Command::new(program)
            .args(args)
            .env("PM2_DISCRETE_MODE", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take();
        let (sender, answer) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            let read = stdout.map_or(Ok(0), |stdout| stdout.take(MOST).read_to_end(&mut text));
            // Nobody may be waiting for it any more.
            let _unheard = sender.send(read.and_then(|_| Ok((child.wait()?, text))));
        });
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "pm2 does not answer");
        let (status, text) = answer.recv_timeout(LIMIT).map_err(late)??;
        match status.success() {
            true => Ok(String::from_utf8_lossy(&text).into_owned()),
            false => Err(io::Error::other(format!(
                "pm2 {}: {status}",
                args.join(" ")
            ))),
        }
    }

    /// True if an app has a TCP port there, or may have: in cluster mode the ports are those of PM2's daemon.
    pub(super) fn listens(&self, app: &Known) -> bool {
        let daemon = fs::read_to_string(self.home.join("pm2.pid")).unwrap_or_default();
        let daemon = daemon.trim().parse().ok().filter(|_| app.cluster);
        let listening = listening();
        app.pids
            .iter()
            .copied()
            .chain(daemon)
            .any(|pid| has_one(pid, &listening))
    }
}

/// `pm2` on the path, unless it is this very program under that name.
fn program(path: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().and_then(fs::canonicalize).ok();
    let candidates = path.split(':').map(|folder| Path::new(folder).join("pm2"));
    candidates
        .filter(|file| file.is_file())
        .find(|file| fs::canonicalize(file).ok() != own)
}

/// The inodes of all TCP sockets that listen.
fn listening() -> BTreeSet<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let state = fields.nth(3)?;
        (state == "0A")
            .then(|| fields.nth(5).map(str::to_owned))
            .flatten()
    };
    tables
        .iter()
        .flat_map(|table| table.lines().filter_map(inode))
        .collect()
}

fn has_one(pid: u32, listening: &BTreeSet<String>) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|link| {
            let link = link.to_string_lossy();
            let inode = link
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'));
            inode.is_some_and(|inode| listening.contains(inode))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_process_is_known() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(has_one(std::process::id(), &listening()));
        drop(socket);
        assert!(!has_one(u32::MAX, &listening()));
    }

    #[test]
    fn without_a_daemon_nobody_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let env: Env = [
            ("PM2_HOME", folder.path().display().to_string()),
            ("PATH", "/bin".to_owned()),
        ]
        .into_iter()
        .collect();
        let peer = Peer::find(&env);
        assert!(!peer.answers() && peer.home == folder.path());
        assert!(peer.tell(&["ping"]).is_err());
    }
}
