//! From flags to app specifications.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rota_api::ExitCode;
use rota_config::file::Origins;
use rota_config::{AppName, AppSpec, Env, ExecMode, Probe, resolve};

use crate::args::{AppFlags, EnvFlag, EnvPair};
use crate::context::Context;
use crate::failure::{Failure, Stop};
use crate::output::print_failure;

/// Variables that belong to whoever started this process (another manager, systemd, Node's
/// cluster) and would mislead an app.
const FOREIGN: [&str; 10] = [
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NODE_APP_INSTANCE",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A specification for each script.
pub fn from_flags(flags: &AppFlags, scripts: &[String]) -> Result<Vec<AppSpec>, Stop> {
    if scripts.len() > 1 && flags.name.is_some() {
        return Err(
            Failure::usage("--name is for one script, and there are several")
                .hint("start them one by one, or leave --name out")
                .into(),
        );
    }
    let mut names = BTreeSet::new();
    let mut specs = Vec::new();
    for script in scripts {
        let spec = spec(flags, script)?;
        if !names.insert(spec.name.clone()) {
            return Err(
                Failure::usage(format!("two apps would be called {}", spec.name))
                    .hint("start them one by one, each with its own --name")
                    .into(),
            );
        }
        specs.push(spec);
    }
    Ok(specs)
}

/// Where the settings of apps without a file come from: which of their variables are merely those of this shell.
pub fn origins(flags: &AppFlags, specs: &[AppSpec]) -> BTreeMap<String, Origins> {
    let given = pairs(&flags.env).unwrap_or_default();
    let merely = |name: &&str| given.iter().all(|pair| pair.key != **name);
    let of = |spec: &AppSpec| {
        let names = spec.env.iter().map(|(name, _)| name);
        let origins = Origins::of_shell(names.filter(merely));
        (spec.name.to_string(), origins)
    };
    specs.iter().map(of).collect()
}

/// Tells everything that is wrong with the specifications before a daemon is bothered, or started.
pub fn check(specs: &[AppSpec], context: &Context) -> Result<(), Stop> {
    let mut failures = Vec::new();
    for spec in specs {
        let problems = spec.problems();
        failures.extend(
            problems
                .iter()
                .map(|problem| Failure::usage(format!("{}: {problem}", spec.name))),
        );
        if problems.is_empty()
            && let Err(error) = resolve(spec)
        {
            failures.push(Failure::of_resolve(&error));
        }
    }
    let Some(last) = failures.pop() else {
        return Ok(());
    };
    for failure in &failures {
        print_failure(failure, context.err_paint());
    }
    Err(last.into())
}

/// True if a script of that name is a file, from here or in `--cwd`.
pub fn is_file(flags: &AppFlags, script: &str) -> bool {
    let there = flags.cwd.as_deref().unwrap_or(Path::new("."));
    Path::new(script).is_file() || there.join(script).is_file()
}

/// The environment of this process for an app, without what is not meant for it.
pub fn caller_env() -> Env {
    let mut env = Env::new();
    for (key, value) in std::env::vars_os() {
        match (key.into_string(), value.into_string()) {
            (Ok(key), Ok(value)) => {
                let foreign = FOREIGN.contains(&key.as_str()) || key.starts_with("ROTA_");
                if !foreign && !key.is_empty() {
                    env.set(key, value);
                }
            }
            (Ok(key), Err(_)) => {
                eprintln!("warning: {key} is left out of the environment: it is not UTF-8");
            }
            (Err(_), _) => {}
        }
    }
    env
}

/// An interpreter as the daemon needs it: a path relative to this folder becomes absolute.
pub fn interpreter(text: &str) -> Result<String, Failure> {
    if !text.contains('/') {
        return Ok(text.to_owned());
    }
    text_path(absolute(Path::new(text))?)
}

/// The words of `--node-args`.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The variables of `--env`. A profile is an error: it is for a configuration file.
pub fn pairs(flags: &[EnvFlag]) -> Result<Vec<&EnvPair>, Failure> {
    fn pair(flag: &EnvFlag) -> Result<&EnvPair, Failure> {
        match flag {
            EnvFlag::Variable(pair) => Ok(pair),
            EnvFlag::Profile(name) => {
                let failure = Failure::usage(format!("--env {name}: it must be KEY=VALUE"));
                Err(failure.hint(format!(
                    "a profile is for a configuration file: `rota start rota.toml --env {name}`"
                )))
            }
        }
    }
    flags.iter().map(pair).collect()
}

fn spec(flags: &AppFlags, script: &str) -> Result<AppSpec, Failure> {
    let here = absolute(Path::new("."))?;
    let cwd = match &flags.cwd {
        Some(cwd) => absolute(cwd)?,
        None => here.clone(),
    };
    let name = match &flags.name {
        Some(name) => name.clone(),
        None => default_name(script)?,
    };
    let mut spec = AppSpec::new(name, script, cwd);
    // With --cwd a script that is only here, and not there, is the one that was meant.
    if !spec.cwd.join(script).exists() && here.join(script).is_file() {
        spec.script = text_path(here.join(script))?;
    }
    spec.args.clone_from(&flags.args);
    flags.compat.set(&mut spec);
    spec.process = flags.process.to_spec();
    spec.resources = flags.resources.to_spec();
    spec.logs = flags.logs.to_spec();
    spec.env = environment(flags, &spec)?;
    if let Some(text) = &flags.interpreter {
        spec.interpreter = Some(interpreter(text)?);
    }
    spec.interpreter_args = flags.node_args.as_deref().map(words).unwrap_or_default();
    spec.mode = flags.fork.then_some(ExecMode::Fork);
    spec.listen.clone_from(&flags.listen);
    spec.depends_on = flags.depends_on.iter().cloned().collect();
    if let Some(target) = &flags.probe {
        let mut probe = Probe::from(target.clone());
        probe.interval = flags.probe_interval.unwrap_or(probe.interval);
        probe.timeout = flags.probe_timeout.unwrap_or(probe.timeout);
        spec.probe = Some(probe);
    }
    set(&mut spec.namespace, flags.namespace.as_ref());
    set(&mut spec.instances, flags.instances.as_ref());
    set(&mut spec.balance, flags.balance.as_ref());
    set(&mut spec.stdin, flags.stdin.as_ref());
    set_renewals(&mut spec, flags)?;
    set_policies(&mut spec, flags);
    set_watch(&mut spec, flags);
    Ok(spec)
}

/// Places are meant as they are seen from here.
fn set_renewals(spec: &mut AppSpec, flags: &AppFlags) -> Result<(), Failure> {
    spec.watch = flags.renewal.watch();
    for path in spec.watch.iter_mut().flat_map(|watch| &mut watch.paths) {
        *path = absolute(path)?;
    }
    spec.cron = flags.renewal.cron();
    Ok(())
}

fn set_policies(spec: &mut AppSpec, flags: &AppFlags) {
    spec.readiness.wait_ready = flags.wait_ready;
    set(
        &mut spec.readiness.listen_timeout,
        flags.listen_timeout.as_ref(),
    );
    set(&mut spec.readiness.observe, flags.observe.as_ref());
    spec.readiness.watchdog.clone_from(&flags.watchdog);
    set(&mut spec.stop.signal, flags.stop_signal.as_ref());
    set(&mut spec.stop.drain_timeout, flags.drain_timeout.as_ref());
    set(&mut spec.stop.kill_timeout, flags.kill_timeout.as_ref());
    spec.restart.autorestart = !flags.no_autorestart;
    set(&mut spec.restart.max_restarts, flags.max_restarts.as_ref());
    set(&mut spec.restart.min_uptime, flags.min_uptime.as_ref());
    set(&mut spec.restart.delay, flags.restart_delay.as_ref());
    spec.restart.backoff = flags.backoff;
    let codes = flags.stop_exit_codes.as_ref().map(|codes| &codes.0);
    set(&mut spec.restart.stop_exit_codes, codes);
}

fn set_watch(spec: &mut AppSpec, flags: &AppFlags) {
    spec.stop.handover = !flags.no_handover;
    set(&mut spec.stop.idle_grace, flags.idle_grace.as_ref());
    let agent = &mut spec.agent;
    agent.enabled = !flags.no_agent;
    set(&mut agent.interval, flags.heartbeat_interval.as_ref());
    set(&mut agent.timeout, flags.heartbeat_timeout.as_ref());
    set(&mut agent.misses, flags.heartbeat_misses.as_ref());
    set(&mut agent.block_warning, flags.block_warning.as_ref());
    set(&mut agent.guard_loss, flags.guard_loss.as_ref());
    spec.limits.max_memory = flags.max_memory;
    spec.limits.max_requests = flags.max_requests;
    spec.limits.max_age.clone_from(&flags.max_age);
}

/// A flag that was given replaces the default.
fn set<T: Clone>(field: &mut T, flag: Option<&T>) {
    if let Some(value) = flag {
        field.clone_from(value);
    }
}

fn environment(flags: &AppFlags, spec: &AppSpec) -> Result<Env, Failure> {
    let mut env = caller_env();
    spec.process.adapt(&mut env);
    if env.get("PWD").is_some() {
        env.set("PWD", spec.cwd.to_string_lossy());
    }
    for pair in pairs(&flags.env)? {
        env.set(pair.key.as_str(), pair.value.as_str());
    }
    Ok(env)
}

/// The script's file name without its extension; of a shell line, the command's.
fn default_name(script: &str) -> Result<AppName, Failure> {
    let command = match Path::new(script).is_file() {
        true => script,
        false => script.split_whitespace().next().unwrap_or(script),
    };
    let stem = Path::new(command)
        .file_stem()
        .map(|stem| stem.to_string_lossy());
    AppName::new(stem.unwrap_or_default().into_owned())
        .map_err(|error| Failure::usage(error.to_string()).hint("give it a name with --name"))
}

/// The path as it is from everywhere.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        // `/srv/.` reads badly in a list.
        .map(|path| path.components().collect())
        .map_err(|error| {
            let text = format!("the path {} cannot be used", path.display());
            Failure::new(ExitCode::CannotRun, text).because(&error)
        })
}

