//! The figures, as others see them.

use std::time::{Duration, Instant};

use rota_api::{
    EventLoopView, GcView, HealthView, HeapView, HttpView, InsideView, LatencyView, ResponsesView,
};
use rota_node::agent::Figures;

use super::Inside;
use super::latency::{Latency, LatencyWindow};

/// Figures that are older than so many intervals of the heartbeat are stale.
const STALE_AFTER: u32 = 3;

impl Inside {
    /// What the agent told last; `None` when it has told nothing yet.
    pub(crate) fn view(&self, now: Instant, interval: Duration) -> Option<InsideView> {
        let age = now.duration_since(self.at?);
        let figures = &self.last;
        let gc = figures.gc.iter().map(|(kind, gc)| {
            let view = GcView {
                count: gc.count,
                total_ms: round(gc.ms),
            };
            (kind.clone(), view)
        });
        Some(InsideView {
            age_ms: millis(age),
            stale: age > interval.saturating_mul(STALE_AFTER),
            event_loop: EventLoopView {
                delay_p50_ms: round(figures.event_loop.p50),
                delay_p99_ms: round(figures.event_loop.p99),
                delay_max_ms: round(figures.event_loop.max),
                utilization: round(figures.event_loop.utilization),
            },
            heap: HeapView {
                used_bytes: figures.heap_used,
                total_bytes: figures.heap_total,
                limit_bytes: figures.heap_limit,
                external_bytes: figures.external,
            },
            gc: gc.collect(),
            handles: figures.handles,
            connections: figures.connections,
            http: self.http(now, figures),
            gauges: figures.gauges.clone(),
            counters: figures.counters.clone(),
            inspector_open: figures.inspector,
        })
    }

    fn http(&self, now: Instant, figures: &Figures) -> HttpView {
        let rate = self.rates.per_second();
        let latency = self.latency.as_ref().and_then(|window| window.latency(now));
        let [
            informational,
            success,
            redirection,
            client_error,
            server_error,
        ] = figures.responses;
        HttpView {
            requests_total: figures.requests,
            requests_in_flight: figures.in_flight,
            requests_aborted: figures.aborted,
            requests_per_second: rate.map(|rate| round(rate.requests)),
            responses: ResponsesView {
                informational,
                success,
                redirection,
                client_error,
                server_error,
            },
            sent_bytes: figures.bytes_out,
            sent_bytes_per_second: rate.map(|rate| rate.bytes.round()),
            latency: latency.map(latency_view),
        }
    }

    /// What the app said of its own health.
    pub(crate) fn health_view(&self) -> Option<HealthView> {
        let health = self.health.as_ref()?;
        Some(HealthView {
            ok: health.said.ok,
            reason: health.said.reason.clone(),
            code: health.said.code,
            since: health.since,
        })
    }
}

fn latency_view(latency: Latency) -> LatencyView {
    LatencyView {
        window_ms: millis(LatencyWindow::SPAN),
        count: latency.count,
        p50_ms: round(latency.p50_ms),
        p95_ms: round(latency.p95_ms),
        p99_ms: round(latency.p99_ms),
        max_ms: round(latency.max_ms),
    }
}

/// To thousandths: nobody needs more, and JSON stays readable.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_grow_stale() {
        let mut inside = Inside::default();
        let start = Instant::now();
        let interval = Duration::from_secs(2);
        assert_eq!(inside.view(start, interval), None);
        inside.take(
            start,
            Figures {
                requests: 5,
                ..Figures::default()
            },
        );
        let stale = |seconds| {
            let view = inside.view(start + Duration::from_secs(seconds), interval);
            view.unwrap().stale
        };
        assert!(!stale(0) && !stale(6) && stale(7));
        let view = inside.view(start, interval).unwrap();
        assert_eq!(view.http.requests_total, 5);
        assert_eq!(view.http.requests_per_second, None);
    }
}
