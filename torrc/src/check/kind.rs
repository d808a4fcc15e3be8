//! What kind of value an option takes, and which section of tor's manual has it.

/// The kind of value that an option takes (tor's `CONFIG_TYPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `0` or `1`.
    Bool,
    /// `0`, `1` or `auto`.
    AutoBool,
    /// A whole number.
    Integer,
    /// A whole number that is not negative.
    Positive,
    /// A number.
    Float,
    /// A number of bytes, with a unit.
    Memory,
    /// A length of time in seconds or with a unit.
    Interval,
    /// A length of time in milliseconds or with a unit.
    Milliseconds,
    /// Anything, once.
    Text,
    /// Anything, as often as one likes.
    List,
    /// Skipped by tor with a warning.
    Obsolete,
}

/// A section of tor's manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    General,
    Client,
    Timeouts,
    Dormant,
    Nodes,
    Server,
    Statistics,
    Directory,
    Denial,
    Authority,
    Onion,
    Testing,
    /// The manual does not have it.
    Absent,
}

impl Section {
    pub(super) fn title(self) -> Option<&'static str> {
        Some(match self {
            Self::General => "GENERAL OPTIONS",
            Self::Client => "CLIENT OPTIONS",
            Self::Timeouts => "CIRCUIT TIMEOUT OPTIONS",
            Self::Dormant => "DORMANT MODE OPTIONS",
            Self::Nodes => "NODE SELECTION OPTIONS",
            Self::Server => "SERVER OPTIONS",
            Self::Statistics => "STATISTICS OPTIONS",
            Self::Directory => "DIRECTORY SERVER OPTIONS",
            Self::Denial => "DENIAL OF SERVICE MITIGATION OPTIONS",
            Self::Authority => "DIRECTORY AUTHORITY SERVER OPTIONS",
            Self::Onion => "HIDDEN SERVICE OPTIONS",
            Self::Testing => "TESTING NETWORK OPTIONS",
            Self::Absent => return None,
        })
    }
}
