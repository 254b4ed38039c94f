//! The settings of pm2-logrotate, as the rotation of the apps that `pm2` starts.

use rota_api::LogsView;
use rota_config::file::Origins;
use rota_config::{Period, RotateSpec, Size, Span};
use serde_json::{Map, Value};

/// The module whose work rota does itself.
pub(super) const MODULE: &str = "pm2-logrotate";

/// What the module is told, in rota's terms; what it is not told is as everywhere in rota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation(RotateSpec);

/// A setting of the module that rota has as well.
struct Setting {
    theirs: &'static str,
    /// In rota.toml.
    ours: &'static str,
    /// Reads a value into a rotation.
    read: fn(&mut RotateSpec, &str) -> Result<(), String>,
    /// Takes it over from another rotation.
    copy: fn(&mut RotateSpec, &RotateSpec),
}

const SETTINGS: [Setting; 4] = [
    Setting {
        theirs: "max_size",
        ours: "rotate_size",
        read: |rotate, text| {
            let size: Size = text.parse().map_err(|error| format!("{error}"))?;
            rotate.size = Some(size).filter(|size| size.bytes() > 0);
            Ok(())
        },
        copy: |rotate, from| rotate.size = from.size,
    },
    Setting {
        theirs: "retain",
        ours: "rotate_keep",
        read: |rotate, text| {
            rotate.keep = match text {
                "all" => u32::MAX,
                number => number
                    .parse()
                    .map_err(|_| format!("`{number}` is no number of files, and not `all`"))?,
            };
            Ok(())
        },
        copy: |rotate, from| rotate.keep = from.keep,
    },
    Setting {
        theirs: "compress",
        ours: "rotate_compress",
        read: |rotate, text| {
            rotate.compress = text
                .parse()
                .map_err(|_| format!("`{text}` is neither true nor false"))?;
            Ok(())
        },
        copy: |rotate, from| rotate.compress = from.compress,
    },
    Setting {
        theirs: "rotateInterval",
        ours: "rotate_every",
        read: |rotate, text| {
            let every = period(text);
            rotate.every = Some(every.ok_or_else(|| {
                format!("rota puts files aside hourly, daily or weekly, and `{text}` is none of it")
            })?);
            Ok(())
        },
        copy: |rotate, from| rotate.every = from.every,
    },
];

impl Rotation {
    /// Of all settings of modules; `None`: nobody has told the module anything. What makes no sense is told when it is set.
    pub(super) fn of(conf: &Map<String, Value>) -> Option<Self> {
        let told = conf.get(MODULE)?.as_object()?;
        let mut rotate = RotateSpec::default();
        for setting in &SETTINGS {
            if let Some(value) = told.get(setting.theirs) {
                let _told = (setting.read)(&mut rotate, &text(value));
            }
        }
        Some(Self(rotate))
    }

    /// Gives it to an app, but for what the app's file says itself.
    pub(super) fn give(&self, rotate: &mut RotateSpec, origins: Option<&Origins>) {
        for setting in &SETTINGS {
            let own = origins.is_some_and(|origins| origins.keys.contains_key(setting.ours));
            if !own {
                (setting.copy)(rotate, &self.0);
            }
        }
    }

    /// True if the files of an app are put aside as it says.
    pub(super) fn is_that_of(&self, logs: &LogsView) -> bool {
        let (ours, theirs) = (&self.0, &logs.rotation);
        ours.size.map(Size::bytes) == theirs.size_bytes
            && ours.every.map(Period::as_str) == theirs.every.as_deref()
            && ours.keep == theirs.keep
            && ours.max_age.map(Span::millis) == theirs.max_age_ms
            && ours.compress == theirs.compress
    }
}

/// What becomes of a setting of the module.
///
/// # Errors
/// A sentence: rota does not have it, or the value makes no sense.
pub(super) fn check(name: &str, value: &str) -> Result<&'static str, String> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.theirs == name) else {
        return Err(format!(
            "rota rotates by itself, and has nothing for {MODULE}:{name}"
        ));
    };
    match (setting.read)(&mut RotateSpec::default(), value) {
        Ok(()) => Ok(setting.ours),
        Err(why) => Err(format!(
            "{MODULE}:{name}: {why}; rota's own `{}` holds",
            setting.ours
        )),
    }
}

