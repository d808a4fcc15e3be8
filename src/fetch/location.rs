//! Where bytes come from.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

use super::http::shown;

/// Where bytes were found or sought, on this machine or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An address.
    Address(Url),
    /// A file.
    File(PathBuf),
    /// What an interrupted run had left.
    EarlierRun,
}

impl Location {
    /// Where it is, in a word or two: the host or the directory.
    pub fn brief(&self) -> String {
        match self {
            Self::Address(url) => url.host_str().unwrap_or("").to_owned(),
            Self::File(path) => path.parent().unwrap_or(path).display().to_string(),
            Self::EarlierRun => "an earlier run".to_owned(),
        }
    }
}

impl fmt::Display for Location {
    /// The address, without the password it may carry, or the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(url) => f.write_str(&shown(url)),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::EarlierRun => f.write_str("an earlier run"),
        }
    }
}
