//! Versions of tor: `major.minor.micro.patchlevel`, the first three naming the series.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A released version, such as 0.4.9.11. Those with a suffix (`-alpha`, `-rc`) are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u32; 4]);

/// The versions that share their first three numbers, and their end of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series([u32; 3]);

impl Version {
    /// The series it is of.
    pub fn series(self) -> Series {
        let [major, minor, micro, _] = self.0;
        Series([major, minor, micro])
    }
}

/// Reads `N` numbers between dots, each in the one way to write it.
fn numbers<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut parts = text.split('.');
    let mut numbers = [0; N];
    for number in &mut numbers {
        let part = parts.next()?;
        *number = part.parse().ok()?;
        if number.to_string() != part {
            return None;
        }
    }
    parts.next().is_none().then_some(numbers)
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        numbers(text).map(Self).ok_or(())
    }
}

impl FromStr for Series {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        numbers(text).map(Self).ok_or(())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|number| number.to_string()).join("."))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|number| number.to_string()).join("."))
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("0.4.9.9") < version("0.4.9.11"));
        assert!(version("0.4.9.11") < version("0.5.0.1"));
        assert_eq!(version("0.4.9.11").series().to_string(), "0.4.9");
    }

    #[test]
    fn what_is_no_version() {
        for text in [
            "",
            "0.4.9",
            "0.4.9.11.1",
            "0.4.9.11-alpha",
            "0.4.9.1-rc",
            "0.4.9.011",
            "0.4.9.+1",
            "0.4.9. 1",
            "0.4.9.99999999999",
            "0.4.9.",
            "0.4.9.1/../../x",
        ] {
            assert_eq!(text.parse::<Version>(), Err(()), "{text}");
        }
    }
}
