//! What a process finds at its start: descriptors, environment.

use std::fs::File;
use std::os::fd::AsFd as _;

use rota_keeper::protocol::{Env, ExitStatus};

use crate::rig::{Rig, worker};

pub fn descriptors() {
    let (rig, line) = Rig::supervised();
    let (mut spec, write, mut output) = worker(&["descriptors"]);
    let files: Vec<_> = ["a", "b", "c"]
        .map(|name| rig.folder.path().join(name))
        .into_iter()
        .collect();
    let open: Vec<_> = files
        .iter()
        .map(|path| File::create(path).unwrap())
        .collect();
    // In the keeper the descriptors get low numbers: some of these targets are other ones' sources.
    spec.targets = vec![1, 9, 7, 8, 40];
    let fds = [
        write.as_fd(),
        open[0].as_fd(),
        open[1].as_fd(),
        open[2].as_fd(),
        open[0].as_fd(),
    ];
    line.spawn(1, spec, &fds);
    drop(write);
    let printed = output.rest();
    let name = |index: usize| files[index].display().to_string();
    let mut expected = vec![(7, name(1)), (8, name(2)), (9, name(0)), (40, name(0))];
    let mut found: Vec<(u32, String)> = printed
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(number, target)| (number.parse().unwrap(), target.to_owned()))
        .collect();
    expected.sort();
    assert_eq!(found[0], (0, "/dev/null".to_owned()));
    found.retain(|(number, _)| *number > 2);
    assert_eq!(found, expected);
    assert_eq!(line.exited(1).status, ExitStatus::Code(0));

    // Every order of three targets over the lowest numbers.
    for (child, targets) in [
        [3, 4, 5],
        [3, 5, 4],
        [4, 3, 5],
        [4, 5, 3],
        [5, 3, 4],
        [5, 4, 3],
    ]
    .iter()
    .enumerate()
    {
        let (mut spec, write, mut output) = worker(&["descriptors"]);
        spec.targets = [1].iter().chain(targets).copied().collect();
        let fds = [
            write.as_fd(),
            open[0].as_fd(),
            open[1].as_fd(),
            open[2].as_fd(),
        ];
        line.spawn(child as u64 + 10, spec, &fds);
        drop(write);
        let printed = output.rest();
        for (index, target) in targets.iter().enumerate() {
            assert!(
                printed.contains(&format!("{target} {}\n", name(index))),
                "{targets:?}: {printed}"
            );
        }
        line.exited(child as u64 + 10);
    }
    rig.finish(&line);
}

pub fn environment() {
    let (rig, line) = Rig::supervised();
    let (mut spec, write, mut output) = worker(&["environment"]);
    spec.env = [
        ("B", "2"),
        ("A", "1"),
        ("A", "last"),
        ("LISTEN_PID", "nonsense"),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value.into()))
    .collect::<Env>();
    spec.pid_env = vec!["LISTEN_PID".into(), "MY_PID".into()];
    let pid = line.spawn(1, spec, &[write.as_fd()]);
    drop(write);
    let printed = output.rest();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 5, "{printed}");
    assert_eq!(
        lines[..4],
        [
            "A=last",
            "B=2",
            &format!("LISTEN_PID={pid}"),
            &format!("MY_PID={pid}")
        ]
    );
    assert!(lines[4].starts_with("ROTA_WORKER=") && lines[4].ends_with(":1"));
    line.exited(1);
    rig.finish(&line);
}
