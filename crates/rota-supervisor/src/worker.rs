//! What the supervisor knows of one live worker beyond what the engine keeps.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_engine::{AppId, Generation, Slot};
use rota_sys::cgroup::Group;
use tokio::task::JoinHandle;

use crate::agent::Agent;
use crate::apps::Prepared;
use crate::courtesy::Given;
use crate::last_words::LastWords;
use crate::limits::Limits;
use crate::notify::NotifySocket;
use crate::output;
use crate::record::Identity;
use crate::stdin::Input;

/// What makes a worker ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// The first `listening` of a cluster worker.
    Listening,
    /// Its own word: `process.send('ready')` or `READY=1`.
    Word,
    /// Its probe answers.
    Probe,
    /// It exists.
    Spawned,
}

impl Readiness {
    /// The rule for a specification.
    pub fn of(prepared: &Prepared) -> Self {
        if prepared.spec.readiness.wait_ready {
            Self::Word
        } else if prepared.spec.probe.is_some() {
            Self::Probe
        } else if prepared.is_cluster() {
            Self::Listening
        } else {
            Self::Spawned
        }
    }
}

/// One worker process, from the order to spawn it until it is reaped and forgotten.
pub struct Worker {
    /// Its app.
    pub app: AppId,
    /// Its slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: Generation,
    /// The specification that it was started with.
    pub prepared: Rc<Prepared>,
    /// Its process, once it exists; the main process by `MAINPID=` if it named another.
    pub pid: Option<u32>,
    /// The same with the time of its start, once somebody wanted to know.
    pub(crate) identity: Option<Identity>,
    /// The process that was spawned, whatever `MAINPID=` said since.
    pub spawned_pid: Option<u32>,
    /// The control group that holds it, if one does.
    pub group: Option<Group>,
    /// When its start was ordered.
    pub started: Instant,
    /// What makes it ready.
    pub readiness: Readiness,
    /// Why its probe failed the last time.
    pub probe_error: Option<String>,
    /// It has been reported ready.
    pub told_ready: bool,
    /// It has a channel at the dispatcher.
    pub has_channel: bool,
    /// It was told to disconnect, so that the end of its channel means "drained".
    pub disconnecting: bool,
    /// The readers of its output.
    pub output: Vec<output::Reader>,
    /// The writing end of its standard input, if that is a pipe.
    pub(crate) input: Option<Rc<Input>>,
    /// Its notify socket: held, so that the path is there for as long as the worker.
    pub notify: Option<NotifySocket>,
    /// What it last said about itself (`STATUS=`).
    pub status_text: Option<String>,
    /// When its watchdog (`WATCHDOG=1`) must be fed again at the latest.
    pub watchdog: Option<Watchdog>,
    /// Tasks that end with it: probe, watchdog.
    pub tasks: Vec<JoinHandle<()>>,
    /// What it leaves behind when it ends.
    pub(crate) last_words: LastWords,
    /// What its agent has said.
    pub(crate) agent: Agent,
    /// Where its processor time stood when it was last looked at.
    pub cpu: CpuSample,
    /// What it has given to workers that serve, while it starts.
    pub(crate) gives_way: Option<Given>,
    /// How it has ended, while the dispatcher is being asked what that has cost.
    pub(crate) end: Option<rota_engine::Event>,
    /// When it is replaced although nothing is wrong with it.
    pub(crate) limits: Limits,
}

/// The rule of `WATCHDOG_USEC`: say `WATCHDOG=1` more often than this.
#[derive(Debug, Clone, Copy)]
pub struct Watchdog {
    /// The longest silence.
    pub span: Duration,
    /// When it spoke last.
    pub fed: Instant,
}

/// Processor time at a moment, to tell the share used since.
#[derive(Debug, Clone, Copy)]
pub struct CpuSample {
    /// When it was taken.
    pub at: Instant,
    /// Processor time until then.
    pub used: Duration,
    /// The share that was told last, in percent of one processor.
    pub percent: f64,
}

impl CpuSample {
    /// A sample of a process that has just been started.
    pub fn new(at: Instant) -> Self {
        Self {
            at,
            used: Duration::ZERO,
            percent: 0.0,
        }
    }

    /// The share of one processor used since the last sample, in percent. Two looks within a moment
    /// get the same answer, since the kernel counts in hundredths of a second.
    pub fn update(&mut self, now: Instant, used: Duration) -> f64 {
        let wall = now.duration_since(self.at);
        if wall >= Duration::from_millis(200) {
            let spent = used.saturating_sub(self.used);
            self.percent = 100.0 * spent.as_secs_f64() / wall.as_secs_f64();
            self.at = now;
            self.used = used;
        }
        self.percent
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// All live workers by their number.
pub type Workers = HashMap<u64, Worker>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_share_is_that_since_the_last_look() {
        let start = Instant::now();
        let mut sample = CpuSample::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(sample.update(at(1000), Duration::from_millis(500)), 50.0);
        assert_eq!(sample.update(at(1100), Duration::from_millis(600)), 50.0);
        assert_eq!(sample.update(at(2000), Duration::from_millis(500)), 0.0);
    }
}
