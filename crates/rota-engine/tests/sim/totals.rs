//! What a sweep has seen.

use std::collections::BTreeMap;

use crate::world::Mode;

const CHAOS: &[&str] = &[
    "Start done",
    "Start failed",
    "Start refused",
    "Start superseded",
    "Stop done",
    "Stop refused",
    "Restart done",
    "Restart failed",
    "Restart superseded",
    "Reload done",
    "Reload failed",
    "Reload superseded",
    "Reload refused",
    "Scale done",
    "Scale failed",
    "Scale superseded",
    "Scale refused",
    "Delete done",
    "Shutdown done",
    "rolled back",
    "not rolled back",
    "killed",
    "errored",
    "finished",
    "merged",
    "queued",
    "assumed ready",
    "left",
    "hung",
    "not ready",
    "spawn failed",
    "spawn deferred",
    "gave up for lack of resources",
    "starting worker drained",
    "crashed",
    "recycled",
    "recycle failed",
    "generation retired",
    "app removed",
    "kill repeated",
    "asked by message",
    "signalled after the message",
];

const CLEAN: &[&str] = &[
    "Reload done",
    "Scale done",
    "recycled",
    "spawn deferred",
    "starting worker drained",
    "merged",
    "generation retired",
];

const BROKEN: &[&str] = &[
    "Reload done",
    "Reload failed",
    "rolled back",
    "canary failed alone",
    "starting worker drained",
    "starting worker had nothing",
];

const DEATHS: &[&str] = &["supervisor died", "spawn repeated", "drain repeated"];

const LOST: &[&str] = &[
    "supervisor died",
    "app adopted",
    "adopted worker replaced",
    "damaged state accepted",
    "damaged state refused",
];

/// What happened in how many schedules, so that a sweep can show that it saw it.
#[derive(Default, Debug)]
pub struct Totals {
    pub counts: BTreeMap<String, u64>,
    pub longest_answer_ms: u64,
    /// Events that the engine was told.
    pub events: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.longest_answer_ms = self.longest_answer_ms.max(other.longest_answer_ms);
        self.events += other.events;
    }

    pub(crate) fn note(&mut self, name: impl Into<String>) {
        *self.counts.entry(name.into()).or_default() += 1;
    }

    /// A sweep that never saw a thing proves nothing about it.
    pub fn assert_covered(&self, mode: Mode, loses: bool, seeds: u64) {
        if seeds < 1000 {
            return;
        }
        let expected = match mode {
            Mode::Chaos => CHAOS,
            Mode::Clean => CLEAN,
            Mode::Broken => BROKEN,
        };
        let deaths = if loses { LOST } else { DEATHS };
        for name in expected.iter().chain(deaths) {
            assert!(
                self.counts.contains_key(*name),
                "no schedule of {mode:?} had: {name}"
            );
        }
    }
}
