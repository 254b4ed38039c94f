//! The entry points of the daemon's two processes: this same program under hidden verbs.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use rota_sys::fds::claim_inherited;

/// The hidden verb of the keeper.
pub const KEEPER: &str = rota_keeper::KEEPER_VERB;
/// The hidden verb of the supervisor.
pub const SUPERVISOR: &str = "__supervisor";

/// What the keeper is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperArgs {
    /// `ROTA_HOME`.
    pub home: PathBuf,
    /// The API socket, listening.
    pub api_fd: i32,
    /// `daemon.lock`, locked.
    pub lock_fd: i32,
    /// A memfd with the request to begin with.
    pub boot_fd: Option<i32>,
    /// Not detached from the terminal.
    pub foreground: bool,
}

impl KeeperArgs {
    /// As arguments behind the verb.
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            "--home".into(),
            self.home.clone().into(),
            "--api-fd".into(),
            self.api_fd.to_string().into(),
            "--lock-fd".into(),
            self.lock_fd.to_string().into(),
        ];
        if let Some(fd) = self.boot_fd {
            args.extend(["--boot-fd".into(), fd.to_string().into()]);
        }
        if self.foreground {
            args.push("--foreground".into());
        }
        args
    }
}

/// Arguments of either process, read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    home: Option<PathBuf>,
    api_fd: Option<i32>,
    lock_fd: Option<i32>,
    boot_fd: Option<i32>,
    foreground: bool,
    /// The keeper's flags in an upgrade.
    trial_fd: Option<i32>,
    resume_fd: Option<i32>,
    previous_fd: Option<i32>,
    failed: Option<OsString>,
}

impl Flags {
    fn read(mut args: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut flags = Self::default();
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or("a value is missing");
            match flag.to_str() {
                Some("--home") => flags.home = Some(value()?.into()),
                Some("--api-fd") => flags.api_fd = Some(fd(&value()?)?),
                Some("--lock-fd") => flags.lock_fd = Some(fd(&value()?)?),
                Some("--boot-fd") => flags.boot_fd = Some(fd(&value()?)?),
                Some("--foreground") => flags.foreground = true,
                Some(rota_keeper::TRIAL_FLAG) => flags.trial_fd = Some(fd(&value()?)?),
                Some(rota_keeper::RESUME_FLAG) => flags.resume_fd = Some(fd(&value()?)?),
                Some(rota_keeper::PREVIOUS_FLAG) => flags.previous_fd = Some(fd(&value()?)?),
                Some(rota_keeper::FAILED_FLAG) => flags.failed = Some(value()?),
                _ => return Err(format!("unknown argument {}", flag.display())),
            }
        }
        Ok(flags)
    }
}

fn fd(text: &OsString) -> Result<i32, String> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{} is not a descriptor", text.display()))
}

/// Runs the keeper until the daemon ends: a new one, or one that another version has been until now.
pub fn keeper() -> ExitCode {
    let run = |flags: Flags| {
        if let Some(number) = flags.trial_fd {
            claim(number).map(rota_keeper::trial)
        } else if let Some(number) = flags.resume_fd {
            keeper_resume(number, flags).map(rota_keeper::resume)
        } else {
            keeper_options(flags).map(rota_keeper::run)
        }
    };
    match Flags::read(std::env::args_os().skip(2)).and_then(run) {
        Ok(code) => code,
        Err(why) => refuse(KEEPER, &why),
    }
}

fn claim(number: i32) -> Result<OwnedFd, String> {
    claim_inherited(number).map_err(|error| format!("descriptor {number}: {error}"))
}

fn keeper_resume(state: i32, flags: Flags) -> Result<rota_keeper::Resume, String> {
    Ok(rota_keeper::Resume {
        state: claim(state)?,
        previous: flags.previous_fd.map(claim).transpose()?,
        failed: flags.failed.map(|text| text.to_string_lossy().into_owned()),
    })
}

fn keeper_options(flags: Flags) -> Result<rota_keeper::KeeperOptions, String> {
    let mut options = rota_keeper::KeeperOptions::new(
        flags.home.ok_or("--home is missing")?,
        claim(flags.api_fd.ok_or("--api-fd is missing")?)?,
        claim(flags.lock_fd.ok_or("--lock-fd is missing")?)?,
        flags.boot_fd.map(claim).transpose()?,
        flags.foreground,
    );
    options.groups = rota_keeper::Where::from_env();
    options.stored = rota_keeper::handed_back();
    Ok(options)
}

/// Runs the supervisor until it is told to end.
pub fn supervisor() -> ExitCode {
    match supervisor_options() {
        Ok(options) => rota_supervisor::run(options),
        Err(why) => refuse(SUPERVISOR, &why),
    }
}

fn supervisor_options() -> Result<rota_supervisor::Options, String> {
    let flags = Flags::read(std::env::args_os().skip(2))?;
    Ok(rota_supervisor::Options {
        home: flags.home.ok_or("--home is missing")?,
        keeper_fd: claim_inherited(rota_keeper::SUPERVISOR_FD)
            .map_err(|error| format!("the connection to the keeper: {error}"))?,
        foreground: flags.foreground,
    })
}

fn refuse(verb: &str, why: &str) -> ExitCode {
    eprintln!(
        "error: {verb} is started by rota itself: {why}\nhint: use `rota start` or `rota run`"
    );
    rota_api::ExitCode::Usage.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keeper_reads_what_it_is_told() {
        for (boot_fd, foreground) in [(None, false), (Some(9), true)] {
            let args = KeeperArgs {
                home: "/home/x y/.rota".into(),
                api_fd: 3,
                lock_fd: 4,
                boot_fd,
                foreground,
            };
            let flags = Flags::read(args.to_args().into_iter()).unwrap();
            assert_eq!(
                flags,
                Flags {
                    home: Some(args.home.clone()),
                    api_fd: Some(3),
                    lock_fd: Some(4),
                    boot_fd,
                    foreground,
                    ..Flags::default()
                }
            );
        }
    }

    #[test]
    fn a_keeper_reads_what_the_one_before_tells_it() {
        let args = [
            "--resume",
            "7",
            "--previous",
            "8",
            "--failed",
            "x y",
            "--home",
            "/h",
        ];
        let flags = Flags::read(args.iter().map(OsString::from)).unwrap();
        let expected = Flags {
            home: Some("/h".into()),
            resume_fd: Some(7),
            previous_fd: Some(8),
            failed: Some("x y".into()),
            ..Flags::default()
        };
        assert_eq!(flags, expected);
        let flags = Flags::read(["--trial", "3"].iter().map(OsString::from)).unwrap();
        assert_eq!(flags.trial_fd, Some(3));
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [vec!["--home"], vec!["--api-fd", "x"], vec!["--what"]] {
            assert!(
                Flags::read(args.iter().map(OsString::from)).is_err(),
                "{args:?}"
            );
        }
    }
}
