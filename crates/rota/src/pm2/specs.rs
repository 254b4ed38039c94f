//! From PM2's flags to an app of rota.

use std::path::{Path, PathBuf};

use rota_api::ExitCode;
use rota_config::{
    AppName, AppSpec, CronSpec, ExecMode, Kind, LogFormat, RenewAction, SignalName, Span, Stdin,
    WatchSpec, resolve,
};

use super::args::Flags;
use crate::cmd::specs;
use crate::failure::Failure;

/// What `--time` puts before each line.
const TIME: &str = "%Y-%m-%dT%H:%M:%S";

/// The app that `pm2 start SCRIPT` means.
///
/// # Errors
/// If the script, or a value, cannot be used.
pub fn app(flags: &Flags, script: &str) -> Result<AppSpec, Failure> {
    let here = specs::absolute(Path::new("."))?;
    let cwd = match &flags.cwd {
        Some(cwd) => specs::absolute(Path::new(cwd))?,
        None => here.clone(),
    };
    let mut spec = AppSpec::new(name(flags, script)?, script, cwd);
    place(&mut spec, &here, script)?;
    spec.args.clone_from(&flags.args);
    set(&mut spec.instances, flags.instances.as_ref());
    spec.process.user.clone_from(&flags.uid);
    spec.process.group.clone_from(&flags.gid);
    as_pm2(&mut spec)?;
    overlay(&mut spec, flags)?;
    spec.env = environment(flags, &spec);
    mode(&mut spec, flags.instances.is_some())?;
    input(&mut spec);
    Ok(spec)
}

/// What every app has that is started by the name of PM2: its variables, its stop signal, its times.
///
/// # Errors
/// If PM2_KILL_SIGNAL or PM2_KILL_TIMEOUT makes no sense.
pub fn as_pm2(spec: &mut AppSpec) -> Result<(), Failure> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let wrong = |name: &str, why: String| Failure::usage(format!("{name}: {why}"));
    spec.compat.pm2 = true;
    if let Some(text) = set("PM2_KILL_TIMEOUT") {
        let limit: Result<Span, _> = text.parse();
        spec.stop.kill_timeout =
            limit.map_err(|error| wrong("PM2_KILL_TIMEOUT", error.to_string()))?;
    }
    let signal = set("PM2_KILL_SIGNAL").unwrap_or_else(|| "SIGINT".to_owned());
    spec.stop.signal = signal
        .parse::<SignalName>()
        .map_err(|error| wrong("PM2_KILL_SIGNAL", error.to_string()))?;
    spec.stop.message = set("PM2_KILL_USE_MESSAGE").is_some_and(|value| value != "false");
    if let Some(name) = set("PM2_PROCESS_INSTANCE_VAR") {
        spec.compat.instance_var = Some(name);
    }
    Ok(())
}

