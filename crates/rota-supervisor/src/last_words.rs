//! What a worker leaves behind when it ends: its exception, its memory, and whether the kernel killed it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rota_api::{ExceptionView, FailureKind};
use rota_config::{AppSpec, Size};
use rota_engine::{ExitStatus, FailReason};
use rota_keeper::protocol::{ExitInfo, GroupExit};
use rota_node::agent::Uncaught;
use rota_sys::oom;
use rota_sys::signal::Signal;

use crate::apps::Failure;
use crate::holding::peak_memory;
use crate::supervisor::Supervisor;
use crate::words;

/// An app whose handler of `uncaughtException` winds it up may take so long until it ends.
const WINDING_UP: Duration = Duration::from_secs(60);
/// The longest exception text that is kept.
const TEXT_MAX: usize = 16 * 1024;

/// What is known of a live worker in case it ends.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    /// Its resident memory when it was last looked at, in bytes.
    memory: Option<u64>,
    /// The most that it ever had, in bytes.
    peak: Option<u64>,
    /// The last exception that nobody caught, and when.
    uncaught: Option<(Instant, ExceptionView)>,
    /// Where the kernel counts the processes that it kills for lack of memory.
    counter: Option<PathBuf>,
    /// The kernel has killed it for lack of memory; `None`: it does not tell.
    oom_killed: Option<bool>,
    /// What its control group has counted, if it had one of its own.
    group: Option<GroupExit>,
}

/// The kernel's kills that have been seen to belong to a worker, or were there before, by counter.
#[derive(Debug, Default)]
pub(crate) struct OomKills {
    known: HashMap<PathBuf, u64>,
}

impl OomKills {
    fn begin(&mut self, counter: &PathBuf) {
        if !self.known.contains_key(counter) {
            let kills = oom::kills(counter).unwrap_or_default();
            self.known.insert(counter.clone(), kills);
        }
    }

    /// Whether there is a kill there that belongs to no worker yet; it belongs to the asking one then.
    fn take(&mut self, counter: &PathBuf) -> Option<bool> {
        let kills = oom::kills(counter)?;
        let known = self.known.get_mut(counter)?;
        let more = kills > *known;
        *known += u64::from(more);
        Some(more)
    }
}

impl Supervisor {
    /// A worker's process exists.
    pub(crate) fn expect_last_words(&self, worker: u64, pid: u32) {
        let counter = oom::counter_of(pid);
        self.with(|state| {
            if let Some(counter) = &counter {
                state.oom_kills.begin(counter);
            }
            if let Some(worker) = state.workers.get_mut(&worker) {
                worker.last_words.counter = counter;
            }
        });
    }

    /// Looks how much memory a worker has.
    pub(crate) fn note_memory(&self, worker: u64) {
        self.update(worker, |w| {
            let stat = w.pid.and_then(|pid| rota_sys::procfs::stat(pid).ok());
            // A dead process has none any more.
            let resident = stat.map(|stat| stat.resident).filter(|bytes| *bytes > 0);
            w.last_words.memory = resident.or(w.last_words.memory);
        });
    }

    /// A worker's process has ended.
    pub(crate) fn note_exit(&self, worker: u64, exit: &ExitInfo) {
        let killed = matches!(exit.status, rota_keeper::protocol::ExitStatus::Signal { number, .. }
            if number == Signal::KILL.number());
        self.with(|state| {
            let Some(worker) = state.workers.get_mut(&worker) else {
                return;
            };
            let last = &mut worker.last_words;
            last.peak = Some(exit.max_rss_kib.saturating_mul(1024)).filter(|bytes| *bytes > 0);
            last.group = exit.group;
            let counted = exit.group.and_then(|group| group.oom_kills);
            if let Some(kills) = counted {
                // Its own, so that no other can be meant.
                last.oom_killed = Some(kills > 0);
            } else if let (true, Some(counter)) = (killed, &last.counter) {
                last.oom_killed = state.oom_kills.take(counter);
            }
        });
    }

