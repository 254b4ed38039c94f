//! Who an app's workers are, what they may use, and what holds them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who the workers are, and what they may use; absent: as in the daemon, or not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessSettingsView {
    /// The user, as it was named.
    pub user: Option<String>,
    /// The group, as it was named.
    pub group: Option<String>,
    /// The supplementary groups, as they were named.
    pub groups: Option<Vec<String>>,
    /// The numbers of all of these.
    pub ids: Option<IdsView>,
    /// Whether `execve` is barred from giving new privileges.
    pub no_new_privs: bool,
    /// The file mode creation mask in octal digits: `027`.
    pub umask: Option<String>,
    /// Added to the scheduling priority.
    pub nice: Option<i32>,
    /// Resource limits by name: `4096`, `1024:4096`, `unlimited`.
    pub rlimits: BTreeMap<String, String>,
    /// How gladly the kernel kills it when memory is short.
    pub oom_score_adj: Option<i32>,
}

/// A user by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdsView {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// Limits of each worker with everything that it starts; absent: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourcesView {
    /// The most memory.
    pub memory_max_bytes: Option<u64>,
    /// From here on it is slowed down.
    pub memory_high_bytes: Option<u64>,
    /// The most processor time, in percent of one processor.
    pub cpu_max_percent: Option<u32>,
    /// Its share when processors are short.
    pub cpu_weight: Option<u32>,
    /// The most processes and threads.
    pub pids_max: Option<u64>,
}

/// What becomes of the output of an app's workers. In files of which each worker has its own, `{slot}` stands for its number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogsView {
    /// The file of standard output; absent: none.
    pub out: Option<String>,
    /// The file of standard error; absent: none.
    pub err: Option<String>,
    /// A file that gets both besides; absent: none.
    pub joined: Option<String>,
    /// How a line is written: `plain`, `json`.
    pub format: String,
    /// What stands in front of each line, as by strftime; absent: nothing.
    pub time: Option<String>,
    /// How `rota run` shows it: `raw`, `prefix`, `json`; absent: by the number of workers.
    pub show: Option<String>,
    /// Each line goes to journald as well.
    pub journald: bool,
    /// When a file is put aside, and how long it is kept.
    pub rotation: RotationView,
}

/// When a log file is put aside, and how long it is kept then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RotationView {
    /// When it has grown to this; absent: whatever its size.
    pub size_bytes: Option<u64>,
    /// When the next one begins: `hourly`, `daily`, `weekly`; absent: whatever its age.
    pub every: Option<String>,
    /// So many are kept besides the one that is written.
    pub keep: u32,
    /// Those put aside longer ago are removed; absent: never.
    pub max_age_ms: Option<u64>,
    /// What was put aside is compressed.
    pub compress: bool,
}

/// What holds a worker and everything that it starts together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldView {
    /// The mechanism.
    pub by: HeldBy,
    /// The directory of the control group.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// How many processes are in it.
    #[serde(default)]
    pub processes: Option<u64>,
    /// Its memory, page cache included, in bytes, as far as the kernel counts it there.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Why there is no control group.
    #[serde(default)]
    pub why: Option<String>,
}

/// The mechanisms that hold a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// A control group: nothing escapes from it.
    Cgroup,
    /// Its process group and session, and a mark in the environment.
    ProcessGroup,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// What the daemon can do with control groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupsView {
    /// The directory in which workers get theirs; absent: nowhere.
    pub directory: Option<String>,
    /// Which of `cpu`, `memory` and `pids` can be limited.
    pub controllers: Vec<String>,
    /// Why there are no groups, or not all controllers.
    pub why: Option<String>,
}
