//! Points in time in UTC, between seconds since 1970 and the Gregorian calendar.

use std::time::{SystemTime, UNIX_EPOCH};

/// Days from 0000-03-01 to 1970-01-01. Years are counted from March here, so that a leap day
/// is a year's last; 400 of them have 146097 days.
const TO_1970: i64 = 719_468;

/// Seconds since 1970 as RFC 3339 writes them: `2016-05-09T17:36:35Z`.
pub fn rfc3339(epoch: u64) -> String {
    let second = epoch % 86_400;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", day(epoch))
}

/// The day of a time in seconds since 1970: `2016-05-09`.
pub fn day(epoch: u64) -> String {
    let (year, month, day) = civil(i64::try_from(epoch / 86_400).unwrap_or(i64::MAX));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day of `time`: `2016-05-09`.
pub fn day_of(time: SystemTime) -> String {
    day(epoch(time))
}

/// Whole seconds since 1970; anything earlier is 1970.
pub fn epoch(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs()
}

/// The Gregorian date of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(TO_1970);
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

/// Days from 1970-01-01 to a Gregorian date, which must exist.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap + (153 * month + 2) / 5 + day - 1 - TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_gnu_date_writes_them() {
        // From `date -u -d @N --rfc-3339=seconds`.
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (978_220_800, "2000-12-31T00:00:00Z"),
            (1_462_815_395, "2016-05-09T17:36:35Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (8_589_934_591, "2242-03-16T12:56:31Z"),
        ] {
            assert_eq!(rfc3339(epoch), text);
            assert_eq!(day(epoch), text[..10]);
        }
    }

    #[test]
    fn a_day_is_found_again() {
        for number in (-800_000..800_000).step_by(17) {
            let (year, month, day) = civil(number);
            assert_eq!(days(year, month, day), number, "{year}-{month}-{day}");
        }
    }
}