    /// An exception that nobody caught. The worker may have ended already: then it belongs to its failure.
    pub(crate) fn uncaught(&self, worker: u64, uncaught: Uncaught) {
        let exception = ExceptionView {
            origin: short(uncaught.origin),
            message: short(uncaught.message),
            stack: uncaught.stack.map(short),
        };
        self.with(|state| {
            if let Some(worker) = state.workers.get_mut(&worker) {
                worker.last_words.uncaught = Some((Instant::now(), exception));
                return;
            }
            let failures = state.apps.values_mut().flat_map(|app| &mut app.failures);
            for failure in failures.filter(|failure| failure.worker == worker) {
                failure.exception.get_or_insert_with(|| exception.clone());
            }
        });
    }

    /// Adds what a worker left behind to the record of its failure.
    pub(crate) fn add_last_words(&self, reason: &FailReason, failure: &mut Failure) {
        if matches!(
            reason,
            FailReason::Hung { .. } | FailReason::NotReady { .. }
        ) {
            self.note_memory(failure.worker);
        }
        self.update(failure.worker, |w| {
            let last = &w.last_words;
            (failure.memory, failure.peak_memory) = (last.memory, last.peak);
            let alive = || w.group.as_ref().and_then(peak_memory);
            let counted = last.group.and_then(|group| group.memory_peak);
            failure.group_peak_memory = counted.or_else(alive);
            failure.memory_limit = w.prepared.spec.resources.memory_max.map(Size::bytes);
            let told = Some(w.agent.inside.last.heap_limit).filter(|bytes| *bytes > 0);
            failure.heap_limit = heap_flag(&w.prepared.spec).or(told);
            let FailReason::Crashed { status, .. } = reason else {
                return;
            };
            if let (ExitStatus::Code(1..), Some((at, exception))) = (status, &last.uncaught)
                && at.elapsed() < WINDING_UP
            {
                failure.exception = Some(exception.clone());
            }
            if *status == ExitStatus::Signal(Signal::KILL.number()) {
                let why = match last.oom_killed {
                    Some(true) => {
                        failure.kind = FailureKind::OomKilled;
                        &out_of_memory(last.group)
                    }
                    Some(false) => {
                        "killed by SIGKILL; rota did not send it, and it was not for lack of memory"
                    }
                    None => "killed by SIGKILL; rota did not send it",
                };
                failure.reason = format!("{}: {why}", failure.reason);
            } else if let Some(why) = last.group.and_then(hard_times) {
                failure.reason = format!("{}: {why}", failure.reason);
            }
        });
    }
}

/// What the kernel has done to the worker itself.
fn out_of_memory(group: Option<GroupExit>) -> String {
    let limit = group.filter(|group| group.at_limit);
    match limit.and_then(|group| group.memory_max) {
        Some(limit) => format!(
            "killed by the kernel: out of memory, limit {}",
            words::memory(limit)
        ),
        None => "killed by the kernel for lack of memory".to_owned(),
    }
}

