//! `pm2 logs`, and what happens to log files.

use std::fs::OpenOptions;
use std::path::Path;

use rota_api::ExitCode;

use super::objects::rows;
use super::run::Pm2;
use super::select::select;
use crate::args::LogsArgs;
use crate::cmd::logs;
use crate::failure::{Done, Failure};

/// How many past lines PM2 shows.
const LINES: u32 = 15;

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

    pub(super) fn attach(&self) -> Done {
        let words = self.needed("the id of a worker")?;
        let targets = self.context.block_on(async {
            let chosen = select(words, &self.apps().await?)?;
            Ok(chosen.targets())
        })?;
        self.warn("only the output is shown: standard input of workers is /dev/null");
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
            lines: flags.lines.unwrap_or(LINES),
            follow,
            err: flags.err && !flags.out,
            out: flags.out && !flags.err,
            raw: flags.raw && !flags.json,
            json: flags.json,
        };
        logs::run(self.context, args)
    }

    /// Empties log files. What writes them appends: it goes on at the beginning.
    pub(super) fn flush(&self) -> Done {
        let apps = self.context.block_on(self.apps())?;
        let words = self.flags.targets();
        let meant = match words {
            [] => None,
            words => match select(words, &apps) {
                Ok(chosen) => Some(chosen),
                Err(_) => {
                    self.warn(&format!("{} is not there", words.join(", ")));
                    return Ok(ExitCode::Ok);
                }
            },
        };
        for app in &apps {
            for worker in rows(app) {
                let chosen = meant.as_ref().is_none_or(|chosen| {
                    chosen.apps.contains(&app.name) || chosen.ids.contains(&worker.id)
                });
                if !chosen {
                    continue;
                }
                for path in [&worker.log_out, &worker.log_err].into_iter().flatten() {
                    empty(Path::new(path))?;
                }
            }
        }
        self.say("logs are empty")?;
        Ok(ExitCode::Ok)
    }

    /// The daemon opens its log files anew, for whoever has moved them.
    pub(super) fn reload_logs(&self) -> Done {
        use rustix::process::{Pid, Signal, kill_process};
        let keeper = self.context.block_on(async {
            let mut client = self.context.client().await?;
            Ok(client.version().await?.keeper_pid)
        })?;
        let pid = Pid::from_raw(keeper.cast_signed())
            .ok_or_else(|| Failure::new(ExitCode::Failed, "the daemon told no process"))?;
        kill_process(pid, Signal::USR1).map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot tell the daemon").because(&error)
        })?;
        self.say("log files are opened anew")?;
        Ok(ExitCode::Ok)
    }
}

fn empty(path: &Path) -> Result<(), Failure> {
    if !path.is_file() {
        return Ok(());
    }
    let opened = OpenOptions::new().write(true).truncate(true).open(path);
    opened.map(drop).map_err(|error| {
        Failure::new(ExitCode::Failed, format!("cannot empty {}", path.display())).because(&error)
    })
}
