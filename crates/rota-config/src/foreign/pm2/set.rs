//! Fields that have their own way into a specification.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::draft::{Draft, Filter};
use super::kind::{Wrong, filled, flag, number_list, span, text, texts, whole};
use crate::{CronSpec, RenewAction, WatchSpec};

type Done = Result<(), Wrong>;

pub(super) fn cwd(draft: &mut Draft<'_>, value: &Json) -> Done {
    draft.spec.cwd = draft.path(draft.folder, &filled(value)?);
    Ok(())
}

pub(super) fn script(draft: &mut Draft<'_>, value: &Json) -> Done {
    let script = filled(value)?;
    draft.spec.script = match script.starts_with("~/") {
        true => draft
            .path(&draft.spec.cwd.clone(), &script)
            .display()
            .to_string(),
        false => script,
    };
    Ok(())
}

pub(super) fn interpreter(draft: &mut Draft<'_>, value: &Json) -> Done {
    let name = text(value)?;
    if name.is_empty() {
        return Ok(());
    }
    if let Some(version) = name.strip_prefix("node@") {
        let version = version.trim_start_matches('v');
        return Err(Wrong::new("rota installs no versions of Node").help(format!(
            "install it (`nvm install {version}`), and name its path: ~/.nvm/versions/node/v{version}/bin/node"
        )));
    }
    draft.spec.interpreter = Some(match name.contains('/') {
        true => draft.path(draft.folder, &name).display().to_string(),
        false => name,
    });
    Ok(())
}

pub(super) fn exec_mode(draft: &mut Draft<'_>, value: &Json) -> Done {
    draft.cluster = match text(value)?.as_str() {
        "cluster" | "cluster_mode" => Some(true),
        "fork" | "fork_mode" => Some(false),
        "" => None,
        _ => return Err(Wrong::new("there is no such mode").help("write \"cluster\" or \"fork\"")),
    };
    Ok(())
}

pub(super) fn instances(draft: &mut Draft<'_>, value: &Json) -> Done {
    let text = text(value)?;
    draft.spec.instances = text.parse().map_err(|_| {
        Wrong::new("it is not a number of workers").help(
            "write a number up to 1024, \"max\", or -1 for one less than there are processors",
        )
    })?;
    draft.counted = true;
    Ok(())
}

pub(super) fn variables(draft: &mut Draft<'_>, value: &Json) -> Done {
    let Json::Object(table) = value else {
        return Err(Wrong::new("it must be a table of variables").help("write { NAME: \"value\" }"));
    };
    for (name, value) in table {
        if name.is_empty() || name.contains(['=', '\0']) {
            let why = "the name of a variable cannot be empty, nor have `=` in it";
            return Err(Wrong::new(why).help("write { NAME: \"value\" }"));
        }
        if value.as_str().is_some_and(|text| text.contains('\0')) {
            return Err(Wrong::new(format!(
                "there is a zero byte in the variable {name}"
            )));
        }
    }
    draft.add_variables(table);
    Ok(())
}

pub(super) fn filter_env(draft: &mut Draft<'_>, value: &Json) -> Done {
    draft.filter = match value {
        Json::Array(_) => Filter::Parts(texts(value)?),
        Json::String(name) if !matches!(name.as_str(), "true" | "false" | "") => {
            Filter::Name(name.clone())
        }
        other => match flag(other)? {
            true => Filter::All,
            false => Filter::Nothing,
        },
    };
    Ok(())
}

/// `NULL` and `/dev/null` are PM2's words for nowhere.
fn log_path(draft: &Draft<'_>, value: &Json) -> Result<PathBuf, Wrong> {
    let text = filled(value)?;
    Ok(match text.as_str() {
        "NULL" => PathBuf::from("/dev/null"),
        path => draft.path(&draft.spec.cwd, path),
    })
}

pub(super) fn out_file(draft: &mut Draft<'_>, value: &Json) -> Done {
    draft.spec.logs.out = Some(log_path(draft, value)?);
    Ok(())
}

pub(super) fn error_file(draft: &mut Draft<'_>, value: &Json) -> Done {
    draft.spec.logs.err = Some(log_path(draft, value)?);
    Ok(())
}

pub(super) fn log_file(draft: &mut Draft<'_>, value: &Json) -> Done {
    match value {
        Json::Bool(false) => {}
        Json::Bool(true) => draft.warn(
            "`log_file: true` names no file: give it a path to have both streams in one file",
        ),
        path => draft.spec.logs.joined = Some(log_path(draft, path)?),
    }
    Ok(())
}

pub(super) fn log_type(draft: &mut Draft<'_>, value: &Json) -> Done {
    draft.spec.logs.format = match text(value)?.as_str() {
        "json" => crate::LogFormat::Json,
        "" | "raw" | "plain" => crate::LogFormat::Plain,
        _ => {
            return Err(Wrong::new("there is no such type").help("write \"json\", or leave it out"));
        }
    };
    Ok(())
}

pub(super) fn log_date_format(draft: &mut Draft<'_>, value: &Json) -> Done {
    let format = text(value)?;
    if !matches!(format.as_str(), "" | "false") {
        draft.spec.logs.time = Some(super::time_format::strftime(&format));
    }
    Ok(())
}

pub(super) fn stop_exit_codes(draft: &mut Draft<'_>, value: &Json) -> Done {
    let wrong = || Wrong::new("an exit code is a number from 0 to 255").help("write [0, 143]");
    let codes = number_list(value).ok_or_else(wrong)?;
    if codes.iter().any(|code| !(0..=255).contains(code)) {
        return Err(wrong());
    }
    draft.spec.restart.stop_exit_codes = codes
        .iter()
        .filter_map(|c| i32::try_from(*c).ok())
        .collect();
    Ok(())
}

