//! What a simulated worker is going to do.

use crate::random::Random;
use crate::world::Mode;

/// How good a version of an app is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quality {
    Good,
    CannotSpawn,
    CrashesAtStart,
    NeverReady,
    CrashesAfter(u64),
    LeavesAtOnce,
    HangsWhenReady,
    /// Any of these, each worker differently.
    Chaotic,
}

impl Quality {
    pub fn broken(random: &mut Random) -> Self {
        let after = random.between(1, 6000);
        *random.pick(&[
            Self::CannotSpawn,
            Self::CrashesAtStart,
            Self::NeverReady,
            Self::CrashesAfter(after),
            Self::LeavesAtOnce,
            Self::HangsWhenReady,
        ])
    }

    pub fn draw(mode: Mode, first: bool, random: &mut Random) -> Self {
        match mode {
            Mode::Clean => Self::Good,
            Mode::Broken if first => Self::Good,
            Mode::Broken if random.percent(70) => Self::broken(random),
            Mode::Broken => Self::Good,
            Mode::Chaos if random.percent(60) => Self::Chaotic,
            Mode::Chaos if random.percent(50) => Self::broken(random),
            Mode::Chaos => Self::Good,
        }
    }
}

/// The script of one worker; times are milliseconds after its spawn.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    pub spawn_fails: bool,
    pub spawned_after: u64,
    /// From when on it may be dealt connections, ready or not. `None`: never.
    pub listens_after: Option<u64>,
    /// `None`: never, or its message is lost.
    pub ready_after: Option<u64>,
    pub crash_after: Option<u64>,
    pub hang_after: Option<u64>,
    pub leave_after: Option<u64>,
    pub recycle_after: Option<u64>,
    /// After the drain was asked for. `None`: never, or its message is lost.
    pub drained_after: Option<u64>,
    /// After the stop signal. `None`: it ignores it.
    pub stops_after: Option<u64>,
    /// How many SIGKILLs do not reach it.
    pub kills_lost: u32,
    /// After the SIGKILL that does.
    pub dies_after: u64,
    /// Says things again, and after its death.
    pub echoes: bool,
}

impl Fate {
    pub fn draw(quality: Quality, faults: bool, random: &mut Random) -> Self {
        let quality = match quality {
            Quality::Chaotic if random.percent(40) => Quality::broken(random),
            Quality::Chaotic => Quality::Good,
            other => other,
        };
        let ready = random.between(5, 800);
        let mut fate = Self {
            spawned_after: random.between(0, 20),
            listens_after: Some(random.between(5, ready)),
            ready_after: Some(ready),
            drained_after: Some(random.between(0, 1500)),
            stops_after: Some(random.between(0, 300)),
            dies_after: random.between(0, 30),
            ..Self::default()
        };
        fate.shape(quality, ready, random);
        if faults {
            fate.spoil(random);
        }
        fate
    }

    fn shape(&mut self, quality: Quality, ready: u64, random: &mut Random) {
        match quality {
            Quality::Good | Quality::Chaotic => {}
            Quality::CannotSpawn => self.spawn_fails = true,
            Quality::CrashesAtStart => {
                self.ready_after = None;
                self.crash_after = Some(random.between(0, 500));
            }
            Quality::NeverReady => {
                self.ready_after = None;
                // Blocked by its start, or serving and never ready by its own word.
                if random.percent(50) {
                    self.listens_after = None;
                }
            }
            Quality::CrashesAfter(time) => self.crash_after = Some(ready + time),
            Quality::LeavesAtOnce => self.leave_after = Some(ready + random.between(0, 50)),
            Quality::HangsWhenReady => {
                self.hang_after = Some(ready + random.between(0, 3000));
                self.stops_after = None;
            }
        }
    }

    /// What can also befall the good ones when nothing is sure.
    fn spoil(&mut self, random: &mut Random) {
        self.spawn_fails |= random.percent(3);
        if random.percent(4) {
            self.ready_after = None;
        }
        if random.percent(20) {
            self.crash_after = Some(random.between(0, 40_000));
        }
        if random.percent(5) {
            self.hang_after = Some(random.between(0, 20_000));
        }
        if random.percent(8) {
            self.leave_after = Some(random.between(0, 20_000));
        }
        if random.percent(15) {
            self.recycle_after = Some(random.between(0, 20_000));
        }
        if random.percent(15) {
            self.drained_after = None;
        }
        if random.percent(15) {
            self.stops_after = None;
        }
        if random.percent(4) {
            self.dies_after = random.between(3000, 14_000);
        }
        if random.percent(3) {
            self.kills_lost = 2;
        }
        self.echoes = random.percent(20);
    }
}
