//! Becoming another program, with everything that is kept.
//!
//! First a *trial*: the new program is started beside the keeper, reads a copy of the keeper's state, and exits. The
//! keeper goes on meanwhile, and if the trial fails nothing has happened. Then the supervisor is killed and heard
//! to the end, as at any death, the state goes into a memfd, and the new program takes this process over by
//! `exec`. It starts a supervisor of its own; until one of those is up, the program of before is kept open
//! (it may be gone from the disk), and is returned to in the same way if none comes up in time.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rota_sys::memfd;
use rota_sys::process::kill_group;
use rota_sys::signal::Signal;
use rota_sys::spawn::Spawn;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::hash::fnv;
use crate::keeper::Keeper;
use crate::log;
use crate::options::{KEEPER_VERB, Resume, TRIAL_FLAG};
use crate::protocol::{ExitInfo, ExitStatus, FromKeeper, UpgradeNote};

/// How long a trial may take.
const TRIAL_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take until a supervisor of a new program is up.
const UP_LIMIT: Duration = Duration::from_secs(10);
/// How many supervisors of a new program may fail before one is up.
const FAILURES_MAX: u32 = 3;
/// The most of a trial's complaint that is repeated, in bytes; and what fits into its pipe in any case.
const COMPLAINT_MAX: u64 = 1000;
/// The number under which a trial finds the state.
const TRIAL_FD: RawFd = 3;

/// What is under way, and what is to be told of it.
#[derive(Debug, Default)]
pub(crate) struct Upgrade {
    trial: Option<Trial>,
    /// To be done as soon as there is no supervisor.
    switch: Option<Switch>,
    probation: Option<Probation>,
    pub(crate) note: Option<UpgradeNote>,
}

#[derive(Debug)]
struct Trial {
    program: PathBuf,
    pid: u32,
    until: Instant,
    /// Set when the time was over and it was killed.
    overdue: bool,
    /// What it writes to stderr.
    complaint: File,
    /// What it has to write there.
    proof: String,
}

#[derive(Debug)]
pub(crate) enum Switch {
    /// To a new program.
    To(PathBuf),
    /// Back to the program of before, for this reason.
    Back(OwnedFd, String),
}

/// This program is new, and no supervisor of it has been up.
#[derive(Debug)]
struct Probation {
    previous: OwnedFd,
    until: Instant,
    failures: u32,
}

impl Upgrade {
    /// What there is to tell from an earlier image.
    pub(crate) fn with(note: Option<UpgradeNote>) -> Self {
        Self {
            note,
            ..Self::default()
        }
    }

    /// What the next supervisor is to be told.
    pub(crate) fn note(&self) -> Option<&UpgradeNote> {
        self.note.as_ref()
    }

    /// Whether the supervisor has to go, and no new one may start, because the program changes.
    pub(crate) fn is_switching(&self) -> bool {
        self.switch.is_some()
    }

    pub(crate) fn is_trial(&self, pid: u32) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.pid == pid)
    }

    /// When [`Keeper::advance_upgrade`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let trial = self.trial.as_ref().filter(|trial| !trial.overdue);
        let probation = self.probation.as_ref().map(|probation| probation.until);
        [trial.map(|trial| trial.until), probation]
            .into_iter()
            .flatten()
            .min()
    }

    /// A supervisor is up: this program will do, and everything has been told.
    pub(crate) fn proven(&mut self) {
        self.probation = None;
        self.note = None;
    }

    /// A supervisor has ended before it was up, or after.
    pub(crate) fn supervisor_ended(&mut self, status: ExitStatus) {
        if let Some(probation) = self.probation.as_mut().filter(|_| !status.is_kill()) {
            probation.failures += 1;
        }
    }

    /// The keeper ends as the program that it is.
    pub(crate) fn abandon(&mut self) {
        self.switch = None;
        self.probation = None;
        if let Some(trial) = &self.trial {
            // Its end is dealt with when it comes.
            let _ = kill_group(trial.pid, Signal::KILL);
        }
    }

    fn is_under_way(&self) -> bool {
        self.trial.is_some() || self.switch.is_some() || self.probation.is_some()
    }
}

impl Keeper {
    /// Another image of this process has left this keeper its state.
    pub(crate) fn resumed(mut self, resume: Resume) -> Self {
        let version = &self.settings.version;
        if let Some(note) = &mut self.upgrade.note {
            match &resume.failed {
                None => {
                    log(format_args!("{} is now version {version}", note.from));
                    note.to = Some(version.clone());
                }
                Some(why) => {
                    log(format_args!("back at version {version}: {why}"));
                    note.failed = Some(why.clone());
                }
            }
        }
        self.upgrade.probation = resume.previous.map(|previous| Probation {
            previous,
            until: Instant::now() + UP_LIMIT,
            failures: 0,
        });
        self
    }

