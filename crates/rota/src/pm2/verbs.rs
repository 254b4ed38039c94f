//! The verbs of PM2, and how far each is the same here. docs/pm2.md is tested against this table.

/// How far something is as with PM2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// As with PM2.
    Same,
    /// As with PM2, and better where PM2 has a fault.
    Better,
    /// It does something else, or less.
    Different,
    /// It is not there; a message says so.
    Absent,
}

/// A verb.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its names, the first one in tables.
    pub names: &'static [&'static str],
    /// Which code is run.
    pub verb: Verb,
    /// How far it is the same.
    pub like: Likeness,
    /// What differs.
    pub note: &'static str,
}

/// Which code is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
    Delete,
    StartOrRestart,
    StartOrReload,
    Scale,
    Reset,
    List,
    Jlist,
    Prettylist,
    Describe,
    Env,
    Pid,
    Id,
    Logs,
    Flush,
    ReloadLogs,
    Save,
    Resurrect,
    Cleardump,
    Kill,
    Ping,
    Update,
    SendSignal,
    Monit,
    Init,
    Serve,
    Set,
    Get,
    Unset,
    Multiset,
    Send,
    Trigger,
    Attach,
    Report,
    Slist,
    Completion,
    Install,
    Uninstall,
    Startup,
    Unstartup,
    Inspect,
    Examples,
    Absent,
}

const fn row(
    names: &'static [&'static str],
    verb: Verb,
    like: Likeness,
    note: &'static str,
) -> Row {
    Row {
        names,
        verb,
        like,
        note,
    }
}

use Likeness::{Absent, Better, Different, Same};

/// Every verb.
#[rustfmt::skip] // a table
pub static VERBS: &[Row] = &[
    row(&["start"], Verb::Start, Better,
        "It returns when the app is ready, and fails when it is not. `--force` with the name of a running app starts that one anew instead of a second copy. `--no-autostart` is refused."),
    row(&["stop"], Verb::Stop, Better, "Connections are finished before the stop signal (cluster mode)."),
    row(&["restart"], Verb::Restart, Better,
        "With `--update-env` variables that the shell has no more are removed, unless a file set them."),
    row(&["reload"], Verb::Reload, Better,
        "No request is lost; code that does not start is rolled back with exit code 1. An app in fork mode is replaced worker by worker, as with PM2 with a gap."),
    row(&["delete", "del"], Verb::Delete, Better, "Of an app with several workers, an id takes one worker away: always the last one."),
    row(&["startOrRestart"], Verb::StartOrRestart, Better, "What the file says is applied whole: script, cwd, instances, removed variables."),
    row(&["startOrReload", "startOrGracefulReload"], Verb::StartOrReload, Better, "As `startOrRestart`, by reload."),
    row(&["scale"], Verb::Scale, Better, "Leaving workers finish their requests. 0 is refused."),
    row(&["reset"], Verb::Reset, Same, ""),
    row(&["list", "ls", "l", "ps", "status"], Verb::List, Same, "rota's own table; `-m` in PM2's form."),
    row(&["jlist"], Verb::Jlist, Better, "Nothing but JSON on standard output. Variables that look like secrets are masked and none is flattened into `pm2_env`; `ROTA_PM2_ENV=all` does both as PM2 does."),
    row(&["prettylist"], Verb::Prettylist, Different, "The same objects as indented JSON, not as JavaScript."),
    row(&["describe", "desc", "info", "show"], Verb::Describe, Same, "rota's own sheet."),
    row(&["env"], Verb::Env, Better, "Secrets are masked; `ROTA_PM2_ENV=all` shows them."),
    row(&["pid"], Verb::Pid, Same, ""),
    row(&["id"], Verb::Id, Same, ""),
    row(&["logs", "log"], Verb::Logs, Same, "`--highlight` is taken and not acted on."),
    row(&["flush"], Verb::Flush, Same, "Log files are emptied."),
    row(&["reloadLogs"], Verb::ReloadLogs, Same, ""),
    row(&["save", "dump"], Verb::Save, Better, "rota saves by itself; this writes dump.pm2 besides, for its owner alone."),
    row(&["resurrect"], Verb::Resurrect, Better, "Starts what is in the dump and is not in the list: never second copies. Reads dumps of PM2, too."),
    row(&["cleardump"], Verb::Cleardump, Same, ""),
    row(&["kill"], Verb::Kill, Same, ""),
    row(&["ping"], Verb::Ping, Same, ""),
    row(&["update", "updatePM2"], Verb::Update, Better, "`rota upgrade`: no app is restarted."),
    row(&["sendSignal"], Verb::SendSignal, Same, ""),
    row(&["monit", "dash", "dashboard"], Verb::Monit, Different, "A list that is written anew every second."),
    row(&["init", "ecosystem"], Verb::Init, Same, "Its own words; never overwrites a file."),
    row(&["serve", "expose"], Verb::Serve, Different, "`rota serve` does it."),
    row(&["set"], Verb::Set, Same, "Kept in module_conf.json. Settings of pm2-logrotate are the rotation of the apps that `pm2` starts."),
    row(&["get", "conf", "config"], Verb::Get, Same, ""),
    row(&["unset"], Verb::Unset, Same, ""),
    row(&["multiset"], Verb::Multiset, Same, ""),
    row(&["send"], Verb::Send, Better, "A line that does not arrive is told, with exit code 1. In fork mode, as with PM2: in cluster mode workers have no standard input."),
    row(&["attach"], Verb::Attach, Better, "As `send`, line by line; ends with the end of its input as well. In cluster mode the output is shown."),
    row(&["trigger"], Verb::Trigger, Absent, "Actions of @pm2/io are not called."),
    row(&["inspect"], Verb::Inspect, Absent, "`rota stack` and `rota profile` look into workers."),
    row(&["report"], Verb::Report, Different, "Versions and the list."),
    row(&["slist", "sysinfos"], Verb::Slist, Different, "Load, memory and processors as JSON."),
    row(&["completion"], Verb::Completion, Different, "A word list for bash."),
    row(&["install", "module:install"], Verb::Install, Different, "Knows pm2-logrotate, which is built in, and no other module."),
    row(&["uninstall", "module:uninstall"], Verb::Uninstall, Different, "As `install`."),
    row(&["startup"], Verb::Startup, Different, "`rota startup` does it."),
    row(&["unstartup"], Verb::Unstartup, Different, "`rota unstartup` does it."),
    row(&["examples"], Verb::Examples, Different, "The help."),
    row(&["link", "unlink", "plus", "register", "login", "logout", "open", "monitor", "unmonitor"], Verb::Absent, Absent,
        "PM2's cloud product."),
    row(&["publish", "module:publish", "module:generate", "module:update", "package", "install-otel", "autoinstall"], Verb::Absent, Absent,
        "PM2's module market."),
    row(&["deploy", "pull", "forward", "backward"], Verb::Absent, Absent, "Deploying by ssh and git."),
    row(&["profile:cpu", "profile:mem", "imonit", "deepUpdate"], Verb::Absent, Absent, "The insides of PM2's daemon."),
];

