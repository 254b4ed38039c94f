//! From a command line of PM2 to its verb, and to PM2's exit codes: 0 and 1.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ColorChoice, CommandFactory, FromArgMatches};
use rota_api::client::Events;
use rota_api::{
    AppView, CommandResult, EnvRequest, EnvResponse, ExitCode, ExportRequest, ExportResponse,
    ExportView, StreamEvent,
};
use rota_config::file::Origins;
use serde_json::Value;

use super::args::Flags;
use super::home;
use super::verbs::{self, Likeness, Verb};
use crate::cmd::{list, operation};
use crate::context::{Context, remark};
use crate::daemon::{Home, connect};
use crate::failure::{Done, Failure, Stop};
use crate::output::{Ink, print_failure};

/// PM2's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `pm2`.
    Pm2,
    /// `pm2-runtime`, `pm2-docker`: in the foreground.
    Runtime,
}

/// Which of PM2's programs is meant by this command line, if any, and its arguments: by the name that it is called by,
/// or as `rota pm2`.
pub fn called_as(line: &[OsString]) -> Option<(Role, &[OsString])> {
    let name = Path::new(line.first()?).file_name()?.to_str()?;
    if let Some(role) = role(name) {
        return Some((role, &line[1..]));
    }
    let role = role(line.get(1)?.to_str()?)?;
    Some((role, &line[2..]))
}

fn role(name: &str) -> Option<Role> {
    match name {
        "pm2" => Some(Role::Pm2),
        "pm2-runtime" | "pm2-docker" => Some(Role::Runtime),
        _ => None,
    }
}

/// Runs `rota --no-color pm2 …`: it says itself what is wrong.
pub fn verb(args: &[OsString]) -> Done {
    match main(Role::Pm2, args) == std::process::ExitCode::SUCCESS {
        true => Ok(ExitCode::Ok),
        false => Ok(ExitCode::Failed),
    }
}

/// Runs a command line of PM2.
pub fn main(role: Role, args: &[OsString]) -> std::process::ExitCode {
    let flags = match parse(args) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let context = Context::of(flags.no_color, home::rota_home().map(Home::of));
    let done = Pm2::new(&context, flags).and_then(|pm2| match role {
        Role::Pm2 => pm2.run(),
        Role::Runtime => pm2.runtime(),
    });
    let code = match done {
        Ok(ExitCode::Ok) | Err(Stop::Closed) => 0,
        Ok(_) => 1,
        Err(Stop::Failure(failure)) => {
            print_failure(&failure, context.err_paint());
            1
        }
    };
    code.into()
}

/// Help is printed here, and what is wrong with flags.
fn parse(args: &[OsString]) -> Result<Flags, std::process::ExitCode> {
    let colour = match args.iter().any(|arg| arg == "--no-color") {
        true => ColorChoice::Never,
        false => ColorChoice::Auto,
    };
    let line = std::iter::once(OsString::from("pm2")).chain(args.iter().cloned());
    let matches = Flags::command().color(colour).try_get_matches_from(line);
    matches
        .and_then(|matches| Flags::from_arg_matches(&matches))
        .map_err(|error| {
            let _closed = error.print();
            std::process::ExitCode::from(u8::from(error.use_stderr()))
        })
}

/// One call of `pm2`.
pub struct Pm2<'a> {
    pub(super) context: &'a Context,
    pub(super) flags: Flags,
    /// Where dump.pm2 and module_conf.json are.
    pub(super) pm2_home: PathBuf,
    /// Only errors are told.
    pub(super) silent: bool,
}

impl<'a> Pm2<'a> {
    fn new(context: &'a Context, flags: Flags) -> Result<Self, Stop> {
        let quiet = |name: &str| {
            let value = std::env::var(name).unwrap_or_default();
            !value.is_empty() && value != "false"
        };
        Ok(Self {
            pm2_home: home::pm2_home(context.home()?.path()),
            silent: flags.silent || quiet("PM2_SILENT"),
            context,
            flags,
        })
    }

    fn run(&self) -> Done {
        if self.flags.version {
            return self.version();
        }
        let Some(word) = self.flags.words.first() else {
            return Err(Failure::usage("no command is given")
                .hint("`pm2 --help` shows the commands; `pm2 list`, what runs")
                .into());
        };
        let Some(row) = verbs::find(word) else {
            return Err(Failure::usage(format!("`{word}` is no command of pm2"))
                .hint("`pm2 --help` shows the commands")
                .into());
        };
        match row.like {
            Likeness::Absent => self.absent(row),
            _ => self.verb(row.verb),
        }
    }

