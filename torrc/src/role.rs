//! What a relay does in the network.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Error;

/// The three ways to run a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An entry that is not in the public list of relays.
    Bridge,
    /// A relay that passes traffic on inside the network; the network makes it a guard
    /// when it has been fast and stable for a while.
    Middle,
    /// A relay from which traffic leaves the network.
    Exit,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bridge, Self::Middle, Self::Exit];

    /// Its name, as in the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Middle => "middle",
            Self::Exit => "exit",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| Error::Role {
            given: text.to_owned(),
        })
    }
}
