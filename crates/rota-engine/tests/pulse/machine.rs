//! A simulated machine with a supervisor and workers, in steps of five milliseconds.
//!
//! It knows why each worker does not answer, and so whether a verdict is just.

use std::collections::BTreeMap;
use std::time::Duration;

use rota_engine::{Sight, WorkerId};

use crate::random::Random;

/// One step, in milliseconds.
pub const STEP: u64 = 5;

/// What the main thread of a worker is busy with.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Busy {
    No,
    /// JavaScript that needs so much processor time; without a number: for ever.
    Spins(Option<u64>),
    /// A call that waits for something, for so long.
    Waits(Option<u64>),
}

pub struct Worker {
    busy: Busy,
    /// Milliseconds for which it will be stopped.
    stopped: u64,
    pub shielded: bool,
    /// The number of a question that it has not read.
    pub inbox: Option<u64>,
    used: u64,
    starved: u64,
    waiting: u64,
    /// For the question that is not answered: time that was certainly its own fault, and all that
    /// might be taken for that.
    pub surely: u64,
    pub maybe: u64,
    /// Changes of the world during it; each of them may cost a look's worth of precision.
    pub changes: u64,
}

pub struct Machine {
    pub workers: BTreeMap<WorkerId, Worker>,
    /// Milliseconds for which nothing runs.
    stalled: u64,
    /// Milliseconds for which the supervisor does not run.
    absent: u64,
    /// Milliseconds for which processors are scarce, and how many steps of ten a worker gets then.
    scarce: u64,
    share: u64,
    steps: u64,
}

impl Machine {
    pub fn new(workers: u64) -> Self {
        let worker = |id| {
            let worker = Worker {
                busy: Busy::No,
                stopped: 0,
                shielded: false,
                inbox: None,
                used: 0,
                starved: 0,
                waiting: 0,
                surely: 0,
                maybe: 0,
                changes: 0,
            };
            (WorkerId(id), worker)
        };
        Self {
            workers: (1..=workers).map(worker).collect(),
            stalled: 0,
            absent: 0,
            scarce: 0,
            share: 10,
            steps: 0,
        }
    }

    pub fn supervisor_runs(&self) -> bool {
        self.stalled == 0 && self.absent == 0
    }

    /// Lets something happen, rarely.
    pub fn befall(&mut self, random: &mut Random) {
        if random.between(0, 1999) == 0 {
            self.changed();
            match random.between(0, 2) {
                0 => self.stalled = random.between(5, 30_000),
                1 => self.absent = random.between(5, 30_000),
                _ => {
                    self.scarce = random.between(100, 60_000);
                    self.share = random.between(0, 5);
                }
            }
        }
        for worker in self.workers.values_mut() {
            if random.between(0, 1499) == 0 {
                worker.befall(random);
            }
        }
    }

    fn changed(&mut self) {
        for worker in self.workers.values_mut() {
            worker.changes += 1;
        }
    }

    /// A step of time; gives the answers.
    pub fn step(&mut self) -> Vec<(WorkerId, u64)> {
        self.steps += 1;
        let clear = self.stalled == 0 && self.absent == 0 && self.scarce == 0;
        let before = (self.stalled > 0, self.absent > 0, self.scarce > 0);
        let stalled = self.stalled > 0;
        let processor = self.scarce == 0 || self.steps % 10 < self.share;
        let mut answers = Vec::new();
        for (id, worker) in &mut self.workers {
            if !stalled && let Some(n) = worker.step(processor, clear) {
                answers.push((*id, n));
            } else if stalled && worker.wants_processor() && worker.stopped == 0 {
                worker.waiting += STEP;
            }
        }
        self.stalled = self.stalled.saturating_sub(STEP);
        self.absent = self.absent.saturating_sub(STEP);
        self.scarce = self.scarce.saturating_sub(STEP);
        if before != (self.stalled > 0, self.absent > 0, self.scarce > 0) {
            self.changed();
        }
        answers
    }

    pub fn sight(&self, id: WorkerId) -> Option<Sight> {
        let worker = self.workers.get(&id)?;
        Some(Sight {
            halted: worker.stopped > 0,
            runnable: worker.stopped == 0 && worker.wants_processor(),
            used: Duration::from_millis(worker.used),
            starved: Duration::from_millis(worker.starved),
        })
    }
}

impl Worker {
    fn befall(&mut self, random: &mut Random) {
        self.changes += 1;
        match random.between(0, 9) {
            0..=3 => {
                let span = random.between(5, 14_000);
                self.busy = if random.percent(50) {
                    Busy::Spins(Some(span))
                } else {
                    Busy::Waits(Some(span))
                };
            }
            4 | 5 => self.stopped = random.between(5, 30_000),
            6 | 7 => self.shielded = !self.shielded,
            8 if random.percent(20) => self.busy = Busy::Spins(None),
            8 if random.percent(20) => self.busy = Busy::Waits(None),
            _ => {}
        }
    }

    fn wants_processor(&self) -> bool {
        match self.busy {
            Busy::Spins(_) => true,
            Busy::Waits(_) => false,
            Busy::No => self.inbox.is_some(),
        }
    }

    fn step(&mut self, processor: bool, clear: bool) -> Option<u64> {
        if self.stopped > 0 {
            self.stopped = self.stopped.saturating_sub(STEP);
            self.changes += u64::from(self.stopped == 0);
            return None;
        }
        let wants = self.wants_processor();
        if wants && !processor {
            self.waiting += STEP;
            return None;
        }
        if wants {
            self.used += STEP;
            self.starved += std::mem::take(&mut self.waiting);
        }
        match &mut self.busy {
            Busy::No => return self.inbox.take(),
            Busy::Spins(left) | Busy::Waits(left) => {
                if let Some(left) = left {
                    *left = left.saturating_sub(STEP);
                }
            }
        }
        if let Busy::Spins(Some(0)) | Busy::Waits(Some(0)) = self.busy {
            self.busy = Busy::No;
        }
        if self.inbox.is_some() && !self.shielded {
            self.maybe += STEP;
            self.surely += if clear { STEP } else { 0 };
        }
        None
    }
}
