//! Figures from inside the workers.
//!
//! They come with every heartbeat, from a process that may say anything: every number is bounded before it is kept.

mod latency;
mod rates;
mod scrub;
mod show;

use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_node::agent::{Figures, Health};

use self::latency::LatencyWindow;
use self::rates::Rates;
use crate::supervisor::{Supervisor, unix_millis};

/// Changes of an app's health are told this often at most; what holds is always to be seen.
const HEALTH_PAUSE: Duration = Duration::from_secs(5);

/// What a worker's agent told of it.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    /// The newest figures, without response times; zeros until there are any.
    pub(crate) last: Figures,
    /// When they came.
    at: Option<Instant>,
    rates: Rates,
    /// `None` until there are responses: most processes that are no servers never have any.
    latency: Option<Box<LatencyWindow>>,
    health: Option<OwnHealth>,
}

/// What the app said of its own health.
#[derive(Debug)]
struct OwnHealth {
    said: Health,
    /// Since when, Unix time in milliseconds.
    since: u64,
    /// When somebody was told.
    told: Option<Instant>,
}

impl Inside {
    /// Takes figures that have just come.
    pub(crate) fn take(&mut self, now: Instant, mut figures: Figures) {
        scrub::figures(&mut figures);
        if !figures.latency.is_empty() {
            let window = self.latency.get_or_insert_with(Box::default);
            window.add(now, &figures.latency);
            // It is in the window, and only there.
            figures.latency = Vec::new();
        }
        self.rates.add(now, figures.requests, figures.bytes_out);
        self.last = figures;
        self.at = Some(now);
    }

    /// Takes what the app says of its health; gives the words for it if they are news that are worth a line.
    fn take_health(&mut self, now: Instant, unix: u64, mut health: Health) -> Option<String> {
        scrub::health(&mut health);
        let before = self.health.as_ref();
        let changed = match before {
            Some(before) => before.said.ok != health.ok,
            None => !health.ok,
        };
        let last_told = before.and_then(|before| before.told);
        let since = match before {
            Some(before) if before.said.ok == health.ok => before.since,
            _ => unix,
        };
        let quiet = last_told.is_none_or(|told| now.duration_since(told) >= HEALTH_PAUSE);
        let news = (changed && quiet).then(|| words(&health));
        self.health = Some(OwnHealth {
            said: health,
            since,
            told: if news.is_some() { Some(now) } else { last_told },
        });
        news
    }
}

/// `is unhealthy: database is gone (code 3)`.
fn words(health: &Health) -> String {
    if health.ok {
        return "says that it is healthy again".to_owned();
    }
    let mut text = "says that it is unhealthy".to_owned();
    if let Some(reason) = &health.reason {
        text.push_str(": ");
        text.push_str(reason);
    }
    if let Some(code) = health.code {
        text.push_str(&format!(" (code {code})"));
    }
    text
}

impl Supervisor {
    /// New figures of a worker.
    pub(crate) fn take_figures(self: &Rc<Self>, worker: u64, figures: Figures) {
        let now = Instant::now();
        self.update(worker, |w| {
            w.agent.inside.take(now, figures);
            // So that the processor's share is that of the last seconds whenever somebody looks.
            if let Some(stat) = w.pid.and_then(|pid| rota_sys::procfs::stat(pid).ok()) {
                w.cpu.update(now, stat.user + stat.system);
            }
        });
        self.check_limits(worker);
    }

    /// What the app in a worker says of its own health.
    pub(crate) fn take_health(self: &Rc<Self>, worker: u64, health: Health) {
        let mut news = None;
        self.update(worker, |w| {
            let inside = &mut w.agent.inside;
            news = inside.take_health(Instant::now(), unix_millis(), health);
        });
        if let Some(news) = news {
            let name = self.name_of(worker);
            self.say(&format!("{name} {news}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sick(reason: &str) -> Health {
        Health {
            ok: false,
            reason: Some(reason.to_owned()),
            code: Some(3),
        }
    }

    #[test]
    fn health_is_news_when_it_changes_and_not_all_the_time() {
        let mut inside = Inside::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let well = || Health {
            ok: true,
            ..Health::default()
        };
        assert_eq!(inside.take_health(at(0), 1000, well()), None);
        assert_eq!(
            inside.take_health(at(1), 2000, sick("no database")),
            Some("says that it is unhealthy: no database (code 3)".to_owned())
        );
        assert_eq!(inside.take_health(at(2), 3000, sick("still none")), None);
        // One that flaps is not written down each time.
        assert_eq!(inside.take_health(at(3), 4000, well()), None);
        assert_eq!(inside.take_health(at(4), 5000, sick("none")), None);
        assert_eq!(
            inside.take_health(at(9), 6000, well()),
            Some("says that it is healthy again".to_owned())
        );
        let held = inside.health.unwrap();
        assert_eq!((held.said.ok, held.since), (true, 6000));
    }

    #[test]
    fn what_is_kept_of_a_worker_is_small() {
        let mut inside = Inside::default();
        let start = Instant::now();
        for second in 0..300 {
            let figures = Figures {
                requests: second * 10,
                latency: (0..Figures::BUCKETS).map(|b| (b, u64::MAX)).collect(),
                gauges: (0..1000)
                    .map(|n| (format!("{n:0>4}{}", "x".repeat(90)), 1.0))
                    .collect(),
                ..Figures::default()
            };
            inside.take(start + Duration::from_secs(second), figures);
        }
        let newest = &inside.last;
        assert_eq!(newest.gauges.len(), scrub::NAMES);
        let names: usize = newest.gauges.keys().map(String::len).sum();
        assert!(names <= scrub::NAMES * scrub::NAME_CHARACTERS);
        assert!(size_of::<Inside>() + size_of::<LatencyWindow>() < 8 * 1024);
    }
}
