//! Namespaces of its own for the driver and all it starts.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

const MARK: &str = "--inside";

/// An address that tor takes for public and nobody has: TEST-NET-3 of RFC 5737.
pub const fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, host)
}

/// Starts this program again inside new namespaces, as their root; there, returns the
/// arguments. When the outer one dies, however it dies, so does everything inside.
///
/// # Errors
/// When the namespaces cannot be made.
pub fn enter() -> Result<Vec<OsString>> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == MARK) {
        arguments.remove(0);
        run("ip", &["link", "set", "lo", "up"])?;
        // On the loopback interface the whole network becomes local.
        let network = format!("{}/24", address(1));
        run("ip", &["address", "add", &network, "dev", "lo"])?;
        return Ok(arguments);
    }
    let program = std::env::current_exe().context("finding this program")?;
    let error = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--pid"])
        .args(["--mount-proc", "--fork", "--kill-child", "--"])
        .arg(program)
        .arg(MARK)
        .args(arguments)
        .exec();
    Err(error).context("running `unshare`, which util-linux has")
}

/// Runs a program of this machine to its end.
///
/// # Errors
/// When it cannot be run or fails.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("running `{program}`"))?;
    if !output.status.success() {
        bail!(
            "`{program} {}`: {}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
