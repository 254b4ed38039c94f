//! The processes of the home, found without asking rota.

use super::home::Home;
use super::view::App;
use super::wait::eventually;

/// Who lives.
#[derive(Debug)]
pub struct Living {
    /// Supervisors: one, or none for a moment.
    pub supervisors: Vec<u32>,
    /// Their shadows: as many, or more for a moment.
    pub shadows: Vec<u32>,
    /// Processes of the app, in whatever state.
    pub workers: Vec<u32>,
    /// All others, the keeper among them.
    pub others: Vec<(u32, String)>,
}

/// Looks at all processes.
pub fn living(home: &Home) -> Living {
    let mut living = Living {
        supervisors: Vec::new(),
        shadows: Vec::new(),
        workers: Vec::new(),
        others: Vec::new(),
    };
    for (pid, line) in home.processes() {
        if is_shadow(pid) {
            living.shadows.push(pid);
        } else if line.contains("__supervisor") {
            living.supervisors.push(pid);
        } else if line.starts_with("node ") || line.contains("/node ") {
            living.workers.push(pid);
        } else {
            living.others.push((pid, line));
        }
    }
    living.workers.sort_unstable();
    living
}

/// A fork of the supervisor has its arguments, and a name of its own.
fn is_shadow(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|name| name.trim() == "rota-shadow")
}

/// The app `app`, if nothing is under way: its workers serve, and there is no process but theirs and the daemon's three.
pub fn calm(home: &Home) -> Option<App> {
    let app = home.app("app");
    let mut pids = app.pids();
    pids.sort_unstable();
    let living = living(home);
    let calm = app.online() == app.workers().len()
        && living.workers == pids
        && living.supervisors.len() == 1
        && living.shadows.len() == 1
        && living.others.len() == 1;
    calm.then_some(app)
}

/// Waits until another supervisor than this one answers.
pub fn another_supervisor(home: &Home, than: u32) {
    eventually("another supervisor", || {
        let output = home.rota(&["version", "--json"]);
        let answered = output.code == 0;
        (answered && output.json()["daemon"]["supervisor_pid"] != than).then_some(())
    });
}
