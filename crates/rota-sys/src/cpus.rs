//! How many processors this process may use.
//!
//! The machine's number says nothing in a container or under `taskset`: what counts is the smallest of the
//! scheduler's affinity and the quota of every cgroup on the way up, version 2 (`cpu.max`) or 1
//! (`cpu.cfs_quota_us`). A quota of one and a half processors keeps two workers busy: it is rounded up.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Processors this process may use, at least 1.
#[must_use]
pub fn available() -> usize {
    limited(affinity(), Path::new("/"))
}

fn affinity() -> usize {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => set.count() as usize,
        // A machine with more than 1024 processors.
        Err(_) => std::thread::available_parallelism().map_or(1, Into::into),
    }
}

/// `affinity`, cut to the quotas found in the file system below `root`.
fn limited(affinity: usize, root: &Path) -> usize {
    let quota = quota_directories(root)
        .iter()
        .filter_map(|folder| quota(folder))
        .min();
    quota.map_or(affinity, |quota| affinity.min(quota)).max(1)
}

/// The directories of this process's cgroup and of its ancestors, of each hierarchy that limits processors.
fn quota_directories(root: &Path) -> Vec<PathBuf> {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let groups = read("proc/self/cgroup");
    let mounts = read("proc/self/mountinfo");
    let mut folders = Vec::new();
    for mount in mounts.lines().filter_map(Mount::parse) {
        let Some(group) = groups.lines().find_map(|line| mount.path_in(line)) else {
            continue;
        };
        let top = root.join(mount.point.trim_start_matches('/'));
        let inside = below(group, &mount.root);
        folders.extend(inside.ancestors().map(|part| top.join(part)));
    }
    folders
}

struct Mount {
    /// Which cgroup is mounted here: not the topmost one in a container.
    root: String,
    point: String,
    unified: bool,
}

impl Mount {
    /// A line of mountinfo (proc_pid_mountinfo(5)) that mounts a cgroup hierarchy with the cpu controller.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let kind = after.next()?;
        let options = after.nth(1).unwrap_or_default();
        let unified = kind == "cgroup2";
        let wanted =
            unified || (kind == "cgroup" && options.split(',').any(|option| option == "cpu"));
        wanted.then(|| Self {
            root: root.to_owned(),
            point: point.to_owned(),
            unified,
        })
    }

    /// The path in a line of `/proc/self/cgroup` (`0::/path` or `4:cpu,cpuacct:/path`) if it is about this mount.
    fn path_in<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let matches = if self.unified {
            number == "0" && controllers.is_empty()
        } else {
            controllers.split(',').any(|controller| controller == "cpu")
        };
        matches.then_some(path)
    }
}

/// The group's path seen from the mount: relative, without `..` (which leads out of a cgroup namespace).
fn below(group: &str, mount_root: &str) -> PathBuf {
    let group = Path::new(group);
    let inside = group
        .strip_prefix(mount_root)
        .unwrap_or_else(|_| group.strip_prefix("/").unwrap_or(group));
    if inside
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        inside.to_owned()
    } else {
        PathBuf::new()
    }
}

/// Whole processors that a directory's quota is worth, rounded up; `None` without one.
fn quota(folder: &Path) -> Option<usize> {
    let number = |file: &str| {
        fs::read_to_string(folder.join(file))
            .ok()?
            .trim()
            .parse::<i64>()
            .ok()
    };
    let (quota, period) = match fs::read_to_string(folder.join("cpu.max")) {
        Ok(text) => {
            let mut fields = text.split_ascii_whitespace();
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)
        }
        Err(_) => (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?),
    };
    if quota <= 0 || period <= 0 {
        return None;
    }
    usize::try_from(
        u64::try_from(quota)
            .ok()?
            .div_ceil(u64::try_from(period).ok()?),
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    const V2: &str =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "33 25 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
                      34 25 0:30 / /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n";

    #[test]
    fn no_cgroups_at_all() {
        assert_eq!(limited(8, tree(&[]).path()), 8);
        assert_eq!(limited(0, tree(&[]).path()), 1);
    }

    #[test]
    fn version_2_the_tightest_of_the_way_up() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/self/mountinfo", V2),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/cpu.max", "250000 100000\n"),
        ]);
        assert_eq!(limited(8, root.path()), 3);
        assert_eq!(limited(2, root.path()), 2);
    }

    #[test]
    fn version_2_in_a_container() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", V2),
            ("sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ]);
        assert_eq!(limited(8, root.path()), 1);
    }

    #[test]
    fn version_1_below_the_mounted_group() {
        let root = tree(&[
            (
                "proc/self/cgroup",
                "5:cpuset:/docker/abc\n4:cpu,cpuacct:/docker/abc/job\n0::/x\n",
            ),
            ("proc/self/mountinfo", V1),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"),
            ("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1"),
            ("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000"),
        ]);
        assert_eq!(limited(8, root.path()), 4);
    }

    #[test]
    fn nonsense_limits_nothing_and_leads_nowhere() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/../../etc\nrubbish\n"),
            ("proc/self/mountinfo", &format!("{V2}rubbish - cgroup2\n")),
            ("sys/fs/cgroup/cpu.max", "0 0\n"),
            ("etc/cpu.max", "100000 100000\n"),
        ]);
        assert_eq!(limited(8, root.path()), 8);
    }

    #[test]
    fn this_machine_has_at_least_one() {
        assert!(available() >= 1);
    }
}
