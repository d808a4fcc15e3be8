//! The name a relay is listed under.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A relay's nickname: 1 to 19 letters and digits (tor's manual, `Nickname`). Public.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nickname(String);

impl Nickname {
    /// The longest that tor takes, in characters.
    pub const LONGEST: usize = 19;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nickname {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = match text.chars().find(|c| !c.is_ascii_alphanumeric()) {
            Some(character) => format!("`{character}`"),
            None if text.is_empty() => "nothing".to_owned(),
            None if text.len() > Self::LONGEST => format!("{} characters", text.len()),
            None => return Ok(Self(text.to_owned())),
        };
        Err(Error::Nickname {
            given: text.to_owned(),
            found,
            longest: Self::LONGEST,
        })
    }
}

impl fmt::Display for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits() {
        for good in ["a", "Relay1", "abcdefghijklmnopqrs"] {
            assert_eq!(good.parse::<Nickname>().unwrap().as_str(), good);
        }
        for bad in ["", "my relay", "my-relay", "relé", "abcdefghijklmnopqrst"] {
            assert!(bad.parse::<Nickname>().is_err(), "{bad}");
        }
        insta::assert_snapshot!(
            "my-relay".parse::<Nickname>().unwrap_err(),
            @"nickname `my-relay`: expected 1 to 19 letters and digits, got `-`"
        );
    }
}
