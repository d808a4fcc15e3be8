//! From pins to bytes: downloads, the registries of this machine, and the store of what came.

mod download;
mod downloads;
mod error;
mod fetched;
mod http;
mod location;
mod redirect;
mod registries;
mod request;
mod survey;

pub use self::error::{Attempt, Bytes, Error, Mismatch, Missing, Reason, Unfetched};
pub use self::fetched::Fetched;
pub(crate) use self::http::Http;
pub use self::http::Patience;
pub use self::location::Location;
pub use self::registries::Machine;
pub use self::request::{Options, fetch, fetch_each};
pub use self::survey::{Availability, survey};
