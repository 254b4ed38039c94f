//! Numbers with units, short.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rota_config::Size;

/// Milliseconds as the two largest units: `350ms`, `5s`, `3m 20s`, `2h 5m`, `4d 1h`.
pub fn span(millis: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let seconds = millis / 1000;
    let first = UNITS
        .iter()
        .position(|(factor, _)| seconds >= *factor)
        .unwrap_or(UNITS.len() - 1);
    let (factor, unit) = UNITS[first];
    let large = format!("{}{unit}", seconds / factor);
    match UNITS.get(first + 1) {
        Some((next, unit)) if seconds % factor / next > 0 => {
            format!("{large} {}{unit}", seconds % factor / next)
        }
        _ => large,
    }
}

/// How long a Unix time in milliseconds is ago.
pub fn since(unix_millis: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_millis();
    let ago = now.saturating_sub(u128::from(unix_millis));
    span(u64::try_from(ago).unwrap_or(u64::MAX))
}

/// Bytes, short: `58.2M`.
pub fn bytes(bytes: u64) -> String {
    Size::from_bytes(bytes).to_string()
}

/// Milliseconds with a fraction, short: `0.4ms`, `12ms`, `1.5s`.
pub fn millis(millis: f64) -> String {
    match millis {
        small if small < 9.95 => format!("{small:.1}ms"),
        middle if middle < 999.5 => format!("{middle:.0}ms"),
        large if large < 99_950.0 => format!("{:.1}s", large / 1000.0),
        // Saturates.
        huge => span(huge as u64),
    }
}

/// So many per second, short: `0.4`, `120`, `15.2k`.
pub fn rate(rate: f64) -> String {
    match rate {
        small if small < 9.95 => format!("{small:.1}"),
        middle if middle < 9999.5 => format!("{middle:.0}"),
        large if large < 999_950.0 => format!("{:.1}k", large / 1000.0),
        huge => format!("{:.1}M", huge / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_short() {
        for (number, time, per_second) in [
            (0.0, "0.0ms", "0.0"),
            (0.44, "0.4ms", "0.4"),
            (9.96, "10ms", "10"),
            (999.4, "999ms", "999"),
            (999.7, "1.0s", "1000"),
            (12_345.0, "12.3s", "12.3k"),
            (100_000.0, "1m 40s", "100.0k"),
        ] {
            assert_eq!(
                (millis(number).as_str(), rate(number).as_str()),
                (time, per_second)
            );
        }
        assert_eq!(rate(2.5e6), "2.5M");
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1000, "1s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (200_000, "3m 20s"),
            (7_500_000, "2h 5m"),
            (7_200_500, "2h"),
            (349_200_000, "4d 1h"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(span(millis), text, "{millis}");
        }
    }
}