/// As `pm2 set` writes it, a text; a hand may have written something else.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The period of a cron expression that means one: at some minute of each hour, day or week.
fn period(text: &str) -> Option<Period> {
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() == 6 {
        fields.remove(0).parse::<u8>().ok()?;
    }
    let [minute, hour, day, month, weekday] = fields[..] else {
        return None;
    };
    minute.parse::<u8>().ok()?;
    let one = |field: &str| field.chars().all(char::is_alphanumeric);
    match (hour, weekday) {
        _ if day != "*" || month != "*" => None,
        ("*", "*") => Some(Period::Hourly),
        (hour, "*") if hour.parse::<u8>().is_ok() => Some(Period::Daily),
        (hour, weekday) if hour.parse::<u8>().is_ok() && one(weekday) => Some(Period::Weekly),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rotation(conf: Value) -> Option<Rotation> {
        Rotation::of(conf.as_object().unwrap())
    }

    #[test]
    fn what_the_module_is_told_is_the_rotation_of_apps() {
        assert_eq!(rotation(json!({"other": {"max_size": "1M"}})), None);
        let told = rotation(json!({MODULE: {
            "max_size": "10M", "retain": "30", "compress": "false", "rotateInterval": "0 0 * * *", "TZ": "UTC",
        }}));
        let mut rotate = RotateSpec {
            max_age: Some("1d".parse().unwrap()),
            ..RotateSpec::default()
        };
        told.unwrap().give(&mut rotate, None);
        let expected = RotateSpec {
            size: Some(Size::from_bytes(10 << 20)),
            every: Some(Period::Daily),
            keep: 30,
            max_age: Some("1d".parse().unwrap()),
            compress: false,
        };
        assert_eq!(rotate, expected);
        // What it is not told any more is rota's own again, what makes no sense as well.
        let told = rotation(json!({MODULE: {"retain": "all", "max_size": "much", "compress": 3}}));
        told.unwrap().give(&mut rotate, None);
        assert_eq!(rotate.keep, u32::MAX);
        assert_eq!(rotate.size, RotateSpec::default().size);
        assert!(rotate.compress);
    }

    #[test]
    fn what_a_file_says_stays() {
        let mut origins = Origins::default();
        origins.keys.insert("rotate_keep".to_owned(), 3);
        let told = rotation(json!({MODULE: {"retain": "30", "max_size": "1K"}})).unwrap();
        let mut rotate = RotateSpec {
            keep: 7,
            ..RotateSpec::default()
        };
        told.give(&mut rotate, Some(&origins));
        assert_eq!(
            (rotate.keep, rotate.size),
            (7, Some(Size::from_bytes(1024)))
        );
    }

    #[test]
    fn schedules_that_are_periods() {
        for (text, expected) in [
            ("0 * * * *", Some(Period::Hourly)),
            ("0 30 * * * *", Some(Period::Hourly)),
            ("0 0 * * *", Some(Period::Daily)),
            ("59 23 * * *", Some(Period::Daily)),
            ("0 0 * * 1", Some(Period::Weekly)),
            ("0 0 * * SUN", Some(Period::Weekly)),
            ("*/30 * * * *", None),
            ("0 0 1 * *", None),
            ("0 0,12 * * *", None),
            ("0 0 * * 1-5", None),
            ("daily", None),
            ("", None),
        ] {
            assert_eq!(period(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told() {
        assert_eq!(check("max_size", "10M"), Ok("rotate_size"));
        for (name, value) in [
            ("max_size", "much"),
            ("retain", "-1"),
            ("compress", "yes"),
            ("rotateInterval", "0 0 1 1 *"),
            ("dateFormat", "YYYY"),
        ] {
            assert!(check(name, value).unwrap_err().contains(name));
        }
    }
}
