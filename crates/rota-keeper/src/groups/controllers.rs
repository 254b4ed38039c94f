//! Passing controllers on to the groups of children.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rota_sys::cgroup::Group;
use rota_sys::procfs;
use rustix::io::Errno;

use super::place::{DELEGATE, Lack};

/// What is of use.
const WANTED: [&str; 3] = ["cpu", "memory", "pids"];
/// Where rota's own processes go.
const DAEMON: &str = "daemon";
const CONTROL: &str = "cgroup.subtree_control";
/// How many processes that are in the way are named.
const NAMED: usize = 3;

/// Which controllers the groups of children have, and what was done for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Controllers {
    /// Those that they have.
    pub usable: Vec<String>,
    /// Those that were not passed on by the base before.
    pub switched: Vec<String>,
    /// The group of rota's own processes, if they were moved.
    pub daemon: Option<Group>,
}

/// Turns on what there is, and says what is lacking.
pub(super) fn turn_on(base: &Group, top: &Group) -> (Controllers, Option<Lack>) {
    let offered = base.words("cgroup.controllers");
    let wanted: Vec<_> = only(&WANTED, &offered);
    let mut controllers = Controllers::default();
    let mut lack = lacking(base, &wanted);
    let on = base.words(CONTROL);
    let missing: Vec<_> = wanted
        .iter()
        .filter(|name| !on.contains(name))
        .cloned()
        .collect();
    if !missing.is_empty()
        && let Err(failed) = controllers.switch(base, top, &missing)
    {
        lack = Some(failed);
    }
    let passed = wanted
        .into_iter()
        .filter(|name| on.contains(name) || controllers.switched.contains(name));
    controllers.usable = switch_on(top, &passed.collect::<Vec<_>>()).0;
    (controllers, lack)
}

impl Controllers {
    /// Passes controllers on from the base, after making it free of processes, if these are all rota's.
    fn switch(&mut self, base: &Group, top: &Group, missing: &[String]) -> Result<(), Lack> {
        let name = base.path().display();
        if is_systemds(base) {
            let why = format!("systemd has not delegated the control group {name}");
            return Err(Lack::new(why, DELEGATE));
        }
        let own = own_processes(base)?;
        if !own.is_empty() {
            self.move_into(top, &own)
                .map_err(|error| Lack::new(format!("rota cannot leave {name}: {error}"), ""))?;
        }
        let (switched, error) = switch_on(base, missing);
        self.switched = switched;
        match error {
            Some(error) => {
                if self.switched.is_empty() {
                    self.turn_off(base, top);
                }
                let why = format!("the controllers of {name} cannot be passed on: {error}");
                Err(Lack::new(why, DELEGATE))
            }
            None => Ok(()),
        }
    }

