//! Operations that have ended, for callers who ask again.

use std::collections::VecDeque;

use rota_api::OperationToken;
use serde::{Deserialize, Serialize};

use super::table::Outcome;

/// How long an operation is remembered, in milliseconds: a client asks again within seconds.
const KEPT_MS: u64 = 10 * 60 * 1000;

/// How many are remembered at most.
const MOST: usize = 1000;

/// How many bytes all of them may have: they are saved with everything else that changes.
const MOST_BYTES: usize = 256 * 1024;

/// An operation that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) token: OperationToken,
    /// When it ended, Unix time in milliseconds.
    pub(super) at: u64,
    pub(super) outcome: Outcome,
}

/// Operations that have ended, oldest first.
#[derive(Debug, Default)]
pub(super) struct Finished {
    entries: VecDeque<(Ended, usize)>,
    bytes: usize,
}

impl Finished {
    /// Remembers an operation, and forgets those that are too old or too many. The newest one is always remembered.
    pub(super) fn remember(&mut self, ended: Ended) {
        let now = ended.at;
        let size = serde_json::to_vec(&ended).map_or(0, |text| text.len());
        self.bytes += size;
        self.entries.push_back((ended, size));
        while self.entries.len() > 1 {
            let full = self.entries.len() > MOST || self.bytes > MOST_BYTES;
            let old = |(ended, _): &(Ended, usize)| now.saturating_sub(ended.at) > KEPT_MS;
            if !full && !self.entries.front().is_some_and(old) {
                return;
            }
            if let Some((_, size)) = self.entries.pop_front() {
                self.bytes -= size;
            }
        }
    }

    /// What came of the operation of that name.
    pub(super) fn find(&self, token: OperationToken) -> Option<&Outcome> {
        let mut known = self.entries.iter().rev();
        let found = known.find(|(ended, _)| ended.token == token);
        found.map(|(ended, _)| &ended.outcome)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Ended> {
        self.entries.iter().map(|(ended, _)| ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_api::CommandResult;

    fn ended(at: u64, text: &str) -> Ended {
        Ended {
            token: OperationToken::random(),
            at,
            outcome: Outcome::Results(vec![CommandResult::done("api", text)]),
        }
    }

    #[test]
    fn it_is_bounded_by_age_number_and_size() {
        let mut finished = Finished::default();
        let old = ended(0, "");
        let young = ended(KEPT_MS, "");
        for entry in [&old, &young, &ended(KEPT_MS + 1, "")] {
            finished.remember(entry.clone());
        }
        assert_eq!(finished.find(old.token), None);
        assert_eq!(finished.find(young.token), Some(&young.outcome));
        for _ in 0..MOST * 2 {
            finished.remember(ended(KEPT_MS + 1, ""));
        }
        assert_eq!(finished.entries.len(), MOST);
        for _ in 0..10 {
            finished.remember(ended(KEPT_MS + 1, &"x".repeat(MOST_BYTES / 4)));
        }
        assert_eq!(finished.entries.len(), 3);
        let huge = ended(KEPT_MS + 1, &"x".repeat(MOST_BYTES * 2));
        finished.remember(huge.clone());
        assert_eq!(finished.find(huge.token), Some(&huge.outcome));
        assert_eq!(finished.iter().count(), 1);
        let sizes: usize = finished.entries.iter().map(|(_, size)| size).sum();
        assert_eq!(finished.bytes, sizes);
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing() {
        let mut finished = Finished::default();
        let first = ended(KEPT_MS * 2, "");
        finished.remember(first.clone());
        finished.remember(ended(0, ""));
        assert!(finished.find(first.token).is_some());
    }
}
