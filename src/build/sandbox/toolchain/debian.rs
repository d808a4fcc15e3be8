//! Debian's packages as a toolchain: its programs with the libraries that they are linked with,
//! run by their own loader, so that nothing of the host is loaded into them.

use std::ffi::OsStr;
use std::path::Path;

use fs_err as fs;

use super::programs::Programs;
use crate::build::sandbox::Error;

/// Where Debian has its libraries, below `usr`.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// The programs, in the folder of LLVM.
const PROGRAMS: &[&str] = &["clang", "lld", "llvm-ar"];

/// The package with the headers of Linux.
const LINUX: &str = "linux-libc-dev";

/// Where the headers of Linux lie in it below `usr`, and in the toolchain.
const HEADERS: &[(&str, &str)] = &[
    ("include", "include/linux"),
    ("lib/linux/uapi/arm64", "include/aarch64"),
    ("lib/linux/uapi/riscv", "include/riscv64"),
    ("lib/linux/uapi/x86", "include/x86_64"),
];

/// What is kept of the packages, in words for the key.
pub(super) const KEPT: &[&str] = &["libraries", "clang", "lld", "llvm-ar", "headers"];

/// Whether a path of the package `name` is unpacked.
pub(super) fn wanted(name: &str, path: &Path) -> bool {
    let Ok(path) = path.strip_prefix("usr") else {
        return false;
    };
    if name == LINUX {
        // The folder of a machine holds links to the headers, which are taken themselves.
        let of_machine = path.iter().nth(1).and_then(OsStr::to_str);
        let of_machine = of_machine.is_some_and(|it| it.contains("-linux-gnu"));
        return !of_machine && HEADERS.iter().any(|(from, _)| path.starts_with(from));
    }
    if path.parent() == Some(Path::new(LIBRARIES)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return name.contains(".so");
    }
    let parts: Vec<&str> = path.iter().filter_map(OsStr::to_str).collect();
    match parts[..] {
        ["lib", llvm, "bin", program] => llvm.starts_with("llvm-") && PROGRAMS.contains(&program),
        ["lib", llvm, "lib", "clang", _, "include", ..] => llvm.starts_with("llvm-"),
        _ => false,
    }
}

/// Moves what was unpacked of one package to its place in `out`.
pub(super) fn arrange(unpacked: &Path, out: &Path) -> Result<(), Error> {
    let usr = match unpacked.file_name() {
        Some(name) if name == "usr" => unpacked.to_path_buf(),
        _ => unpacked.join("usr"),
    };
    for (from, to) in HEADERS {
        if usr.join(from).is_dir() {
            fs::rename(usr.join(from), out.join(to))?;
        }
    }
    move_all(&usr.join(LIBRARIES), &out.join("libexec/lib"))?;
    let Ok(lib) = fs::read_dir(usr.join("lib")) else {
        return Ok(());
    };
    for entry in lib {
        let llvm = entry?.path();
        let versions = llvm.join("lib/clang");
        if let Ok(versions) = fs::read_dir(versions) {
            for version in versions {
                let headers = version?.path().join("include");
                fs::rename(headers, out.join("include/clang"))?;
            }
        }
        move_all(&llvm.join("bin"), &out.join("libexec"))?;
    }
    Ok(())
}

/// Moves everything in the folder `from`, if there is one, into the folder `to`.
fn move_all(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// How its programs are called: by the loader, under the name that makes each of lld and
/// llvm-ar the program it should be. For a link clang calls itself, by the name that it was
/// called by: so that is a script, too.
pub(super) fn programs() -> Programs {
    const CLANG: &str = "/toolchain/libexec/run-clang";
    let run = |name: &str, program: &str| {
        format!(
            "/toolchain/libexec/lib/ld-linux-x86-64.so.2 --library-path /toolchain/libexec/lib \
             --argv0 {name} /toolchain/libexec/{program}"
        )
    };
    let script = format!("#!/tools/sh\nexec {} \"$@\"\n", run(CLANG, "clang"));
    Programs {
        clang: format!("{CLANG} -no-canonical-prefixes"),
        ar: run("ar", "llvm-ar"),
        ranlib: run("ranlib", "llvm-ar"),
        ld: run("ld.lld", "lld"),
        own: Some(("libexec/run-clang".to_owned(), script)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_package() {
        for (name, path, kept) in [
            ("libz3-4", "usr/lib/x86_64-linux-gnu/libz3.so.4", true),
            (
                "libc6",
                "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                true,
            ),
            ("libc6", "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", false),
            ("libc6", "usr/share/doc/libc6/copyright", false),
            ("libc6", "etc/ld.so.conf", false),
            ("clang-22", "usr/lib/llvm-22/bin/clang", true),
            ("clang-22", "usr/bin/clang-22", false),
            ("llvm-22", "usr/lib/llvm-22/bin/llvm-ar", true),
            ("llvm-22", "usr/lib/llvm-22/bin/opt", false),
            (
                "libclang-common-22-dev",
                "usr/lib/llvm-22/lib/clang/22/include/stddef.h",
                true,
            ),
            ("linux-libc-dev", "usr/include/linux/types.h", true),
            ("linux-libc-dev", "usr/lib/linux/uapi/x86/asm/types.h", true),
            (
                "linux-libc-dev",
                "usr/lib/linux/uapi/arm/asm/types.h",
                false,
            ),
            (
                "linux-libc-dev",
                "usr/include/x86_64-linux-gnu/asm/a.h",
                false,
            ),
            ("libedit2", "usr/include/histedit.h", false),
        ] {
            assert_eq!(wanted(name, Path::new(path)), kept, "{path}");
        }
    }
}
