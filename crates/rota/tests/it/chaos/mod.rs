//! Everything that may go wrong, at once and again and again, under load; afterwards nothing may be lost but what ran
//! inside of a worker that died.
//!
//! `ROTA_CHAOS_SECONDS` is how long (45), `ROTA_CHAOS_SEED` the seed of the schedule (1): both are printed, with each
//! action and its time, so that a failure can be repeated as far as timing allows. The log disk can be filled only where
//! the test may mount a file system.

mod actions;
mod book;
mod checks;
mod disk;
mod matching;
mod run;
mod schedule;

use std::time::{Duration, Instant};

use crate::support::{heavy, setting};
use run::Chaos;
use schedule::Schedule;

#[test]
fn nothing_is_lost_but_what_ran_inside_of_the_dead() {
    let (seconds, seed) = (
        setting("ROTA_CHAOS_SECONDS", 45),
        setting("ROTA_CHAOS_SEED", 1),
    );
    println!("chaos: ROTA_CHAOS_SECONDS={seconds} ROTA_CHAOS_SEED={seed}");
    let _alone = heavy();
    let mut chaos = Chaos::begin();
    let mut schedule = Schedule::new(seed);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(seconds) {
        let step = schedule.next();
        std::thread::sleep(step.pause);
        chaos.perform(step);
    }
    chaos.finish();
}
