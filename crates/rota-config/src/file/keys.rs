//! The table of keys: the one place that knows what may be written about an app.
//!
//! The decoder, the suggestions, the JSON Schema, the reference in docs/config.md, the comments that `rota init`
//! writes and `rota config show` all read it.

use super::fields::{
    codes, get_cron, get_probe, get_watch, log_place, log_time, on_cron, on_probe, on_watch,
    one_account, processors, set_cron, set_cwd, set_depends_on, set_fork, set_interpreter,
    set_namespace, set_probe, set_rlimits, set_script, set_watch, variable,
};
use super::key::{Access, Key, Part, Takes, arguments, names, read, read_list, shown};
use super::kind::Kind;
use crate::ExecMode;

/// A field that reads and writes itself.
macro_rules! field {
    ($($path:ident).+) => {
        Some(Access {
            set: |spec, node, _| {
                spec.$($path).+ = read(node)?;
                Ok(())
            },
            get: |spec| shown(&spec.$($path).+),
        })
    };
}

/// A field that has its own way in.
macro_rules! with {
    ($($path:ident).+, $set:expr) => {
        Some(Access {
            set: $set,
            get: |spec| shown(&spec.$($path).+),
        })
    };
}

const ACTION: Kind = Kind::Words(&["reload", "restart"]);
const COUNT: Kind = Kind::Whole(0, u32::MAX as i64);
const NUMBER: Kind = Kind::Whole(1, i64::MAX);

