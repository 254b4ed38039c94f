//! Control groups: real ones where this machine lets a keeper make them, and a folder that looks like one for limits.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rota_keeper::protocol::{FromKeeper, GroupSpec, GroupsNote, SpawnSpec, SpawnStage, ToKeeper};
use rota_sys::cgroup::Group;
use rota_sys::process;
use rota_sys::signal::Signal;

use crate::rig::{Line, Output, Restored, Rig, is_gone, pipe, shell, spawn, worker};

/// A keeper's own directory, if it has one.
fn directory(restored: &Restored) -> Option<PathBuf> {
    let note = restored.hello.groups.as_ref().unwrap();
    let directory = note.directory.as_ref().map(PathBuf::from);
    if directory.is_none() {
        let why = note.why.as_deref().unwrap_or_default();
        println!("no control groups here, not tested: {why}");
    }
    directory
}

fn in_group(spec: SpawnSpec, group: GroupSpec) -> SpawnSpec {
    SpawnSpec {
        group: Some(Box::new(group)),
        ..spec
    }
}

fn labelled(label: &str) -> GroupSpec {
    GroupSpec {
        label: label.to_owned(),
        ..GroupSpec::default()
    }
}

/// A worker whose grandchild has gone as far away as it can: another session, no mark, no living parent. Prints its pid.
fn runaway() -> (SpawnSpec, std::os::fd::OwnedFd, Output) {
    let (_, write, output) = worker(&[]);
    let mut spec = shell(
        "(env -i setsid sh -c 'env -i setsid sleep 1000 & echo $!; exec sleep 1000 >&-' &) ; exec sleep 1000",
    );
    spec.targets = vec![1];
    (spec, write, output)
}

pub fn exact() {
    for signal in [9, 15] {
        let rig = Rig::start();
        let line = rig.supervisor();
        let Some(own) = directory(&line.restored()) else {
            return rig.finish(&line);
        };
        let (spec, write, mut output) = runaway();
        let label = labelled("../odd: näme");
        let (_, group) = line.spawn_in_group(1, in_group(spec, label), &[write.as_fd()]);
        drop(write);
        let far = output.pid();
        let group = Group::at(group.unwrap());
        assert_eq!(group.path().parent(), Some(own.as_path()));
        let name = group.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(name, "_odd__n_me-1");
        assert!(group.processes().contains(&far));
        line.send(&kill(1, signal), &[]);
        let exit = line.exited(1);
        assert!(exit.group.is_some());
        assert!(is_gone(far), "{far} lives on");
        assert_eq!(output.rest(), "");
        assert!(!group.path().exists(), "the group is still there");
        line.send(&ToKeeper::Forget { child: 1 }, &[]);
        rig.finish(&line);
        assert!(!own.exists(), "{} is still there", own.display());
    }
}

/// A keeper with one such worker.
struct Held {
    rig: Rig,
    line: Line,
    /// The keeper's directory, and the worker's.
    own: PathBuf,
    group: String,
    far: u32,
    output: Output,
}

/// Nothing where there are no groups.
fn held() -> Option<Held> {
    let rig = Rig::start();
    let line = rig.supervisor();
    let Some(own) = directory(&line.restored()) else {
        rig.finish(&line);
        return None;
    };
    let (spec, write, mut output) = runaway();
    let spec = in_group(spec, labelled("a"));
    let (_, group) = line.spawn_in_group(1, spec, &[write.as_fd()]);
    let far = output.pid();
    Some(Held {
        rig,
        line,
        own,
        group: group.unwrap(),
        far,
        output,
    })
}

impl Held {
    /// The next supervisor has been told of the groups.
    fn is_handed_back(&self, line: &Line) {
        let restored = line.restored();
        assert_eq!(directory(&restored).as_ref(), Some(&self.own));
        assert_eq!(restored.groups, [(1, self.group.clone())]);
    }
}

pub fn succession() {
    let Some(held) = held() else { return };
    process::kill(held.line.pid, Signal::KILL).unwrap();
    let line = held.rig.supervisor();
    held.is_handed_back(&line);
    // The end of the keeper is the end of everybody.
    held.rig.finish(&line);
    assert!(is_gone(held.far));
    assert!(!held.own.exists());
}

pub fn upgraded() {
    let Some(mut held) = held() else { return };
    let program = std::env::current_exe().unwrap().into_os_string();
    held.line.send(&ToKeeper::Upgrade { program }, &[]);
    let line = held.rig.supervisor();
    held.is_handed_back(&line);
    line.send(&ToKeeper::Up, &[]);
    line.send(&kill(1, 9), &[]);
    line.exited(1);
    assert!(is_gone(held.far));
    assert_eq!(held.output.rest(), "");
    held.rig.finish(&line);
    assert!(!held.own.exists());
}

fn kill(child: u64, signal: i32) -> ToKeeper {
    ToKeeper::Signal {
        child,
        signal,
        group: true,
    }
}

