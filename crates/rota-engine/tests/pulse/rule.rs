//! The rule by examples.

use std::time::Duration;

use rota_engine::{PulseEffect, PulseSettings, Pulses, Sight, Time, WorkerId};

const ONE: WorkerId = WorkerId(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn settings() -> PulseSettings {
    PulseSettings::new(ms(2000), ms(2000), 5)
}

/// A worker that does nothing in particular: it sleeps.
fn asleep(_: WorkerId) -> Option<Sight> {
    Some(Sight::default())
}

/// Lets time pass until `end`, with ticks in time; gives what was said, and when.
fn pass(
    pulses: &mut Pulses,
    end: u64,
    mut look: impl FnMut(u64, WorkerId) -> Option<Sight>,
) -> Vec<(u64, PulseEffect)> {
    let mut said = Vec::new();
    while let Some(due) = pulses.next_deadline().filter(|due| due.0 <= end) {
        let effects = pulses.tick(due, |worker| look(due.0, worker));
        // What is noted for a successor is no news.
        let noted = |effect: &PulseEffect| matches!(effect, PulseEffect::Note { .. });
        let news = effects.into_iter().filter(|effect| !noted(effect));
        said.extend(news.map(|effect| (due.0, effect)));
    }
    said
}

fn words(said: &[(u64, PulseEffect)]) -> Vec<(u64, &'static str, u64)> {
    let word = |(at, effect): &(u64, PulseEffect)| match effect {
        PulseEffect::Ask { worker, .. } => (*at, "ask", worker.0),
        PulseEffect::Note { worker } => (*at, "note", worker.0),
        PulseEffect::Missed { worker, .. } => (*at, "missed", worker.0),
        PulseEffect::Suspect { worker } => (*at, "suspect", worker.0),
        PulseEffect::Hung { worker, .. } => (*at, "hung", worker.0),
        PulseEffect::Postponed { workers } => (*at, "postponed", *workers as u64),
    };
    said.iter().map(word).collect()
}

#[test]
fn a_worker_that_answers_is_asked_every_interval_and_nothing_else() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(500), ONE, settings(), false);
    let mut asked = Vec::new();
    for end in [2000, 4000, 6000] {
        for (at, effect) in pass(&mut pulses, end, |_, id| asleep(id)) {
            let PulseEffect::Ask { n, .. } = effect else {
                panic!("{effect:?}")
            };
            asked.push(at);
            let answer = pulses.answered(Time(at + 3), ONE, n).unwrap();
            assert_eq!((answer.missed, answer.counted), (false, ms(3)));
        }
    }
    assert_eq!(asked, [2000, 4000, 6000]);
    // One wake-up for all, whenever each of them became ready.
    pulses.watch(Time(6700), WorkerId(2), settings(), false);
    assert_eq!(pulses.next_deadline(), Some(Time(8000)));
    let said = pass(&mut pulses, 8000, |_, id| asleep(id));
    assert_eq!(words(&said), [(8000, "ask", 1), (8000, "ask", 2)]);
}

#[test]
fn one_that_does_not_is_late_then_suspected_then_hung() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    let said = pass(&mut pulses, 60_000, |_, id| asleep(id));
    assert_eq!(
        words(&said),
        [
            (2000, "ask", 1),
            (4000, "missed", 1),
            (10_000, "suspect", 1),
            (12_000, "hung", 1)
        ]
    );
    assert!(matches!(
        said.last().unwrap().1,
        PulseEffect::Hung { silent, misses: 5, .. } if silent == ms(10_000)
    ));
    assert!(pulses.hangs(ONE));
    assert_eq!(pulses.next_deadline(), None);
    // An answer clears everything, even now.
    let said = pulses.answered(Time(61_000), ONE, 1);
    assert!(said.is_some_and(|answer| answer.missed && answer.silent == ms(59_000)));
    assert!(!pulses.hangs(ONE));
    assert_eq!(pulses.next_deadline(), Some(Time(62_000)));
}

#[test]
fn the_classic_setting_takes_eleven_and_a_half_to_sixteen_and_a_half_seconds() {
    let classic = PulseSettings::new(ms(5000), ms(1500), 3);
    assert_eq!(classic.limit(), Some(ms(11_500)));
    for hang in 1..=5000 {
        // Healthy up to the question at 5 s; hung from `hang` after it on.
        let mut pulses = Pulses::default();
        pulses.watch(Time(0), ONE, classic, false);
        pass(&mut pulses, 5000, |_, id| asleep(id));
        pulses.answered(Time(5000), ONE, 1);
        let said = pass(&mut pulses, 60_000, |_, id| asleep(id));
        let after = said.last().unwrap().0 - (5000 + hang);
        assert!((11_500..=16_500).contains(&after), "{after}");
    }
}

