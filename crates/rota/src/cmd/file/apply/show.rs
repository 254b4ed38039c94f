//! The plan, for people and for programs.

use rota_api::{PlanAction, PlanChange, PlanEntry, PlanEnv, PlanOther};
use rota_config::file::written;
use serde::Serialize;
use serde_json::Value;

use super::Plan;
use crate::context::Context;
use crate::failure::Stop;
use crate::output::{Ink, Paint, clean};

/// So many characters of a value are shown.
const WIDEST: usize = 60;

/// The plan for programs.
#[derive(Serialize)]
#[serde(tag = "type", rename = "plan")]
struct Told<'a> {
    apps: &'a [PlanEntry],
    others: &'a [PlanOther],
}

/// Shows the plan.
pub(super) fn show(context: &Context, plan: &Plan, json: bool) -> Result<(), Stop> {
    let mut out = context.out();
    if json {
        out.json(&Told {
            apps: &plan.entries,
            others: &plan.others,
        })?;
    } else {
        for line in lines(plan, out.paint) {
            out.line(&line)?;
        }
    }
    out.flush()
}

fn lines(plan: &Plan, paint: Paint) -> Vec<String> {
    let does = |entry: &&PlanEntry| entry.action != PlanAction::Nothing;
    let changing: Vec<&PlanEntry> = plan.entries.iter().filter(does).collect();
    let mut lines: Vec<String> = changing.iter().map(|entry| line(entry, paint)).collect();
    let same: Vec<&str> = plan
        .entries
        .iter()
        .filter(|entry| entry.action == PlanAction::Nothing)
        .map(|entry| entry.app.as_str())
        .collect();
    if !changing.is_empty() && !same.is_empty() {
        lines.push(paint.apply(Ink::Dim, &format!("  unchanged: {}", names(&same))));
    }
    if !plan.partial && !plan.others.is_empty() {
        lines.push(paint.apply(Ink::Dim, &others(&plan.others)));
    }
    if changing.is_empty() {
        let count = same.len();
        let apps = if count == 1 { "app runs" } else { "apps run" };
        lines.push(match count {
            0 => "nothing to do".to_owned(),
            _ => format!(
                "nothing to do: {count} {apps} as {} says",
                plan.path.display()
            ),
        });
    }
    lines
}

fn names(names: &[&str]) -> String {
    clean(&names.join(", ")).into_owned()
}

fn others(others: &[PlanOther]) -> String {
    let all: Vec<&str> = others.iter().map(|other| other.app.as_str()).collect();
    let gone = others.iter().any(|other| other.from_file);
    let hint = if gone {
        " (--prune deletes what came from it)"
    } else {
        ""
    };
    format!("  not in the file, left alone: {}{hint}", names(&all))
}

fn line(entry: &PlanEntry, paint: Paint) -> String {
    let (sign, ink, what) = match entry.action {
        PlanAction::Add => ("+", Ink::Green, "add"),
        PlanAction::List => ("+", Ink::Green, "add, not started: autostart = false"),
        PlanAction::Start if entry.start => (">", Ink::Green, "start the workers that are stopped"),
        PlanAction::Start => (">", Ink::Green, "start, it is stopped"),
        PlanAction::Reload => ("~", Ink::Yellow, "reload"),
        PlanAction::Define => ("~", Ink::Yellow, "other settings, the workers stay"),
        PlanAction::Scale => ("~", Ink::Yellow, "scale"),
        PlanAction::Recreate => (
            "!",
            Ink::Red,
            "delete and start anew, with a gap: old and new addresses overlap",
        ),
        PlanAction::Remove => ("-", Ink::Red, "delete: it is no longer in the file"),
        PlanAction::Nothing | PlanAction::Unknown => (" ", Ink::Plain, "nothing that is known"),
    };
    let mut details: Vec<String> = entry.settings.iter().map(change).collect();
    details.extend(variables(&entry.env));
    if let Some(scale) = entry.scale {
        details.push(format!("{} → {} workers", scale.from, scale.to));
    }
    if entry.moves && details.is_empty() {
        details.push("it belongs to this file from now on".to_owned());
    }
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(": {}", details.join("; ")),
    };
    let sign = paint.apply(ink, sign);
    let app = paint.apply(Ink::Bold, &clean(&entry.app));
    format!("{sign} {app}: {what}{}", clean(&details))
}

fn change(change: &PlanChange) -> String {
    match (&change.old, &change.new) {
        (Value::Null, Value::Null) => change.key.clone(),
        (old, new) => {
            let shown = |of| value(&change.key, of);
            format!("{} {} → {}", change.key, shown(old), shown(new))
        }
    }
}

fn value(key: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => return "not set".to_owned(),
        value => written(key, value),
    };
    match text.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Names only: values may be secrets.
fn variables(env: &PlanEnv) -> Option<String> {
    let count = env.count();
    let signed = |sign: &'static str, names: &[String]| {
        let signed = names.iter().map(move |name| format!("{sign}{name}"));
        signed.collect::<Vec<String>>()
    };
    let names = [
        signed("+", &env.added),
        signed("~", &env.changed),
        signed("-", &env.removed),
    ]
    .concat();
    let noun = if count == 1 { "variable" } else { "variables" };
    (count > 0).then(|| format!("{count} {noun}: {}", names.join(" ")))
}
