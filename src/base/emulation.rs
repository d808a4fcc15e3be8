//! Whether this kernel runs programs for another machine.

use std::path::Path;

use crate::base::target::Target;

/// Where the kernel lists who runs what: its `binfmt_misc`.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";

/// Whether programs for `target` run here, in a sandbox too, by qemu's emulation; if not, why.
///
/// # Errors
/// The reason.
pub fn emulates(target: Target) -> Result<(), String> {
    emulates_by(Path::new(FORMATS), target)
}

fn emulates_by(formats: &Path, target: Target) -> Result<(), String> {
    // As Debian's qemu calls itself: `qemu-aarch64-static`, `aarch64-binfmt-P`.
    let names = [
        format!("qemu-{}-", target.machine()),
        format!("/{}-binfmt", target.machine()),
    ];
    let entries = fs_err::read_dir(formats).into_iter().flatten().flatten();
    let mut texts = entries.filter_map(|entry| fs_err::read_to_string(entry.path()).ok());
    // By F the kernel keeps qemu open, which is not to be seen in a sandbox.
    let runs = |text: &String| {
        let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
        text.lines().next() == Some("enabled")
            && line("interpreter ").is_some_and(|path| names.iter().any(|name| path.contains(name)))
            && line("flags: ").is_some_and(|flags| flags.contains('F'))
    };
    match texts.any(|text| runs(&text)) {
        true => Ok(()),
        false => Err(format!(
            "the kernel was not told to run programs for {} by qemu, with the flag F: it takes root, \
             qemu-user-static and binfmt_misc",
            target.machine()
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_was_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            fs_err::write(folder.path().join("entry"), text).unwrap();
            emulates_by(folder.path(), Target::Aarch64).is_ok()
        };
        let entry = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n";
        assert!(told(entry));
        let other = "/usr/libexec/qemu-binfmt/aarch64-binfmt-P";
        assert!(told(&entry.replace("/usr/bin/qemu-aarch64-static", other)));
        for (from, to) in [
            ("enabled", "disabled"),
            ("aarch64", "riscv64"),
            ("OCF", "OC"),
        ] {
            assert!(!told(&entry.replace(from, to)), "{to}");
        }
        assert!(emulates_by(&folder.path().join("none"), Target::Aarch64).is_err());
    }
}