/// What may have been the reason for a worker to end as it did: what befell those whom it had started.
fn hard_times(group: GroupExit) -> Option<String> {
    let killed = group.oom_kills.filter(|count| *count > 0);
    let refused = group.pids_refused.filter(|count| *count > 0);
    let killed = killed.map(|_| {
        let limit = group.memory_max.filter(|_| group.at_limit);
        let limit = limit.map(|limit| format!(" (limit {})", words::memory(limit)));
        format!(
            "the kernel has killed a process that it had started, for lack of memory{}",
            limit.unwrap_or_default()
        )
    });
    let refused = refused
        .map(|count| format!("it was refused a process or thread {count} times by --pids-max"));
    let told: Vec<_> = killed.into_iter().chain(refused).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

impl Failure {
    /// The last line of V8 that said why it gave up is in.
    pub(crate) fn read_fatal(&mut self, fatal: Option<String>) {
        let (FailureKind::Crashed, Some(fatal)) = (self.kind, fatal) else {
            return;
        };
        let why = if fatal.contains("JavaScript heap out of memory") {
            self.kind = FailureKind::OutOfMemory;
            let limit = self
                .heap_limit
                .map(|limit| format!("limit {}; ", words::memory(limit)));
            format!(
                "JavaScript heap out of memory ({}raise it with --node-args '--max-old-space-size=…')",
                limit.unwrap_or_default()
            )
        } else {
            fatal
        };
        self.reason = format!("{}: {why}", self.reason);
    }
}

/// The kind of a failure as its reason has it, before anything more is known.
pub(crate) fn kind(reason: &FailReason) -> FailureKind {
    match reason {
        FailReason::Crashed { .. } => FailureKind::Crashed,
        FailReason::NotReady { .. } => FailureKind::NotReady,
        FailReason::SpawnFailed { .. } | FailReason::NoResources { .. } => FailureKind::NotStarted,
        FailReason::Hung { .. } => FailureKind::Hung,
        FailReason::Left { .. } => FailureKind::Left,
        FailReason::Dependency { .. } | FailReason::Superseded { .. } => FailureKind::Other,
    }
}

/// The limit that the user has set for the heap, in bytes.
fn heap_flag(spec: &AppSpec) -> Option<u64> {
    let options = spec.env.get("NODE_OPTIONS").unwrap_or_default();
    let words = spec.interpreter_args.iter().map(String::as_str);
    let mut values = words.rev().chain(options.split_whitespace().rev());
    let value = values.find_map(|word| {
        let flag = word.strip_prefix("--max")?.replace('_', "-");
        flag.strip_prefix("-old-space-size=").map(str::to_owned)
    });
    value?.parse::<u64>().ok()?.checked_mul(1024 * 1024)
}

fn short(text: String) -> String {
    rota_node::shortened(text, TEXT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_config::AppName;

    #[test]
    fn the_heaps_limit_is_found() {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "app.js", "/srv");
        assert_eq!(heap_flag(&spec), None);
        spec.env
            .set("NODE_OPTIONS", "--no-warnings --max-old-space-size=64");
        assert_eq!(heap_flag(&spec), Some(64 << 20));
        spec.interpreter_args = vec!["--max_old_space_size=32".to_owned()];
        assert_eq!(heap_flag(&spec), Some(32 << 20));
    }

    #[test]
    fn what_a_group_has_counted_is_told() {
        let group = GroupExit {
            oom_kills: Some(1),
            at_limit: true,
            memory_max: Some(300 << 20),
            ..GroupExit::default()
        };
        let elsewhere = GroupExit {
            at_limit: false,
            ..group
        };
        assert_eq!(
            out_of_memory(Some(group)),
            "killed by the kernel: out of memory, limit 300 MiB"
        );
        for without in [None, Some(elsewhere)] {
            assert_eq!(
                out_of_memory(without),
                "killed by the kernel for lack of memory"
            );
        }
        assert_eq!(hard_times(GroupExit::default()), None);
        let hard = hard_times(GroupExit {
            pids_refused: Some(2),
            ..group
        });
        assert_eq!(
            hard.unwrap(),
            "the kernel has killed a process that it had started, for lack of memory (limit 300 MiB); it was refused a process or thread 2 times by --pids-max"
        );
    }

    #[test]
    fn a_kill_of_the_kernel_belongs_to_one_worker() {
        let folder = tempfile::tempdir().unwrap();
        let counter = folder.path().join("memory.events");
        std::fs::write(&counter, "oom 1\noom_kill 4\n").unwrap();
        let mut kills = OomKills::default();
        kills.begin(&counter);
        assert_eq!(kills.take(&counter), Some(false));
        std::fs::write(&counter, "oom 1\noom_kill 5\n").unwrap();
        assert_eq!(kills.take(&counter), Some(true));
        assert_eq!(kills.take(&counter), Some(false));
        std::fs::remove_file(&counter).unwrap();
        assert_eq!(kills.take(&counter), None);
    }
}
