//! Who the workers of an app are and what they may use, for `rota describe`: only what differs from the daemon.

use rota_api::{ProcessSettingsView, ResourcesView, SettingsView};

use super::sheet::Sheet;
use crate::output::bytes;

pub(super) fn tell(sheet: &mut Sheet, settings: &SettingsView) {
    sheet.parts("standard input", &input(&settings.stdin));
    sheet.parts("run as", &person(&settings.process));
    sheet.parts("process", &process(&settings.process));
    sheet.parts("limited to", &resources(&settings.resources));
}

/// What is usual is not told.
fn input(stdin: &str) -> Vec<String> {
    match stdin {
        "" | "null" => Vec::new(),
        "pipe" => vec!["a pipe, for `rota send` and `rota attach`".to_owned()],
        other => vec![other.to_owned()],
    }
}

fn person(process: &ProcessSettingsView) -> Vec<String> {
    let named = |what: &str, name: &Option<String>| {
        let name = name.as_ref()?;
        Some(format!("{what} {name}"))
    };
    let mut parts: Vec<_> = [named("user", &process.user), named("group", &process.group)]
        .into_iter()
        .flatten()
        .collect();
    parts.extend(
        process
            .groups
            .as_ref()
            .map(|groups| match groups.as_slice() {
                [] => "no other groups".to_owned(),
                groups => format!("other groups {}", groups.join(" ")),
            }),
    );
    if let Some(ids) = &process.ids {
        let groups: Vec<_> = ids.groups.iter().map(u32::to_string).collect();
        let mut text = format!("uid {}, gid {}", ids.uid, ids.gid);
        if !groups.is_empty() {
            text.push_str(&format!(", groups {}", groups.join(" ")));
        }
        parts.push(format!("({text})"));
    }
    parts
}

fn process(process: &ProcessSettingsView) -> Vec<String> {
    let mut parts = Vec::new();
    if process.no_new_privs {
        parts.push("no new privileges".to_owned());
    }
    parts.extend(process.umask.as_ref().map(|mask| format!("umask {mask}")));
    parts.extend(process.nice.map(|nice| format!("nice {nice:+}")));
    let rlimits = process.rlimits.iter();
    parts.extend(rlimits.map(|(name, limit)| format!("rlimit {name}={limit}")));
    let score = process.oom_score_adj;
    parts.extend(score.map(|score| format!("oom score {score:+}")));
    parts
}

fn resources(limits: &ResourcesView) -> Vec<String> {
    let mut parts = Vec::new();
    let max = limits.memory_max_bytes;
    parts.extend(max.map(|size| format!("{} of memory", bytes(size))));
    let high = limits.memory_high_bytes;
    parts.extend(high.map(|size| format!("slowed down above {} of memory", bytes(size))));
    let cpu = limits.cpu_max_percent;
    parts.extend(cpu.map(|percent| format!("{percent}% of a processor")));
    let weight = limits.cpu_weight;
    parts.extend(weight.map(|weight| format!("a weight of {weight} for processors")));
    let pids = limits.pids_max;
    parts.extend(pids.map(|count| format!("{count} processes and threads")));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn told(settings: serde_json::Value) -> Vec<String> {
        let mut whole = serde_json::to_value(SettingsView::default()).unwrap();
        for (key, value) in settings.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let mut sheet = Sheet::new(Paint::PLAIN);
        tell(&mut sheet, &serde_json::from_value(whole).unwrap());
        sheet.lines
    }

    #[test]
    fn only_what_was_asked_for() {
        assert!(told(serde_json::json!({})).is_empty());
        assert!(told(serde_json::json!({ "stdin": "null" })).is_empty());
        let all = told(serde_json::json!({
            "stdin": "pipe",
            "process": {
                "user": "web", "groups": [], "ids": {"uid": 33, "gid": 34, "groups": []},
                "no_new_privs": true, "umask": "027", "nice": 5,
                "rlimits": {"core": "0", "nofile": "1024:4096"}, "oom_score_adj": -5,
            },
            "resources": {
                "memory_max_bytes": 314_572_800, "memory_high_bytes": 262_144_000,
                "cpu_max_percent": 150, "cpu_weight": 50, "pids_max": 64,
            },
        }));
        assert_eq!(
            all,
            [
                "  standard input    a pipe, for `rota send` and `rota attach`",
                "  run as            user web, no other groups, (uid 33, gid 34)",
                "  process           no new privileges, umask 027, nice +5, rlimit core=0, rlimit nofile=1024:4096, oom score -5",
                "  limited to        300M of memory, slowed down above 250M of memory, 150% of a processor, a weight of 50 for processors, 64 processes and threads",
            ]
        );
    }
}
