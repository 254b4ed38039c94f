//! The engine in a simulated world.
//!
//! Each seed is one schedule: apps, commands, and workers that crash, hang, start slowly or never,
//! lose messages and ignore signals, all under simulated time. `check.rs` has the invariants;
//! docs/engine.md lists them.
//!
//! `ROTA_SIM_SEEDS=20000` runs more schedules than usual, `ROTA_SIM_SEED=17` runs one and prints
//! what happens in it, `ROTA_SIM_FIRST=1000000` starts counting elsewhere. With `ROTA_SIM_EVENTS=1000000`
//! each test goes on until it has simulated so many events, `long_lives` in one schedule.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test program: a panic is how it fails"
)]

mod check;
mod damage;
mod death;
mod effects;
mod fate;
mod growth;
mod operator;
mod random;
mod rest;
mod rollouts;
mod shortage;
mod totals;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use death::Death;
use totals::Totals;
use world::{Mode, World};

const DEFAULT_SEEDS: u64 = 4000;
/// Some days of an app that is never left in peace.
const LONG_LIFE: u64 = 30_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
    )
}

fn run(mode: Mode, seed: u64, loses: bool, verbose: bool) -> Result<Totals, String> {
    let death = Death::new(seed, loses);
    let world = AssertUnwindSafe(|| World::new(mode, seed, death, verbose).run());
    catch_unwind(world).unwrap_or_else(|_| Err("the engine panicked".to_owned()))
}

fn sweep(mode: Mode, loses: bool) {
    if let Some(seed) = number("ROTA_SIM_SEED") {
        let totals =
            run(mode, seed, loses, true).unwrap_or_else(|why| panic!("{mode:?} {seed}: {why}"));
        println!("{mode:?} seed {seed}: {totals:?}");
        return;
    }
    let first = number("ROTA_SIM_FIRST").unwrap_or(0);
    // A schedule in which states are lost and damaged is several in one.
    let usual = if loses {
        DEFAULT_SEEDS / 4
    } else {
        DEFAULT_SEEDS
    };
    let plan = Plan {
        mode,
        loses,
        last: first + number("ROTA_SIM_SEEDS").unwrap_or(usual),
        least_events: number("ROTA_SIM_EVENTS").unwrap_or(0),
        next: AtomicU64::new(first),
        events: AtomicU64::new(0),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Result<Totals, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| plan.work())).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let mut totals = Totals::default();
    for result in results {
        totals.add(&result.unwrap_or_else(|why| panic!("{why}")));
    }
    let seeds = plan.next.load(Ordering::Relaxed) - first - threads as u64;
    println!(
        "{mode:?}, {seeds} seeds, {} events: {totals:?}",
        totals.events
    );
    totals.assert_covered(mode, loses, seeds);
}

/// Which schedules are run.
struct Plan {
    mode: Mode,
    loses: bool,
    /// The first seed that is not run, unless there have been too few events.
    last: u64,
    least_events: u64,
    next: AtomicU64,
    events: AtomicU64,
}

impl Plan {
    fn work(&self) -> Result<Totals, String> {
        let (mode, mut totals) = (self.mode, Totals::default());
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.last && self.events.load(Ordering::Relaxed) >= self.least_events {
                return Ok(totals);
            }
            let result = run(mode, seed, self.loses, false);
            let result = result.map_err(|why| {
                format!("{mode:?}: {why}\nreplay with ROTA_SIM_SEED={seed} (mode {mode:?})")
            })?;
            self.events.fetch_add(result.events, Ordering::Relaxed);
            totals.add(&result);
        }
    }
}

/// Everything goes wrong at any time, and operators are impatient.
#[test]
fn chaos() {
    sweep(Mode::Chaos, false);
}

/// Nothing goes wrong: reloads, scaling and planned replacements never cost a serving worker.
#[test]
fn clean() {
    sweep(Mode::Clean, false);
}

/// What runs is fine and what is rolled out is broken.
#[test]
fn broken_versions() {
    sweep(Mode::Broken, false);
}

/// The supervisor dies, and an app's state is lost with it: what serves goes on serving.
#[test]
fn lost_states() {
    sweep(Mode::Clean, true);
}

/// The same where everything goes wrong.
#[test]
fn lost_states_in_chaos() {
    sweep(Mode::Chaos, true);
}

/// However long an app lives, and whatever happens to it, what is known of it does not become more.
#[test]
fn long_lives() {
    let seed = number("ROTA_SIM_SEED").unwrap_or(0);
    let events = number("ROTA_SIM_EVENTS").unwrap_or(LONG_LIFE);
    for mode in [Mode::Chaos, Mode::Clean, Mode::Broken] {
        let world = World::new(mode, seed, Death::new(seed + 1, false), false).long(events);
        let totals = world.run().unwrap_or_else(|why| panic!("{mode:?}: {why}"));
        println!(
            "{mode:?}, one schedule, {} events: {totals:?}",
            totals.events
        );
    }
}