    /// Starts a trial of the program.
    pub(crate) fn begin_upgrade(&mut self, program: PathBuf) {
        if self.is_leaving() {
            return self.answer_failure("the daemon ends".to_owned());
        }
        if self.upgrade.is_under_way() {
            return self.answer_failure("another upgrade is under way".to_owned());
        }
        if !program.is_absolute() {
            return self.answer_failure(format!("{} is no absolute path", program.display()));
        }
        match self.start_trial(&program) {
            Ok(trial) => self.upgrade.trial = Some(trial),
            Err(error) => {
                let why = format!("cannot try {} out: {error}", program.display());
                self.upgrade_failed(program, why);
            }
        }
    }

    fn start_trial(&self, program: &Path) -> io::Result<Trial> {
        let state = self.state().encode();
        let proof = proof(&state);
        let state = memfd::sealed("rota-keeper", &state)?;
        let (complaint, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&complaint, OFlags::NONBLOCK)?;
        let mut process = Spawn::new(program)
            .fd(&state, TRIAL_FD)
            .fd(&stderr, 2)
            .arg(KEEPER_VERB)
            .arg(TRIAL_FLAG)
            .arg(TRIAL_FD.to_string());
        process.argv0 = Some("rota".into());
        process.env = std::env::vars_os().collect();
        let pid = process.start().map_err(|error| {
            let reason = std::error::Error::source(&error).map(|source| format!(": {source}"));
            io::Error::other(format!("{error}{}", reason.unwrap_or_default()))
        })?;
        Ok(Trial {
            program: program.to_owned(),
            pid,
            until: Instant::now() + TRIAL_LIMIT,
            overdue: false,
            complaint: complaint.into(),
            proof,
        })
    }

    /// The trial's process has been reaped.
    pub(crate) fn trial_ended(&mut self, exit: ExitInfo) {
        let Some(trial) = self.upgrade.trial.take() else {
            return;
        };
        if self.is_leaving() {
            return;
        }
        let name = trial.program.display();
        if trial.overdue {
            let why = format!("{name} has not read the keeper's state within {TRIAL_LIMIT:?}");
            self.upgrade_failed(trial.program, why);
            return;
        }
        let complaint = complaint(&trial.complaint);
        let proven = complaint.0.lines().any(|line| line == trial.proof);
        if exit.status == ExitStatus::Code(0) && proven {
            self.upgrade.switch = Some(Switch::To(trial.program));
        } else if exit.status == ExitStatus::Code(0) {
            // Many a program exits with 0 whatever it is asked.
            let why = format!("{name}, tried out, did not say that it can take over: is it rota?");
            self.upgrade_failed(trial.program, why);
        } else {
            let why = format!("{name}, tried out, {}{complaint}", exit.status);
            self.upgrade_failed(trial.program, why);
        }
    }

    /// What is due at this time; it may not return, but go on as another program.
    pub(crate) fn advance_upgrade(&mut self, now: Instant) {
        if self.is_leaving() {
            return;
        }
        if let Some(trial) = self.upgrade.trial.as_mut()
            && now >= trial.until
            && !trial.overdue
        {
            trial.overdue = true;
            let _ = kill_group(trial.pid, Signal::KILL);
        }
        let over = |probation: &mut Probation| {
            now >= probation.until || probation.failures >= FAILURES_MAX
        };
        if let Some(probation) = self.upgrade.probation.take_if(over) {
            let why = if probation.failures >= FAILURES_MAX {
                format!("its supervisor ended {FAILURES_MAX} times before it was up")
            } else {
                format!("its supervisor was not up within {UP_LIMIT:?}")
            };
            self.upgrade.switch = Some(Switch::Back(probation.previous, why));
        }
        if self.upgrade.is_switching() && self.supervisor.pid().is_some() {
            self.supervisor.kill();
        } else if let Some(switch) = self.upgrade.switch.take() {
            self.change_program(switch);
        }
    }

    pub(crate) fn note(&self, program: &Path) -> UpgradeNote {
        UpgradeNote {
            from: self.settings.version.clone(),
            to: None,
            program: program.as_os_str().to_owned(),
            failed: None,
        }
    }

    /// Tells the supervisor, and the next one in case that this one has no time left to hear it.
    pub(crate) fn upgrade_failed(&mut self, program: PathBuf, why: String) {
        log(format_args!("no upgrade: {why}"));
        self.upgrade.note = Some(UpgradeNote {
            failed: Some(why.clone()),
            ..self.note(&program)
        });
        self.answer_failure(why);
    }

    fn answer_failure(&mut self, message: String) {
        self.outbox.push(&FromKeeper::UpgradeFailed { message });
    }
}

/// What a program writes to stderr that has read this state and could go on with it: nothing that another program
/// would say by chance.
pub(crate) fn proof(state: &[u8]) -> String {
    format!("rota can take over {:016x}", fnv(state))
}

/// What a trial has written, as the end of a sentence.
fn complaint(stderr: &File) -> Complaint {
    let mut bytes = Vec::new();
    // Nothing in it, or nobody has closed it: what there is will do.
    let _ = stderr.take(COMPLAINT_MAX).read_to_end(&mut bytes);
    Complaint(String::from_utf8_lossy(&bytes).trim().to_owned())
}

struct Complaint(String);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.0)
        }
    }
}
