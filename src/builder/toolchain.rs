//! The pinned compiler: `zig cc`, which is clang, lld and musl in one static tree.
//!
//! Recipes never call it directly but through wrappers that fix the target, so that
//! `cc`, `ar`, `ranlib` and `ld` on `PATH` are all a `configure` script can find.

use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::Error;
use crate::target::Target;

/// Parts of the compiler's tree that a C compiler for musl does not read: together two
/// thirds of its files.
const UNUSED: &[&str] = &[
    "doc",
    "lib/build-web",
    "lib/docs",
    "lib/init",
    "lib/libc/darwin",
    "lib/libc/freebsd",
    "lib/libc/glibc",
    "lib/libc/mingw",
    "lib/libc/netbsd",
    "lib/libc/wasi",
    "lib/libcxx",
    "lib/libcxxabi",
    "lib/libtsan",
    "lib/libunwind",
];

/// Whether a path of the compiler's archive is unpacked. The first part of it is the top
/// folder, whatever its name.
pub fn wanted(path: &Path) -> bool {
    let below: PathBuf = path.components().skip(1).collect();
    !UNUSED.iter().any(|unused| below.starts_with(unused))
}

/// The compilers and binary tools, as scripts: (name, text).
///
/// What only compiles goes to clang itself: `zig cc` takes three times as long over a small
/// file, because it looks into its cache first, and it reads more into `-O2` than clang
/// does (`NDEBUG`). What links goes to `zig cc`, which makes the C library when it is first
/// asked for it; it links static position-independent executables whatever `configure`
/// believes, which also keeps `-static` out of the flags of projects that read more into it
/// (OpenSSL turns its threads off). The CPU is the target's baseline, never the host's.
pub fn wrappers(target: Target) -> [(&'static str, String); 4] {
    let zig = "/toolchain/zig/zig";
    let any = match target {
        Target::X86_64 => "x86-linux-any",
        Target::Aarch64 => "aarch64-linux-any",
    };
    let cc = format!(
        r#"#!/tools/sh
for argument do
    case $argument in
    -c | -E | -S)
        lib=/toolchain/zig/lib
        exec {zig} clang --target={target} -nostdinc -isystem $lib/include \
            -isystem $lib/libc/include/{target} -isystem $lib/libc/include/generic-musl \
            -isystem $lib/libc/include/{any} -isystem $lib/libc/include/any-linux-any "$@"
        ;;
    esac
done
exec {zig} cc -target {target} -mcpu=baseline -static -fPIE -pie "$@"
"#
    );
    let plain = |what: &str| format!("#!/tools/sh\nexec {zig} {what} \"$@\"\n");
    [
        ("cc", cc),
        ("ar", plain("ar")),
        ("ranlib", plain("ranlib")),
        ("ld", plain("ld.lld")),
    ]
}

/// The compiler's tree in an unpacked archive of either carrier: the wheel holds it under
/// `ziglang`, upstream's tarball under a folder with its version.
pub fn tree(unpacked: &Path) -> PathBuf {
    let in_wheel = unpacked.join("ziglang");
    if in_wheel.is_dir() {
        in_wheel
    } else {
        unpacked.to_path_buf()
    }
}

/// Writes the wrappers for `target` into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_wrappers(folder: &Path, target: Target) -> Result<(), Error> {
    use std::io::Write as _;
    fs::create_dir_all(folder)?;
    for (name, text) in wrappers(target) {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(folder.join(name))?;
        file.write_all(text.as_bytes())?;
    }
    Ok(())
}
