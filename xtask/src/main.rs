//! The command line of relaysmith: arguments in, library call, report out.

fn main() {}