pub(super) fn cron_restart(draft: &mut Draft<'_>, value: &Json) -> Done {
    let off = value.as_bool() == Some(false) || value.as_f64() == Some(0.0);
    if off || matches!(value.as_str(), Some("0" | "" | "false")) {
        return Ok(());
    }
    let schedule = filled(value)?;
    let fields = schedule.split_whitespace().count();
    if !(5..=6).contains(&fields) && !schedule.starts_with('@') {
        return Err(Wrong::new("it is no schedule of five or six fields").help(
            "write it as in crontab: \"0 3 * * *\" is every night at three; 0 turns it off",
        ));
    }
    draft.spec.cron = Some(CronSpec {
        schedule,
        zone: None,
        action: RenewAction::Reload,
    });
    Ok(())
}

pub(super) fn watch(draft: &mut Draft<'_>, value: &Json) -> Done {
    let paths = match value {
        Json::Array(_) => texts(value)?,
        Json::String(path) if !matches!(path.as_str(), "true" | "false" | "") => vec![path.clone()],
        other => match flag(other)? {
            true => Vec::new(),
            false => return Ok(()),
        },
    };
    let cwd = draft.spec.cwd.clone();
    let paths = paths.iter().map(|path| draft.path(&cwd, path)).collect();
    let spec = draft.spec.watch.get_or_insert_with(watching);
    spec.paths = paths;
    Ok(())
}

/// As PM2 does it: whoever watches files waits for the new code, not for requests.
fn watching() -> WatchSpec {
    WatchSpec {
        action: RenewAction::Restart,
        ..WatchSpec::default()
    }
}

pub(super) fn ignore_watch(draft: &mut Draft<'_>, value: &Json) -> Done {
    let patterns = texts(value)?;
    let mut ignore = Vec::new();
    for pattern in patterns {
        match as_gitignore(&pattern) {
            Some(pattern) => ignore.push(pattern),
            None => draft.warn(format!(
                "`ignore_watch`: the regular expression {pattern} is left out; write a pattern as in .gitignore"
            )),
        }
    }
    draft.ignore = Some(ignore);
    Ok(())
}

/// What stands for PM2's own regular expression of dot files; `None` for others.
fn as_gitignore(pattern: &str) -> Option<String> {
    let inner = pattern
        .strip_prefix('/')
        .and_then(|rest| rest.rsplit_once('/'));
    let regex = inner.is_some_and(|(_, flags)| flags.chars().all(|c| "dgimsuvy".contains(c)))
        && pattern.len() > 2
        && pattern.contains(['\\', '^', '$', '[', '('])
        || pattern.contains('\\');
    if !regex {
        return Some(pattern.strip_prefix("./").unwrap_or(pattern).to_owned());
    }
    let words: String = pattern
        .chars()
        .filter(|c| !"\\/[]()|^?:".contains(*c))
        .collect();
    match words.as_str() {
        "." | ".." | ".+" => Some(".*".to_owned()),
        "node_modules" => Some(words),
        _ => None,
    }
}

pub(super) fn watch_delay(draft: &mut Draft<'_>, value: &Json) -> Done {
    let delay = span(value)?;
    // Without `watch` it means nothing, here as there.
    if let Some(watch) = &mut draft.spec.watch {
        watch.delay = delay;
    }
    Ok(())
}

pub(super) fn watch_options(draft: &mut Draft<'_>, value: &Json) -> Done {
    let Json::Object(options) = value else {
        return Err(Wrong::new("it must be a table of options"));
    };
    for (name, value) in options {
        match (name.as_str(), value) {
            ("ignored", value) => {
                let before = draft.ignore.take().unwrap_or_default();
                ignore_watch(draft, value)?;
                if let Some(ignore) = &mut draft.ignore {
                    ignore.extend(before);
                }
            }
            ("awaitWriteFinish", Json::Object(finish)) => {
                if let Some(threshold) = finish.get("stabilityThreshold") {
                    watch_delay(draft, threshold)?;
                }
            }
            // How changes are found is rota's business.
            ("usePolling" | "useFsEvents" | "interval" | "binaryInterval" | "persistent", _) => {}
            ("ignoreInitial" | "ignorePermissionErrors" | "atomic" | "alwaysStat", _) => {}
            ("followSymlinks", Json::Bool(false)) | ("awaitWriteFinish", Json::Bool(_)) => {}
            (name, _) => draft.meaningless.push(format!("watch_options.{name}")),
        }
    }
    Ok(())
}

pub(super) fn backoff(draft: &mut Draft<'_>, value: &Json) -> Done {
    let first = span(value)?;
    draft.spec.restart.backoff = (first.millis() > 0).then_some(first);
    Ok(())
}

pub(super) fn max_memory(draft: &mut Draft<'_>, value: &Json) -> Done {
    let most = super::kind::size(value)?;
    draft.spec.limits.max_memory = (most.bytes() > 0).then_some(most);
    Ok(())
}

pub(super) fn account(value: &Json) -> Result<String, Wrong> {
    let name = filled(value)?;
    match name.contains([':', ',', '\n']) {
        true => Err(Wrong::new("it is no name or number of a user or group")),
        false => Ok(name),
    }
}

pub(super) fn port(draft: &mut Draft<'_>, value: &Json) -> Done {
    let port = whole(value)?;
    if port > 65_535 {
        return Err(Wrong::new("it is no port").help("write a number up to 65535"));
    }
    draft.port = Some(port.to_string());
    Ok(())
}

pub(super) fn variable_name(value: &Json) -> Result<String, Wrong> {
    let name = filled(value)?;
    match name.contains('=') {
        true => Err(Wrong::new("it is no name of a variable")),
        false => Ok(name),
    }
}
