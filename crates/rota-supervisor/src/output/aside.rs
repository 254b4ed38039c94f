//! Log files that were put aside: their names, and when that is due.
//!
//! `api-out-0.log` becomes `api-out-0.log.20260131T235959.123Z`, the moment in UTC, and later
//! `api-out-0.log.20260131T235959.123Z.gz`. No file is renamed twice, so that one which is being read stays where it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use rota_config::Period;

/// The end of the name of a compressed file.
const GZ: &str = ".gz";
/// The end of the name of one that is being compressed.
pub(super) const PART: &str = ".gz.part";

/// What a file in the folder of a log is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Plain,
    Compressed,
    /// Compressed in part: what somebody left who was killed over it.
    Part,
}

/// A file that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Aside {
    /// When, as it stands in the name; sorts by time.
    pub stamp: String,
    pub state: State,
}

impl Aside {
    /// Reads a name beside that of the log; `None`: it is something else.
    pub fn parse(log: &str, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(log)?.strip_prefix('.')?;
        let (stamp, state) = if let Some(stamp) = rest.strip_suffix(PART) {
            (stamp, State::Part)
        } else if let Some(stamp) = rest.strip_suffix(GZ) {
            (stamp, State::Compressed)
        } else {
            (rest, State::Plain)
        };
        moment(stamp)?;
        Some(Self {
            stamp: stamp.to_owned(),
            state,
        })
    }

    /// Its name.
    pub fn name(&self, log: &str) -> String {
        let end = match self.state {
            State::Plain => "",
            State::Compressed => GZ,
            State::Part => PART,
        };
        format!("{log}.{}{end}", self.stamp)
    }

    /// When it was put aside, in milliseconds since the Unix epoch.
    pub fn moment(&self) -> u64 {
        moment(&self.stamp).unwrap_or(0)
    }
}

/// The moment as it stands in names.
pub(super) fn stamp(millis: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    humantime::format_rfc3339_millis(time.unwrap_or(UNIX_EPOCH))
        .to_string()
        .replace(['-', ':'], "")
}

fn moment(stamp: &str) -> Option<u64> {
    let plain = stamp.len() == "20260131T235959.123Z".len() && stamp.is_ascii();
    plain.then_some(())?;
    let (day, time) = stamp.split_once('T')?;
    let (y, m, d) = (day.get(..4)?, day.get(4..6)?, day.get(6..)?);
    let (hour, min, sec) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    let time = humantime::parse_rfc3339(&format!("{y}-{m}-{d}T{hour}:{min}:{sec}")).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// The folder of a log, and its name there.
pub(super) fn split(path: &Path) -> (PathBuf, String) {
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (folder, name.into_owned())
}

/// What was put aside of a log, oldest first.
pub(super) fn list(path: &Path) -> Vec<Aside> {
    let (folder, name) = split(path);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut all: Vec<Aside> = entries
        .filter_map(|entry| Aside::parse(&name, entry.ok()?.file_name().to_str()?))
        .collect();
    all.sort_unstable();
    all
}

/// When the period ends in which a moment lies, by the clock on the wall; both in milliseconds since the Unix epoch.
pub(super) fn period_end(period: Period, millis: u64) -> u64 {
    end_in(period, millis, TimeZone::system())
        .and_then(|end| u64::try_from(end.timestamp().as_millisecond()).ok())
        // A clock beyond all calendars.
        .unwrap_or(u64::MAX)
}

fn end_in(period: Period, millis: u64, zone: TimeZone) -> Option<Zoned> {
    let at = Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
    let at = at.to_zoned(zone);
    match period {
        Period::Hourly => {
            let begin = at.with().minute(0).second(0).subsec_nanosecond(0);
            begin.build().ok()?.checked_add(1.hour()).ok()
        }
        Period::Daily => at.start_of_day().ok()?.checked_add(1.day()).ok(),
        Period::Weekly => {
            let left = 7 - i64::from(at.weekday().to_monday_zero_offset());
            at.start_of_day().ok()?.checked_add(left.days()).ok()
        }
    }
}

/// A time of the file system, in milliseconds since the Unix epoch.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let text = stamp(1_769_903_999_123);
        assert_eq!(text, "20260131T235959.123Z");
        for state in [State::Plain, State::Compressed, State::Part] {
            let aside = Aside {
                stamp: text.clone(),
                state,
            };
            let name = aside.name("api-out-0.log");
            assert_eq!(Aside::parse("api-out-0.log", &name), Some(aside.clone()));
            assert_eq!(Aside::parse("api-out-1.log", &name), None);
            assert_eq!(aside.moment(), 1_769_903_999_123);
        }
        for name in [
            "api-out-0.log",
            "api-out-0.log.1",
            "api-out-0.log.20261331T235959.123Z",
            "api-out-0.log.20260131T235959.123Z.xz",
            "api-out-0.log.20260131T235959.1é3Z",
            "api-out-0.log.",
        ] {
            assert_eq!(Aside::parse("api-out-0.log", name), None, "{name}");
        }
    }

    #[test]
    fn periods_end_by_the_clock_on_the_wall() {
        let ends = |period, at: &str, zone: &str| {
            let zone = TimeZone::posix(zone).unwrap();
            let at: Timestamp = at.parse().unwrap();
            let end = end_in(period, u64::try_from(at.as_millisecond()).unwrap(), zone);
            end.unwrap().timestamp().to_string()
        };
        let utc = "UTC0";
        let at = "2026-01-30T23:59:59.5Z"; // a Friday
        assert_eq!(ends(Period::Hourly, at, utc), "2026-01-31T00:00:00Z");
        assert_eq!(ends(Period::Daily, at, utc), "2026-01-31T00:00:00Z");
        assert_eq!(ends(Period::Weekly, at, utc), "2026-02-02T00:00:00Z");
        // A day of 23 hours, and half an hour beside the others.
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        assert_eq!(
            ends(Period::Daily, "2026-03-28T23:30:00Z", berlin),
            "2026-03-29T22:00:00Z"
        );
        assert_eq!(
            ends(Period::Hourly, "2026-01-01T00:10:00Z", "IST-5:30"),
            "2026-01-01T00:30:00Z"
        );
    }
}
