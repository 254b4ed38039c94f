//! `pm2 logs`, and what happens to log files.

use rota_api::{ExitCode, FlushRequest};

use super::run::Pm2;
use super::select::select;
use crate::args::LogsArgs;
use crate::cmd::logs;
use crate::failure::{Done, Failure};

/// How many past lines PM2 shows.
pub(super) const LINES: u32 = 15;

impl Pm2<'_> {
    pub(super) fn logs(&self) -> Done {
        let words = self.flags.targets();
        let chosen = self.context.block_on(async {
            let apps = self.apps().await?;
            match words {
                [] => Ok(Some(Vec::new())),
                words => Ok(select(words, &apps).ok().map(|chosen| chosen.targets())),
            }
        })?;
        match chosen {
            Some(targets) => self.show_logs(targets, !self.flags.nostream),
            None => {
                // PM2 waits for an app of that name, with exit code 0 when it need not wait.
                self.warn(&format!("{} is not there", words.join(", ")));
                Ok(ExitCode::Ok)
            }
        }
    }

    /// The output of these, from now on.
    pub(super) fn follow(&self, targets: Vec<String>) -> Done {
        self.show_logs(targets, true)
    }

    fn show_logs(&self, targets: Vec<String>, follow: bool) -> Done {
        if self.context.block_on(self.apps())?.is_empty() {
            self.warn("no app is there");
            return Ok(ExitCode::Ok);
        }
        let flags = &self.flags;
        let args = LogsArgs {
            targets,
            lines: Some(flags.lines.unwrap_or(LINES)),
            since: None,
            until: None,
            grep: None,
            time: flags.timestamp.is_some() && !flags.json,
            follow,
            err: flags.err && !flags.out,
            out: flags.out && !flags.err,
            raw: flags.raw && !flags.json,
            json: flags.json,
        };
        logs::run(self.context, args)
    }

    pub(super) fn flush(&self) -> Done {
        let apps = self.context.block_on(self.apps())?;
        let targets = match self.flags.targets() {
            [] => Vec::new(),
            words => match select(words, &apps) {
                Ok(chosen) => chosen.targets(),
                Err(_) => {
                    self.warn(&format!("{} is not there", words.join(", ")));
                    return Ok(ExitCode::Ok);
                }
            },
        };
        if apps.is_empty() {
            self.say("there is no app, and no log")?;
            return Ok(ExitCode::Ok);
        }
        let request = FlushRequest { targets };
        let emptied = self
            .context
            .block_on(async { Ok(self.context.client().await?.flush(&request).await?) })?;
        self.say(&format!("{} logs are empty", emptied.files))?;
        match emptied.errors.as_slice() {
            [] => Ok(ExitCode::Ok),
            errors => Err(Failure::new(ExitCode::Failed, errors.join("; ")).into()),
        }
    }

    /// The daemon opens its log files anew, for whoever has moved them.
    pub(super) fn reload_logs(&self) -> Done {
        self.context
            .block_on(async { Ok(self.context.client().await?.reopen_logs().await?) })?;
        self.say("log files are opened anew")?;
        Ok(ExitCode::Ok)
    }
}
