//! The pinned compiler: `zig cc`, which is clang, lld and musl in one static tree.
//!
//! Recipes never call it directly but through wrappers that fix the target, so that
//! `cc`, `ar`, `ranlib` and `ld` on `PATH` are all a `configure` script can find.

use std::path::Path;

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

/// Whether a path of the compiler's archive, below its top folder, is unpacked.
pub fn wanted(path: &Path) -> bool {
    !UNUSED.iter().any(|unused| path.starts_with(unused))
}

/// The compilers and binary tools, as scripts: (name, text).
///
/// `cc` links static position-independent executables whatever `configure` believes,
/// which also keeps `-static` out of the flags of projects that read more into it
/// (OpenSSL turns its threads off). The CPU is the target's baseline, never the host's.
pub fn wrappers(target: Target) -> [(&'static str, String); 4] {
    let zig = "/toolchain/zig/zig";
    let cc = format!(
        r#"#!/tools/sh
# The compiler loses the C library's headers when it reads standard input, so that goes
# through a file; makedepend programs rely on its being called <stdin>.
case " $* " in
*" - "*)
    input=$(mktemp /tmp/stdin.XXXXXX).c
    {{ echo '#line 1 "<stdin>"'; cat; }} > "$input"
    for argument do
        shift
        [ "$argument" = - ] && argument=$input
        set -- "$@" "$argument"
    done
    ;;
esac
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
