//! The last failures of an app as a story: what happened, why, and the last words.

use rota_api::{AppView, ExceptionView, FailureView};

use super::sheet::Sheet;
use crate::output::{Ink, bytes, clean, since, span};

/// How many failures are told.
const FAILURES: usize = 3;
/// How many lines of a stack are shown; `--json` has all.
const FRAMES: usize = 6;

/// Tells of the last failures, newest first; nothing if there was none.
pub(super) fn tell(sheet: &mut Sheet, app: &AppView) {
    // An older daemon only tells the last one.
    let told: Vec<&FailureView> = match app.failures.as_slice() {
        [] => app.last_failure.iter().collect(),
        failures => failures.iter().take(FAILURES).collect(),
    };
    for (index, failure) in told.iter().enumerate() {
        sheet.title(match index {
            0 => "last failure",
            1 => "the one before",
            _ => "the one before that",
        });
        tell_one(sheet, failure);
        // The others' would be the same again, or too much.
        for line in failure.stderr.iter().filter(|_| index == 0) {
            let bar = sheet.paint.apply(Ink::Red, "|");
            sheet.lines.push(format!("  {bar} {}", clean(line)));
        }
    }
}

fn tell_one(sheet: &mut Sheet, failure: &FailureView) {
    sheet.row(
        "what",
        format!(
            "worker {}: {} after {}, {} ago",
            failure.slot,
            failure.status,
            span(failure.after_ms),
            since(failure.at)
        ),
    );
    if !failure.reason.is_empty() {
        sheet.row("why", &failure.reason);
    }
    if let Some(told) = &failure.exception {
        exception(sheet, told);
    }
    stack(sheet, "in", &failure.stack);
    if let Some(why) = &failure.stack_missing {
        sheet.row("in", format!("not known: {why}"));
    }
    if let Some(memory) = memory(failure) {
        sheet.row("memory", memory);
    }
    if let Some(peak) = failure.group_peak_memory {
        let limit = failure.memory_limit;
        let limit = limit.map(|limit| format!(" of {}", bytes(limit)));
        let limit = limit.unwrap_or_default();
        let text = format!("{}{limit} at most, with all that it started", bytes(peak));
        sheet.row("", text);
    }
}

fn exception(sheet: &mut Sheet, exception: &ExceptionView) {
    let name = match exception.origin.as_str() {
        "unhandledRejection" => "rejection",
        _ => "exception",
    };
    sheet.row(name, exception.message.lines().next().unwrap_or_default());
    let lines = exception.stack.iter().flat_map(|stack| stack.lines());
    let frames: Vec<String> = lines
        .filter(|line| line.trim_start().starts_with("at "))
        .map(|line| line.trim().to_owned())
        .collect();
    stack(sheet, "", &frames);
}

fn stack(sheet: &mut Sheet, key: &str, frames: &[String]) {
    for (index, frame) in frames.iter().take(FRAMES).enumerate() {
        sheet.row(if index == 0 { key } else { "" }, frame);
    }
    if frames.len() > FRAMES {
        sheet.row("", format!("… {} more", frames.len() - FRAMES));
    }
}

fn memory(failure: &FailureView) -> Option<String> {
    match (failure.memory, failure.peak_memory) {
        (Some(last), Some(peak)) => Some(format!(
            "{} when last looked at, {} at most",
            bytes(last),
            bytes(peak.max(last))
        )),
        (Some(last), None) => Some(format!("{} when last looked at", bytes(last))),
        (None, Some(peak)) => Some(format!("{} at most", bytes(peak))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn told(app: &AppView) -> String {
        let mut sheet = Sheet::new(Paint::PLAIN);
        tell(&mut sheet, app);
        sheet.lines.join("\n")
    }

    fn app(failures: serde_json::Value) -> AppView {
        let mut apps: serde_json::Value =
            serde_json::from_str(include_str!("../../testdata/apps.json")).unwrap();
        apps[0]["failures"] = failures;
        serde_json::from_value(apps[0].take()).unwrap()
    }

    #[test]
    fn three_failures_are_told_newest_first() {
        let failure = |n: u64| {
            serde_json::json!({
                "at": 1_700_000_100_000_u64, "slot": n, "status": "exit code 1", "after_ms": 2000,
                "reason": "it crashed", "stderr": ["last word"], "memory": 1_048_576, "peak_memory": 2_097_152,
                "group_peak_memory": 3_145_728, "memory_limit": 4_194_304,
                "exception": {"origin": "uncaughtException", "message": "Error: boom\nmore",
                    "stack": "Error: boom\n    at f (/a.js:1:2)\n    at g (/a.js:3:4)"},
            })
        };
        let app = app((0..5).map(failure).collect());
        let ago = since(1_700_000_100_000);
        let text = told(&app).replace(&ago, "AGO");
        let newest = "\
last failure
  what              worker 0: exit code 1 after 2s, AGO ago
  why               it crashed
  exception         Error: boom
                    at f (/a.js:1:2)
                    at g (/a.js:3:4)
  memory            1M when last looked at, 2M at most
                    3M of 4M at most, with all that it started
  | last word
the one before
  what              worker 1: exit code 1 after 2s, AGO ago";
        assert!(text.starts_with(newest), "{text}");
        assert!(text.contains("the one before that\n  what              worker 2"));
        assert!(!text.contains("worker 3"));
        assert_eq!(text.matches("last word").count(), 1);
    }

    #[test]
    fn a_hang_says_where() {
        let stack: Vec<String> = (0..9).map(|n| format!("f{n} (/a.js:{n}:1)")).collect();
        let hung = app(serde_json::json!([{
            "at": 1, "slot": 0, "status": "hung", "after_ms": 2000, "reason": "", "stderr": [],
            "kind": "hung", "stack": stack,
        }, {
            "at": 1, "slot": 0, "status": "hung", "after_ms": 2000, "reason": "", "stderr": [],
            "kind": "hung", "stack_missing": "it is busy",
        }]));
        let text = told(&hung);
        assert!(text.contains("\n  in                f0 (/a.js:0:1)\n                    f1"));
        assert!(text.contains("                    … 3 more\n"));
        assert!(text.ends_with("\n  in                not known: it is busy"));
    }
}
