//! What an agent says, and what is kept of it: whatever it is, what is kept is small, every number is one that JSON
//! has, and no text can write a line of a log or move a cursor.
//!
//! Each line of the input is a message.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rota_node::agent::{Figures, FromAgent, Health};

#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/agent/figures/latency.rs"]
mod latency;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/agent/figures/rates.rs"]
mod rates;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/agent/figures/scrub.rs"]
mod scrub;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let start = Instant::now();
    let mut window = latency::LatencyWindow::default();
    let mut rates = rates::Rates::default();
    for (number, line) in text.lines().enumerate() {
        let now = start + Duration::from_millis(number as u64 * 1700);
        match FromAgent::parse(line) {
            Some(FromAgent::Pong { figures, .. }) => take(now, *figures, &mut window, &mut rates),
            Some(FromAgent::Health(health)) => said(health),
            Some(FromAgent::Inspector { url: Some(url) }) => {
                let address = rota_node::inspector::Address::parse(&url);
                assert!(address.is_none_or(|address| address.socket.ip().is_loopback()));
            }
            _ => {}
        }
    }
});

fn take(now: Instant, mut figures: Figures, window: &mut latency::LatencyWindow, rates: &mut rates::Rates) {
    scrub::figures(&mut figures);
    let own = || figures.gauges.iter().chain(&figures.counters);
    assert!(own().count() <= 2 * scrub::NAMES);
    for (name, value) in own() {
        assert!(value.is_finite());
        assert!(name.chars().count() <= scrub::NAME_CHARACTERS);
        assert!(!name.contains(char::is_control));
    }
    assert!(figures.gc.len() <= 4);
    let times = [figures.event_loop.p50, figures.event_loop.p99, figures.event_loop.max];
    let times = times.into_iter().chain(figures.gc.values().map(|gc| gc.ms));
    assert!(times.chain([figures.event_loop.utilization]).all(|ms| ms.is_finite() && ms >= 0.0));
    window.add(now, &figures.latency);
    if let Some(latency) = window.latency(now) {
        assert!(latency.count > 0);
        let rising = [latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms];
        assert!(rising.is_sorted() && rising.iter().all(|ms| ms.is_finite() && *ms >= 0.0));
    }
    rates.add(now, figures.requests, figures.bytes_out);
    if let Some(rate) = rates.per_second() {
        assert!(rate.requests.is_finite() && rate.requests >= 0.0);
        assert!(rate.bytes.is_finite() && rate.bytes >= 0.0);
    }
}

fn said(mut health: Health) {
    scrub::health(&mut health);
    let reason = health.reason.unwrap_or_default();
    assert!(reason.chars().count() <= 300 && !reason.contains(char::is_control));
}
