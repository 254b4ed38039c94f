//! The table of fields: the one place that knows what an app may have in an ecosystem file, and what it is here.
//!
//! The reader, the suggestions and the table in docs/pm2-files.md are made of it.

use super::draft::Draft;
use super::field::{Field, Set};
use super::kind::{Kind, filled, flag, span, whole, words};
use super::set;
use crate::ExecMode;

/// A field that is one of the specification.
macro_rules! to {
    ($read:ident => $($path:ident).+) => {
        Set::To(|draft, value| {
            draft.spec.$($path).+ = $read(value)?;
            Ok(())
        })
    };
}

/// A field that decides about others at the end.
macro_rules! note {
    ($read:ident => $field:ident) => {
        Set::To(|draft, value| {
            draft.$field = $read(value)?.into();
            Ok(())
        })
    };
}

const fn field(
    name: &'static str,
    also: &'static [&'static str],
    kind: Kind,
    set: Set,
    here: &'static str,
) -> Field {
    Field {
        name,
        also,
        kind,
        here,
        set,
    }
}

/// Every field, in the order in which they are read: paths are relative to `cwd`.
#[rustfmt::skip] // a table
pub(super) static FIELDS: &[Field] = &[
    field("cwd", &[], Kind::Text, Set::To(set::cwd),
        "`cwd`. Relative to the folder of the file, also if rota is called elsewhere"),
    field("script", &["exec", "cmd", "command"], Kind::Text, Set::To(set::script),
        "`script`, relative to `cwd`. One with blanks that is no file is run by `bash -c`"),
    field("name", &[], Kind::Text, note!(filled => name),
        "the app's name; unless given, the script's without folder and extension. `/`, `:` and `,` become `-`"),
    field("name_prefix", &[], Kind::Text, note!(filled => prefix), "in front of the name, with a dash"),
    field("append_env_to_name", &[], Kind::Flag, note!(flag => append_env), "`-PROFILE` behind the name, with `--env PROFILE`"),
    field("namespace", &[], Kind::Text, to!(filled => namespace), "`namespace`"),
    field("args", &[], Kind::Words, to!(words => args), "`args`. A text is split as a shell would, with quotes"),
    field("exec_interpreter", &["interpreter"], Kind::Text, Set::To(set::interpreter),
        "`interpreter`. Unless given, by the extension as in PM2 (`.sh` `.py` `.rb` `.php` `.pl` `.ts` and `.tsx`: bun), else Node for text files. \
        `node@20` is an error that says which path to name"),
    field("node_args", &["interpreter_args"], Kind::Words, to!(words => interpreter_args), "`node_args`"),
    field("exec_mode", &[], Kind::Mode, Set::To(set::exec_mode),
        "`fork`. Unless given: cluster if `instances` is given and Node runs the script, else fork. Cluster mode for npm and for other programs is fork mode, with a warning"),
    field("instances", &[], Kind::Instances, Set::To(set::instances),
        "`instances`. `max` and 0 are the processors that may be used, also in a container"),
    field("env", &[], Kind::Variables, Set::To(set::variables),
        "`env`, on top of the caller's whole environment. `null` takes a variable away; tables and lists become JSON, not `[object Object]`"),
    field("filter_env", &[], Kind::FlagOrTexts, Set::To(set::filter_env),
        "variables of the caller that are left out: those with one of the texts in their names; `true`: all but `PATH`, `HOME` and the like"),
    field("port", &[], Kind::Number, Set::To(set::port), "the variable `PORT`, before `--env`'s"),
    field("instance_var", &[], Kind::Text, Set::To(|draft, value| {
            let name = set::variable_name(value)?;
            draft.spec.compat.instance_var = (name != "NODE_APP_INSTANCE").then_some(name);
            Ok(())
        }),
        "`instance_var`, instead of `NODE_APP_INSTANCE`"),
    field("increment_var", &[], Kind::Text, Set::To(|draft, value| {
            draft.spec.compat.increment_var = Some(set::variable_name(value)?);
            Ok(())
        }),
        "`increment_var`"),
    field("source_map_support", &[], Kind::Flag, note!(flag => source_maps), "Node's own `--enable-source-maps`; off unless asked for"),
    field("out_file", &["out", "output", "out_log"], Kind::Text, Set::To(set::out_file),
        "the file of standard output, relative to `cwd`; without, one in `ROTA_HOME/logs`. `NULL` is `/dev/null`"),
    field("error_file", &["error", "err", "err_file", "err_log"], Kind::Text, Set::To(set::error_file), "the file of standard error, as `out_file`"),
    field("log_file", &["log"], Kind::FlagOrText, Set::To(set::log_file), "a file that gets both streams. `true` names none: a warning"),
    field("disable_logs", &[], Kind::Flag, to!(flag => logs.disabled), "no log files"),
    field("log_type", &[], Kind::Text, Set::To(set::log_type), "`json`: an object of JSON per line"),
    field("time", &[], Kind::Flag, note!(flag => time), "`log_time`, as `YYYY-MM-DDTHH:mm:ss`"),
    field("log_date_format", &[], Kind::Text, Set::To(set::log_date_format), "the same in day.js's words, which are translated"),
    field("merge_logs", &["combine_logs"], Kind::Flag, to!(flag => logs.merge), "all workers write to the same files. Off unless given, also in fork mode"),
    field("autostart", &[], Kind::Flag, Set::To(|draft, value| { draft.spec.autostart = flag(value)?; Ok(()) }),
        "`autostart`"),
    field("autorestart", &[], Kind::Flag, to!(flag => restart.autorestart), "`autorestart`"),
    field("stop_exit_codes", &[], Kind::Codes, Set::To(set::stop_exit_codes), "`stop_exit_codes`"),
    field("min_uptime", &[], Kind::Time, to!(span => restart.min_uptime), "`min_uptime`"),
    field("max_restarts", &[], Kind::Number, to!(whole => restart.max_restarts), "`max_restarts`"),
    field("restart_delay", &[], Kind::Time, to!(span => restart.delay), "`restart_delay`. Without it the pause grows when a worker keeps crashing; PM2 restarts at once"),
    field("exp_backoff_restart_delay", &[], Kind::Time, Set::To(set::backoff), "the first pause of the growing ones"),
    field("max_memory_restart", &[], Kind::Size, Set::To(set::max_memory),
        "`max_memory`. The new worker is started first, and no request is cut"),
    field("kill_timeout", &[], Kind::Time, to!(span => stop.kill_timeout),
        "`kill_timeout`; 5 s unless given (PM2: 1.6 s). It begins behind `drain_timeout`, so requests are finished before"),
    field("listen_timeout", &[], Kind::Time, to!(span => readiness.listen_timeout),
        "`listen_timeout`; 30 s unless given (PM2: 3 s). A worker that is not ready by then has failed; PM2 goes on as if it were"),
    field("wait_ready", &[], Kind::Flag, to!(flag => readiness.wait_ready), "`wait_ready`"),
    field("shutdown_with_message", &[], Kind::Flag, to!(flag => stop.message), "the message `shutdown` instead of SIGINT"),
    field("cron_restart", &["cron"], Kind::Text, Set::To(set::cron_restart),
        "the same schedule; a reload, worker by worker, where PM2 restarts all. `0` turns it off"),
    field("watch", &[], Kind::FlagOrTexts, Set::To(set::watch), "watches `cwd`, or these paths; what `.gitignore` names is left out as well"),
    field("ignore_watch", &[], Kind::Texts, Set::To(set::ignore_watch),
        "patterns as in `.gitignore`; unless given, `node_modules` and dot files. Regular expressions other than PM2's own are left out, with a warning"),
    field("watch_delay", &[], Kind::Time, Set::To(set::watch_delay), "how long nothing must have changed"),
    field("watch_options", &[], Kind::Options, Set::To(set::watch_options),
        "`ignored`, `awaitWriteFinish.stabilityThreshold`; how changes are found is not to be chosen"),
    field("uid", &["user"], Kind::Account, Set::To(|draft, value| { draft.spec.process.user = Some(set::account(value)?); Ok(()) }),
        "`user`. With the user's groups, and without the way back"),
    field("gid", &["group"], Kind::Account, Set::To(|draft, value| { draft.spec.process.group = Some(set::account(value)?); Ok(()) }),
        "`group`"),
    // What follows has no meaning here: `here` says why.
    field("treekill", &[], Kind::Flag, Set::NothingUnless(true), "rota always ends what a worker has started, too"),
    field("kill_retry_time", &[], Kind::Time, Set::Nothing, "the end of a process is told by the kernel"),
    field("pid_file", &["pid"], Kind::Text, Set::Nothing, "there are no pid files: `rota list --json`"),
    field("force", &[], Kind::Flag, Set::NothingUnless(false), "an app is known by its name, not by its script"),
    field("vizion", &["versioning"], Kind::Flag, Set::NothingUnless(false), "repositories are not looked into"),
    field("pmx", &[], Kind::Anything, Set::NothingUnless(true), "rota's own agent gives the figures; `agent` in rota.toml turns it off"),
    field("automation", &[], Kind::Flag, Set::NothingUnless(true), "as `pmx`"),
    field("io", &[], Kind::Options, Set::Nothing, "as `pmx`"),
    field("trace", &["disable_trace"], Kind::Flag, Set::Nothing, "no tracing"),
    field("v8", &[], Kind::Flag, Set::Nothing, "figures of V8 are always there ([metrics.md](metrics.md))"),
    field("event_loop_inspector", &[], Kind::Flag, Set::Nothing, "the event loop is always watched ([hangs.md](hangs.md))"),
    field("deep_monitoring", &[], Kind::Flag, Set::Nothing, "belongs to PM2's service"),
    field("disable_source_map_support", &[], Kind::Flag, Set::NothingUnless(true), "source maps are off unless asked for"),
    field("post_update", &[], Kind::Texts, Set::Nothing, "belongs to PM2's service"),
    field("install_url", &[], Kind::Text, Set::Nothing, "rota installs nothing"),
    field("execute_command", &[], Kind::Flag, Set::Nothing, "a script with blanks is a command anyway"),
    field("username", &[], Kind::Text, Set::Nothing, "PM2 fills it in; `user` and `uid` choose"),
    field("windowsHide", &[], Kind::Flag, Set::Nothing, "there are no windows"),
    field("write", &[], Kind::Flag, Set::Nothing, "rota writes no ecosystem files"),
];

