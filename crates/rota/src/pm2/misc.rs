//! Verbs about the daemon and the machine, and those that are not here.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::CommandFactory;
use rota_api::ExitCode;
use serde_json::json;

use super::args::Flags;
use super::run::Pm2;
use super::specs;
use super::verbs::{Row, VERBS};
use crate::args::{Cli, KillArgs, UpgradeArgs};
use crate::cmd::{kill, upgrade};
use crate::daemon::connect_or_start;
use crate::failure::{Done, Failure};

/// What `init` writes.
const ECOSYSTEM: &str = include_str!("ecosystem.config.js");
/// Where `init` writes it.
const ECOSYSTEM_NAME: &str = "ecosystem.config.js";
/// How often `monit` writes its list.
const LOOK: Duration = Duration::from_secs(1);

impl Pm2<'_> {
    /// What programs compare is a number of PM2's sort: rota's own.
    pub(super) fn version(&self) -> Done {
        let mut out = self.context.out();
        out.line(env!("CARGO_PKG_VERSION"))?;
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    /// As with PM2, a daemon is started where there is none.
    pub(super) fn ping(&self) -> Done {
        self.context.block_on(async {
            connect_or_start(self.context.home()?)
                .await?
                .version()
                .await?;
            Ok(())
        })?;
        self.say("{ msg: 'pong' }")?;
        Ok(ExitCode::Ok)
    }

    pub(super) fn kill(&self) -> Done {
        let args = KillArgs {
            now: false,
            json: false,
        };
        kill::run(self.context, &args)
    }

    /// The daemon becomes this program; apps run on.
    pub(super) fn update(&self) -> Done {
        let args = UpgradeArgs {
            program: None,
            json: false,
        };
        upgrade::run(self.context, &args)
    }

    /// A list that is written anew, until somebody ends it; once where nobody looks.
    pub(super) fn monit(&self) -> Done {
        if self.context.out().paint.columns.is_none() {
            self.table()?;
            return Ok(ExitCode::Ok);
        }
        loop {
            print!("\x1b[H\x1b[2J");
            // A terminal that has gone is told of by the table.
            let _gone = std::io::stdout().flush();
            self.table()?;
            self.say("Ctrl-C ends it; `pm2 logs` shows output, `pm2 describe NAME` everything about an app")?;
            std::thread::sleep(LOOK);
        }
    }

    /// Writes an ecosystem file to begin with.
    pub(super) fn init(&self) -> Done {
        use std::fs::OpenOptions;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(Path::new(ECOSYSTEM_NAME))
            .and_then(|mut file| file.write_all(ECOSYSTEM.as_bytes()));
        made.map_err(|error| {
            let failure = Failure::new(ExitCode::Failed, format!("cannot write {ECOSYSTEM_NAME}"));
            failure.because(&error)
        })?;
        self.say(&format!(
            "{ECOSYSTEM_NAME} is written; `pm2 start {ECOSYSTEM_NAME}` starts what it says"
        ))?;
        self.say("`rota init` writes a rota.toml, in which mistakes are told by line")?;
        Ok(ExitCode::Ok)
    }

    /// `pm2 serve [DIR] [PORT] [--spa]`: an app that is rota's own verb.
    pub(super) fn serve(&self) -> Done {
        let words = self.flags.targets();
        let folder = words.first().map_or(".", String::as_str);
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let port = words.get(1).cloned();
        let port = port.or_else(|| self.flags.port.map(|port| port.to_string()));
        let port = port
            .or_else(|| set("PM2_SERVE_PORT"))
            .unwrap_or_else(|| "8080".to_owned());
        let mut args = vec!["serve".to_owned(), folder.to_owned(), port.clone()];
        if self.flags.spa {
            args.push("--spa".to_owned());
        }
        if !has_verb("serve") {
            let failure = Failure::new(ExitCode::Failed, "this rota does not serve files");
            return Err(failure
                .hint("any server of files can be started: `pm2 start 'npx serve'`")
                .into());
        }
        let flags = Flags {
            name: self
                .flags
                .name
                .clone()
                .or(Some(format!("static-page-server-{port}"))),
            interpreter: Some("none".to_owned()),
            args,
            ..self.flags.clone()
        };
        let program = own_program()?;
        let spec = specs::app(&flags, &program)?;
        let code = self.context.block_on(self.start_specs(
            vec![spec],
            BTreeMap::new(),
            self.flags.force,
        ))?;
        self.table()?;
        Ok(code)
    }

    /// `startup` and `unstartup`, which rota has by the same names.
    pub(super) fn own_verb(&self, verb: &str) -> Done {
        if !has_verb(verb) {
            let failure = Failure::new(ExitCode::Failed, format!("this rota has no `{verb}`"));
            return Err(failure
                .hint("a unit of systemd that runs `rota run` does the same")
                .into());
        }
        let mut command = Command::new(own_program()?);
        command.arg(verb);
        if let Some(user) = &self.flags.user {
            command.args(["--user", user]);
        }
        if let Some(name) = &self.flags.service_name {
            command.args(["--service-name", name]);
        }
        let ended = command
            .env("ROTA_HOME", self.context.home()?.path())
            .status();
        let status = ended.map_err(|error| {
            Failure::new(ExitCode::Failed, format!("cannot run `rota {verb}`")).because(&error)
        })?;
        match status.success() {
            true => Ok(ExitCode::Ok),
            false => Ok(ExitCode::Failed),
        }
    }

    /// What somebody who helps would ask for. No environment.
    pub(super) fn report(&self) -> Done {
        let (daemon, apps) = self.context.block_on(async {
            let daemon = match crate::daemon::connect(self.context.home()?).await? {
                Some(mut client) => Some(client.version().await?),
                None => None,
            };
            Ok((daemon, self.apps().await?))
        })?;
        let mut out = self.context.out();
        out.line(&format!("rota {} as pm2", env!("CARGO_PKG_VERSION")))?;
        match daemon {
            None => out.line("no daemon is running")?,
            Some(daemon) => {
                out.line(&format!(
                    "daemon {} in {}, supervisor {}, keeper {}",
                    daemon.version, daemon.home, daemon.supervisor_pid, daemon.keeper_pid
                ))?;
            }
        }
        out.line(&format!(
            "{} processors, {}",
            rota_sys::cpus::available(),
            uname()
        ))?;
        out.flush()?;
        drop(apps);
        self.table()?;
        Ok(ExitCode::Ok)
    }

    /// The machine in figures, as JSON.
    pub(super) fn slist(&self) -> Done {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<f64> = load
            .split(' ')
            .take(3)
            .filter_map(|part| part.parse().ok())
            .collect();
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let bytes = |name: &str| {
            let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line
                .trim_start_matches(':')
                .trim()
                .trim_end_matches(" kB")
                .parse()
                .ok()?;
            Some(kib * 1024)
        };
        let mut out = self.context.out();
        out.pretty_json(&json!({
            "cpus": rota_sys::cpus::available(),
            "loadavg": load,
            "memory": { "total": bytes("MemTotal"), "available": bytes("MemAvailable") },
            "system": uname(),
        }))?;
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    /// Words for bash: `pm2 completion >> ~/.bashrc`.
    pub(super) fn completion(&self) -> Done {
        let words: Vec<&str> = VERBS.iter().flat_map(|row| row.names).copied().collect();
        let mut out = self.context.out();
        out.line(&format!(
            "complete -W \"{} $(pm2 jlist 2>/dev/null | grep -o '\"name\":\"[^\"]*\"' | cut -d'\"' -f4 | sort -u | tr '\\n' ' ')\" pm2",
            words.join(" ")
        ))?;
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    pub(super) fn examples(&self) -> Done {
        self.say("pm2 start app.js -i max --name api\npm2 reload api\npm2 startOrReload ecosystem.config.js --env production --update-env\npm2 logs api\npm2 jlist\n`pm2 --help` shows all verbs and flags")?;
        Ok(ExitCode::Ok)
    }

    /// What is not here, with what there is instead.
    pub(super) fn absent(&self, row: &Row) -> Done {
        let word = self.flags.words.first().map_or("", String::as_str);
        let failure = Failure::new(
            ExitCode::Failed,
            format!(
                "`{word}` is not part of rota ({})",
                row.note.trim_end_matches('.')
            ),
        );
        Err(match row.names[0] {
            "deploy" => failure.hint("deploy by what you like, and call `pm2 startOrReload ecosystem.config.js` at its end"),
            _ => failure.hint("docs/pm2.md says what there is instead"),
        }
        .into())
    }
}

/// True for what `rota` itself knows.
fn has_verb(verb: &str) -> bool {
    let mut verbs = Cli::command();
    verbs.build();
    verbs
        .get_subcommands()
        .any(|known| known.get_name() == verb)
}

/// The path of this program, for another process.
fn own_program() -> Result<String, Failure> {
    let path = std::env::current_exe().map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot find this program").because(&error)
    })?;
    path.into_os_string().into_string().map_err(|path| {
        Failure::new(
            ExitCode::Failed,
            format!("the path {} is not UTF-8", path.display()),
        )
    })
}

fn uname() -> String {
    let name = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    format!(
        "{} {} {}",
        part(name.sysname()),
        part(name.release()),
        part(name.machine())
    )
}