fn text_path(path: PathBuf) -> Result<String, Failure> {
    path.into_os_string().into_string().map_err(|path| {
        let text = format!("the path {} is not UTF-8", path.display());
        Failure::new(ExitCode::CannotRun, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(scripts: &[&str]) -> AppFlags {
        AppFlags {
            scripts: scripts.iter().map(|script| (*script).to_owned()).collect(),
            ..AppFlags::default()
        }
    }

    #[test]
    fn names_come_from_the_script() {
        for (script, name) in [
            ("app.js", "app"),
            ("/srv/api/server.mjs", "server"),
            ("next", "next"),
            ("npm run serve", "npm"),
            ("./bin/my.tool.sh", "my.tool"),
        ] {
            assert_eq!(default_name(script).unwrap().as_str(), name);
        }
        for script in ["12.js", "all.js", ""] {
            let failure = default_name(script).unwrap_err();
            assert_eq!(failure.code, ExitCode::Usage, "{script}");
            assert!(failure.hint.is_some_and(|hint| hint.contains("--name")));
        }
    }

    #[test]
    fn flags_replace_defaults_only_where_given() {
        let mut given = flags(&["app.js"]);
        let plain = spec(&given, "app.js").unwrap();
        assert_eq!(plain.stop, Default::default());
        given.kill_timeout = Some("1m".parse().unwrap());
        given.no_autorestart = true;
        given.node_args = Some(" --a  --b=c ".into());
        given.env = vec!["X=1".parse().unwrap()];
        let spec = spec(&given, "app.js").unwrap();
        assert_eq!(spec.stop.kill_timeout.millis(), 60_000);
        assert_eq!(spec.stop.drain_timeout, plain.stop.drain_timeout);
        assert!(!spec.restart.autorestart);
        assert_eq!(spec.interpreter_args, ["--a", "--b=c"]);
        assert_eq!(spec.env.get("X"), Some("1"));
        assert!(spec.cwd.is_absolute());
    }

    #[test]
    fn several_scripts_share_flags_but_no_name() {
        let both = ["a.js".to_owned(), "b.js".to_owned()];
        let specs = from_flags(&flags(&["a.js", "b.js"]), &both).unwrap();
        assert_eq!(specs.len(), 2);
        let mut named = flags(&["a.js", "b.js"]);
        named.name = Some(AppName::new("x").unwrap());
        assert!(from_flags(&named, &both).is_err());
        let same = ["a.js".to_owned(), "lib/a.ts".to_owned()];
        assert!(from_flags(&flags(&["a.js", "lib/a.ts"]), &same).is_err());
    }

    #[test]
    fn rotas_own_variables_do_not_reach_apps() {
        let env = caller_env();
        assert!(env.iter().all(|(key, _)| !key.starts_with("ROTA_")));
        assert!(env.iter().all(|(key, _)| !FOREIGN.contains(&key)));
        assert!(env.get("PATH").is_some());
    }
}