#[test]
fn zero_misses_mean_never() {
    let mut pulses = Pulses::default();
    pulses.watch(
        Time(0),
        ONE,
        PulseSettings::new(ms(2000), ms(2000), 0),
        false,
    );
    let said = pass(&mut pulses, 1_000_000, |_, id| asleep(id));
    assert_eq!(words(&said), [(2000, "ask", 1), (4000, "missed", 1)]);
}

#[test]
fn a_single_miss_is_enough_if_that_is_what_is_set() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, PulseSettings::new(ms(100), ms(400), 1), false);
    let said = pass(&mut pulses, 10_000, |_, id| asleep(id));
    let last = [(400, "suspect", 1), (500, "missed", 1), (500, "hung", 1)];
    assert_eq!(words(&said)[1..], last);
}

#[test]
fn our_own_lateness_does_not_count() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    pass(&mut pulses, 2000, |_, id| asleep(id));
    // The supervisor is stopped for a minute, again and again.
    let mut now = 2000;
    for _ in 0..6 {
        now += 60_000;
        let said = pulses.tick(Time(now), asleep);
        let noted = |effect: &PulseEffect| matches!(effect, PulseEffect::Note { .. });
        assert!(said.iter().all(noted), "{said:?}");
    }
    let said = pass(&mut pulses, now + 60_000, |_, id| asleep(id));
    assert_eq!(words(&said).last().unwrap().1, "hung");
    assert!(said.last().unwrap().0 > now + 8000);
}

#[test]
fn an_answer_that_waited_for_us_was_not_late() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    pass(&mut pulses, 2000, |_, id| asleep(id));
    let answer = pulses.answered(Time(62_000), ONE, 1).unwrap();
    assert!(!answer.missed && answer.counted == ms(250), "{answer:?}");
}

#[test]
fn waiting_for_a_processor_does_not_count() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    // It gets a tenth of a processor: its limit is ten times as far away.
    let share = |at: u64, _| {
        Some(Sight {
            runnable: true,
            used: ms(at / 10),
            starved: ms(at - at / 10),
            halted: false,
        })
    };
    let said = pass(&mut pulses, 101_000, share);
    assert!(!words(&said).iter().any(|said| said.1 == "hung"));
    let said = pass(&mut pulses, 110_000, share);
    assert_eq!(words(&said).last().unwrap().1, "hung");
}

#[test]
fn waiting_without_an_end_does_not_count_either() {
    // The kernel adds a wait when it is over.
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    let waits = Sight {
        runnable: true,
        ..Sight::default()
    };
    let said = pass(&mut pulses, 100_000, |_, _| Some(waits));
    assert_eq!(words(&said), [(2000, "ask", 1)]);
}

#[test]
fn a_worker_that_uses_its_processor_up_hangs() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    let spins = |at: u64, _| {
        Some(Sight {
            runnable: true,
            used: ms(at),
            ..Sight::default()
        })
    };
    let said = pass(&mut pulses, 60_000, spins);
    assert_eq!(*words(&said).last().unwrap(), (12_000, "hung", 1));
}

#[test]
fn a_stopped_worker_gets_no_work_and_is_not_hung() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    let stopped = Sight {
        halted: true,
        ..Sight::default()
    };
    let said = pass(&mut pulses, 600_000, |_, _| Some(stopped));
    assert_eq!(words(&said), [(2000, "ask", 1), (4000, "missed", 1)]);
    assert!(matches!(
        said[1].1,
        PulseEffect::Missed { halted: true, .. }
    ));
    // Once it goes on it has its whole limit to answer.
    let said = pass(&mut pulses, 700_000, |_, id| asleep(id));
    let hung = said.last().unwrap();
    assert_eq!(words(&said).last().unwrap().1, "hung");
    assert!(hung.0 >= 609_500, "{}", hung.0);
}

#[test]
fn an_inspector_shields_and_its_time_does_not_count_afterwards() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), true);
    let said = pass(&mut pulses, 600_000, |_, id| asleep(id));
    assert_eq!(words(&said), [(2000, "ask", 1), (4000, "missed", 1)]);
    pulses.shield(Time(600_000), ONE, false);
    let said = pass(&mut pulses, 700_000, |_, id| asleep(id));
    assert_eq!(*words(&said).last().unwrap(), (610_000, "hung", 1));
}

#[test]
fn all_late_together_is_postponed_once() {
    let mut pulses = Pulses::default();
    for worker in 1..=3 {
        pulses.watch(Time(0), WorkerId(worker), settings(), false);
    }
    let said = pass(&mut pulses, 60_000, |_, id| asleep(id));
    let words = words(&said);
    let of = |what| {
        words
            .iter()
            .filter(|word| word.1 == what)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("postponed"), [&(10_000, "postponed", 3)]);
    let hung: Vec<u64> = of("hung").iter().map(|word| word.0).collect();
    assert_eq!(hung, [22_000, 22_000, 22_000]);
}

