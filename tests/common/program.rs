//! Programs that a test writes and then runs.

use std::path::Path;

/// Writes a program, by another process: what this one has open for writing, the children of other
/// tests may have inherited, and then it cannot be run.
pub(crate) fn write_program(path: &Path, text: &str) {
    let script = "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let written = std::process::Command::new("sh")
        .args([
            "-c".as_ref(),
            script.as_ref(),
            path.as_os_str(),
            text.as_ref(),
        ])
        .status();
    assert!(written.unwrap().success());
}
