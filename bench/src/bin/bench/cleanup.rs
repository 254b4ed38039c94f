//! Nothing stays behind: every process that the benchmark starts carries a tag in its environment.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// The variable whose value is the benchmark's temporary folder.
pub(crate) const TAG: &str = "ROTA_BENCH";

/// Kills every process that was started, directly or not, with the folder as its tag.
///
/// Repeats until none is left, because a manager may start workers while it is being looked for.
pub(crate) fn kill_tagged(root: &Path) {
    let tag = format!("{TAG}={}", root.display());
    for _ in 0..50 {
        let found = tagged(&tag);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // An error means that it has ended by itself.
            let _gone = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn tagged(tag: &str) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| carries(*pid, tag))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Whether the process has the tag, or that of a folder within it.
fn carries(pid: i32, tag: &str) -> bool {
    let matches = |var: &[u8]| {
        var.strip_prefix(tag.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|&byte| byte == 0).any(matches))
}

/// On SIGINT and SIGTERM: kills what was started, removes the folder, and exits.
pub(crate) fn on_signal(root: &Path) {
    let root: PathBuf = root.to_owned();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        else {
            return;
        };
        if runtime.block_on(interrupted()).is_ok() {
            kill_tagged(&root);
            // Best effort on the way out.
            let _left = fs::remove_dir_all(&root);
            std::process::exit(130);
        }
    });
}

async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn sleeper(tag: &Path) -> std::process::Child {
        Command::new("sleep")
            .arg("1000")
            .env(TAG, tag)
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn kills_what_carries_the_tag_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let mut own = sleeper(root.path());
        let mut below = sleeper(&root.path().join("0"));
        let mut longer = sleeper(&root.path().with_extension("more"));
        let mut foreign = sleeper(other.path());
        kill_tagged(root.path());
        assert!(!own.wait().unwrap().success());
        assert!(!below.wait().unwrap().success());
        for spared in [&mut longer, &mut foreign] {
            assert!(spared.try_wait().unwrap().is_none());
            spared.kill().unwrap();
            spared.wait().unwrap();
        }
    }
}
