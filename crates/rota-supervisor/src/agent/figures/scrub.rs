//! Bounds for what a worker says.

use std::collections::BTreeMap;

use rota_node::agent::{Figures, Health};

/// So many gauges, and so many counters, are kept of an app.
pub(super) const NAMES: usize = 64;
/// Longer names are cut.
pub(super) const NAME_CHARACTERS: usize = 64;
/// A longer reason is cut.
const REASON_CHARACTERS: usize = 300;
/// Times are not longer than this, in milliseconds: a century.
const MS_MAX: f64 = 3.2e12;
const GC_KINDS: [&str; 4] = ["minor", "major", "incremental", "weak"];

/// Bounds everything that is kept as it is.
pub(super) fn figures(figures: &mut Figures) {
    let event_loop = &mut figures.event_loop;
    for ms in [
        &mut event_loop.p50,
        &mut event_loop.p99,
        &mut event_loop.max,
    ] {
        *ms = span(*ms);
    }
    event_loop.utilization = span(event_loop.utilization).min(1.0);
    figures
        .gc
        .retain(|kind, _| GC_KINDS.contains(&kind.as_str()));
    for gc in figures.gc.values_mut() {
        gc.ms = span(gc.ms);
    }
    figures.gauges = own(std::mem::take(&mut figures.gauges));
    figures.counters = own(std::mem::take(&mut figures.counters));
}

/// Bounds what an app says of its health.
pub(super) fn health(health: &mut Health) {
    if let Some(reason) = &mut health.reason {
        *reason = cut(reason, REASON_CHARACTERS);
    }
}

fn span(ms: f64) -> f64 {
    if ms.is_finite() {
        ms.clamp(0.0, MS_MAX)
    } else {
        0.0
    }
}

fn own(values: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    values
        .into_iter()
        .filter(|(_, value)| value.is_finite())
        .take(NAMES)
        .map(|(name, value)| (cut(&name, NAME_CHARACTERS), value))
        .collect()
}

/// The beginning, without control characters: it goes into a line of the log, and to terminals.
fn cut(text: &str, characters: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(characters)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_node::agent::{Gc, LoopFigures};

    #[test]
    fn numbers_without_sense_become_harmless() {
        let mut wild = Figures {
            event_loop: LoopFigures {
                p50: f64::NAN,
                p99: f64::INFINITY,
                max: -1e300,
                utilization: 7.0,
            },
            ..Figures::default()
        };
        let gc = Gc {
            count: u64::MAX,
            ms: f64::NEG_INFINITY,
        };
        wild.gc.insert("minor".to_owned(), gc);
        wild.gc.insert("x".repeat(1_000_000), gc);
        wild.gauges.insert("a".to_owned(), f64::NAN);
        wild.gauges.insert("b".to_owned(), -2.5);
        wild.gauges.insert("ü".repeat(1000), 1.0);
        figures(&mut wild);
        assert_eq!(
            wild.event_loop,
            LoopFigures {
                p50: 0.0,
                p99: 0.0,
                max: 0.0,
                utilization: 1.0
            }
        );
        assert_eq!(wild.gc.keys().collect::<Vec<_>>(), ["minor"]);
        assert_eq!(wild.gc["minor"].ms, 0.0);
        assert_eq!(wild.gauges.len(), 2);
        assert_eq!(wild.gauges["b"], -2.5);
        assert!(
            wild.gauges
                .keys()
                .all(|name| name.chars().count() <= NAME_CHARACTERS)
        );
    }

    #[test]
    fn a_long_reason_is_cut() {
        let mut long = Health {
            reason: Some("n".repeat(10_000)),
            ..Health::default()
        };
        health(&mut long);
        assert_eq!(long.reason.unwrap().len(), REASON_CHARACTERS);
    }

    #[test]
    fn nobody_writes_lines_of_the_log_or_moves_a_cursor() {
        let mut sick = Health {
            reason: Some("no database\nrota: all is well\u{1b}[2J".to_owned()),
            ..Health::default()
        };
        health(&mut sick);
        assert_eq!(sick.reason.unwrap(), "no database rota: all is well [2J");
        let mut wild = Figures::default();
        wild.counters.insert("a\u{9b}\r".to_owned(), 1.0);
        figures(&mut wild);
        assert_eq!(wild.counters.keys().collect::<Vec<_>>(), ["a  "]);
    }
}
