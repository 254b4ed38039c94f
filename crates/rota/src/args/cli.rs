//! The verbs.

use clap::{Parser, Subcommand};

use super::apps::{
    DeleteArgs, ReloadArgs, ResetArgs, RunArgs, ScaleArgs, StartArgs, StopArgs, TestReloadArgs,
};
use super::daemon::{
    CompletionsArgs, JsonArgs, KillArgs, ManArgs, Pm2Args, ResurrectArgs, UpgradeArgs,
};
use super::file::{ApplyArgs, CheckArgs, ConfigArgs, ExportArgs, ImportArgs, InitArgs};
use super::input::{AttachArgs, SendArgs};
use super::look::{
    DescribeArgs, EnvArgs, FlushArgs, ListArgs, LogsArgs, ProfileArgs, SignalArgs, StackArgs,
};
use super::serve::ServeArgs;
use super::startup::{StartupArgs, UnstartupArgs};

/// A process manager for Node.js servers, and for any other program.
#[derive(Debug, Parser)]
#[command(
    name = "rota",
    version,
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  rota start app.js -i max    all processors, unmodified server\n  \
        rota reload app             new code, no request lost\n  rota list                   what is on duty\n  \
        rota logs app -f            what it says\n\n\
        A TARGET is the name of an app, an id from `rota list`, NAME:SLOT, a namespace, '/EXPRESSION/' for\n\
        names, or all. stop, restart, reload and delete take a configuration file, too.\n\
        ROTA_HOME [default: ~/.rota] is where the daemon lives. Exit codes: docs/cli.md."
)]
pub struct Cli {
    /// Write no colours (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub no_color: bool,

    /// The verb.
    #[command(subcommand)]
    pub verb: VerbArgs,
}

