//! The heartbeats of all workers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::beat::Question;
use super::types::{Answer, PulseEffect, PulseSettings, Sight, Unanswered};
use crate::{Time, WorkerId};

/// The heartbeats of all workers that are watched.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pulses {
    now: Time,
    workers: BTreeMap<WorkerId, Pulse>,
}

#[derive(Clone, PartialEq, Debug)]
struct Pulse {
    settings: PulseSettings,
    /// An inspector is open: whoever uses it may hold the worker as long as he likes.
    shielded: bool,
    last: u64,
    /// When the next question is due, while none is unanswered.
    ask_at: Time,
    question: Option<Question>,
    /// The question that an earlier supervisor had no answer to, until we have asked.
    left: Option<Unanswered>,
}

impl Pulse {
    fn deadline(&self) -> Option<Time> {
        match &self.question {
            Some(question) => question.next,
            None => Some(self.ask_at),
        }
    }
}

impl Pulses {
    /// Watches a worker from now on. One that is watched already goes on as it is.
    pub fn watch(&mut self, now: Time, worker: WorkerId, settings: PulseSettings, shielded: bool) {
        self.now = self.now.max(now);
        let ask_at = settings.next_question(self.now);
        self.workers.entry(worker).or_insert(Pulse {
            settings,
            shielded,
            last: 0,
            ask_at,
            question: None,
            left: None,
        });
    }

    /// Goes on watching a worker whose supervisor has died. It is asked at once; `left` is what
    /// that one had noted of a question without an answer.
    pub fn resume(
        &mut self,
        now: Time,
        worker: WorkerId,
        settings: PulseSettings,
        shielded: bool,
        left: Option<Unanswered>,
    ) {
        self.watch(now, worker, settings, shielded);
        let now = self.now;
        if let Some(pulse) = self.workers.get_mut(&worker)
            && pulse.question.is_none()
        {
            pulse.ask_at = now;
            pulse.last = left.map_or(pulse.last, |left| left.n.max(pulse.last));
            pulse.left = left;
        }
    }

    /// What the next supervisor has to know of a worker that owes an answer, if that was worth a
    /// note.
    #[must_use]
    pub fn unanswered(&self, worker: WorkerId) -> Option<Unanswered> {
        let pulse = self.workers.get(&worker)?;
        let question = pulse.question.as_ref().filter(|it| it.is_noted());
        question.map(Question::left).or(pulse.left)
    }

    /// Watches a worker no more.
    pub fn forget(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
    }

    /// An inspector was opened or closed in a worker. While it is open the worker is never hung;
    /// afterwards that time does not count.
    pub fn shield(&mut self, now: Time, worker: WorkerId, shielded: bool) {
        self.now = self.now.max(now);
        let Some(pulse) = self.workers.get_mut(&worker) else {
            return;
        };
        if pulse.shielded == shielded {
            return;
        }
        pulse.shielded = shielded;
        if let Some(question) = &mut pulse.question {
            question.count_from(self.now);
            question.plan(&pulse.settings, shielded);
        }
    }

    /// A worker has answered. Answers to other questions than the last one mean nothing, but for
    /// that which was inherited: it lives, and what was counted for that question is over.
    pub fn answered(&mut self, now: Time, worker: WorkerId, n: u64) -> Option<Answer> {
        self.now = self.now.max(now);
        let pulse = self.workers.get_mut(&worker)?;
        if let Some(question) = &mut pulse.question
            && question.has_inherited(n)
        {
            let silent = self.now.since(question.asked);
            question.begin_anew(self.now, &pulse.settings);
            question.plan(&pulse.settings, pulse.shielded);
            return Some(Answer {
                // The answer to our own question will say so.
                missed: false,
                noted: true,
                silent,
                counted: Duration::ZERO,
            });
        }
        let question = pulse.question.take_if(|question| question.n == n)?;
        pulse.ask_at = pulse.settings.next_question(self.now);
        Some(Answer {
            missed: question.missing.is_some(),
            noted: question.is_noted(),
            silent: self.now.since(question.asked),
            counted: question.counted_until(self.now),
        })
    }

    /// Whether a worker was found to hang and has not answered since.
    #[must_use]
    pub fn hangs(&self, worker: WorkerId) -> bool {
        let pulse = self.workers.get(&worker);
        let question = pulse.and_then(|pulse| pulse.question.as_ref());
        question.is_some_and(|question| question.condemned)
    }

