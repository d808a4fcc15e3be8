//! What a sandbox starts in, as a program of its own: for whoever uses the library without
//! calling [`enter`](relaysmith::build::sandbox::enter) first thing in `main`, and for its tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    relaysmith::build::sandbox::enter();
    // It was started by hand.
    ExitCode::from(2)
}
