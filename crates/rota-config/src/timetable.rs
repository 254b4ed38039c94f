//! The times of a [`CronSpec`]: its expression and its zone, understood.

use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::CronSpec;

/// When an app is started anew.
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: croner::Cron,
    zone: TimeZone,
}

/// A point of a timetable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Unix time in milliseconds.
    pub at: u64,
    /// For people, in the timetable's zone: `Sun 2026-11-22 03:00 CET`.
    pub text: String,
}

/// Why a schedule cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// The expression means nothing.
    #[error("`{schedule}` is no cron expression: {why}")]
    Schedule {
        /// The expression.
        schedule: String,
        /// What is wrong with it.
        why: String,
    },
    /// The zone is not known.
    #[error("there is no time zone `{zone}` on this machine")]
    Zone {
        /// Its name.
        zone: String,
        /// Whether the machine knows any.
        database: bool,
    },
    /// It is understood, and no time ever fits.
    #[error("`{schedule}` never comes")]
    Never {
        /// The expression.
        schedule: String,
    },
}

impl CronError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Schedule { .. } | Self::Never { .. } => {
                "five fields: minute hour day-of-month month day-of-week, such as '0 3 * * *' (every day at 3:00), \
                 or six with seconds in front"
            }
            Self::Zone { database: true, .. } => {
                "zones are called as in /usr/share/zoneinfo: Europe/Berlin, UTC"
            }
            Self::Zone { .. } => {
                "there is no time zone database here (/usr/share/zoneinfo; the package is called tzdata)"
            }
        }
    }
}

impl CronSpec {
    /// Looks whether the expression can be understood; the zone is a matter of the machine.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), CronError> {
        self.expression().map(drop)
    }

    /// The times that it means on this machine.
    ///
    /// # Errors
    /// An expression or a zone that is not understood, or an expression that no time fits.
    pub fn timetable(&self) -> Result<Timetable, CronError> {
        let cron = self.expression()?;
        let zone = match self.zone.as_deref() {
            None => TimeZone::system(),
            Some(zone) => TimeZone::get(zone).map_err(|_| CronError::Zone {
                zone: zone.to_owned(),
                database: TimeZone::get("Europe/Berlin").is_ok(),
            })?,
        };
        let timetable = Timetable { cron, zone };
        match timetable.after(now_millis()) {
            Some(_) => Ok(timetable),
            None => Err(CronError::Never {
                schedule: self.schedule.clone(),
            }),
        }
    }

    fn expression(&self) -> Result<croner::Cron, CronError> {
        let wrong = |why: String| CronError::Schedule {
            schedule: self.schedule.clone(),
            why,
        };
        let fields = self.schedule.split_whitespace().count();
        if !self.schedule.trim_start().starts_with('@') && !matches!(fields, 5 | 6) {
            return Err(wrong(match fields {
                1 => "it has 1 field, not 5 or 6".to_owned(),
                fields => format!("it has {fields} fields, not 5 or 6"),
            }));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        parser
            .parse(&self.schedule)
            .map_err(|error| wrong(reason(&error)))
    }
}

impl Timetable {
    /// The first time behind `millis` (Unix time); `None` if there is none.
    pub fn after(&self, millis: u64) -> Option<Due> {
        let from = Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
        let from = from.to_zoned(self.zone.clone());
        let next: Zoned = self.cron.find_next_occurrence(&from, false).ok()?;
        let at = u64::try_from(next.timestamp().as_millisecond()).ok()?;
        let seconds = if next.second() == 0 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        let text = next
            .strftime(&format!("%a %Y-%m-%d {seconds} %Z"))
            .to_string();
        Some(Due { at, text })
    }
}

/// The library's words without its names for its parts.
fn reason(error: &croner::errors::CronError) -> String {
    use croner::errors::CronError as Error;
    let text = match error {
        Error::InvalidPattern(why) | Error::IllegalCharacters(why) | Error::ComponentError(why) => {
            why.clone()
        }
        other => other.to_string(),
    };
    text.trim_end_matches('.').to_owned()
}

fn now_millis() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RenewAction;

    fn spec(schedule: &str, zone: &str) -> CronSpec {
        CronSpec {
            schedule: schedule.to_owned(),
            zone: Some(zone.to_owned()),
            action: RenewAction::Reload,
        }
    }

    fn millis(time: &str) -> u64 {
        let time: Timestamp = time.parse().unwrap();
        u64::try_from(time.as_millisecond()).unwrap()
    }

    /// The next `count` times, in UTC.
    fn times(schedule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let timetable = spec(schedule, zone).timetable().unwrap();
        let mut at = millis(from);
        let next = |_| {
            at = timetable.after(at).unwrap().at;
            let time = Timestamp::from_millisecond(i64::try_from(at).unwrap());
            time.unwrap().to_string()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn times_in_a_zone() {
        assert_eq!(
            times("0 3 * * *", "Europe/Berlin", "2026-01-10T12:00:00Z", 2),
            ["2026-01-11T02:00:00Z", "2026-01-12T02:00:00Z"]
        );
        assert_eq!(
            times("*/10 * * * * *", "UTC", "2026-01-10T12:00:05Z", 2),
            ["2026-01-10T12:00:10Z", "2026-01-10T12:00:20Z"]
        );
        assert_eq!(
            times("@daily", "UTC", "2026-01-10T12:00:05Z", 1),
            ["2026-01-11T00:00:00Z"]
        );
        let due = spec("0 3 * * sun", "Europe/Berlin").timetable().unwrap();
        let due = due.after(millis("2026-01-10T12:00:00Z")).unwrap();
        assert_eq!(due.text, "Sun 2026-01-11 03:00 CET");
    }

    /// What docs/renewal.md says of summer time.
    #[test]
    fn the_hour_that_is_missing_and_the_hour_that_comes_twice() {
        // 2:00 to 3:00 does not exist on 29 March 2026.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // 2:00 to 3:00 comes twice on 25 October 2026: a fixed time counts once, what recurs goes on.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 3),
            [
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z"
            ]
        );
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let error = |schedule: &str, zone: &str| spec(schedule, zone).timetable().unwrap_err();
        assert_eq!(
            error("0 3 * *", "UTC").to_string(),
            "`0 3 * *` is no cron expression: it has 4 fields, not 5 or 6"
        );
        for schedule in ["61 * * * *", "* * * * mo-xx", "", "a b c d e", "@never"] {
            let error = error(schedule, "UTC");
            assert!(matches!(error, CronError::Schedule { .. }), "{error}");
        }
        assert!(matches!(
            error("0 0 30 2 *", "UTC"),
            CronError::Never { .. }
        ));
        let zone = error("0 3 * * *", "Europe/Berlim");
        assert_eq!(
            zone.to_string(),
            "there is no time zone `Europe/Berlim` on this machine"
        );
        assert!(zone.hint().contains("Europe/Berlin"));
    }
}
