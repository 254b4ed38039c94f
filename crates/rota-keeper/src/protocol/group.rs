//! The control groups of children.

use minicbor::{Decode, Encode};

/// A control group (version 2) of its own, and its limits. Everything that is absent is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct GroupSpec {
    /// What its name begins with, for people: the keeper replaces what cannot be in a name, and adds the child's key.
    #[n(0)]
    pub label: String,
    /// The most memory, in bytes, with nothing on the swap space (`memory.max`, `memory.swap.max`).
    #[n(1)]
    pub memory_max: Option<u64>,
    /// From here on the kernel takes memory back from it, and slows it down (`memory.high`), in bytes.
    #[n(2)]
    pub memory_high: Option<u64>,
    /// The most processor time, in percent of one processor (`cpu.max`).
    #[n(3)]
    pub cpu_percent: Option<u32>,
    /// Its share when processors are short, 1 to 10000 (`cpu.weight`); by its priority when absent.
    #[n(4)]
    pub cpu_weight: Option<u32>,
    /// The most processes and threads (`pids.max`).
    #[n(5)]
    pub pids_max: Option<u64>,
}

/// What the keeper can do with control groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct GroupsNote {
    /// The directory in which children get theirs; `None`: nowhere, they are held by process group and session.
    #[n(0)]
    pub directory: Option<String>,
    /// Which of `cpu`, `memory` and `pids` can be limited.
    #[n(1)]
    pub controllers: Vec<String>,
    /// Why there are no groups, or not all controllers, for people.
    #[n(2)]
    pub why: Option<String>,
    /// What to do about it.
    #[n(3)]
    pub hint: Option<String>,
}

/// What a child's control group has counted until its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct GroupExit {
    /// Processes in it that the kernel has killed for lack of memory; `None`: it was not counted.
    #[n(0)]
    pub oom_kills: Option<u64>,
    /// Of these, whether the group's own limit was the reason, and not that of one above or the machine.
    #[n(1)]
    pub at_limit: bool,
    /// The most memory that it ever had, page cache and kernel memory included, in bytes.
    #[n(2)]
    pub memory_peak: Option<u64>,
    /// Its limit of memory, in bytes.
    #[n(3)]
    pub memory_max: Option<u64>,
    /// How often a process or thread was refused for its limit of them.
    #[n(4)]
    pub pids_refused: Option<u64>,
}

impl GroupSpec {
    /// Which controllers its limits need, each with the name of the first that needs it.
    #[must_use]
    pub fn needs(&self) -> Vec<(&'static str, &'static str)> {
        let memory = self.memory_max.map(|_| "memory-max");
        let memory = memory.or(self.memory_high.map(|_| "memory-high"));
        let cpu = self.cpu_percent.map(|_| "cpu-max");
        let cpu = cpu.or(self.cpu_weight.map(|_| "cpu-weight"));
        let pids = self.pids_max.map(|_| "pids-max");
        let needed = [("memory", memory), ("cpu", cpu), ("pids", pids)];
        needed
            .into_iter()
            .filter_map(|(controller, limit)| Some((controller, limit?)))
            .collect()
    }
}

impl GroupsNote {
    /// The first limit that cannot be set, with its controller.
    #[must_use]
    pub fn missing(&self, spec: &GroupSpec) -> Option<(&'static str, &'static str)> {
        let has = |controller| self.controllers.iter().any(|known| known == controller);
        spec.needs().into_iter().find(|need| !has(need.0))
    }
}