/// Everything that can be asked for.
#[derive(Debug, Subcommand)]
pub enum VerbArgs {
    /// Run apps in the foreground: this process becomes their daemon
    #[command(
        after_help = "Examples:\n  rota run app.js -i max\n  rota run app.js --env PORT=80 -- --verbose\n  \
        rota run app.js -i max --grace 10s --health 0.0.0.0:9000\n\n\
        In a container this is the command to start with. SIGHUP and SIGUSR2 reload, SIGTERM and SIGINT\n\
        stop gracefully (a second one: at once), SIGQUIT stops at once, SIGUSR1 reopens logs, SIGTTIN and\n\
        SIGTTOU scale by one. The other verbs work beside it."
    )]
    Run(Box<RunArgs>),

    /// Start apps, or stopped ones again by name
    #[command(
        after_help = "Examples:\n  rota start app.js -i max --name api\n  rota start server.py --listen 8080\n  \
        rota start api.js worker.js\n  rota start 'npm run serve' --name web --probe http://localhost:3000/\n  \
        rota start app.js -i 4 -- --verbose\n  rota start api                a stopped app again\n  \
        rota start                    the apps of ./rota.toml, or what is here instead\n  rota start shop.toml --env production --only web,api\n  \
        rota start ecosystem.config.js --env production"
    )]
    Start(Box<StartArgs>),

    /// Serve the files of a folder, as an app of the list
    #[command(
        after_help = "Examples:\n  rota serve dist 8080\n  rota serve dist 8080 --spa --name web\n  \
        rota serve . 8080 --host 127.0.0.1 --no-listing\n  \
        rota serve files 8080 --basic-auth-username me --basic-auth-password \"$PASSWORD\"\n\n\
        docs/serve.md says more."
    )]
    Serve(ServeArgs),

    /// Look for mistakes in a configuration file
    #[command(
        after_help = "Examples:\n  rota check\n  rota check shop.toml --json\n\n\
        Exit code 1: there are some. docs/config.md says more."
    )]
    Check(CheckArgs),

    /// Make what runs equal to what a configuration file says
    #[command(
        after_help = "Examples:\n  rota apply\n  rota apply shop.toml --env production\n  rota apply --dry-run\n  \
        rota apply --prune --yes\n\nWhat runs as the file says is not touched. docs/config.md says more."
    )]
    Apply(ApplyArgs),

    /// Write a rota.toml from what runs
    #[command(
        after_help = "Examples:\n  rota export\n  rota export api web -o rota.toml\n  rota export --reveal -o rota.toml\n\n\
        Without --reveal what looks like a secret is named, and not written."
    )]
    Export(ExportArgs),

    /// Write a commented rota.toml for the project in this folder
    #[command(after_help = "Examples:\n  rota init\n  rota init --stdout")]
    Init(InitArgs),

    /// Show effective settings and where they come from, the keys of rota.toml, or its JSON Schema
    #[command(
        after_help = "Examples:\n  rota config show api\n  rota config keys\n  rota config schema > rota.schema.json"
    )]
    Config(ConfigArgs),

    /// Take over the apps of a PM2
    #[command(
        name = "import-pm2",
        after_help = "Examples:\n  rota import-pm2 --dry-run\n  rota import-pm2 ~/.pm2/dump.pm2\n  rota import-pm2 --move\n\n\
        docs/pm2-files.md says what is taken over."
    )]
    ImportPm2(ImportArgs),

    /// Stop apps or workers; they stay in the list
    #[command(
        after_help = "Examples:\n  rota stop api\n  rota stop api:2 7\n  rota stop '/worker-.*/'\n  rota stop all"
    )]
    Stop(StopArgs),

    /// Stop all chosen workers at once, then start them
    #[command(
        after_help = "Examples:\n  rota restart api\n  rota restart all\n  rota restart api --env DEBUG=1\n\n\
        `rota reload` does it without a gap."
    )]
    Restart(ReloadArgs),

    /// Roll over to new workers, one by one, without losing a request
    #[command(
        after_help = "Examples:\n  rota reload api\n  rota reload all\n  rota reload api --interpreter /opt/node-22/bin/node\n\n\
        A new version that crashes or does not become ready is rolled back; the exit code is 1 then."
    )]
    Reload(ReloadArgs),

    /// Reload an app several times under clients, and tell what they lost
    #[command(
        after_help = "Examples:\n  rota test-reload api\n  rota test-reload api --times 20 --concurrency 50\n  \
        rota test-reload api --url /health\n  rota test-reload api --url http://10.0.0.5:3000/ --json\n\n\
        The clients send GET requests only: on kept connections without pause, with a connection for each,\n\
        and on kept connections with pauses. Exit code 0: nothing was lost. docs/reload.md says more."
    )]
    TestReload(TestReloadArgs),

    /// Change the number of workers
    #[command(
        after_help = "Examples:\n  rota scale api 4\n  rota scale api +2\n  rota scale api -1\n  rota scale api max"
    )]
    Scale(ScaleArgs),

    /// Begin to count anew: restarts, unstable restarts, failures
    #[command(after_help = "Examples:\n  rota reset api\n  rota reset all\n\n\
        Nothing is started or stopped. What processes count themselves begins anew with them.")]
    Reset(ResetArgs),

    /// Stop apps and forget them
    #[command(
        visible_alias = "del",
        after_help = "Examples:\n  rota delete api\n  rota delete all"
    )]
    Delete(DeleteArgs),

    /// Show apps and their workers
    #[command(visible_aliases = ["ls", "ps", "status"],
        after_help = "Examples:\n  rota list\n  rota list api\n  rota list --json | jq '.apps[].workers[].pid'")]
    List(ListArgs),

    /// Show everything about apps: settings, last failure, workers
    #[command(
        visible_alias = "show",
        after_help = "Examples:\n  rota describe api\n  rota describe api --json"
    )]
    Describe(DescribeArgs),

    /// Show the environment that an app's workers are started with
    #[command(
        after_help = "Examples:\n  rota env api\n  rota env api:2 --json\n  rota env api --reveal\n\n\
        Values that look like secrets are hidden unless --reveal is given. docs/security.md says more."
    )]
    Env(EnvArgs),

    /// Show what apps write
    #[command(
        after_help = "Examples:\n  rota logs\n  rota logs api web -f\n  rota logs api:0 --lines 100 --err\n  \
        rota logs api --since 2h --grep 'timeout|refused'\n  rota logs --since '2026-01-31 14:00' --until '2026-01-31 14:30' --json"
    )]
    Logs(LogsArgs),

    /// Write to the standard input of workers
    #[command(
        after_help = "Examples:\n  rota send api reload config\n  rota send api:0 status\n  rota send import - < rows.csv\n\n\
        The app must have `stdin = \"pipe\"`, or have been started with --stdin pipe. docs/stdin.md says more."
    )]
    Send(SendArgs),

    /// Show what a worker writes, and send it what is typed
    #[command(after_help = "Examples:\n  rota attach repl\n  rota attach api:0\n\n\
        Ctrl-C and Ctrl-D end it, and leave the app as it is. docs/stdin.md says more.")]
    Attach(AttachArgs),

    /// Empty logs, and remove what was put aside of them
    #[command(after_help = "Examples:\n  rota flush\n  rota flush api")]
    Flush(FlushArgs),

    /// Open the log files anew, by name, as SIGUSR1 does: for an external logrotate
    #[command(
        visible_alias = "reloadLogs",
        after_help = "Examples:\n  rota reload-logs"
    )]
    ReloadLogs,

    /// Send a signal to workers
    #[command(after_help = "Examples:\n  rota signal SIGUSR2 api\n  rota signal hup 3 4")]
    Signal(SignalArgs),

    /// Show where the JavaScript of workers is right now
    #[command(
        after_help = "Examples:\n  rota stack api\n  rota stack api:2 --json\n\n\
        Each worker is stopped for some milliseconds, all at once. docs/profiling.md says more."
    )]
    Stack(StackArgs),

    /// Record a CPU profile or a heap snapshot, for Chrome DevTools
    #[command(
        after_help = "Examples:\n  rota profile cpu api --duration 10s\n  rota profile heap api:2 -o before.heapsnapshot\n\n\
        Of several workers the busiest is taken. docs/profiling.md says more."
    )]
    Profile(ProfileArgs),

    /// Answer to PM2's verbs and flags, as this program does when it is called as pm2
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  rota pm2 start app.js -i max\n  rota pm2 startOrReload ecosystem.config.js --env production\n  \
        ln -s \"$(command -v rota)\" /usr/local/bin/pm2     and call it pm2\n\n\
        `rota pm2 --help` shows its own verbs and flags. docs/pm2.md says what is the same."
    )]
    Pm2(Pm2Args),

    /// Ask the daemon whether it is there
    #[command(after_help = "Examples:\n  rota ping && echo on duty")]
    Ping(JsonArgs),

    /// Start again what ran when the daemon before ended
    #[command(after_help = "Examples:\n  rota resurrect\n\n\
        Apps that were stopped stay stopped. docs/boot.md says more.")]
    Resurrect(ResurrectArgs),

    /// Install the service that starts what ran, at boot
    #[command(
        after_help = "Examples:\n  rota startup\n  rota startup --user deploy\n  rota startup --user-level\n  \
        rota startup --print\n  rota startup --init openrc --root /mnt/image\n\n\
        Nothing needs to be saved: what runs is known. docs/boot.md says more."
    )]
    Startup(StartupArgs),

    /// Remove that service; what runs goes on
    #[command(after_help = "Examples:\n  rota unstartup\n  rota unstartup --user deploy")]
    Unstartup(UnstartupArgs),

    /// Be the daemon, with what ran when the one before ended; for systemd and its like
    #[command(after_help = "Examples:\n  rota daemon\n\n\
        `rota startup` installs a service that calls it. docs/boot.md says more.")]
    Daemon,

    /// Stop the daemon and everything in it
    #[command(after_help = "Examples:\n  rota kill\n  rota kill --now")]
    Kill(KillArgs),

    /// Replace the daemon's processes by this program, or another one; workers and connections stay
    #[command(
        after_help = "Examples:\n  rota upgrade\n  rota upgrade /opt/rota-2/rota\n\n\
        The new program is tried first; if it does not come up, the old one goes on. docs/survival.md says more."
    )]
    Upgrade(UpgradeArgs),

    /// Write the script that completes words for a shell: verbs, flags, names of apps
    #[command(
        after_help = "Examples:\n  rota completions bash > ~/.local/share/bash-completion/completions/rota\n  \
        rota completions zsh > \"${fpath[1]}/_rota\"\n  \
        rota completions fish > ~/.config/fish/completions/rota.fish\n\n\
        Names of apps are those of the running daemon; none is started for that."
    )]
    Completions(CompletionsArgs),

    /// Write the manual page, or the pages of all verbs into a folder
    #[command(after_help = "Examples:\n  rota man | man -l -\n  rota man ~/.local/share/man/man1")]
    Man(ManArgs),

    /// Show the versions of this program and of the daemon
    #[command(after_help = "Examples:\n  rota version\n  rota version --json")]
    Version(JsonArgs),
}