/// The verb of this name; PM2 does not mind capitals.
pub fn find(name: &str) -> Option<&'static Row> {
    let named = |row: &&Row| row.names.iter().any(|have| have.eq_ignore_ascii_case(name));
    VERBS.iter().find(named)
}

/// The first names of the verbs that do something, in lines of at most so many characters.
pub fn names(width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let rows = VERBS.iter().filter(|row| row.like != Likeness::Absent);
    for name in rows.map(|row| row.names[0]) {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + name.len() <= width => {
                line.push(' ');
                line.push_str(name);
            }
            _ => lines.push(name.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_there_twice() {
        let mut seen = BTreeSet::new();
        for name in VERBS.iter().flat_map(|row| row.names) {
            assert!(seen.insert(name.to_lowercase()), "{name}");
        }
        assert_eq!(find("startorreload").unwrap().verb, Verb::StartOrReload);
    }

    #[test]
    fn the_help_has_every_verb_that_does_something() {
        let lines = names(30);
        assert!(lines.iter().all(|line| line.len() <= 30), "{lines:?}");
        let words = lines.join(" ");
        let mut words = words.split(' ');
        assert!(words.any(|word| word == "attach"));
        assert!(words.all(|word| find(word).is_some_and(|row| row.like != Likeness::Absent)));
    }

    #[test]
    fn the_documentation_has_every_verb_as_it_is_here() {
        let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pm2.md");
        let doc = std::fs::read_to_string(doc).unwrap();
        for row in VERBS {
            let names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
            let like = match row.like {
                Likeness::Same => "same",
                Likeness::Better => "better",
                Likeness::Different => "different",
                Likeness::Absent => "absent",
            };
            let line = format!("| {} | {like} | {} |", names.join(", "), row.note);
            assert!(doc.contains(&line), "docs/pm2.md lacks:\n{line}");
        }
    }
}