/// Every key of an app, in the order of the reference.
#[rustfmt::skip] // a table: two or three lines for each
pub static KEYS: &[Key] = &[
    Key::new(Part::What, "script", Kind::Text, with!(script, set_script),
        "The script or command, as for `rota start`; relative to `cwd`.", "\"app.js\"")
        .also(&["exec", "cmd", "command", "main", "program"]).single(),
    Key::new(Part::What, "args", Kind::Arguments,
        with!(args, |spec, node, _| { spec.args = arguments(node); Ok(()) }),
        "Arguments for the script; a text is split at blanks.", "[\"--verbose\"]")
        .also(&["arguments", "argv"]),
    Key::new(Part::What, "cwd", Kind::Path, with!(cwd, set_cwd),
        "Working directory.", "\"api\"").unless("the file's folder")
        .also(&["dir", "directory", "working_directory", "workdir"]),
    Key::new(Part::What, "interpreter", Kind::Text, with!(interpreter, set_interpreter),
        "What runs the script: `node`, `bun`, `deno`, a path, or `none`.", "\"/opt/node-22/bin/node\"")
        .unless("by the script").also(&["exec_interpreter", "runtime"]),
    Key::new(Part::What, "node_args", Kind::Arguments,
        with!(interpreter_args, |spec, node, _| { spec.interpreter_args = arguments(node); Ok(()) }),
        "Arguments for the interpreter; a text is split at blanks.", "[\"--enable-source-maps\"]")
        .also(&["interpreter_args", "interpreterArgs", "nodeArgs", "node_options", "node_arguments"]),
    Key::new(Part::How, "instances", Kind::Instances, field!(instances),
        "Number of workers: `4`, `\"max\"` or `0` (one per usable processor), `-1` (one less).", "\"max\"")
        .also(&["workers", "processes", "numprocs", "replicas", "count", "scale"]).takes(Takes::Number),
    Key::new(Part::How, "fork", Kind::Flag,
        Some(Access { set: set_fork, get: |spec| shown(&(spec.mode == Some(ExecMode::Fork))) }),
        "Run Node scripts as plain processes instead of cluster workers.", "true")
        .also(&["exec_mode", "mode", "cluster"]),
    Key::new(Part::How, "balance", Kind::Words(&["round-robin", "ip-hash", "shared", "reuseport"]), field!(balance),
        "How connections are dealt.", "\"ip-hash\"").also(&["balancing", "load_balance", "sticky"]),
    Key::new(Part::How, "listen", Kind::Addresses,
        with!(listen, |spec, node, _| { spec.listen = read_list(node)?; Ok(()) }),
        "Addresses that rota opens and hands over (`LISTEN_FDS`).", "[8080, \"/run/app.sock\"]")
        .also(&["port", "ports", "socket", "sockets", "address", "bind"]).single(),
    Key::new(Part::How, "stdin", Kind::Words(&["null", "pipe"]), field!(stdin),
        "Standard input of the workers: `pipe` is what `rota send` and `rota attach` write into.", "\"pipe\"")
        .also(&["standard_input", "input"]),
    Key::new(Part::How, "namespace", Kind::Text, with!(namespace, set_namespace),
        "A label to group apps by.", "\"shop\"").also(&["group_name", "label"]).now(),
    Key::new(Part::How, "depends_on", Kind::Apps, with!(depends_on, set_depends_on),
        "Apps of this file that must be ready before this one is started.", "[\"db\"]")
        .also(&["depends", "requires", "after", "needs"]).single().now(),
    Key::new(Part::How, "autostart", Kind::Flag, field!(autostart),
        "Start it with the others of the file, and after a reboot; `false`: only when it is named.", "false")
        .also(&["auto_start", "no_autostart", "enabled"]).now(),
    Key::new(Part::Environment, "env", Kind::Variables, None,
        "Environment variables; a table in it is a profile, chosen by `--env`.", "{ PORT = 3000 }")
        .also(&["environment", "vars", "variables"]),
    Key::new(Part::Environment, "env_file", Kind::Paths, None,
        "Files with `NAME=value` lines, read before `env`.", "\".env\"")
        .also(&["env_files", "dotenv", "envfile"]),
    Key::new(Part::Environment, "inherit_env", Kind::Names, None,
        "Variables of the calling shell that are taken besides the usual few; `true`: all of them.",
        "[\"AWS_REGION\", \"npm_*\"]").also(&["pass_env", "inherit", "filter_env"]),
    Key::new(Part::Environment, "instance_var", Kind::Text, with!(compat.instance_var, |spec, node, _| {
            spec.compat.instance_var = Some(variable(node)?); Ok(())
        }),
        "The variable that tells a worker its number.", "\"WORKER\"").unless("`NODE_APP_INSTANCE`"),
    Key::new(Part::Environment, "increment_var", Kind::Text, with!(compat.increment_var, |spec, node, _| {
            spec.compat.increment_var = Some(variable(node)?); Ok(())
        }),
        "A variable with a number, to which each worker's number is added.", "\"PORT\"").unless("none"),
    Key::new(Part::Environment, "pm2_env", Kind::Flag, field!(compat.pm2),
        "Workers get the variables that PM2 sets: `pm_id`, `name`, `exec_mode` and others.", "true")
        .also(&["pm2"]),
    Key::new(Part::Ready, "wait_ready", Kind::Flag, field!(readiness.wait_ready),
        "Wait for the app's own word: `process.send('ready')`, or `READY=1` (sd_notify).", "true"),
    Key::new(Part::Ready, "probe", Kind::Url, Some(Access { set: set_probe, get: get_probe }),
        "Ready when this answers: `tcp://IP:PORT`, `http://IP:PORT/PATH`.", "\"http://localhost:3000/health\"")
        .unless("no probe").also(&["health_check", "healthcheck", "readiness_probe"]).single(),
    Key::new(Part::Ready, "probe_interval", Kind::Span,
        Some(Access {
            set: |spec, node, _| on_probe(spec, |probe| { probe.interval = read(node)?; Ok(()) }),
            get: |spec| spec.probe.as_ref().map_or_else(Default::default, |probe| shown(&probe.interval)),
        }),
        "Pause between two tries of the probe.", "\"250ms\"").unless("250ms").needs("probe").positive(),
    Key::new(Part::Ready, "probe_timeout", Kind::Span,
        Some(Access {
            set: |spec, node, _| on_probe(spec, |probe| { probe.timeout = read(node)?; Ok(()) }),
            get: |spec| spec.probe.as_ref().map_or_else(Default::default, |probe| shown(&probe.timeout)),
        }),
        "Limit of one try of the probe.", "\"2s\"").unless("2s").needs("probe").positive(),
    Key::new(Part::Ready, "listen_timeout", Kind::Span, field!(readiness.listen_timeout),
        "How long a worker may take until it is ready.", "\"1m\"")
        .also(&["ready_timeout", "start_timeout", "startup_timeout"]).now(),
    Key::new(Part::Ready, "observe", Kind::Span, field!(readiness.observe),
        "How long the first new worker is watched before the next one's turn.", "\"10s\"").now(),
    Key::new(Part::Ready, "watchdog", Kind::Span,
        with!(readiness.watchdog, |spec, node, _| { spec.readiness.watchdog = Some(read(node)?); Ok(()) }),
        "Replace a worker that does not say `WATCHDOG=1` (sd_notify) more often than this.", "\"30s\"")
        .unless("never").positive().also(&["watchdog_sec"]),
    Key::new(Part::Stop, "drain_timeout", Kind::Span, field!(stop.drain_timeout),
        "How long a worker may take to finish its connections.", "\"1m\"")
        .also(&["graceful_timeout", "shutdown_timeout", "grace_period"]).now(),
    Key::new(Part::Stop, "kill_timeout", Kind::Span, field!(stop.kill_timeout),
        "How long it may take after the stop signal, before SIGKILL.", "\"10s\"")
        .also(&["stop_timeout", "stopwaitsecs", "kill_retry_time"]).now(),
    Key::new(Part::Stop, "stop_signal", Kind::Signal, field!(stop.signal),
        "The signal that asks it to stop.", "\"SIGINT\"").also(&["kill_signal", "stopsignal", "signal"]).now(),
    Key::new(Part::Stop, "stop_message", Kind::Flag, field!(stop.message),
        "Ask a Node worker to stop by the message `shutdown`; the signal follows after `kill_timeout`.", "true")
        .also(&["shutdown_with_message"]).now(),
    Key::new(Part::Stop, "handover", Kind::Flag, field!(stop.handover),
        "Hand kept connections of a leaving worker over to others instead of closing them.", "false")
        .also(&["no_handover"]).now(),
    Key::new(Part::Stop, "idle_grace", Kind::Span, field!(stop.idle_grace),
        "How long a connection that cannot be handed over may stay idle before it is closed.", "\"2s\"").now(),
    Key::new(Part::Restart, "autorestart", Kind::Flag, field!(restart.autorestart),
        "Start it again when it exits.", "false").also(&["no_autorestart", "auto_restart", "restart"]).now(),
    Key::new(Part::Restart, "max_restarts", COUNT, field!(restart.max_restarts),
        "How many unstable restarts in a row are allowed.", "5").also(&["restart_limit", "startretries"]).now(),
    Key::new(Part::Restart, "min_uptime", Kind::Span, field!(restart.min_uptime),
        "A worker that lived for less is unstable.", "\"10s\"").now(),
    Key::new(Part::Restart, "restart_delay", Kind::Span, field!(restart.delay),
        "Fixed pause before a restart; 0: growing when it keeps crashing.", "\"5s\"")
        .also(&["delay"]).now(),
    Key::new(Part::Restart, "backoff", Kind::Span,
        with!(restart.backoff, |spec, node, _| { spec.restart.backoff = Some(read(node)?); Ok(()) }),
        "First pause before a restart, which grows by half with every further one, to 15s; in place of `restart_delay`.", "\"100ms\"")
        .unless("rota's own").positive().also(&["exp_backoff_restart_delay"]).now(),
    Key::new(Part::Restart, "stop_exit_codes", Kind::Codes,
        with!(restart.stop_exit_codes, |spec, node, _| { spec.restart.stop_exit_codes = codes(node)?; Ok(()) }),
        "Exit codes that mean \"done\": no restart after them.", "[0, 143]").also(&["exit_codes", "success_exit_codes"]).now(),
    Key::new(Part::Watch, "agent", Kind::Flag, field!(agent.enabled),
        "The agent in Node workers: heartbeats, figures from inside, handover of connections.", "false")
        .also(&["no_agent", "pmx", "automation"]),
    Key::new(Part::Watch, "heartbeat_interval", Kind::Span, field!(agent.interval),
        "How often a worker is asked for a sign of life.", "\"5s\"").positive().now(),
    Key::new(Part::Watch, "heartbeat_timeout", Kind::Span, field!(agent.timeout),
        "How long its answer may take before the beat counts as missed.", "\"5s\"").positive().now(),
    Key::new(Part::Watch, "heartbeat_misses", COUNT, field!(agent.misses),
        "So many beats missed in a row, and the worker is hung; 0: never.", "10").now(),
    Key::new(Part::Watch, "block_warning", Kind::Span, field!(agent.block_warning),
        "Warn when the event loop was blocked for so long; 0: never.", "\"200ms\"").now(),
    Key::new(Part::Watch, "guard_loss", Kind::Words(&["exit", "serve"]), field!(agent.guard_loss),
        "What a worker does when every process of rota is gone.", "\"serve\""),
    Key::new(Part::Renew, "watch", Kind::Places, Some(Access { set: set_watch, get: get_watch }),
        "Start it anew when files in these places change; `true`: in the working directory.", "[\"src\", \"config.json\"]")
        .unless("no").also(&["watch_paths", "watch_dir", "watch_folder"]).now(),
    Key::new(Part::Renew, "ignore_watch", Kind::Patterns,
        Some(Access {
            set: |spec, node, _| { let ignore = read_list(node)?; on_watch(spec, |watch| watch.ignore = ignore); Ok(()) },
            get: |spec| spec.watch.as_ref().map_or_else(Default::default, |watch| shown(&watch.ignore)),
        }),
        "What does not count, besides what `.gitignore` names: patterns as there.", "[\"*.md\", \"/tmp\"]")
        .needs("watch").also(&["watch_ignore", "ignore"]).now(),
    Key::new(Part::Renew, "watch_delay", Kind::Span,
        Some(Access {
            set: |spec, node, _| { let delay = read(node)?; on_watch(spec, |watch| watch.delay = delay); Ok(()) },
            get: |spec| spec.watch.as_ref().map_or_else(Default::default, |watch| shown(&watch.delay)),
        }),
        "So long nothing must have changed before anything happens.", "\"1s\"").unless("200ms").needs("watch").now(),
    Key::new(Part::Renew, "watch_action", ACTION,
        Some(Access {
            set: |spec, node, _| { let action = read(node)?; on_watch(spec, |watch| watch.action = action); Ok(()) },
            get: |spec| spec.watch.as_ref().map_or_else(Default::default, |watch| shown(&watch.action)),
        }),
        "What happens then.", "\"restart\"").unless("reload").needs("watch").now(),
    Key::new(Part::Renew, "cron", Kind::Text, Some(Access { set: set_cron, get: get_cron }),
        "Start it anew at these times: minute, hour, day of the month, month, day of the week.", "\"0 3 * * *\"")
        .unless("never").also(&["cron_restart", "schedule"]).now(),
    Key::new(Part::Renew, "cron_zone", Kind::Text,
        Some(Access {
            set: |spec, node, _| { let zone = read(node)?; on_cron(spec, |cron| cron.zone = Some(zone)); Ok(()) },
            get: |spec| spec.cron.as_ref().map_or_else(Default::default, |cron| shown(&cron.zone)),
        }),
        "The time zone of these times.", "\"Europe/Berlin\"").unless("the daemon's").needs("cron").also(&["timezone", "tz"]).now(),
    Key::new(Part::Renew, "cron_action", ACTION,
        Some(Access {
            set: |spec, node, _| { let action = read(node)?; on_cron(spec, |cron| cron.action = action); Ok(()) },
            get: |spec| spec.cron.as_ref().map_or_else(Default::default, |cron| shown(&cron.action)),
        }),
        "What happens then.", "\"restart\"").unless("reload").needs("cron").now(),
    Key::new(Part::Limits, "max_memory", Kind::Size, field!(limits.max_memory),
        "Replace a worker that uses more memory.", "\"300M\"").unless("never").positive()
        .also(&["max_memory_restart", "memory_limit", "memory"]).now(),
    Key::new(Part::Limits, "max_requests", NUMBER, field!(limits.max_requests),
        "Replace a worker after about so many requests.", "100000").unless("never").now(),
    Key::new(Part::Limits, "max_age", Kind::Span, field!(limits.max_age),
        "Replace a worker after about this time.", "\"7d\"").unless("never").positive().now(),
    Key::new(Part::Logs, "logs", Kind::Flag,
        Some(Access {
            set: |spec, node, _| { spec.logs.disabled = !read::<bool>(node)?; Ok(()) },
            get: |spec| shown(&!spec.logs.disabled),
        }),
        "Write what it says to files; without, only those who follow see it.", "false").also(&["no_logs", "disable_logs", "log"]).now(),
    Key::new(Part::Logs, "output", Kind::Path, with!(logs.out, |spec, node, _| { spec.logs.out = Some(log_place(node)?); Ok(()) }),
        "The file of standard output, relative to `cwd`, for all workers; with `{slot}` in its name one for each.",
        "\"logs/out.log\"").unless("in ROTA_HOME/logs").also(&["out_file", "out", "stdout", "output_file", "log_output"]).now(),
    Key::new(Part::Logs, "error", Kind::Path, with!(logs.err, |spec, node, _| { spec.logs.err = Some(log_place(node)?); Ok(()) }),
        "The file of standard error, in the same way.", "\"logs/error.log\"").unless("in ROTA_HOME/logs")
        .also(&["error_file", "err_file", "err", "stderr"]).now(),
    Key::new(Part::Logs, "log_file", Kind::Path, with!(logs.joined, |spec, node, _| { spec.logs.joined = Some(log_place(node)?); Ok(()) }),
        "A file that gets both, besides the others.", "\"logs/all.log\"").unless("none").also(&["combined_log", "joined_log", "logfile"]).now(),
    Key::new(Part::Logs, "merge_logs", Kind::Flag, field!(logs.merge),
        "All workers write to the same two files in ROTA_HOME/logs.", "true").also(&["combine_logs", "merge"]).now(),
    Key::new(Part::Logs, "log_format", Kind::Words(&["plain", "json"]), field!(logs.format),
        "How a line is written: as it is, or as an object of JSON.", "\"json\"").also(&["log_type"]).now(),
    Key::new(Part::Logs, "log_time", Kind::Text, with!(logs.time, |spec, node, _| { spec.logs.time = Some(log_time(node)?); Ok(()) }),
        "What stands in front of each line, as by strftime(3).", "\"%Y-%m-%d %H:%M:%S%.3f\"").unless("nothing")
        .also(&["log_date_format", "time", "timestamp"]).now(),
    Key::new(Part::Logs, "rotate_size", Kind::Size, field!(logs.rotate.size),
        "A file that has grown to this is put aside; 0: whatever its size.", "\"100M\"").also(&["max_size", "max_log_size"]).now(),
    Key::new(Part::Logs, "rotate_every", Kind::Words(&["hourly", "daily", "weekly"]), field!(logs.rotate.every),
        "A file is put aside when the next hour, day or week begins.", "\"daily\"").unless("whatever its age")
        .also(&["rotate_interval", "rotate"]).now(),
    Key::new(Part::Logs, "rotate_keep", COUNT, field!(logs.rotate.keep),
        "So many files are kept besides the one that is written.", "14").also(&["retain", "max_files"]).now(),
    Key::new(Part::Logs, "rotate_max_age", Kind::Span, field!(logs.rotate.max_age),
        "Files that were put aside longer ago are removed.", "\"30d\"").unless("never").positive().now(),
    Key::new(Part::Logs, "rotate_compress", Kind::Flag, field!(logs.rotate.compress),
        "Files that were put aside are compressed (gzip).", "false").also(&["compress"]).now(),
    Key::new(Part::Logs, "journald", Kind::Flag, field!(logs.journald),
        "Each line goes to journald as well.", "true").also(&["journal", "syslog"]).now(),
    Key::new(Part::Process, "user", Kind::Account, with!(process.user, |spec, node, _| {
            spec.process.user = Some(one_account(node)?); Ok(())
        }),
        "Run the workers as this user; only for root.", "\"www-data\"").unless("the daemon's").also(&["uid", "username", "run_as"]),
    Key::new(Part::Process, "group", Kind::Account, with!(process.group, |spec, node, _| {
            spec.process.group = Some(one_account(node)?); Ok(())
        }),
        "Their group.", "\"www-data\"").unless("the user's").also(&["gid"]),
    Key::new(Part::Process, "groups", Kind::Accounts, with!(process.groups, |spec, node, _| {
            spec.process.groups = Some(names(node)?); Ok(())
        }),
        "Their supplementary groups; `[]`: none.", "[\"ssl-cert\"]").unless("all of the user").also(&["supplementary_groups"]),
    Key::new(Part::Process, "no_new_privs", Kind::Flag, field!(process.no_new_privs),
        "Bar setuid programs from giving new privileges.", "true").unless("`true` with `user`")
        .also(&["no_new_privileges", "new_privs"]),
    Key::new(Part::Process, "umask", Kind::Mask, field!(process.umask),
        "File mode creation mask.", "\"027\"").unless("the daemon's"),
    Key::new(Part::Process, "nice", Kind::Whole(-20, 19), field!(process.nice),
        "Added to the scheduling priority; more is nicer to others.", "5").unless("0").also(&["priority", "niceness"]),
    Key::new(Part::Process, "rlimit", Kind::Limits, with!(process.rlimits, set_rlimits),
        "Limits of resources: as, core, cpu, data, fsize, memlock, nofile, nproc, sigpending, stack.",
        "{ nofile = 65536, core = 0 }").unless("the daemon's").also(&["rlimits", "limits", "ulimit"]),
    Key::new(Part::Process, "oom_score_adj", Kind::Whole(-1000, 1000), field!(process.oom_score_adj),
        "How gladly the kernel kills it when memory is short: -1000 (never) to 1000 (first).", "500")
        .unless("the daemon's").also(&["oom_score"]),
    Key::new(Part::Resources, "memory_max", Kind::Size, field!(resources.memory_max),
        "The most memory; above it the kernel kills. `max_memory` replaces before.", "\"300M\"").unless("none").positive(),
    Key::new(Part::Resources, "memory_high", Kind::Size, field!(resources.memory_high),
        "From here on the kernel takes memory back and slows the worker down.", "\"250M\"").unless("none").positive(),
    Key::new(Part::Resources, "cpu_max", Kind::Cpus, with!(resources.cpu_max, |spec, node, _| {
            spec.resources.cpu_max = Some(processors(node)?); Ok(())
        }),
        "The most processor time, as a number of processors or in percent of one.", "1.5").unless("none").also(&["cpus", "cpu_limit", "cpu_quota"]),
    Key::new(Part::Resources, "cpu_weight", Kind::Whole(1, 10_000), field!(resources.cpu_weight),
        "Its share when processors are short.", "50").unless("100").also(&["cpu_shares"]),
    Key::new(Part::Resources, "pids_max", NUMBER, field!(resources.pids_max),
        "The most processes and threads; Node needs about 20 for itself.", "200").unless("none").also(&["tasks_max", "max_processes"]),
];

/// The key of that name.
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
