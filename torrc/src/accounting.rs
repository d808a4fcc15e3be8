//! How much a relay may carry in a day, a week or a month.

use std::fmt;
use std::str::FromStr;

use super::{Bandwidth, Error, Volume};

/// A limit for each period; a relay that has used it up sleeps until the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounting {
    /// The most in either direction, whichever is more.
    pub max: Volume,
    /// When a period begins; tor's default is `month 1 00:00`.
    pub start: Option<Start>,
    /// What is counted; tor's default is `max`.
    pub rule: Option<Rule>,
}

/// What of a relay's traffic is counted (tor's manual, `AccountingRule`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Each direction by itself; the higher one counts.
    Max,
    /// Both directions together, as most providers do.
    Sum,
    /// What comes in.
    In,
    /// What goes out.
    Out,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Max, Self::Sum, Self::In, Self::Out];

    /// Its name in the torrc.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Sum => "sum",
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// What is counted, in words.
    pub fn said(self) -> &'static str {
        match self {
            Self::Max => "in either direction",
            Self::Sum => "in both directions together",
            Self::In => "coming in",
            Self::Out => "going out",
        }
    }

    /// How much of `max` bytes each direction may use: both may run at the full rate.
    pub(super) fn each_way(self, max: u64) -> u64 {
        match self {
            Self::Sum => max / 2,
            Self::Max | Self::In | Self::Out => max,
        }
    }
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.name() == text)
            .ok_or_else(|| Error::AccountingStart {
                given: text.to_owned(),
                reason: "expected max, sum, in or out".to_owned(),
            })
    }
}

/// When an accounting period begins, in the relay's local time (tor's manual,
/// `AccountingStart`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    period: Period,
    hour: u8,
    minute: u8,
}

/// How long an accounting period is and on which day it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From that day of a month, 1 to 28, to the same of the next.
    Month(u8),
    /// From that day of a week, Monday being 1, to the same of the next.
    Week(u8),
    /// From one day to the next.
    Day,
}

impl Start {
    /// The period.
    pub fn period(self) -> Period {
        self.period
    }
}

impl Default for Start {
    fn default() -> Self {
        Self {
            period: Period::Month(1),
            hour: 0,
            minute: 0,
        }
    }
}

impl Period {
    /// Its length in seconds; a month's is the average.
    pub fn seconds(self) -> u64 {
        const DAY: u64 = 24 * 60 * 60;
        match self {
            Self::Month(_) => DAY * 487 / 16,
            Self::Week(_) => DAY * 7,
            Self::Day => DAY,
        }
    }

    /// `month`, `week` or `day`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Month(_) => "month",
            Self::Week(_) => "week",
            Self::Day => "day",
        }
    }
}

impl FromStr for Start {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::AccountingStart {
            given: text.to_owned(),
            reason: reason.to_owned(),
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let unit = words.first().copied().unwrap_or_default();
        let day = |last: u8, reason| {
            let day = words.get(1).and_then(|day| number(day, last));
            day.filter(|&day| day > 0).ok_or_else(|| refuse(reason))
        };
        let period = if unit.eq_ignore_ascii_case("month") {
            Period::Month(day(28, "the day of a month is 1 to 28")?)
        } else if unit.eq_ignore_ascii_case("week") {
            Period::Week(day(7, "the day of a week is 1, Monday, to 7")?)
        } else if unit.eq_ignore_ascii_case("day") {
            Period::Day
        } else {
            return Err(refuse("it begins with none of month, week and day"));
        };
        let at = if period == Period::Day { 1 } else { 2 };
        let time = words.get(at).and_then(|time| time.split_once(':'));
        let (Some((hour, minute)), true) = (time, words.len() == at + 1) else {
            return Err(refuse("it does not end with a time like 00:00"));
        };
        match (number(hour, 23), number(minute, 59)) {
            (Some(hour), Some(minute)) => Ok(Self {
                period,
                hour,
                minute,
            }),
            _ => Err(refuse("its time is not between 00:00 and 23:59")),
        }
    }
}

fn number(text: &str, most: u8) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| digits && number <= most)
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            period,
            hour,
            minute,
        } = self;
        match period {
            Period::Month(day) | Period::Week(day) => write!(f, "{} {day} ", period.name())?,
            Period::Day => f.write_str("day ")?,
        }
        write!(f, "{hour:02}:{minute:02}")
    }
}

/// How long `max` bytes last at full `rate`, in seconds.
pub(super) fn lasts(max: u64, rate: Bandwidth) -> u64 {
    max / rate.bytes().max(1)
}

/// The rate at which `max` bytes last for the whole `period`.
pub(super) fn steady(max: u64, period: Period) -> Bandwidth {
    Bandwidth::from_bytes(max / period.seconds())
}

/// A length of time for people: `22 hours`, `3 days`.
pub(super) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_tor_reads_it() {
        let table = [
            ("month 1 00:00", "month 1 00:00"),
            ("Month  28 0:00", "month 28 00:00"),
            ("week 7 23:59", "week 7 23:59"),
            ("day 6:05", "day 06:05"),
        ];
        for (text, written) in table {
            assert_eq!(text.parse::<Start>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_tor_refuses() {
        let bad = [
            "",
            "month",
            "month 1",
            "month 0 00:00",
            "month 29 00:00",
            "week 8 00:00",
            "day 1 00:00",
            "day 24:00",
            "day 00:60",
            "day 0000",
            "year 1 00:00",
            "month 1 00:00 x",
            "day +1:00",
            "day :00",
            "day 00:",
        ];
        for text in bad {
            assert!(text.parse::<Start>().is_err(), "{text}");
        }
        insta::assert_snapshot!(
            "month 31 00:00".parse::<Start>().unwrap_err(),
            @"accounting start `month 31 00:00`: the day of a month is 1 to 28"
        );
    }

    #[test]
    fn how_long_it_lasts() {
        let max = "1TB".parse::<Volume>().unwrap().bytes();
        assert_eq!(span(lasts(max, "100Mbit".parse().unwrap())), "22 hours");
        assert_eq!(steady(max, Period::Month(1)).to_string(), "3.04 Mbit/s");
        assert_eq!(span(1), "1 second");
    }
}
