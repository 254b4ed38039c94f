//! Processes that the kernel has killed for lack of memory, as the control groups count them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where version 2 is mounted, and below it the controllers of version 1.
const MOUNT: &str = "/sys/fs/cgroup";

/// The file that counts the kills in the memory control group of a process; `None` where there is none to read.
#[must_use]
pub fn counter_of(process: u32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    candidates(&groups)
        .into_iter()
        .find(|file| kills(file).is_some())
}

/// How many processes the kernel has killed there.
#[must_use]
pub fn kills(counter: &Path) -> Option<u64> {
    parse(&fs::read_to_string(counter).ok()?)
}

/// `memory.events` and `memory.oom_control` are lines of a name and a number.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line?.trim().parse().ok()
}

/// Inside a container the path may be that of the host: then the mount point itself is the group.
pub(crate) fn candidates(groups: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (folder, file) = match controllers {
            "" => (PathBuf::from(MOUNT), "memory.events"),
            list if list.split(',').any(|name| name == "memory") => {
                (Path::new(MOUNT).join("memory"), "memory.oom_control")
            }
            _ => continue,
        };
        let below = path.trim_start_matches('/');
        if !below.split('/').any(|part| part == "..") {
            // A group without the memory controller is counted in the nearest one above that has it.
            let up = if controllers.is_empty() {
                usize::MAX
            } else {
                1
            };
            let groups = Path::new(below).ancestors().take(up);
            let groups = groups.filter(|group| !group.as_os_str().is_empty());
            found.extend(groups.map(|group| folder.join(group).join(file)));
        }
        found.push(folder.join(file));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found() {
        let groups = "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/user.slice/a b\n";
        let paths: Vec<_> = candidates(groups)
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(
            paths,
            [
                "/sys/fs/cgroup/memory/docker/abc/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/user.slice/a b/memory.events",
                "/sys/fs/cgroup/user.slice/memory.events",
                "/sys/fs/cgroup/memory.events",
            ]
        );
        assert_eq!(candidates("0::/../../etc\nnonsense").len(), 1);
    }

    #[test]
    fn the_number_is_read() {
        assert_eq!(
            parse("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"),
            Some(2)
        );
        assert_eq!(
            parse("oom_kill_disable 0\nunder_oom 0\noom_kill 7"),
            Some(7)
        );
        assert_eq!(parse("oom 3"), None);
    }
}
