//! `pm2-runtime`: the daemon in the foreground, for containers, with PM2's exit codes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use rota_api::ExitCode;
use rota_supervisor::WHEN_EMPTY;

use super::run::Pm2;
use super::{file, specs};
use crate::failure::{Done, Failure};

/// PM2's exit code when nothing is left online.
const NOTHING_LEFT: &str = "2";
/// The daemon stays when nothing is left.
const STAY: &str = "stay";

impl Pm2<'_> {
    /// `pm2-runtime [start] SCRIPT|FILE`.
    pub(super) fn runtime(&self) -> Done {
        if self.flags.version {
            return self.version();
        }
        let words = match self.flags.words.split_first() {
            Some((first, rest)) if first == "start" && !rest.is_empty() => rest,
            _ => &self.flags.words[..],
        };
        let [word] = words else {
            return Err(
                Failure::usage("pm2-runtime needs a script or an ecosystem file")
                    .hint("`pm2-runtime ecosystem.config.js --env production`")
                    .into(),
            );
        };
        if std::env::var_os(WHEN_EMPTY).is_none() {
            return Err(self.again().into());
        }
        if let Some(seconds) = self.flags.delay {
            std::thread::sleep(Duration::from_secs(seconds));
        }
        let (apps, origins) = match file::is_config(word) {
            true => self.apps_of_file(word)?,
            false => (vec![specs::app(&self.flags, word)?], BTreeMap::new()),
        };
        self.in_foreground(apps, origins)
    }

    /// Becomes this program again, with the variable by which the daemon, which this process will be, knows how to end.
    /// Returns only if that fails.
    fn again(&self) -> Failure {
        let when_empty = match self.flags.no_auto_exit {
            true => STAY,
            false => NOTHING_LEFT,
        };
        let line: Vec<OsString> = std::env::args_os().collect();
        let rest = super::run::called_as(&line).map_or(&[][..], |(_, rest)| rest);
        let error = Command::new("/proc/self/exe")
            .arg0("pm2-runtime")
            .args(rest)
            .env(WHEN_EMPTY, when_empty)
            .exec();
        Failure::new(ExitCode::Failed, "cannot begin").because(&error)
    }
}
