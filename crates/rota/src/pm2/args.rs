//! The command line of `pm2`: one set of flags for all verbs, before or after the words, as people write them.

use clap::{ArgAction, Parser};
use rota_config::{Instances, Size, Span};

/// The flags of all verbs. Those that mean nothing here are taken and not acted on.
#[derive(Debug, Clone, Default, Parser)]
#[command(
    name = "pm2",
    about = "rota, answering to PM2's verbs and flags",
    args_override_self = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    after_help = format!(
        "Verbs:\n  {}\nWhich of them do what PM2 does, and which do it otherwise: docs/pm2.md.\n\
        The daemon is rota's: `rota list` shows the same apps.",
        super::verbs::names(76).join("\n  ")
    )
)]
pub struct Flags {
    /// The verb and its targets
    #[arg(value_name = "VERB", allow_negative_numbers = true)]
    pub words: Vec<String>,

    /// Arguments for the script
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,

    /// Show the version
    #[arg(short = 'v', visible_short_alias = 'V', long)]
    pub version: bool,

    // What an app is.
    /// Its name
    #[arg(short, long)]
    pub name: Option<String>,
    /// Number of workers; max: one per processor
    #[arg(short, long, allow_hyphen_values = true, value_parser = instances)]
    pub instances: Option<Instances>,
    /// A label to group apps by
    #[arg(long)]
    pub namespace: Option<String>,
    /// Working directory
    #[arg(long)]
    pub cwd: Option<String>,
    /// What runs the script
    #[arg(long, visible_alias = "exec-interpreter")]
    pub interpreter: Option<String>,
    /// Arguments for the interpreter
    #[arg(long, visible_alias = "node-args", allow_hyphen_values = true)]
    pub interpreter_args: Option<String>,
    /// The user that runs it
    #[arg(long)]
    pub uid: Option<String>,
    /// The group that runs it
    #[arg(long)]
    pub gid: Option<String>,
    /// The profile of a configuration file: env_NAME
    #[arg(long)]
    pub env: Option<String>,
    /// Take this shell's environment
    #[arg(short = 'a', long)]
    pub update_env: bool,
    /// Variables that are not passed on
    #[arg(long, num_args = 0..)]
    pub filter_env: Option<Vec<String>>,
    /// Of a file only these apps
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Start anew what runs already
    #[arg(short, long)]
    pub force: bool,
    /// Foreground: this process becomes the daemon
    #[arg(long)]
    pub no_daemon: bool,
    /// Show logs after the start
    #[arg(long)]
    pub attach: bool,
    /// Only take it into the list (not known here: refused)
    #[arg(long)]
    pub no_autostart: bool,

    // How it ends and comes back.
    /// Milliseconds from the stop signal to SIGKILL
    #[arg(short = 'k', long)]
    pub kill_timeout: Option<Span>,
    /// Milliseconds until a worker must be ready
    #[arg(long)]
    pub listen_timeout: Option<Span>,
    /// Wait for process.send('ready')
    #[arg(long)]
    pub wait_ready: bool,
    /// Ask to stop by a message
    #[arg(long)]
    pub shutdown_with_message: bool,
    /// Replace a worker that uses more
    #[arg(long)]
    pub max_memory_restart: Option<Size>,
    /// Milliseconds before a restart
    #[arg(long)]
    pub restart_delay: Option<Span>,
    /// First pause of a growing delay
    #[arg(long)]
    pub exp_backoff_restart_delay: Option<Span>,
    /// Unstable restarts in a row that are allowed
    #[arg(long)]
    pub max_restarts: Option<u32>,
    /// What lived for less is unstable
    #[arg(long)]
    pub min_uptime: Option<Span>,
    /// Exit codes after which it is not started again
    #[arg(long, num_args = 1, value_delimiter = ',')]
    pub stop_exit_codes: Vec<i32>,
    /// Do not start it again
    #[arg(long)]
    pub no_autorestart: bool,
    /// Restart at these times
    #[arg(short = 'c', long, visible_alias = "cron-restart")]
    pub cron: Option<String>,
    /// Restart when files change
    #[arg(long, num_args = 0..=1)]
    pub watch: Option<Option<String>>,
    /// What is not watched
    #[arg(long)]
    pub ignore_watch: Option<String>,
    /// How long nothing must have changed
    #[arg(long)]
    pub watch_delay: Option<Span>,

    // Output of apps.
    /// File for standard output
    #[arg(short, long)]
    pub output: Option<String>,
    /// File for standard error
    #[arg(short, long)]
    pub error: Option<String>,
    /// File for both; without a value nothing
    #[arg(short, long, num_args = 0..=1)]
    pub log: Option<Option<String>>,
    /// raw or json
    #[arg(long)]
    pub log_type: Option<String>,
    /// What stands before each line
    #[arg(long)]
    pub log_date_format: Option<String>,
    /// The time before each line
    #[arg(long)]
    pub time: bool,
    /// All workers write to one file
    #[arg(long)]
    pub merge_logs: bool,
    /// No files
    #[arg(long)]
    pub disable_logs: bool,

