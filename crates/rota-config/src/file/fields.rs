//! Fields of a specification that have their own way in, or out.

use std::path::{Component, Path, PathBuf};

use super::key::{Wrong, account, read, read_list, shown, texts};
use super::node::{Node, Value};
use crate::{
    AppName, AppSpec, CpuMax, CpuMaxError, CronSpec, ExecMode, Probe, ProbeTarget, Rlimit,
    RlimitName, Span, WatchSpec, check_log_place, check_time,
};

fn filled(node: &Node) -> Result<String, Wrong> {
    let text: String = read(node)?;
    match text.trim().is_empty() {
        true => Err(Wrong::new("it is empty")),
        false => Ok(text),
    }
}

/// The name of a variable.
pub(super) fn variable(node: &Node) -> Result<String, Wrong> {
    let name = filled(node)?;
    match name.contains(['=', '\0']) {
        true => Err(Wrong::new("it is no name of a variable")),
        false => Ok(name),
    }
}

pub(super) fn set_script(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    spec.script = filled(node)?;
    Ok(())
}

pub(super) fn set_namespace(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    spec.namespace = filled(node)?;
    Ok(())
}

pub(super) fn set_cwd(spec: &mut AppSpec, node: &Node, folder: &Path) -> Result<(), Wrong> {
    spec.cwd = plain(&folder.join(filled(node)?));
    Ok(())
}

/// Relative to the file, where it is a path; a bare name is looked up on `PATH`.
pub(super) fn set_interpreter(spec: &mut AppSpec, node: &Node, folder: &Path) -> Result<(), Wrong> {
    let text = filled(node)?;
    let path = plain(&folder.join(&text));
    spec.interpreter = Some(match path.to_str().filter(|_| text.contains('/')) {
        Some(path) => path.to_owned(),
        None => text,
    });
    Ok(())
}

/// Names that are none are told with those that the file does not have.
pub(super) fn set_depends_on(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    let names = texts(node).into_iter().map(|(name, _)| name);
    spec.depends_on = names.filter_map(|name| AppName::new(name).ok()).collect();
    Ok(())
}

pub(super) fn set_fork(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    let fork: bool = read(node)?;
    spec.mode = fork.then_some(ExecMode::Fork);
    Ok(())
}

pub(super) fn set_probe(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    let target: ProbeTarget = read(node)?;
    spec.probe = Some(Probe::from(target));
    Ok(())
}

pub(super) fn get_probe(spec: &AppSpec) -> serde_json::Value {
    let probe = spec.probe.as_ref();
    probe.map_or_else(Default::default, |probe| shown(&probe.target))
}

/// Checks the value also where there is no probe.
pub(super) fn on_probe(
    spec: &mut AppSpec,
    change: impl FnOnce(&mut Probe) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    match &mut spec.probe {
        Some(probe) => change(probe),
        None => {
            let target = ProbeTarget::Tcp {
                host: crate::ProbeHost::Localhost,
                port: 1,
            };
            change(&mut Probe {
                target,
                interval: Span::default(),
                timeout: Span::default(),
            })
        }
    }
}

pub(super) fn set_watch(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    let paths = match &node.value {
        Value::Flag(false) => {
            spec.watch = None;
            return Ok(());
        }
        Value::Flag(true) => Vec::new(),
        _ => read_list(node)?,
    };
    spec.watch.get_or_insert_default().paths = paths;
    Ok(())
}

/// As it is written: the places, or whether there are any.
pub(super) fn get_watch(spec: &AppSpec) -> serde_json::Value {
    match &spec.watch {
        None => serde_json::Value::Null,
        Some(watch) if watch.paths.is_empty() => true.into(),
        Some(watch) => shown(&watch.paths),
    }
}

/// Where nothing is watched, there is nothing to change: `watch = false` beside shared settings.
pub(super) fn on_watch(spec: &mut AppSpec, change: impl FnOnce(&mut WatchSpec)) {
    if let Some(watch) = &mut spec.watch {
        change(watch);
    }
}

pub(super) fn set_cron(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    let mut cron = CronSpec::new(filled(node)?);
    cron.check()
        .map_err(|error| Wrong::new(format!("{error}: {}", error.hint())))?;
    if let Some(before) = spec.cron.take() {
        (cron.zone, cron.action) = (before.zone, before.action);
    }
    spec.cron = Some(cron);
    Ok(())
}

pub(super) fn get_cron(spec: &AppSpec) -> serde_json::Value {
    let cron = spec.cron.as_ref();
    cron.map_or_else(Default::default, |cron| shown(&cron.schedule))
}

pub(super) fn on_cron(spec: &mut AppSpec, change: impl FnOnce(&mut CronSpec)) {
    if let Some(cron) = &mut spec.cron {
        change(cron);
    }
}

/// The place of a log file.
pub(super) fn log_place(node: &Node) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(filled(node)?);
    check_log_place(&path).map_err(Wrong::new)?;
    Ok(path)
}

/// The form of the times in front of lines; an empty one is none.
pub(super) fn log_time(node: &Node) -> Result<String, Wrong> {
    let format: String = read(node)?;
    check_time(&format).map_err(Wrong::new)?;
    Ok(format)
}

pub(super) fn codes(node: &Node) -> Result<Vec<i32>, Wrong> {
    let codes: Vec<i64> = read_list(node)?;
    let Value::List(items) = &node.value else {
        return Ok(Vec::new());
    };
    codes
        .iter()
        .zip(items)
        .map(|(&code, item)| match i32::try_from(code) {
            Ok(code @ 0..=255) => Ok(code),
            _ => Err(Wrong {
                at: Some(item.at.clone()),
                why: format!("{code} is not an exit code (0 to 255)"),
            }),
        })
        .collect()
}

pub(super) fn one_account(node: &Node) -> Result<String, Wrong> {
    let name = node.word().unwrap_or_default();
    account(&name)?;
    Ok(name)
}

/// As the flag has it: in percent, or as a number of processors.
pub(super) fn processors(node: &Node) -> Result<CpuMax, Wrong> {
    let text = node.word().unwrap_or_default();
    text.parse()
        .map_err(|error: CpuMaxError| Wrong::new(error.to_string()))
}

pub(super) fn set_rlimits(spec: &mut AppSpec, node: &Node, _: &Path) -> Result<(), Wrong> {
    let Value::Table(entries) = &node.value else {
        return Ok(());
    };
    spec.process.rlimits.clear();
    for entry in entries {
        let name = RlimitName::ALL
            .into_iter()
            .find(|name| name.as_str() == entry.key);
        let name = name.ok_or_else(|| Wrong {
            at: Some(entry.at.clone()),
            why: crate::RlimitError::Name(entry.key.clone()).to_string(),
        })?;
        let wrong = |why: String| Wrong {
            at: Some(entry.node.at.clone()),
            why,
        };
        let limit: Rlimit = read(&entry.node).map_err(|error| wrong(error.why))?;
        if limit.soft > limit.hard {
            return Err(wrong(format!(
                "the soft limit is above the hard one: {limit}"
            )));
        }
        spec.process.rlimits.insert(name, limit);
    }
    Ok(())
}

/// Without `.` and with `..` taken away where that is sure: behind a named folder it may be a link.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}
