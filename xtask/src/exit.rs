//! Exit codes of several subcommands, besides the general ones in `main.rs`.

/// What was built or compared is not the same.
pub(crate) const DIFFERENT: u8 = 3;
/// There is no record to compare with.
pub(crate) const ABSENT: u8 = 4;
