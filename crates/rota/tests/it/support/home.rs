//! A daemon of one's own: its folder, its command line, and that nothing is left of it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use rota_sys::cgroup::{self, Group};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures::{app_path, setup};
use super::foreground::Foreground;
use super::process::{Output, run, signal, tagged};
use super::view::App;
use super::wait::{eventually, eventually_within};

/// The variable by which all processes of a home are found; it reaches workers and grandchildren.
const TAG: &str = "TEST_HOME_TAG";

/// An own `ROTA_HOME` in a temporary folder. When it is dropped the daemon is killed, and the test fails if any
/// process of it is left.
pub struct Home {
    folder: TempDir,
}

/// An app that was started, and where it serves.
pub struct Started {
    /// Its port, if it has one.
    pub port: u16,
    /// The processes of its workers.
    pub pids: Vec<u32>,
}

impl Home {
    /// A home without a daemon.
    pub fn new() -> Self {
        setup();
        // A short path: a socket's may have 108 bytes.
        Self {
            folder: tempfile::Builder::new()
                .prefix("rt")
                .rand_bytes(6)
                .tempdir_in("/tmp")
                .unwrap(),
        }
    }

    /// The folder, which has room for the files of a test too.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `ROTA_HOME`.
    pub fn rota_home(&self) -> PathBuf {
        self.path().join("home")
    }

    fn tag(&self) -> String {
        format!("{TAG}={}", self.path().display())
    }