    fn verb(&self, verb: Verb) -> Done {
        match verb {
            Verb::Start => self.start(),
            Verb::Stop => self.stop(),
            Verb::Restart => self.restart(),
            Verb::Reload => self.reload(),
            Verb::Delete => self.delete(),
            Verb::StartOrRestart => self.start_or(rota_api::Verb::Restart),
            Verb::StartOrReload => self.start_or(rota_api::Verb::Reload),
            Verb::Scale => self.scale(),
            Verb::Reset => self.reset(),
            Verb::List => self.list(),
            Verb::Jlist => self.jlist(false),
            Verb::Prettylist => self.jlist(true),
            Verb::Describe => self.describe(),
            Verb::Env => self.env(),
            Verb::Pid => self.pid(),
            Verb::Id => self.id(),
            Verb::Logs => self.logs(),
            Verb::Attach => self.attach(),
            Verb::Send => self.send_line(),
            Verb::Flush => self.flush(),
            Verb::ReloadLogs => self.reload_logs(),
            Verb::Save => self.save(),
            Verb::Resurrect => self.resurrect(),
            Verb::Cleardump => self.cleardump(),
            Verb::Kill => self.kill(),
            Verb::Ping => self.ping(),
            Verb::Update => self.update(),
            Verb::SendSignal => self.send_signal(),
            Verb::Monit => self.monit(),
            Verb::Init => self.init(),
            Verb::Serve => self.serve(),
            Verb::Set => self.set(),
            Verb::Get => self.get(),
            Verb::Unset => self.unset(),
            Verb::Multiset => self.multiset(),
            Verb::Report => self.report(),
            Verb::Slist => self.slist(),
            Verb::Completion => self.completion(),
            Verb::Install | Verb::Uninstall => self.install(verb == Verb::Install),
            Verb::Startup => self.own_verb("startup"),
            Verb::Unstartup => self.own_verb("unstartup"),
            Verb::Examples => self.examples(),
            // Refused before: they are absent.
            Verb::Trigger | Verb::Inspect | Verb::Absent => Ok(ExitCode::Failed),
        }
    }

    /// The words after the verb, of which there must be one.
    pub(super) fn needed(&self, what: &str) -> Result<&[String], Failure> {
        match self.flags.targets() {
            [] => Err(Failure::usage(format!("{what} is missing"))),
            words => Ok(words),
        }
    }

    /// All apps; none if there is no daemon.
    pub(super) async fn apps(&self) -> Result<Vec<AppView>, Stop> {
        match connect(self.context.home()?).await? {
            Some(mut client) => Ok(client.apps(&[]).await?.apps),
            None => Ok(Vec::new()),
        }
    }

    /// The environment of an app's workers.
    pub(super) async fn env_of(&self, target: &str, reveal: bool) -> Result<EnvResponse, Stop> {
        let request = EnvRequest {
            target: target.to_owned(),
            reveal,
        };
        Ok(self.context.client().await?.env(&request).await?)
    }

    /// The specification of an app, as JSON.
    pub(super) async fn spec_of(&self, name: &str) -> Result<Value, Stop> {
        Ok(self.export_of(name).await?.spec)
    }

    /// An app as it is: its specification as JSON, and where its settings come from.
    pub(super) async fn export_of(&self, name: &str) -> Result<ExportView<Value, Origins>, Stop> {
        let request = ExportRequest {
            targets: vec![name.to_owned()],
            reveal: true,
        };
        let answer = self.context.client().await?.export(&request).await?;
        let answer: ExportResponse<Value, Origins> = answer;
        let app = answer.apps.into_iter().next();
        Ok(app.unwrap_or(ExportView {
            spec: Value::Null,
            origins: None,
            hidden: Vec::new(),
            masked: Vec::new(),
        }))
    }

    /// Waits for the results of what was asked for, and tells them; tells on the way what happens.
    pub(super) async fn outcome(&self, events: Events) -> Done {
        self.results(&self.awaited(events).await?)
    }

    /// The results of what was asked for; tells on the way what happens, unless nothing is to be said.
    pub(super) async fn awaited(&self, mut events: Events) -> Result<Vec<CommandResult>, Stop> {
        if !self.silent {
            return operation::follow(self.context, events, false).await;
        }
        while let Some(event) = events.next().await? {
            if let StreamEvent::Finished(finished) = event {
                return Ok(finished.results);
            }
        }
        Err(Failure::from(rota_api::client::ClientError::Ended).into())
    }

    /// Results of the daemon; the exit code is that of the first failure.
    pub(super) fn results(&self, results: &[CommandResult]) -> Done {
        if !self.silent {
            return operation::results(self.context, results, false);
        }
        let mut code = ExitCode::Ok;
        for failed in results.iter().filter(|result| !result.ok) {
            print_failure(&Failure::of_result(failed), self.context.err_paint());
            code = ExitCode::Failed;
        }
        Ok(code)
    }

    /// Says something that nobody needs to read.
    pub(super) fn say(&self, text: &str) -> Result<(), Stop> {
        if self.silent {
            return Ok(());
        }
        let mut out = self.context.out();
        out.line(text)?;
        out.flush()
    }

    /// Says on standard error that something is not as one may think.
    pub(super) fn warn(&self, text: &str) {
        if !self.silent {
            let word = self.context.err_paint().apply(Ink::Yellow, "warning:");
            remark(&format!("{word} {text}"));
        }
    }

    /// The list, as PM2 shows it at the end of what it does.
    pub(super) fn table(&self) -> Result<(), Stop> {
        if self.silent {
            return Ok(());
        }
        let apps = self.context.block_on(self.apps())?;
        let mut out = self.context.out();
        if apps.is_empty() {
            out.line("no apps; `pm2 start SCRIPT` starts one")?;
        } else {
            for line in list::table(&apps, out.paint).render(out.paint) {
                out.line(&line)?;
            }
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &str) -> Option<(Role, usize)> {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        called_as(&line).map(|(role, rest)| (role, rest.len()))
    }

    #[test]
    fn the_name_decides() {
        assert_eq!(called("/usr/bin/pm2 start a.js"), Some((Role::Pm2, 2)));
        assert_eq!(called("pm2-runtime a.js"), Some((Role::Runtime, 1)));
        assert_eq!(called("pm2-docker a.js"), Some((Role::Runtime, 1)));
        assert_eq!(called("rota pm2 start a.js"), Some((Role::Pm2, 2)));
        assert_eq!(called("rota pm2-runtime a.js"), Some((Role::Runtime, 1)));
        assert_eq!(called("rota start pm2"), None);
        assert_eq!(called("rota"), None);
    }
}