    fn move_into(&mut self, top: &Group, own: &[u32]) -> io::Result<()> {
        let daemon = self.daemon.insert(top.make(DAEMON)?);
        for process in own {
            match daemon.admit(*process) {
                // Whoever has started this daemon may have ended meanwhile.
                Err(error) if error.raw_os_error() != Some(Errno::SRCH.raw_os_error()) => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes back what was done, as far as nobody else has come to need it.
    pub(super) fn turn_off(&self, base: &Group, top: &Group) {
        let off = |group: &Group, names: &[String]| {
            for name in names {
                // It was on, so this fails only when the group is gone.
                let _ = group.set(CONTROL, &format!("-{name}"));
            }
        };
        off(top, &self.usable);
        if base.below().iter().all(|group| group == top) {
            off(base, &self.switched);
        }
        if let Some(daemon) = &self.daemon {
            for process in daemon.processes() {
                // It stays, and so does the group, if the base has other groups with controllers.
                let _ = base.admit(process);
            }
        }
    }
}

/// Those of the first that are among the second.
fn only(names: &[&str], among: &[String]) -> Vec<String> {
    let known = names
        .iter()
        .filter(|name| among.iter().any(|one| one == *name));
    known.map(|name| (*name).to_owned()).collect()
}

fn lacking(base: &Group, wanted: &[String]) -> Option<Lack> {
    let absent = |name: &&str| !wanted.iter().any(|one| one == name);
    let absent: Vec<_> = WANTED.into_iter().filter(absent).collect();
    (!absent.is_empty()).then(|| {
        let why = format!(
            "the control group {} lacks {}",
            base.path().display(),
            match absent.as_slice() {
                [one] => format!("the controller {one}"),
                several => format!("the controllers {}", several.join(", ")),
            }
        );
        Lack::new(
            why,
            "controllers have to be mounted as version 2 (systemd.unified_cgroup_hierarchy=1) and to be passed on by the group above (its cgroup.subtree_control; Delegate=yes with systemd)",
        )
    })
}

/// Turns them on, all at once or those that can be; with the error of the last that cannot.
fn switch_on(group: &Group, names: &[String]) -> (Vec<String>, Option<io::Error>) {
    let all: Vec<_> = names.iter().map(|name| format!("+{name}")).collect();
    if names.is_empty() || group.set(CONTROL, &all.join(" ")).is_ok() {
        return (names.to_vec(), None);
    }
    let mut error = None;
    let mut done = Vec::new();
    for name in names {
        match group.set(CONTROL, &format!("+{name}")) {
            Ok(()) => done.push(name.clone()),
            Err(failed) => error = Some(failed),
        }
    }
    (done, error)
}

/// The processes in a group, if they are this keeper and who has started it.
fn own_processes(base: &Group) -> Result<Vec<u32>, Lack> {
    let mut own = Vec::new();
    let mut strange = Vec::new();
    for word in base.words("cgroup.procs") {
        match word.parse() {
            Ok(pid) if is_ours(pid) => own.push(pid),
            // One of an outer PID namespace is 0.
            Ok(0) | Err(_) => strange.push("a process that cannot be seen from here".to_owned()),
            Ok(pid) => strange.push(described(pid)),
        }
    }
    if strange.is_empty() {
        return Ok(own);
    }
    let more = strange.len().saturating_sub(NAMED);
    strange.truncate(NAMED);
    if more > 0 {
        strange.push(format!("{more} more"));
    }
    let why = format!(
        "there are processes in the control group {} that are not rota's: {}",
        base.path().display(),
        strange.join(", ")
    );
    Err(Lack::new(why, DELEGATE))
}

fn described(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{} ({pid})", name.trim_end().escape_debug())
}

/// This process, or its parent if that is the command that has started it.
fn is_ours(pid: u32) -> bool {
    let own = std::process::id();
    if pid == own {
        return true;
    }
    let program = |pid: u32| {
        let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
        Some((file.dev(), file.ino()))
    };
    procfs::stat(own).is_ok_and(|stat| stat.parent == pid)
        && program(pid).is_some()
        && program(pid) == program(own)
}

/// A unit of systemd that it has kept for itself: it would take controllers away again. Only root gets that far: what
/// is writable for others was delegated to them.
fn is_systemds(base: &Group) -> bool {
    let name = base.path().file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let units = [".service", ".scope", ".slice"];
    if !rustix::process::geteuid().is_root() || !units.iter().any(|end| name.ends_with(end)) {
        return false;
    }
    let says = |attribute: &str| {
        let mut value = [0; 8];
        rustix::fs::getxattr(base.path(), attribute, &mut value)
    };
    // What cannot be asked is not held against it.
    [says("trusted.delegate"), says("user.delegate")]
        .iter()
        .all(|answer| matches!(answer, Err(Errno::NODATA)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(controllers: &str, processes: &str) -> (tempfile::TempDir, Group, Group) {
        let folder = tempfile::tempdir().unwrap();
        let base = Group::at(folder.path());
        base.set("cgroup.controllers", controllers).unwrap();
        base.set("cgroup.procs", processes).unwrap();
        base.set(CONTROL, "").unwrap();
        let top = base.make("rota-1").unwrap();
        (folder, base, top)
    }

    #[test]
    fn rotas_own_processes_make_room_and_come_back() {
        let own = std::process::id().to_string();
        let (_folder, base, top) = fake("cpu memory", &own);
        let (controllers, lack) = turn_on(&base, &top);
        assert_eq!(controllers.usable, ["cpu", "memory"]);
        assert_eq!(controllers.switched, ["cpu", "memory"]);
        assert!(lack.unwrap().why.ends_with("the controller pids"));
        let daemon = controllers.daemon.clone().unwrap();
        assert_eq!(daemon.get("cgroup.procs").unwrap(), own);
        base.set("cgroup.procs", "").unwrap();
        controllers.turn_off(&base, &top);
        assert_eq!(base.get("cgroup.procs").unwrap(), own);
        assert_eq!(base.get(CONTROL).unwrap(), "-memory");
    }

    #[test]
    fn what_is_passed_on_already_is_used() {
        let (_folder, base, top) = fake("cpu memory pids", "1\n");
        base.set(CONTROL, "cpu memory pids").unwrap();
        let (controllers, lack) = turn_on(&base, &top);
        assert_eq!(controllers.usable, ["cpu", "memory", "pids"]);
        assert_eq!(
            (controllers.switched.len(), &controllers.daemon),
            (0, &None)
        );
        assert_eq!(lack, None);
        controllers.turn_off(&base, &top);
        assert_eq!(base.get(CONTROL).unwrap(), "cpu memory pids");
    }

    #[test]
    fn who_is_not_rotas_is_left_alone() {
        for (processes, words) in [
            ("1\n", " (1)"),
            ("0\n0\n", "cannot be seen"),
            ("1\n1\n1\n1\n1\n", "2 more"),
        ] {
            let (_folder, base, top) = fake("cpu", processes);
            let (controllers, lack) = turn_on(&base, &top);
            assert_eq!(controllers, Controllers::default());
            let lack = lack.unwrap();
            assert!(lack.why.contains("not rota's"), "{}", lack.why);
            assert!(lack.why.contains(words), "{}", lack.why);
            assert_eq!(base.get(CONTROL).unwrap(), "");
            assert_eq!(
                format!("{}\n", base.get("cgroup.procs").unwrap()),
                processes
            );
        }
        let (_folder, base, top) = fake("", "1\n");
        let lack = turn_on(&base, &top).1.unwrap();
        assert!(
            lack.why.ends_with("controllers cpu, memory, pids"),
            "{}",
            lack.why
        );
    }

    #[test]
    fn another_keeper_in_the_same_place_keeps_its_controllers() {
        let (_folder, base, top) = fake("cpu", "");
        let (controllers, _) = turn_on(&base, &top);
        base.make("rota-2").unwrap();
        controllers.turn_off(&base, &top);
        assert_eq!(base.get(CONTROL).unwrap(), "+cpu");
    }
}