#[test]
fn one_that_answers_speaks_for_the_machine() {
    let mut pulses = Pulses::default();
    for worker in 1..=3 {
        pulses.watch(Time(0), WorkerId(worker), settings(), false);
    }
    let mut hung = Vec::new();
    for end in (250..30_000).step_by(250) {
        for (at, effect) in pass(&mut pulses, end, |_, id| asleep(id)) {
            match effect {
                PulseEffect::Ask {
                    worker: worker @ WorkerId(3),
                    n,
                } => {
                    pulses.answered(Time(at), worker, n);
                }
                PulseEffect::Hung { .. } => hung.push(at),
                PulseEffect::Postponed { .. } => panic!("postponed"),
                _ => {}
            }
        }
    }
    assert_eq!(hung, [12_000, 12_000]);
}

#[test]
fn answers_to_other_questions_and_of_strangers_mean_nothing() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    pass(&mut pulses, 2000, |_, id| asleep(id));
    for (worker, n) in [(ONE, 0), (ONE, 2), (ONE, u64::MAX), (WorkerId(2), 1)] {
        assert_eq!(pulses.answered(Time(2100), worker, n), None);
    }
    let said = pass(&mut pulses, 4000, |_, id| asleep(id));
    assert_eq!(words(&said), [(4000, "missed", 1)]);
    pulses.forget(ONE);
    assert_eq!(pulses.answered(Time(4100), ONE, 1), None);
    assert_eq!(pulses.next_deadline(), None);
}

#[test]
fn settings_without_sense_are_bounded() {
    let mut pulses = Pulses::default();
    pulses.watch(
        Time(0),
        ONE,
        PulseSettings::new(ms(0), ms(0), u32::MAX),
        false,
    );
    pulses.watch(
        Time(u64::MAX),
        WorkerId(2),
        PulseSettings::new(Duration::MAX, Duration::MAX, u32::MAX),
        false,
    );
    let said = pulses.tick(Time(u64::MAX), asleep);
    assert!(!said.is_empty());
}

/// What is left of a question when its supervisor dies.
fn left(pulses: &Pulses) -> Option<rota_engine::Unanswered> {
    let left = pulses.unanswered(ONE)?;
    let json = serde_json::to_string(&left).unwrap();
    Some(serde_json::from_str(&json).unwrap())
}

#[test]
fn a_successor_goes_on_counting_and_leaves_out_the_time_when_nobody_listened() {
    let mut first = Pulses::default();
    first.watch(Time(0), ONE, settings(), false);
    pass(&mut first, 7000, |_, id| asleep(id));
    // Dead for a minute: the question at 2 s has counted for five seconds until then.
    let mut second = Pulses::default();
    second.resume(Time(67_000), ONE, settings(), false, left(&first));
    let said = pass(&mut second, 100_000, |_, id| asleep(id));
    let (asked, suspected) = ((67_000, "ask", 1), (70_000, "suspect", 1));
    assert_eq!(words(&said), [asked, suspected, (72_000, "hung", 1)]);
}

#[test]
fn a_worker_that_answers_its_next_supervisor_is_back() {
    let mut first = Pulses::default();
    first.watch(Time(0), ONE, settings(), false);
    pass(&mut first, 11_900, |_, id| asleep(id));
    for late in [true, false] {
        let mut second = Pulses::default();
        second.resume(Time(12_000), ONE, settings(), false, left(&first));
        assert_eq!(
            words(&pass(&mut second, 12_000, |_, id| asleep(id))).len(),
            1
        );
        // The answer to the question of the one that died has waited for us.
        if late {
            let old = second.answered(Time(12_001), ONE, 1).unwrap();
            assert!(!old.missed && old.noted);
            assert!(left(&second).is_some_and(|left| left.counted.is_zero()));
            let quiet = pass(&mut second, 13_900, |_, id| asleep(id));
            assert!(words(&quiet).is_empty(), "what was counted is over");
        }
        let answer = second.answered(Time(13_900), ONE, 2).unwrap();
        assert!(answer.missed && answer.noted);
        assert_eq!(left(&second), None);
    }
}

#[test]
fn a_successor_gives_a_second_to_answer_whatever_was_counted() {
    let mut first = Pulses::default();
    first.watch(Time(0), ONE, settings(), false);
    pass(&mut first, 11_990, |_, id| asleep(id));
    let mut second = Pulses::default();
    second.resume(Time(12_000), ONE, settings(), false, left(&first));
    let said = pass(&mut second, 20_000, |_, id| asleep(id));
    assert_eq!(words(&said).last().unwrap(), &(13_000, "hung", 1));
}

#[test]
fn nothing_is_noted_of_a_worker_that_answers() {
    let mut pulses = Pulses::default();
    pulses.watch(Time(0), ONE, settings(), false);
    for n in 1..100 {
        let at = pulses.next_deadline().unwrap();
        let said = pulses.tick(at, asleep);
        assert!(matches!(said[..], [PulseEffect::Ask { .. }]));
        let answer = pulses.answered(Time(at.0 + 200), ONE, n).unwrap();
        assert!(!answer.noted && left(&pulses).is_none());
    }
}
