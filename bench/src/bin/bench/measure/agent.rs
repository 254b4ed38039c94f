//! What the agent in the workers costs: requests per second, memory, processor time without requests.

use std::time::Duration;

use rota_bench::load::Load;

use crate::contender::{Contender, Service, Site};
use crate::context::{Context, Result};
use crate::process::{Activity, Memory};
use crate::table::{Aim, Row, Section, median, ratio};

/// Keep-alive clients at once.
const CLIENTS: usize = 64;
/// With the agent at least so much of what is possible without.
const AIM_SPEED: f64 = 0.97;
/// The agent may need so many MiB of a worker.
const AIM_MIB: f64 = 2.0;
/// It may use so much of a processor while nothing is asked of the worker, in percent.
const AIM_IDLE: f64 = 1.0;
const KIB_PER_MIB: f64 = 1024.0;

/// Workers with or without the agent.
struct Side<'c> {
    name: &'static str,
    service: Service<'c>,
    workers: Vec<u32>,
    /// Resident MiB per worker before any request, one value for each start.
    fresh: Vec<f64>,
    /// Resident MiB per worker after the load.
    loaded: f64,
    /// Percent of a processor per worker without requests.
    idle: f64,
    per_second: Vec<f64>,
    failed: u64,
}

/// Loads workers with and without the agent in turn.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    if context.rota.is_none() {
        return Ok(Vec::new());
    }
    let mut sides = [
        Side::start(context, "with the agent", &[])?,
        Side::start(context, "without (--no-agent)", &["--no-agent"])?,
    ];
    look_while_idle(context, &mut sides)?;
    for side in &sides {
        side.load(context.pick(Duration::from_secs(2), Duration::from_millis(300)))?;
    }
    let mut ratios = Vec::new();
    for round in 0..context.pick(9, 5) {
        // Each is the first in turn: a machine that gets slower (or faster) is no reason.
        if round % 2 == 1 {
            sides.reverse();
        }
        for side in &mut sides {
            let (speed, failed) =
                side.load(context.pick(Duration::from_secs(3), Duration::from_secs(1)))?;
            side.per_second.push(speed);
            side.failed += failed;
        }
        if round % 2 == 1 {
            sides.reverse();
        }
        ratios.extend(last_ratio(&sides));
    }
    for side in &mut sides {
        side.loaded = resident(&side.workers)?;
    }
    Ok(vec![section(context, &sides, median(&ratios))])
}

impl<'c> Side<'c> {
    /// Starts the workers several times: their memory differs by more than the agent needs.
    fn start(context: &'c Context, name: &'static str, flags: &[&str]) -> Result<Self> {
        let start = || {
            Site::new(context, Contender::ROTA[0])?.start_with("server.js", context.workers, flags)
        };
        let mut fresh = Vec::new();
        for _ in 1..context.pick(5, 2) {
            let service = start()?;
            settle(context);
            fresh.push(resident(&service.rota_workers()?)?);
        }
        let service = start()?;
        settle(context);
        let workers = service.rota_workers()?;
        fresh.push(resident(&workers)?);
        Ok(Self {
            name,
            service,
            workers,
            fresh,
            loaded: 0.0,
            idle: 0.0,
            per_second: Vec::new(),
            failed: 0,
        })
    }

    fn load(&self, time: Duration) -> Result<(f64, u64)> {
        let report = Load::new(self.service.address())
            .keep_alive(CLIENTS)
            .run_for(time)?;
        Ok((report.per_second(), report.failed()))
    }
}

/// What follows a start (compiling, collecting) is over then.
fn settle(context: &Context) {
    std::thread::sleep(context.pick(Duration::from_secs(3), Duration::from_secs(1)));
}

fn look_while_idle(context: &Context, sides: &mut [Side<'_>; 2]) -> Result<()> {
    let mut before = Vec::new();
    for side in sides.iter() {
        before.push(Activity::of(&side.workers)?);
    }
    let time = context.pick(Duration::from_secs(30), Duration::from_secs(5));
    std::thread::sleep(time);
    for (side, before) in sides.iter_mut().zip(before) {
        let cpu = Activity::of(&side.workers)?.since(before).cpu;
        side.idle = 100.0 * cpu.as_secs_f64() / time.as_secs_f64() / count(&side.workers);
    }
    Ok(())
}

fn last_ratio(sides: &[Side<'_>; 2]) -> Option<f64> {
    let [with, without] = sides;
    Some(with.per_second.last()? / without.per_second.last()?)
}

/// Resident MiB per worker.
#[expect(
    clippy::cast_precision_loss,
    reason = "KiB of a process are far below 2^52"
)]
fn resident(workers: &[u32]) -> Result<f64> {
    Ok(Memory::of(workers)?.rss as f64 / KIB_PER_MIB / count(workers))
}

#[expect(clippy::cast_precision_loss, reason = "workers are few")]
fn count(workers: &[u32]) -> f64 {
    workers.len().max(1) as f64
}

fn section(context: &Context, sides: &[Side<'_>; 2], speed: f64) -> Section {
    let [with, without] = sides;
    let more = median(&with.fresh) - median(&without.fresh);
    let base = median(&without.per_second);
    let rows = sides.iter().map(|side| {
        let value = median(&side.per_second);
        Row {
            name: side.name.to_owned(),
            value,
            cells: vec![
                format!("{value:.0}"),
                ratio(value, Some(base)),
                side.failed.to_string(),
                format!("{:.1}", median(&side.fresh)),
                format!("{:.1}", side.loaded),
                format!("{:.2}", side.idle),
            ],
        }
    });
    Section {
        title: "Cost of the agent".to_owned(),
        how: format!(
            "{} workers each, {CLIENTS} keep-alive clients; medians of {} rounds of {} s in turn, the median ratio of \
             a round is {speed:.3}. Memory and processor time per worker: resident after {} starts without requests \
             (median), after the load, and percent of a processor in {} idle seconds.",
            context.workers,
            with.per_second.len(),
            context.pick(3, 1),
            with.fresh.len(),
            context.pick(30, 5),
        ),
        columns: [
            "workers",
            "requests/s",
            "by without",
            "failed",
            "MiB fresh",
            "MiB loaded",
            "% idle",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
        aims: vec![
            Aim::new(
                speed >= AIM_SPEED,
                format!("at least {AIM_SPEED} of the requests without the agent"),
            ),
            Aim::new(
                more < AIM_MIB,
                format!("less than {AIM_MIB} MiB more in a fresh worker ({more:.1})"),
            ),
            Aim::new(
                with.idle < AIM_IDLE,
                format!("less than {AIM_IDLE} % of a processor while idle"),
            ),
        ],
    }
}