    // logs
    /// JSON
    #[arg(long)]
    pub json: bool,
    /// Timestamps, app and text in columns
    #[arg(long)]
    pub format: bool,
    /// Only the text
    #[arg(long)]
    pub raw: bool,
    /// Only standard error
    #[arg(long)]
    pub err: bool,
    /// Only standard output
    #[arg(long)]
    pub out: bool,
    /// How many past lines
    #[arg(long)]
    pub lines: Option<u32>,
    /// Do not follow
    #[arg(long)]
    pub nostream: bool,
    /// With time
    #[arg(long, num_args = 0..=1)]
    pub timestamp: Option<Option<String>>,
    /// Marks a word
    #[arg(long, num_args = 0..=1)]
    pub highlight: Option<Option<String>>,

    // list
    /// A list without a table
    #[arg(short, long)]
    pub mini_list: bool,
    /// FIELD:asc or FIELD:desc
    #[arg(long)]
    pub sort: Option<String>,
    /// Say nothing that is no error
    #[arg(short, long)]
    pub silent: bool,
    /// No colours
    #[arg(long, visible_alias = "no-colors")]
    pub no_color: bool,

    // serve
    /// The port of `serve`
    #[arg(long)]
    pub port: Option<u16>,
    /// One page for all paths
    #[arg(long)]
    pub spa: bool,
    /// A listing of folders
    #[arg(long)]
    pub ftp: bool,
    /// User of `serve`
    #[arg(long)]
    pub basic_auth_username: Option<String>,
    /// Password of `serve`
    #[arg(long)]
    pub basic_auth_password: Option<String>,

    // startup
    /// The user of the boot unit
    #[arg(short, long)]
    pub user: Option<String>,
    /// Their home
    #[arg(long)]
    pub hp: Option<String>,
    /// The name of the boot unit
    #[arg(long)]
    pub service_name: Option<String>,

    // pm2-runtime
    /// Stay when nothing is left online
    #[arg(long)]
    pub no_auto_exit: bool,
    /// Seconds before the start
    #[arg(long)]
    pub delay: Option<u64>,
    /// As --format
    #[arg(long)]
    pub formatted: bool,

    #[command(flatten)]
    pub ignored: Ignored,
}

/// Flags without a meaning here.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Ignored {
    #[arg(long, hide = true, action = ArgAction::Count)]
    no_pmx: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    no_automation: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    no_vizion: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    no_treekill: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    trace: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    v8: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    deep_monitoring: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    event_loop_inspector: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    disable_trace: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    wait_ip: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    web: u8,
    #[arg(short = 'x', long, hide = true, action = ArgAction::Count)]
    execute_command: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    disable_source_map_support: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    no_source_map_support: u8,
    #[arg(long, hide = true)]
    parallel: Option<String>,
    #[arg(short = 'p', long, hide = true)]
    pid: Option<String>,
    #[arg(long, hide = true)]
    watch_options: Option<String>,
    /// Node's --enable-source-maps
    #[arg(long, hide = true, action = ArgAction::Count)]
    pub source_map_support: u8,
}

impl Flags {
    /// The words after the verb.
    pub fn targets(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

fn instances(text: &str) -> Result<Instances, String> {
    text.parse::<Instances>().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Flags {
        let words = std::iter::once("pm2").chain(line.split(' ').filter(|word| !word.is_empty()));
        Flags::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn the_parser_is_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_words() {
        for line in [
            "start app.js -i max --name api",
            "-i max --name api start app.js",
            "start -i max app.js -n api",
        ] {
            let flags = parsed(line);
            assert_eq!(flags.words, ["start", "app.js"], "{line}");
            assert_eq!(flags.instances, Some(Instances::Max), "{line}");
            assert_eq!(flags.name.as_deref(), Some("api"), "{line}");
        }
    }

    #[test]
    fn what_people_write_is_understood() {
        for line in [
            "start app.js -- -i x --y",
            "start app.js -i -1",
            "scale api -1",
            "scale api +1",
            "start -",
            "start app.js --watch",
            "start app.js --node-args=--inspect",
            "start app.js --node-args --inspect",
            "startOrReload ecosystem.config.js --env production --update-env",
            "restart all -a",
            "sendSignal SIGUSR2 api",
            "ls -m",
            "logs --lines 5 --nostream --err",
            "start app.js --no-pmx --no-vizion --trace -x",
            "start app.js --kill-timeout 3000 --max-memory-restart 200M --stop-exit-codes 0,1",
            "start app.js -n a -n b",
        ] {
            parsed(line);
        }
        assert_eq!(parsed("scale api -1").words, ["scale", "api", "-1"]);
        let flags = parsed("start app.js -- -i x --y");
        assert_eq!(flags.args, ["-i", "x", "--y"]);
    }

    #[test]
    fn the_documentation_knows_every_flag() {
        let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pm2.md");
        let doc = std::fs::read_to_string(doc).unwrap();
        let command = Flags::command();
        for flag in command.get_arguments() {
            let long = flag.get_long_and_visible_aliases().unwrap_or_default();
            for long in long.into_iter().filter(|name| *name != "help") {
                assert!(
                    doc.contains(&format!("`--{long}`")),
                    "--{long} is not in docs/pm2.md"
                );
            }
            if let Some(short) = flag.get_short().filter(|name| *name != 'h') {
                assert!(
                    doc.contains(&format!("`-{short}`")),
                    "-{short} is not in docs/pm2.md"
                );
            }
        }
    }

    #[test]
    fn unknown_flags_are_told() {
        let error = Flags::try_parse_from(["pm2", "start", "a.js", "--bogus"]).unwrap_err();
        assert!(error.to_string().contains("--bogus"));
    }
}
