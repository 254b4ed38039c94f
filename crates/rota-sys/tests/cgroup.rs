//! A real group: births in it, and its end.

use std::io::Read as _;

use rota_sys::cgroup::{Group, own};
use rota_sys::process;
use rota_sys::spawn::Spawn;
use rustix::pipe::{PipeFlags, pipe_with};

/// A group in this process's own, if it may make one.
fn group(name: &str) -> Option<Group> {
    let made = own().map_err(|error| error.to_string()).and_then(|path| {
        let name = format!("rota-test-{name}-{}", std::process::id());
        Group::at(path)
            .make(&name)
            .map_err(|error| error.to_string())
    });
    made.map_err(|why| println!("no control group can be made here, not tested: {why}"))
        .ok()
}

#[test]
fn a_process_is_born_in_it_and_its_family_dies_in_it() {
    let Some(group) = group("birth") else { return };
    let entrance = group.entrance().unwrap();
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let script = "cat /proc/self/cgroup; setsid sleep 1000 >/dev/null & setsid sleep 1000 >/dev/null & echo; exec >/dev/null; wait";
    let mut spawn = Spawn::new("sh")
        .arg("-c")
        .arg(script)
        .env("PATH", "/usr/bin:/bin");
    spawn.fds = vec![(std::os::fd::AsFd::as_fd(&write), 1)];
    spawn.cgroup = Some(std::os::fd::AsFd::as_fd(&entrance));
    let pid = spawn.start().unwrap();
    drop(spawn);
    drop(write);
    let mut text = String::new();
    std::fs::File::from(read).read_to_string(&mut text).unwrap();
    let name = group.path().file_name().unwrap().to_str().unwrap();
    assert!(text.contains(name), "{text}");
    assert!(group.is_populated());
    assert!(group.processes().contains(&pid));
    assert!(!group.remove(), "somebody lives there");

    let events = group.events().unwrap();
    assert!(events.is_populated());
    let everybody = group.processes();
    group.kill().unwrap();
    process::reap(pid).unwrap();
    // Those that were adopted by somebody else die as surely, and a moment later.
    while events.is_populated() {
        let change = rustix::event::PollFd::new(&events, rustix::event::PollFlags::PRI);
        rustix::event::poll(&mut [change], None).unwrap();
    }
    assert!(!everybody.is_empty());
    assert!(group.remove() && !group.path().exists());
}

#[test]
fn a_group_that_is_gone_is_told() {
    let Some(group) = group("gone") else { return };
    let entrance = group.entrance().unwrap();
    assert!(group.remove());
    let mut spawn = Spawn::new("/bin/true");
    spawn.cgroup = Some(std::os::fd::AsFd::as_fd(&entrance));
    let error = spawn.start().unwrap_err();
    assert_eq!(error.stage(), rota_sys::spawn::Stage::Cgroup);
    assert!(error.to_string().contains("control group"), "{error}");
}
