//! What becomes of the output of an app, for `rota describe`.

use rota_api::{LogsView, RotationView};

use super::sheet::Sheet;
use crate::output::{bytes, span};

pub(super) fn tell(sheet: &mut Sheet, logs: &LogsView) {
    if logs.out.is_some() && logs.out == logs.err {
        sheet.parts("output, errors", logs.out.as_slice());
    } else {
        sheet.parts("output", logs.out.as_slice());
        sheet.parts("errors", logs.err.as_slice());
    }
    sheet.parts("both", logs.joined.as_slice());
    let no_files = [&logs.out, &logs.err, &logs.joined]
        .iter()
        .all(|file| file.is_none());
    let mut parts = Vec::new();
    match no_files {
        true => parts.push("no files".to_owned()),
        false => parts.extend(lines(logs)),
    }
    if logs.journald {
        parts.push("also to journald".to_owned());
    }
    let shown = logs.show.as_ref();
    parts.extend(shown.map(|form| format!("shown by `rota run` as {form}")));
    sheet.parts("logs", &parts);
}

/// How lines are written, and for how long they are kept.
fn lines(logs: &LogsView) -> Vec<String> {
    let mut parts = vec![match logs.format.as_str() {
        "json" => "JSON".to_owned(),
        form => form.to_owned(),
    }];
    let time = logs
        .time
        .as_ref()
        .filter(|time| !time.is_empty() && logs.format != "json");
    parts.extend(time.map(|time| format!("behind `{time}`")));
    parts.extend(rotation(&logs.rotation));
    parts
}

fn rotation(rotation: &RotationView) -> Vec<String> {
    let size = rotation
        .size_bytes
        .map(|size| format!("at {}", bytes(size)));
    let when = [size, rotation.every.clone()].into_iter().flatten();
    let when = when.collect::<Vec<_>>().join(" and ");
    if when.is_empty() {
        return vec!["not rotated".to_owned()];
    }
    let mut kept = match rotation.keep {
        0 => "none kept".to_owned(),
        keep => format!("{keep} kept"),
    };
    if let (Some(age), true) = (rotation.max_age_ms, rotation.keep > 0) {
        kept.push_str(&format!(" for up to {}", span(age)));
    }
    let mut parts = vec![format!("rotated {when}"), kept];
    if rotation.compress && rotation.keep > 0 {
        parts.push("compressed".to_owned());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn told(logs: serde_json::Value) -> Vec<String> {
        let mut sheet = Sheet::new(Paint::PLAIN);
        tell(&mut sheet, &serde_json::from_value(logs).unwrap());
        sheet.lines
    }

    #[test]
    fn places_form_and_rotation() {
        let usual = serde_json::json!({
            "out": "/home/me/.rota/logs/api-out-{slot}.log", "err": "/home/me/.rota/logs/api-error-{slot}.log",
            "format": "plain", "rotation": {"size_bytes": 20_971_520, "keep": 5, "compress": true},
        });
        assert_eq!(
            told(usual),
            [
                "  output            /home/me/.rota/logs/api-out-{slot}.log",
                "  errors            /home/me/.rota/logs/api-error-{slot}.log",
                "  logs              plain, rotated at 20M, 5 kept, compressed",
            ]
        );
        let all = serde_json::json!({
            "out": "/x/a.log", "err": "/x/a.log", "joined": "/x/b.log", "format": "plain", "time": "%H:%M",
            "journald": true, "show": "prefix", "rotation": {
                "size_bytes": 1024, "every": "daily", "keep": 2, "max_age_ms": 86_400_000, "compress": false,
            },
        });
        assert_eq!(
            told(all),
            [
                "  output, errors    /x/a.log",
                "  both              /x/b.log",
                "  logs              plain, behind `%H:%M`, rotated at 1K and daily, 2 kept for up to 1d, also to journald, \
                 shown by `rota run` as prefix",
            ]
        );
    }

    #[test]
    fn where_there_is_little_little_is_said() {
        let none = serde_json::json!({"format": "json", "time": "%H"});
        assert_eq!(told(none), ["  logs              no files"]);
        let one = serde_json::json!({"err": "/x/e.log", "format": "json", "time": "%H"});
        assert_eq!(
            told(one),
            [
                "  errors            /x/e.log",
                "  logs              JSON, not rotated",
            ]
        );
    }
}