    /// A program with this home's environment.
    pub fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("ROTA_HOME", self.rota_home())
            .env(TAG, self.path())
            .env("REPORT", self.report_path())
            .env("GO", self.path().join("go"))
            .env("SOCKETS", self.path())
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .env_remove("NODE_OPTIONS")
            .env_remove("PORT")
            .current_dir(self.path());
        command
    }

    /// The command `rota` with arguments, to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_rota"));
        command.args(args);
        command
    }

    /// Runs `rota` to its end.
    #[track_caller]
    pub fn rota(&self, args: &[&str]) -> Output {
        run(&mut self.command(args))
    }

    /// Runs `rota` while the test does something else.
    pub fn in_background(&self, args: &[&str]) -> JoinHandle<Output> {
        let mut command = self.command(args);
        std::thread::spawn(move || run(&mut command))
    }

    /// Copies a server of `tests/apps` into this home, so that a test can change it; gives its path.
    pub fn copy(&self, app: &str) -> String {
        let target = self.path().join(app);
        fs::copy(app_path(app), &target).unwrap();
        target.display().to_string()
    }

    /// Writes a file into this home, whole at once, as a deployment should.
    pub fn write(&self, name: &str, text: &str) -> String {
        let (partial, target) = (
            self.path().join(format!(".{name}.new")),
            self.path().join(name),
        );
        fs::write(&partial, text).unwrap();
        fs::rename(partial, &target).unwrap();
        target.display().to_string()
    }

    /// Replaces one server by another of `tests/apps`: the deployment of a new version.
    pub fn deploy(&self, over: &str, app: &str) {
        self.write(over, &fs::read_to_string(app_path(app)).unwrap());
    }

    /// Starts a server of `tests/apps` under the name `app`, without a moment of observation, and waits for its port.
    #[track_caller]
    pub fn start(&self, app: &str, flags: &[&str]) -> Started {
        let path = app_path(app).display().to_string();
        self.start_script(&path, flags)
    }

    /// Starts a script under the name `app`, without a moment of observation.
    #[track_caller]
    pub fn start_script(&self, script: &str, flags: &[&str]) -> Started {
        let mut args = vec!["start", script, "--name", "app", "--observe", "0"];
        args.extend(flags);
        self.rota(&args).ok();
        let app = self.app("app");
        Started {
            port: app.port().unwrap_or(0),
            pids: app.pids(),
        }
    }

    /// All apps.
    #[track_caller]
    pub fn apps(&self) -> Vec<App> {
        let output = self.rota(&["list", "--json"]).ok();
        let Value::Object(mut whole) = output.json() else {
            panic!("not an object: {output}")
        };
        let Some(Value::Array(apps)) = whole.remove("apps") else {
            panic!("no apps: {output}")
        };
        apps.into_iter().map(App).collect()
    }

    /// The app of this name.
    #[track_caller]
    pub fn app(&self, name: &str) -> App {
        self.find(name)
            .unwrap_or_else(|| panic!("there is no app {name}"))
    }

    /// The app of this name, if there is one.
    #[track_caller]
    pub fn find(&self, name: &str) -> Option<App> {
        self.apps().into_iter().find(|app| app.name() == name)
    }

    /// The app of this name, if a daemon answers and has it.
    pub fn find_quietly(&self, name: &str) -> Option<App> {
        (self.rota(&["ping"]).code == 0)
            .then(|| self.find(name))
            .flatten()
    }

    /// Waits until the app `app` is as `wanted` says.
    #[track_caller]
    pub fn until(&self, what: &str, wanted: impl Fn(&App) -> bool) -> App {
        eventually(what, || Some(self.app("app")).filter(&wanted))
    }

    /// Waits until the app `app` has this status.
    #[track_caller]
    pub fn until_status(&self, status: &str) -> App {
        self.until(&format!("status {status}"), |app| app.status() == status)
    }

    /// Waits until `rota run` answers and its app is online.
    #[track_caller]
    pub fn until_run_online(&self) -> App {
        eventually("the app in the foreground is online", || {
            self.find_quietly("app")
                .filter(|app| app.status() == "online")
        })
    }

    /// The keeper's and the supervisor's processes.
    #[track_caller]
    pub fn daemon_pids(&self) -> (u32, u32) {
        let version = self.rota(&["version", "--json"]).ok().json();
        let daemon = version.get("daemon").unwrap_or(&version);
        let pid = |name: &str| {
            u32::try_from(
                daemon[name]
                    .as_u64()
                    .unwrap_or_else(|| panic!("{name} in {version:#}")),
            )
            .unwrap()
        };
        (pid("keeper_pid"), pid("supervisor_pid"))
    }

    /// The file that servers report to.
    pub fn report_path(&self) -> PathBuf {
        self.path().join("report")
    }

    /// What servers have reported.
    pub fn report(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.report_path()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits until a report satisfies `wanted`.
    #[track_caller]
    pub fn until_reported(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || self.report().into_iter().find(&wanted))
    }

    /// Starts `rota run` in the foreground.
    pub fn run(&self, args: &[&str]) -> Foreground {
        let mut all = vec!["run"];
        all.extend(args);
        Foreground::start(&mut self.command(&all))
    }

    /// The processes of this home that live.
    pub fn processes(&self) -> Vec<(u32, String)> {
        tagged(&self.tag())
    }

    /// The control groups that keepers of this home have made in the one in which the tests run.
    pub fn groups(&self) -> Vec<Group> {
        let prefix = rota_keeper::group_prefix(&self.rota_home());
        let base = cgroup::own().map(Group::at);
        let mut groups = base.map_or(Vec::new(), |base| base.below());
        groups.retain(|group| {
            let name = group.path().file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(&prefix)
        });
        groups
    }

    /// Those of keepers that were killed.
    fn remove_groups(&self) {
        for group in self.groups() {
            group.remove();
        }
    }

    /// What the daemon has written.
    pub fn daemon_log(&self) -> String {
        fs::read_to_string(self.rota_home().join("daemon.log")).unwrap_or_default()
    }

    fn kill_all(&self) {
        // Until none is left: the keeper starts a supervisor that is killed before it once more.
        for _ in 0..100 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for (pid, _) in left {
                signal(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn tell(&self) {
        let mut text = String::new();
        for (pid, line) in self.processes() {
            let _ = writeln!(text, "{pid} {line}");
        }
        eprintln!(
            "--- processes of the home\n{text}--- daemon.log\n{}---",
            self.daemon_log()
        );
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
            self.kill_all();
            self.remove_groups();
            return;
        }
        if !self.processes().is_empty() {
            let killed = self.rota(&["kill"]);
            if killed.code != 0 {
                self.tell();
                self.kill_all();
                panic!("rota kill failed:\n{killed}");
            }
        }
        let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually_within(
                Duration::from_secs(10),
                "every process of the home is gone",
                || self.processes().is_empty().then_some(()),
            );
        }));
        if gone.is_err() {
            self.tell();
            self.kill_all();
            panic!("processes were left behind");
        }
        self.remove_groups();
        assert!(
            !self.rota_home().join("rota.sock").exists(),
            "the API socket was left behind"
        );
    }
}