/// What is known at the end.
pub(super) fn settle(draft: &mut Draft<'_>) {
    if draft.time && draft.spec.logs.time.is_none() {
        draft.spec.logs.time = Some(super::time_format::strftime("YYYY-MM-DDTHH:mm:ss"));
    }
    let nowhere = |path: &Option<std::path::PathBuf>| {
        path.as_deref() == Some(std::path::Path::new("/dev/null"))
    };
    if nowhere(&draft.spec.logs.out)
        && nowhere(&draft.spec.logs.err)
        && draft.spec.logs.joined.is_none()
    {
        draft.spec.logs.disabled = true;
        draft.spec.logs.out = None;
        draft.spec.logs.err = None;
    }
    if let Some(watch) = &mut draft.spec.watch {
        let usual = || vec!["node_modules".to_owned(), ".*".to_owned()];
        watch.ignore = draft.ignore.take().unwrap_or_else(usual);
    }
    runner(draft);
}

/// What runs the script, and in which mode.
fn runner(draft: &mut Draft<'_>) {
    let spec = &mut draft.spec;
    let extension = std::path::Path::new(&spec.script).extension();
    let extension = extension.and_then(|extension| extension.to_str());
    if spec.interpreter.is_none() && !spec.script.contains(' ') {
        // What else PM2 knows, rota knows as well, by the same extensions.
        spec.interpreter = match extension {
            Some("ts" | "tsx") => Some("bun".to_owned()),
            Some("coffee") => Some("coffee".to_owned()),
            Some("ls") => Some("lsc".to_owned()),
            // What nothing else runs, Node does.
            None if crate::resolve::is_plain_text(&spec.cwd.join(&spec.script)) => {
                Some("node".to_owned())
            }
            _ => None,
        };
    }
    let python = spec
        .interpreter
        .as_deref()
        .map_or(extension == Some("py"), |name| name.contains("python"));
    if python {
        draft
            .variables
            .insert(0, ("PYTHONUNBUFFERED".to_owned(), Some("1".to_owned())));
    }
    let node = crate::resolve::may_be_node(&spec.script, spec.interpreter.as_deref());
    spec.mode = match draft.cluster {
        Some(true) if node => Some(ExecMode::Cluster),
        Some(true) => {
            let text = format!(
                "`exec_mode: cluster` is for scripts that Node runs itself: {} runs in fork mode",
                spec.script
            );
            draft.warnings.push(text);
            Some(ExecMode::Fork)
        }
        Some(false) => Some(ExecMode::Fork),
        // Cluster mode if Node runs it, which is known when the file is looked at.
        None if draft.counted => None,
        None => Some(ExecMode::Fork),
    };
    let maps = "--enable-source-maps";
    if draft.source_maps && node && !spec.interpreter_args.iter().any(|arg| arg == maps) {
        spec.interpreter_args.push(maps.to_owned());
    }
}
