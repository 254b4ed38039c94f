//! An operator who types commands at random.

use std::time::Duration;

use rota_engine::{AppId, Command, Policy, Slot};

use crate::random::Random;
use crate::world::Mode;

fn millis(random: &mut Random, from: &[u64]) -> Duration {
    Duration::from_millis(*random.pick(from))
}

pub fn policy(mode: Mode, random: &mut Random) -> Policy {
    let chaos = mode == Mode::Chaos;
    let surge = u32::try_from(*random.pick(&[0, 1, 1, 1, 2, 3])).unwrap();
    Policy {
        after: Vec::new(),
        instances: u32::try_from(random.between(1, 5)).unwrap(),
        autorestart: !(chaos && random.percent(8)),
        max_restarts: *random.pick(&[0, 1, 3, 16]),
        min_uptime: millis(random, if chaos { &[0, 100, 1000] } else { &[1000] }),
        restart_delay: millis(random, &[0, 0, 0, 700]),
        backoff_base: Duration::from_millis(100),
        backoff_max: Duration::from_secs(4),
        backoff_reset: Duration::from_secs(30),
        backoff: random.percent(15).then(|| millis(random, &[50, 300])),
        stop_exit_codes: if chaos && random.percent(20) {
            vec![7]
        } else {
            Vec::new()
        },
        ready_timeout: millis(
            random,
            if chaos {
                &[300, 900, 4000]
            } else {
                &[2000, 4000]
            },
        ),
        observe: millis(random, &[0, 500, 3000]),
        observe_start: millis(random, &[0, 500, 3000]),
        drain_timeout: millis(random, &[100, 1000, 5000]),
        asks: random.percent(30),
        kill_timeout: millis(random, &[50, 500, 2000]),
        hung_timeout: millis(random, &[50, 500, 2000]),
        lenient_first_ready: chaos && random.percent(50),
        drains: random.percent(70),
        surge: if mode == Mode::Broken {
            surge.max(1)
        } else {
            surge
        },
        max_missing: u32::try_from(random.between(0, 2)).unwrap(),
    }
}

fn slots(random: &mut Random, instances: u32) -> Option<Vec<Slot>> {
    if random.percent(70) {
        return None;
    }
    // One beyond the last, now and then: to be refused.
    let highest = u64::from(instances) - u64::from(random.percent(90) && instances > 0);
    let number = random.between(0, 2);
    let mut chosen = Vec::new();
    for _ in 0..number {
        chosen.push(u32::try_from(random.between(0, highest)).unwrap());
    }
    Some(chosen)
}

/// The next command for an app; `next_generation` is taken if the command needs one.
pub fn command(
    mode: Mode,
    random: &mut Random,
    app: AppId,
    instances: u32,
    next_generation: &mut u32,
) -> Command {
    let mut update = |random: &mut Random| {
        *next_generation += 1;
        (policy(mode, random), *next_generation)
    };
    match (mode, random.between(0, 99)) {
        (Mode::Broken, 0..=79) => Command::Reload {
            app,
            slots: None,
            update: Some(update(random)),
        },
        (Mode::Broken | Mode::Clean, 80..) | (Mode::Chaos, 0..=15) => Command::Scale {
            app,
            instances: u32::try_from(random.between(u64::from(mode != Mode::Chaos), 5)).unwrap(),
        },
        (Mode::Clean, _) | (Mode::Chaos, 16..=55) => Command::Reload {
            app,
            slots: slots(random, instances),
            update: random.percent(50).then(|| update(random)),
        },
        (Mode::Chaos, 56..=70) => Command::Restart {
            app,
            slots: slots(random, instances),
            update: random.percent(40).then(|| update(random)),
        },
        (Mode::Chaos, 71..=80) => Command::Stop {
            app,
            slots: slots(random, instances),
        },
        (Mode::Chaos, 81..=84) => Command::Delete { app },
        (Mode::Chaos, 85..=87) => Command::Reset {
            app,
            slots: slots(random, instances),
        },
        (Mode::Chaos, _) => {
            let (policy, generation) = update(random);
            Command::Start {
                app,
                policy,
                generation,
            }
        }
    }
}
