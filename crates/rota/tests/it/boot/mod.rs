//! What ran comes back: after a reboot, after `rota kill`, by the service that starts at boot.

mod desired;
mod kept;
mod notify;
mod service;

use std::fs;

use rustix::process::Signal;

use crate::support::{Foreground, Home, eventually, signal};

impl Home {
    /// Everything is killed at once, and what is written down is of another run of the machine: as if it had lost power.
    fn lose_power(&self) {
        for _ in 0..1000 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for (pid, _) in left {
                signal(pid, Signal::KILL);
            }
        }
        eventually("nobody is left", || {
            self.processes().is_empty().then_some(())
        });
        let path = self.rota_home().join("workers.json");
        let mut file: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        file["boot"] = "another run of the machine".into();
        fs::write(&path, file.to_string()).unwrap();
    }

    /// What the service starts.
    fn daemon(&self) -> Foreground {
        Foreground::start(&mut self.command(&["daemon"]))
    }

    /// Waits until a daemon has the app `app` with so many workers that serve.
    #[track_caller]
    fn until_back(&self, online: usize) {
        eventually("the app is back", || {
            self.find_quietly("app")
                .filter(|app| app.online() == online)
        });
    }

    /// Waits until what was said stands in the file.
    #[track_caller]
    fn until_written(&self, what: &str, wanted: impl Fn(&serde_json::Value) -> bool) {
        eventually(what, || {
            let text = fs::read_to_string(self.rota_home().join("apps.json")).ok()?;
            let file: serde_json::Value = serde_json::from_str(&text).ok()?;
            wanted(&file).then_some(())
        });
    }
}
