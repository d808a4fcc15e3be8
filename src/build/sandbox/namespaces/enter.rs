//! The way back into this program: a sandbox starts as this very program, called again.
//!
//! What has to happen between leaving this process and running the command (namespaces,
//! mounts, privileges) needs a process with one thread, and Rust code in it; a fork of a
//! process that has many threads must not run any. So the program is started afresh, twice:
//! as the keeper (see [`super::keeper`]) and, inside the new namespaces, as what becomes the
//! command (see [`super::init`]).

use std::ffi::OsStr;
use std::sync::atomic::Ordering;

use super::again::{CALLED, INIT, KEEPER};
use super::{init, keeper};

/// To be called first thing in `main`, before there is a second thread: if this process was
/// started to make a sandbox, that is what it does, and this does not return.
pub fn enter() {
    CALLED.store(true, Ordering::Relaxed);
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(first), None) if first == OsStr::new(KEEPER) => keeper::run(),
        (Some(first), None) if first == OsStr::new(INIT) => init::run(),
        _ => {}
    }
}
