//! Keeping current, against a server that lies: whatever it says, either everything is right
//! or nothing is changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with the tests of trust")]
#[path = "../verify/material.rs"]
mod material;
#[allow(dead_code, reason = "shared with the tests of fetching")]
#[path = "../fetch/server.rs"]
mod server;

mod build;
mod certificates;
mod evidence;
mod git_host;
mod project;
mod real;
mod site;
mod tor;