    /// When [`Self::tick`] is needed at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.workers.values().filter_map(Pulse::deadline).min()
    }

    /// Does what is due at `now`. `look` is asked for those workers for whom something is; it says
    /// `None` of a process that cannot be seen.
    #[must_use]
    pub fn tick(
        &mut self,
        now: Time,
        mut look: impl FnMut(WorkerId) -> Option<Sight>,
    ) -> Vec<PulseEffect> {
        self.now = self.now.max(now);
        let now = self.now;
        let mut out = Vec::new();
        let mut reached = Vec::new();
        for (id, pulse) in &mut self.workers {
            if pulse.deadline().is_none_or(|due| due > now) {
                continue;
            }
            let sight = look(*id);
            match &mut pulse.question {
                None => out.push(pulse.ask(*id, now, sight)),
                Some(question) => {
                    question.look(now, sight, pulse.shielded);
                    let late = pulse.note_lateness(*id, now);
                    out.extend(pulse.note_silence(*id, late.is_some()));
                    out.extend(late);
                    if pulse.has_reached_threshold() {
                        reached.push(*id);
                    }
                }
            }
        }
        for id in reached {
            self.judge(id, &mut out);
        }
        for pulse in self.workers.values_mut() {
            let shielded = pulse.shielded;
            if let Some(question) = &mut pulse.question {
                question.plan(&pulse.settings, shielded);
            }
        }
        out
    }

    /// A worker has reached what makes it suspected or hung. If all are late together that is
    /// taken for the machine's fault, once.
    fn judge(&mut self, id: WorkerId, out: &mut Vec<PulseEffect>) {
        let postpone = self.is_common(id);
        if postpone {
            for pulse in self.workers.values_mut() {
                if let Some(question) = &mut pulse.question {
                    question.postpone(&pulse.settings);
                }
            }
            let workers = self.workers.len();
            out.push(PulseEffect::Postponed { workers });
        }
        let now = self.now;
        let Some(pulse) = self.workers.get_mut(&id) else {
            return;
        };
        let settings = pulse.settings;
        let Some(question) = &mut pulse.question else {
            return;
        };
        // Not any more, if it was postponed here or for another one.
        if question.has_reached_threshold(&settings) && !question.suspected {
            question.suspected = true;
            out.push(PulseEffect::Suspect { worker: id });
        }
        if question.has_reached_threshold(&settings) {
            question.condemned = true;
            out.push(PulseEffect::Hung {
                worker: id,
                silent: now.since(question.asked),
                misses: question.misses(&settings),
            });
        }
    }

    /// Whether all workers became late within an interval, this one included, and nobody has had
    /// the benefit of that yet.
    fn is_common(&self, id: WorkerId) -> bool {
        let Some(pulse) = self.workers.get(&id) else {
            return false;
        };
        let first = |question: &Question| !question.postponed && !question.suspected;
        if self.workers.len() < 2 || !pulse.question.as_ref().is_some_and(first) {
            return false;
        }
        let since = |pulse: &Pulse| pulse.question.as_ref()?.missing;
        let Some(times) = self
            .workers
            .values()
            .map(since)
            .collect::<Option<Vec<Time>>>()
        else {
            return false;
        };
        let spread = match (times.iter().min(), times.iter().max()) {
            (Some(first), Some(last)) => last.since(*first),
            _ => Duration::ZERO,
        };
        spread <= pulse.settings.interval()
    }
}

impl Pulse {
    fn ask(&mut self, id: WorkerId, now: Time, sight: Option<Sight>) -> PulseEffect {
        self.last = self.last.saturating_add(1);
        let mut question = Question::new(self.last, now, &self.settings, sight);
        if let Some(left) = self.left.take() {
            question.inherit(&left, &self.settings);
        }
        self.question = Some(question);
        PulseEffect::Ask {
            worker: id,
            n: self.last,
        }
    }

    /// Says so when whoever comes after us should know for how long it has been silent.
    fn note_silence(&mut self, id: WorkerId, late: bool) -> Option<PulseEffect> {
        let question = self.question.as_mut()?;
        let due = question.is_worth_a_note(&self.settings, late);
        due.then_some(PulseEffect::Note { worker: id })
    }

    /// The first missed beat of a question.
    fn note_lateness(&mut self, id: WorkerId, now: Time) -> Option<PulseEffect> {
        let question = self.question.as_mut()?;
        if question.missing.is_some() || !question.is_late(&self.settings) {
            return None;
        }
        question.missing = Some(now);
        Some(PulseEffect::Missed {
            worker: id,
            silent: now.since(question.asked),
            halted: question.is_halted(),
        })
    }

    fn has_reached_threshold(&self) -> bool {
        self.question.as_ref().is_some_and(|question| {
            !question.condemned && question.has_reached_threshold(&self.settings)
        })
    }
}
