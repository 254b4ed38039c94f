//! What became of the connections of workers that were drained.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reports of one worker's agent, or of several. Workers without an agent report nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drained {
    /// Workers that have reported, or died before they could.
    pub workers: u32,
    /// Requests that were running when the drain began.
    pub running: u64,
    /// Connections that were open then.
    pub connections: u64,
    /// Connections handed over, open, to other workers.
    pub handed_over: u64,
    /// Connections told to close with their last response.
    pub told: u64,
    /// Idle connections closed after the grace period.
    pub idle_closed: u64,
    /// Upgraded connections that were said goodbye to at the limit.
    pub goodbye: u64,
    /// Requests and connections that were still there at the limit.
    pub cut: u64,
    /// Connections of workers that died while they were drained: at most so many were lost.
    pub lost: u64,
}

impl Drained {
    /// Adds another report.
    pub fn add(&mut self, other: &Self) {
        let Self {
            workers,
            running,
            connections,
            handed_over,
            told,
            idle_closed,
            goodbye,
            cut,
            lost,
        } = other;
        self.workers = self.workers.saturating_add(*workers);
        for (sum, more) in [
            (&mut self.running, running),
            (&mut self.connections, connections),
            (&mut self.handed_over, handed_over),
            (&mut self.told, told),
            (&mut self.idle_closed, idle_closed),
            (&mut self.goodbye, goodbye),
            (&mut self.cut, cut),
            (&mut self.lost, lost),
        ] {
            *sum = sum.saturating_add(*more);
        }
    }
}

/// `3 requests were running, 48 connections handed over, 0 told to close, 0 cut off`.
impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.running {
            1 => f.write_str("1 request was running")?,
            n => write!(f, "{n} requests were running")?,
        }
        match self.handed_over {
            1 => f.write_str(", 1 connection handed over")?,
            n => write!(f, ", {n} connections handed over")?,
        }
        write!(f, ", {} told to close", self.told)?;
        if self.idle_closed > 0 {
            write!(f, ", {} closed when idle", self.idle_closed)?;
        }
        if self.goodbye > 0 {
            write!(f, ", {} said goodbye to", self.goodbye)?;
        }
        write!(f, ", {} cut off", self.cut)?;
        if self.lost > 0 {
            write!(f, ", up to {} lost", self.lost)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_is_only_told_when_it_happened() {
        let mut sum = Drained {
            workers: 1,
            running: 3,
            handed_over: 48,
            ..Drained::default()
        };
        let usual =
            "3 requests were running, 48 connections handed over, 0 told to close, 0 cut off";
        assert_eq!(sum.to_string(), usual);
        sum.add(&Drained {
            idle_closed: 2,
            goodbye: 1,
            lost: u64::MAX,
            ..Drained::default()
        });
        sum.add(&Drained {
            lost: 1,
            ..Drained::default()
        });
        assert_eq!(
            sum.to_string(),
            format!(
                "3 requests were running, 48 connections handed over, 0 told to close, 2 closed when idle, \
                 1 said goodbye to, 0 cut off, up to {} lost",
                u64::MAX
            )
        );
    }
}
