//! What happens every day to a service, for an hour at the rate of months: reloads, crashes, other numbers of workers,
//! deaths of the supervisor. Nothing may become more by it: no memory, descriptor, file, process or entry of the keeper.
//!
//! `ROTA_SOAK_SECONDS` is how long (20), `ROTA_SOAK_SEED` the seed of what happens when (1). In the first half
//! supervisors die; the last of them lives through the second half, so that its own memory is watched for that long.
//! What was measured is written as a table.

mod cycles;
mod samples;

use std::time::{Duration, Instant};

use crate::support::{heavy, setting};
use cycles::Soak;
use samples::Samples;

/// How many times it is measured in each half, and how long it takes at least until it is measured again.
const SAMPLES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(500);

#[test]
fn nothing_becomes_more() {
    let (seconds, seed) = (
        setting("ROTA_SOAK_SECONDS", 20),
        setting("ROTA_SOAK_SEED", 1),
    );
    println!("soak: ROTA_SOAK_SECONDS={seconds} ROTA_SOAK_SEED={seed}");
    let _alone = heavy();
    let mut soak = Soak::begin(seed);
    let half = Duration::from_secs(seconds) / 2;
    let among_deaths = stretch(&mut soak, half, true);
    let one_life = stretch(&mut soak, half, false);
    let mut complaints = soak.finish();
    among_deaths.and(&one_life).check_keeper(&mut complaints);
    among_deaths.check_supervisor(&mut complaints);
    one_life.check_supervisor(&mut complaints);
    assert!(
        complaints.is_empty(),
        "{} things are wrong:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

/// Goes on for so long, and measures again and again.
fn stretch(soak: &mut Soak, length: Duration, deaths: bool) -> Samples {
    let pause = (length / SAMPLES).max(PAUSE);
    let mut samples = Samples::default();
    let begin = Instant::now();
    samples.add(soak.sample(deaths));
    while begin.elapsed() < length {
        let last = Instant::now();
        while last.elapsed() < pause {
            soak.cycle(deaths);
        }
        samples.add(soak.sample(deaths));
    }
    samples
}
