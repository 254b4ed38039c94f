//! Event loops that were blocked, but not for so long that it counts as a hang.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rota_engine::Answer;

use super::hang::Suspicion;
use crate::supervisor::{Supervisor, unix_millis};
use crate::words;

/// A worker is warned about at most this often.
const QUIET: Duration = Duration::from_secs(10);
/// So many blocks of a worker are remembered.
const KEPT: usize = 10;
/// No event loop is blocked for longer than this, and lives: a bound for what a worker may claim.
const LONGEST: f64 = 1e12;

/// One block of an event loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// When it was heard of, Unix time in milliseconds.
    pub(crate) at: u64,
    /// How long it lasted, in milliseconds.
    pub(crate) ms: u64,
    /// Where, if it lasted so long that this was looked for.
    pub(crate) stack: Vec<String>,
}

/// The blocks of one worker.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    last: VecDeque<Block>,
    warned: Option<Instant>,
    /// Blocks without a warning since the last one.
    left_out: u32,
}

impl Blocks {
    /// The last blocks, oldest first.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the views"))]
    pub(crate) fn last(&self) -> impl Iterator<Item = &Block> {
        self.last.iter()
    }

    /// Remembers a block. Says how many were passed over in silence before it if it is to be told of.
    fn add(&mut self, now: Instant, block: Block) -> Option<u32> {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(block);
        let recent = |warned: Instant| now.duration_since(warned) < QUIET;
        if self.warned.is_some_and(recent) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.warned = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Supervisor {
    /// A worker has answered, and its event loop was blocked for `longest` milliseconds at most since the answer
    /// before, as the worker says.
    pub(super) fn note_block(
        &self,
        worker: u64,
        answer: Option<Answer>,
        longest: f64,
        suspicion: Option<Suspicion>,
    ) {
        let threshold = self.with(|state| {
            let entry = state.workers.get(&worker)?;
            Some(entry.prepared.spec.agent.block_warning.duration())
        });
        let span = length(answer, longest);
        if threshold.is_none_or(|threshold| threshold.is_zero() || span < threshold) {
            return;
        }
        let stack = match suspicion {
            Some(Suspicion::Seen(Ok(stack))) => stack,
            _ => Vec::new(),
        };
        let innermost = stack.first().cloned();
        let block = Block {
            at: unix_millis(),
            ms: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            stack,
        };
        let now = Instant::now();
        let told = self.with(|state| {
            let pulse = &mut state.workers.get_mut(&worker)?.agent.pulse;
            pulse.blocks.add(now, block)
        });
        if let Some(left_out) = told {
            self.tell_of(worker, |slot| {
                warning(slot, span, innermost.as_deref(), left_out)
            });
        }
    }
}

/// How long the event loop was blocked. A late answer tells that too, and how much of it was not the worker's fault.
fn length(answer: Option<Answer>, longest: f64) -> Duration {
    let told = if (0.0..LONGEST).contains(&longest) {
        Duration::from_secs_f64(longest / 1000.0)
    } else {
        Duration::ZERO
    };
    match answer {
        Some(answer) if answer.missed => answer.counted,
        Some(answer) => told.max(answer.counted),
        None => told,
    }
}

fn warning(slot: u32, span: Duration, place: Option<&str>, left_out: u32) -> String {
    let span = words::span(span);
    let mut text = format!("the event loop of worker {slot} was blocked for {span}");
    if let Some(place) = place {
        text.push_str(&format!(", in {place}"));
    }
    match left_out {
        0 => {}
        1 => text.push_str(" (and once more since the last warning)"),
        times => text.push_str(&format!(" (and {times} times more since the last warning)")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_in_ten_seconds_with_a_count_of_the_others() {
        let mut blocks = Blocks::default();
        let start = Instant::now();
        let mut add = |seconds: u64, ms| {
            let block = Block {
                at: seconds,
                ms,
                stack: Vec::new(),
            };
            blocks.add(start + Duration::from_secs(seconds), block)
        };
        assert_eq!(add(0, 1000), Some(0));
        assert_eq!(add(3, 2000), None);
        assert_eq!(add(9, 3000), None);
        assert_eq!(add(10, 4000), Some(2));
        for second in 11..25 {
            add(second, 5000 + second);
        }
        assert_eq!(blocks.last().count(), KEPT);
        assert_eq!(blocks.last().last().map(|block| block.ms), Some(5024));
    }

    #[test]
    fn time_for_which_a_worker_was_held_is_no_block() {
        let seconds = Duration::from_secs;
        let answer = |missed, counted| {
            Some(Answer {
                noted: false,
                missed,
                silent: seconds(9),
                counted: seconds(counted),
            })
        };
        assert_eq!(length(answer(true, 1), 9000.0), seconds(1));
        assert_eq!(length(answer(false, 0), 2000.0), seconds(2));
        assert_eq!(length(answer(false, 3), 2000.0), seconds(3));
        assert_eq!(length(None, 2000.0), seconds(2));
        for nonsense in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(length(None, nonsense), seconds(0));
        }
    }

    #[test]
    fn a_warning_in_words() {
        let span = Duration::from_millis(1800);
        assert_eq!(
            warning(1, span, None, 0),
            "the event loop of worker 1 was blocked for 1.8s"
        );
        assert_eq!(
            warning(1, span, Some("sum (/srv/a.js:1:2)"), 2),
            "the event loop of worker 1 was blocked for 1.8s, in sum (/srv/a.js:1:2) \
             (and 2 times more since the last warning)"
        );
    }
}
