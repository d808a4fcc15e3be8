//! Points in time as reports show them: UTC, from years alone to seconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// The day of `time` in UTC: `2016-05-09`.
pub(super) fn day(time: SystemTime) -> String {
    let (year, month, day) = civil(seconds(time).div_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `time` by RFC 3339: `2016-05-09T17:36:35Z`.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let second = seconds(time).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", day(time))
}

/// Seconds since 1970; OpenPGP knows no earlier time.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so
/// that a leap day is a year's last; 400 of them have 146097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // From 0000-03-01.
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + carry, month, day - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_answers() {
        // From `date -u -d @N --rfc-3339=seconds`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (978_220_800, "2000-12-31T00:00:00Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_462_815_395, "2016-05-09T17:36:35Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), expected);
        }
    }
}