/// PM2's rule: a number of instances of a Node script means cluster mode, also the number 1; everything else is a
/// plain process.
///
/// # Errors
/// If the script cannot be run.
pub fn mode(spec: &mut AppSpec, counted: bool) -> Result<(), Failure> {
    let launch = resolve(spec).map_err(|error| {
        let text = match error.to_string() {
            text if !spec.cwd.join(&spec.script).exists() => format!("Script not found: {text}"),
            text => text,
        };
        let failure = Failure::new(ExitCode::Failed, text);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    spec.mode = (!(counted && launch.kind == Kind::Node)).then_some(ExecMode::Fork);
    Ok(())
}

/// As with PM2, processes in fork mode have a pipe as standard input, and workers of a cluster none.
pub fn input(spec: &mut AppSpec) {
    // What cannot be run is told of by whoever starts it.
    let forks = resolve(spec).is_ok_and(|launch| launch.mode == ExecMode::Fork);
    spec.stdin = if forks { Stdin::Pipe } else { Stdin::Null };
}

fn name(flags: &Flags, script: &str) -> Result<AppName, Failure> {
    let name = match &flags.name {
        Some(name) => name.clone(),
        None => {
            let command = match Path::new(script).is_file() {
                true => script,
                false => script.split_whitespace().next().unwrap_or(script),
            };
            let stem = Path::new(command).file_stem();
            stem.unwrap_or_default().to_string_lossy().into_owned()
        }
    };
    AppName::new(name)
        .map_err(|error| Failure::usage(error.to_string()).hint("give it another name with --name"))
}

/// A script that is here, and not in `--cwd`, is the one that was meant; one with blanks is a line for bash.
fn place(spec: &mut AppSpec, here: &Path, script: &str) -> Result<(), Failure> {
    let there = |folder: &Path| folder.join(script).exists();
    if !there(&spec.cwd) && there(here) {
        let path = here.join(script).into_os_string().into_string();
        spec.script = path.map_err(|path| {
            let text = format!("the path {} is not UTF-8", PathBuf::from(path).display());
            Failure::new(ExitCode::Failed, text)
        })?;
    }
    Ok(())
}

/// Writes into an app what flags say of it; what they do not say stays.
///
/// # Errors
/// If a value cannot be used.
pub fn overlay(spec: &mut AppSpec, flags: &Flags) -> Result<(), Failure> {
    if let Some(args) = &flags.interpreter_args {
        spec.interpreter_args = specs::words(args);
    }
    if flags.ignored.source_map_support > 0 {
        spec.interpreter_args
            .push("--enable-source-maps".to_owned());
    }
    if let Some(text) = &flags.interpreter {
        spec.interpreter = Some(specs::interpreter(text)?);
    }
    set(&mut spec.namespace, flags.namespace.as_ref());
    policies(spec, flags);
    logs(spec, flags)?;
    renewal(spec, flags)
}

/// Whether flags say more of an app than others do.
pub fn overlay_differs(plain: &Flags, flags: &Flags) -> bool {
    let told = |flags: &Flags| {
        let mut spec = AppSpec::new(AppName::placeholder(), "x", "/");
        overlay(&mut spec, flags).is_ok().then_some(spec)
    };
    told(plain) != told(flags)
}

fn policies(spec: &mut AppSpec, flags: &Flags) {
    set(&mut spec.stop.kill_timeout, flags.kill_timeout.as_ref());
    spec.stop.message |= flags.shutdown_with_message;
    set(
        &mut spec.readiness.listen_timeout,
        flags.listen_timeout.as_ref(),
    );
    spec.readiness.wait_ready |= flags.wait_ready;
    if let Some(size) = flags.max_memory_restart {
        spec.limits.max_memory = Some(size).filter(|size| size.bytes() > 0);
    }
    set(&mut spec.restart.delay, flags.restart_delay.as_ref());
    if let Some(span) = flags.exp_backoff_restart_delay {
        spec.restart.backoff = Some(span).filter(|span| span.millis() > 0);
    }
    set(&mut spec.restart.max_restarts, flags.max_restarts.as_ref());
    set(&mut spec.restart.min_uptime, flags.min_uptime.as_ref());
    if !flags.stop_exit_codes.is_empty() {
        spec.restart
            .stop_exit_codes
            .clone_from(&flags.stop_exit_codes);
    }
    spec.restart.autorestart &= !flags.no_autorestart;
}

fn logs(spec: &mut AppSpec, flags: &Flags) -> Result<(), Failure> {
    let path = |text: &String| specs::absolute(Path::new(text));
    let null = |path: &PathBuf| path == Path::new("/dev/null");
    let logs = &mut spec.logs;
    let joined = flags.log.clone().flatten();
    for (field, text) in [
        (&mut logs.out, &flags.output),
        (&mut logs.err, &flags.error),
        (&mut logs.joined, &joined),
    ] {
        if let Some(text) = text {
            *field = Some(path(text)?);
        }
    }
    logs.merge |= flags.merge_logs;
    let nowhere = logs.out.as_ref().is_some_and(null) && logs.err.as_ref().is_some_and(null);
    logs.disabled |= flags.disable_logs || nowhere && logs.joined.is_none();
    if flags.log_type.as_deref() == Some("json") {
        logs.format = LogFormat::Json;
    }
    match &flags.log_date_format {
        Some(format) => logs.time = Some(rota_config::foreign::pm2::strftime(format)),
        None if flags.time => logs.time = Some(TIME.to_owned()),
        None => {}
    }
    Ok(())
}

fn renewal(spec: &mut AppSpec, flags: &Flags) -> Result<(), Failure> {
    match flags.cron.as_deref() {
        None => {}
        Some("0") => spec.cron = None,
        Some(schedule) => {
            spec.cron = Some(CronSpec {
                schedule: schedule.to_owned(),
                zone: None,
                action: RenewAction::Restart,
            });
        }
    }
    let Some(paths) = &flags.watch else {
        return Ok(());
    };
    let mut watch = WatchSpec {
        action: RenewAction::Restart,
        ..WatchSpec::default()
    };
    if let Some(path) = paths.as_deref() {
        watch.paths.push(specs::absolute(Path::new(path))?);
    }
    let ignored = flags.ignore_watch.as_deref().unwrap_or_default();
    watch.ignore = ignored.split_whitespace().map(str::to_owned).collect();
    set(&mut watch.delay, flags.watch_delay.as_ref());
    spec.watch = Some(watch);
    Ok(())
}

/// This shell's, without what is filtered.
fn environment(flags: &Flags, spec: &AppSpec) -> rota_config::Env {
    let mut env = specs::caller_env();
    match flags.filter_env.as_deref() {
        None => {}
        Some([]) => env = rota_config::Env::new(),
        Some(parts) => {
            let names: Vec<String> = env.iter().map(|(name, _)| name.to_owned()).collect();
            let parts = || parts.iter().flat_map(|part| part.split(','));
            for name in names
                .iter()
                .filter(|name| parts().any(|part| name.contains(part)))
            {
                env.remove(name);
            }
        }
    }
    spec.process.adapt(&mut env);
    if env.get("PWD").is_some() {
        env.set("PWD", spec.cwd.to_string_lossy());
    }
    env
}

fn set<T: Clone>(field: &mut T, flag: Option<&T>) {
    if let Some(value) = flag {
        field.clone_from(value);
    }
}