/// A folder with the files of a group that was delegated with these controllers.
fn fake(controllers: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("cgroup.controllers", controllers),
        ("cgroup.procs", ""),
        ("cgroup.subtree_control", ""),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

fn text(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

fn note(restored: Restored) -> GroupsNote {
    *restored.hello.groups.unwrap()
}

pub fn limits() {
    let base = fake("cpuset cpu io memory pids");
    let (rig, line, restored) = Rig::supervised_in(base.path());
    let note = note(restored);
    assert_eq!(note.controllers, ["cpu", "memory", "pids"]);
    assert_eq!(note.why, None);
    let own = PathBuf::from(note.directory.unwrap());
    let all_on = "+cpu +memory +pids";
    assert_eq!(text(base.path(), "cgroup.subtree_control"), all_on);
    assert_eq!(text(&own, "cgroup.subtree_control"), all_on);

    let limits = GroupSpec {
        memory_max: Some(300 << 20),
        memory_high: Some(250 << 20),
        cpu_percent: Some(150),
        cpu_weight: Some(50),
        pids_max: Some(40),
        ..labelled("api-0")
    };
    let spec = in_group(shell("exec sleep 1000"), limits);
    let (_, group) = line.spawn_in_group(1, spec, &[]);
    let group = PathBuf::from(group.unwrap());
    assert_eq!(group, own.join("api-0-1"));
    for (file, value) in [
        ("memory.max", "314572800"),
        ("memory.high", "262144000"),
        ("memory.swap.max", "0"),
        ("cpu.max", "150000 100000"),
        ("cpu.weight", "50"),
        ("pids.max", "40"),
        // The child itself, when it entered.
        ("cgroup.procs", "0"),
    ] {
        assert_eq!(text(&group, file), value, "{file}");
    }
    // What the kernel would have counted.
    fs::write(group.join("memory.events"), "max 9\noom 1\noom_kill 1\n").unwrap();
    fs::write(group.join("memory.peak"), "314568704\n").unwrap();
    fs::write(group.join("pids.events"), "max 3\n").unwrap();
    line.send(&kill(1, 9), &[]);
    let counted = line.exited(1).group.unwrap();
    assert_eq!((counted.oom_kills, counted.at_limit), (Some(1), true));
    assert_eq!(counted.memory_peak, Some(314_568_704));
    assert_eq!(counted.memory_max, Some(300 << 20));
    assert_eq!(counted.pids_refused, Some(3));

    // Between groups priorities count as weights only.
    let mut nicer = in_group(shell("exec sleep 1000"), labelled("b"));
    nicer.nice = Some(5);
    let (_, group) = line.spawn_in_group(2, nicer, &[]);
    let group = PathBuf::from(group.unwrap());
    let own = rustix::process::getpriority_process(None).unwrap();
    let nice = (own + 5).min(19).to_string();
    assert_eq!(text(&group, "cpu.weight.nice"), nice);
    assert!(!group.join("memory.max").exists());
    rig.finish(&line);
    assert_eq!(text(base.path(), "cgroup.subtree_control"), "-pids");
}

pub fn refused() {
    let base = fake("cpu pids");
    // Somebody else's: no controller may be passed on.
    fs::write(base.path().join("cgroup.procs"), "1\n").unwrap();
    let (rig, line, restored) = Rig::supervised_in(base.path());
    let note = note(restored);
    assert!(note.controllers.is_empty());
    let why = note.why.unwrap();
    assert!(why.contains("not rota's") && why.contains("(1)"), "{why}");
    assert!(note.hint.unwrap().contains("Delegate=yes"));
    assert_eq!(text(base.path(), "cgroup.subtree_control"), "");
    assert_eq!(text(base.path(), "cgroup.procs"), "1\n");
    let limits = GroupSpec {
        pids_max: Some(1),
        ..labelled("a")
    };
    line.send(&spawn(1, in_group(shell("true"), limits)), &[]);
    match line.message() {
        FromKeeper::SpawnFailed { stage, message, .. } => {
            assert_eq!(stage, SpawnStage::Group);
            assert!(
                message.contains("pids-max") && message.contains(&why),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    // Groups without limits can be had.
    let (_, group) = line.spawn_in_group(2, in_group(shell("exec cat"), labelled("a")), &[]);
    assert!(group.unwrap().ends_with("/a-2"));
    rig.finish(&line);

    // No group at all, and what is no group: children are held without.
    let (empty, (read, write)) = (tempfile::tempdir().unwrap(), pipe());
    for (base, words) in [
        (Path::new("none"), "none"),
        (empty.path(), "no control group"),
    ] {
        let (rig, line, restored) = Rig::supervised_in(base);
        let note = restored.hello.groups.unwrap();
        assert_eq!(note.directory, None);
        assert!(note.why.unwrap().contains(words));
        let spec = in_group(shell("exec cat"), labelled("a"));
        let (_, group) = line.spawn_in_group(
            1,
            SpawnSpec {
                targets: vec![0],
                ..spec
            },
            &[read.as_fd()],
        );
        assert_eq!(group, None);
        rig.finish(&line);
    }
    drop(write);
}
