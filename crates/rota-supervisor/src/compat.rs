//! What apps that were written for PM2 expect of their manager: its variables.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rota_config::ExecMode;
use rota_engine::{AppId, Slot};

use crate::apps::Prepared;
use crate::output;
use crate::supervisor::{State, Supervisor, unix_millis};

/// PM2's name for the variable with a worker's number.
const INSTANCE_VAR: &str = "NODE_APP_INSTANCE";

/// Where in the daemon a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its slot's number in the daemon: `pm_id`.
    pub(crate) id: u32,
    /// How often the slot was started again.
    pub(crate) restarts: u32,
    /// How many workers the app is to have.
    pub(crate) instances: u32,
    /// Unix time of the app's first start, in milliseconds.
    pub(crate) created_at: u64,
    /// Now, as Unix time in milliseconds.
    pub(crate) now: u64,
    /// `ROTA_HOME`.
    pub(crate) home: PathBuf,
    /// Where logs are.
    pub(crate) logs: PathBuf,
}

impl Supervisor {
    /// Where in the daemon the worker of a slot is.
    pub(crate) fn place(&self, state: &State, app: AppId, slot: Slot) -> Option<Place> {
        let known = state.apps.get(&app)?;
        let view = state.engine.app(app)?;
        let seat = view.slots.iter().find(|seat| seat.slot == slot)?;
        Some(Place {
            id: seat.id,
            restarts: seat.restarts,
            instances: view.instances,
            created_at: known.created_at,
            now: unix_millis(),
            home: self.home.root().to_owned(),
            logs: self.home.logs(),
        })
    }
}

impl Supervisor {
    /// Writes the file with the process id of a worker, for programs that look there as with PM2. It is no matter of the
    /// worker's if that fails.
    pub(crate) fn write_pid_file(&self, worker: u64, pid: u32) {
        if let Some(path) = self.pid_file(worker) {
            tokio::task::spawn_blocking(move || {
                let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                folder
                    .and_then(|()| std::fs::write(&path, pid.to_string()))
                    .ok()
            });
        }
    }

    /// Removes it, unless it speaks of another process already.
    pub(crate) fn remove_pid_file(&self, worker: u64) {
        let pid = self.with(|state| state.workers.get(&worker)?.spawned_pid);
        if let (Some(path), Some(pid)) = (self.pid_file(worker), pid) {
            tokio::task::spawn_blocking(move || {
                let own = std::fs::read_to_string(&path).is_ok_and(|text| text == pid.to_string());
                own.then(|| std::fs::remove_file(&path).ok())
            });
        }
    }

    fn pid_file(&self, worker: u64) -> Option<PathBuf> {
        self.with(|state| {
            let worker = state.workers.get(&worker)?;
            let prepared = worker
                .prepared
                .spec
                .compat
                .pm2
                .then_some(&worker.prepared)?;
            let place = self.place(state, worker.app, worker.slot)?;
            Some(pid_path(prepared, &place))
        })
    }
}

/// The variables by which a worker knows its number among its own.
pub(crate) fn number(prepared: &Prepared, slot: Slot, env: &mut Vec<(OsString, OsString)>) {
    let compat = &prepared.spec.compat;
    let name = compat.instance_var.as_deref().unwrap_or(INSTANCE_VAR);
    set(env, name, slot.to_string());
    let Some(name) = &compat.increment_var else {
        return;
    };
    // As with PM2, what is no number counts as none.
    let base = prepared.spec.env.get(name);
    let base: i64 = base.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    set(env, name, base.saturating_add(i64::from(slot)).to_string());
}

/// The variables that PM2 sets, if the app wants them.
pub(crate) fn add(
    prepared: &Prepared,
    slot: Slot,
    place: &Place,
    env: &mut Vec<(OsString, OsString)>,
) {
    let spec = &prepared.spec;
    if !spec.compat.pm2 {
        return;
    }
    let home = pm2_home(prepared, place);
    let logs = output::log_paths(spec, &place.logs, slot);
    let mode = match prepared.launch.mode {
        ExecMode::Cluster => "cluster_mode",
        ExecMode::Fork => "fork_mode",
    };
    let path = |path: &Path| path.as_os_str().to_owned();
    for (name, value) in [
        ("pm_id", place.id.to_string().into()),
        ("name", spec.name.as_str().into()),
        ("namespace", OsString::from(&spec.namespace)),
        ("exec_mode", mode.into()),
        ("instances", place.instances.to_string().into()),
        ("pm_exec_path", executed(prepared).into_os_string()),
        ("pm_cwd", path(&spec.cwd)),
        ("pm_out_log_path", path(&logs.out)),
        ("pm_err_log_path", path(&logs.err)),
        ("pm_pid_path", pid_path(prepared, place).into_os_string()),
        ("PM2_HOME", path(&home)),
        ("unique_id", unique_id(spec.name.as_str(), place).into()),
        ("restart_time", place.restarts.to_string().into()),
        ("status", "launching".into()),
        ("created_at", place.created_at.to_string().into()),
        ("pm_uptime", place.now.to_string().into()),
        ("PM2_USAGE", "CLI".into()),
    ] {
        set(env, name, value);
    }
}

/// Where PM2's own files would be: where the app was told, or in a folder of our home.
fn pm2_home(prepared: &Prepared, place: &Place) -> PathBuf {
    match prepared.spec.env.get("PM2_HOME") {
        Some(home) if !home.is_empty() => PathBuf::from(home),
        _ => place.home.join("pm2"),
    }
}

/// Where the process id of a worker stands.
fn pid_path(prepared: &Prepared, place: &Place) -> PathBuf {
    let name = format!("{}-{}.pid", prepared.spec.name, place.id);
    pm2_home(prepared, place).join("pids").join(name)
}

/// The absolute path of the script, or of the program if there is none.
pub(crate) fn executed(prepared: &Prepared) -> PathBuf {
    let launch = &prepared.launch;
    launch.script.as_ref().unwrap_or(&launch.program).clone()
}

/// The same for all workers of an app and for its whole life, in the form of a UUID (version 8: of our own making).
pub(crate) fn unique_id(name: &str, place: &Place) -> String {
    let text = format!("{}\0{name}\0{}", place.home.display(), place.created_at);
    let (a, b) = (
        fnv(&text, 0xcbf2_9ce4_8422_2325),
        fnv(&text, 0x6c62_272e_07bb_0142),
    );
    format!(
        "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        0x8000 | b >> 48 & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}

/// FNV-1a, from another start for another half.
fn fnv(text: &str, start: u64) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(start, step)
}

/// Sets a variable, in place of one of that name.
fn set(env: &mut Vec<(OsString, OsString)>, name: &str, value: impl Into<OsString>) {
    env.retain(|(have, _)| have != name);
    env.push((name.into(), value.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            id: 3,
            restarts: 0,
            instances: 2,
            created_at: 1_700_000_000_000,
            now: 1_700_000_000_001,
            home: "/home/x/.rota".into(),
            logs: "/home/x/.rota/logs".into(),
        }
    }

    #[test]
    fn a_unique_id_is_a_uuid_and_stays() {
        let id = unique_id("api", &place());
        assert_eq!(id, unique_id("api", &Place { id: 4, ..place() }));
        assert_ne!(id, unique_id("web", &place()));
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert!(id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
    }
}
