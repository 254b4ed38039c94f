//! The entry points of the daemon's two processes: this same program under hidden verbs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use rota_sys::fds::claim_inherited;

/// The hidden verb of the keeper.
pub const KEEPER: &str = "__keeper";
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

/// Runs the keeper until the daemon ends.
pub fn keeper() -> ExitCode {
    match keeper_options() {
        Ok(options) => rota_keeper::run(options),
        Err(why) => refuse(KEEPER, &why),
    }
}

fn keeper_options() -> Result<rota_keeper::KeeperOptions, String> {
    let flags = Flags::read(std::env::args_os().skip(2))?;
    let claim = |number: Option<i32>| {
        let number = number.ok_or("a descriptor is missing")?;
        claim_inherited(number).map_err(|error| format!("descriptor {number}: {error}"))
    };
    Ok(rota_keeper::KeeperOptions::new(
        flags.home.ok_or("--home is missing")?,
        claim(flags.api_fd)?,
        claim(flags.lock_fd)?,
        flags.boot_fd.map(|fd| claim(Some(fd))).transpose()?,
        flags.foreground,
    ))
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
                }
            );
        }
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
