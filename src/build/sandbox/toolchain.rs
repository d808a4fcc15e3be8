//! The pinned compiler: clang, lld and the binary tools, the resource headers that clang brings
//! and the headers of Linux. The C library is a component like any other.
//!
//! Recipes never call it directly but through wrappers that fix the target, so that
//! `cc`, `ar`, `ranlib` and `ld` on `PATH` are all a `configure` script can find.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;

use self::programs::Programs;
use super::Error;
use crate::base::target::Target;
use crate::build::recipe;

mod debian;
mod programs;

/// Whose build of the compiler is used: the bytes that it gives are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Toolchain {
    /// The wheel of zig, one file with all of it.
    #[default]
    Zig,
    /// Debian's packages.
    Debian,
}

/// A text that names no toolchain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a toolchain: expected `zig` or `debian`")]
pub struct ParseToolchainError {
    /// The text as it was given.
    pub text: String,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zig => "zig",
            Self::Debian => "debian",
        })
    }
}

impl FromStr for Toolchain {
    type Err = ParseToolchainError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "zig" => Ok(Self::Zig),
            "debian" => Ok(Self::Debian),
            _ => Err(ParseToolchainError {
                text: text.to_owned(),
            }),
        }
    }
}

/// What is kept of the wheel, below its top folder: the program, the headers of clang, and
/// those of Linux for the machines that an image can be for.
const KEPT: &[&str] = &[
    "LICENSE",
    "zig",
    "lib/include",
    "lib/libc/include/aarch64-linux-any",
    "lib/libc/include/any-linux-any",
    "lib/libc/include/riscv-linux-any",
    "lib/libc/include/x86-linux-any",
];

/// Where its headers lie in the toolchain, and whence they come.
const HEADERS: &[(&str, &str)] = &[
    ("lib/include", "include/clang"),
    ("lib/libc/include/aarch64-linux-any", "include/aarch64"),
    ("lib/libc/include/any-linux-any", "include/linux"),
    ("lib/libc/include/riscv-linux-any", "include/riscv64"),
    ("lib/libc/include/x86-linux-any", "include/x86_64"),
];

impl Toolchain {
    /// What is kept of its archives, for its key.
    pub fn kept(self) -> &'static [&'static str] {
        match self {
            Self::Zig => KEPT,
            Self::Debian => debian::KEPT,
        }
    }

    /// Whether a path in the archive of its part `name` is unpacked.
    pub fn wanted(self, name: &str, path: &Path) -> bool {
        match self {
            Self::Zig => {
                // The first part is the top folder, whatever its name.
                let below: PathBuf = path.components().skip(1).collect();
                KEPT.iter().any(|kept| below.starts_with(kept))
            }
            Self::Debian => debian::wanted(name, path),
        }
    }

    /// Moves what was unpacked of a part to where the wrappers expect it, in `out`.
    ///
    /// # Errors
    /// When something that is needed is not there, or cannot be moved.
    pub fn arrange(self, unpacked: &Path, out: &Path) -> Result<(), Error> {
        for folder in ["libexec/lib", "include"] {
            fs::create_dir_all(out.join(folder))?;
        }
        if self == Self::Debian {
            return debian::arrange(unpacked, out);
        }
        // Below `ziglang` in a wheel, below a folder with its version in upstream's tarball.
        let in_wheel = unpacked.join("ziglang");
        let tree = if in_wheel.is_dir() {
            &*in_wheel
        } else {
            unpacked
        };
        fs::rename(tree.join("zig"), out.join("libexec/zig"))?;
        for (from, to) in HEADERS {
            fs::rename(tree.join(from), out.join(to))?;
        }
        Ok(())
    }

    fn programs(self) -> Programs {
        let zig = |what: &str| format!("/toolchain/libexec/zig {what}");
        match self {
            Self::Zig => Programs {
                clang: zig("clang"),
                ar: zig("ar"),
                ranlib: zig("ranlib"),
                ld: zig("ld.lld"),
                own: None,
            },
            Self::Debian => debian::programs(),
        }
    }
}

/// The options of every call of clang. Another build of the same compiler gives the same bytes
/// with them: no version in `.comment`, and no call of a mathematical function is computed
/// ahead, which clang does by the C library that it runs with itself.
const SAME: &str = "--sysroot=/nonexistent -fno-ident -mllvm -disable-fp-call-folding -nostdinc";

/// The options of every link: a static, position-independent executable whatever `configure`
/// believes, which also keeps `-static` out of the flags of projects that read more into it
/// (OpenSSL turns its threads off). musl takes the size of the main stack as that of its
/// threads', up to 8 MiB.
const LINK: &str = "-fPIE -Wno-unused-command-line-argument -nostdlib -static-pie \
    --ld-path=/toolchain/bin/ld \
    -Wl,-O2,--gc-sections,--build-id=none,-z,relro,-z,now,-z,stack-size=16777216";

impl Toolchain {
    /// The compilers and binary tools, as scripts: (path below the toolchain's folder, text).
    ///
    /// The CPU is the target's baseline, never the host's. `LLD_VERSION` is what lld writes
    /// into `.comment` instead of its version.
    pub fn wrappers(self, target: Target) -> Vec<(String, String)> {
        let Programs {
            ar,
            ranlib,
            ld,
            own,
            ..
        } = self.programs();
        let plain = |program: &str| format!("#!/tools/sh\nexec {program} \"$@\"\n");
        let mut all: Vec<(String, String)> = [
            ("bin/cc", self.compiler(target, "")),
            ("bin/ar", plain(&ar)),
            ("bin/ranlib", plain(&ranlib)),
            ("bin/ld", plain(&ld)),
        ]
        .map(|(path, text)| (path.to_owned(), text))
        .into();
        all.extend(own);
        all
    }

    /// The compiler for the machine that builds, for steps that build for another one: as those
    /// of [`Toolchain::wrappers`], but below the step's own folder.
    pub fn build_compiler(self, native: Target) -> (String, String) {
        let text = self.compiler(native, recipe::BUILD);
        (format!("bin/{}cc", recipe::BUILD), text)
    }

    /// The script that compiles for `target`, with the C library whose name in `/deps` begins
    /// with `prefix`.
    fn compiler(self, target: Target, prefix: &str) -> String {
        let clang = self.programs().clang;
        let machine = target.machine();
        let libc = format!("/deps/{prefix}{}", recipe::LIBC);
        let runtime = match target.long_double_has_128_bits() {
            true => format!(" /deps/{prefix}{}/lib/libbuiltins.a", recipe::RUNTIME),
            false => String::new(),
        };
        format!(
            r#"#!/tools/sh
set -- --target={target} {SAME} -isystem /toolchain/include/clang -isystem {libc}/include \
    -isystem /toolchain/include/{machine} -isystem /toolchain/include/linux "$@"
for argument do
    case $argument in
    -c | -E | -S) exec {clang} "$@" ;;
    esac
done
export LLD_VERSION='Linker: LLD'
exec {clang} {LINK} -L{libc}/lib {libc}/lib/rcrt1.o "$@" {libc}/lib/libc.a{runtime}
"#
        )
    }

    /// Writes these scripts below `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(folder: &Path, scripts: &[(String, String)]) -> Result<(), Error> {
        use std::io::Write as _;
        for (name, text) in scripts {
            let path = folder.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o755)
                .open(path)?;
            file.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_compilers_are_called_alike() {
        for target in Target::ALL {
            let cc = |toolchain: Toolchain| {
                let mut all = toolchain.wrappers(target).into_iter();
                let (_, text) = all.find(|(path, _)| path == "bin/cc").unwrap();
                text.replace(&toolchain.programs().clang, "CLANG")
            };
            assert_eq!(cc(Toolchain::Zig), cc(Toolchain::Debian));
            assert!(cc(Toolchain::Zig).contains(&format!("--target={target}")));
        }
    }

    #[test]
    fn what_helps_to_build_for_another_machine_is_compiled_for_this_one() {
        for native in Target::ALL {
            let (path, text) = Toolchain::Zig.build_compiler(native);
            assert_eq!(path, "bin/build-cc");
            assert!(text.contains(&format!("--target={native}")));
            assert!(text.contains("/deps/build-musl/lib/libc.a"));
            let runtime = text.contains("/deps/build-compiler-rt/");
            assert_eq!(runtime, native.long_double_has_128_bits());
        }
    }

    #[test]
    fn a_toolchain_reads_as_it_is_written() {
        for toolchain in [Toolchain::Zig, Toolchain::Debian] {
            assert_eq!(toolchain.to_string().parse(), Ok(toolchain));
        }
        assert!("gcc".parse::<Toolchain>().is_err());
    }

    #[test]
    fn what_is_kept_of_the_wheel() {
        for (path, wanted) in [
            ("ziglang/zig", true),
            ("zig-x86_64-linux-0.17.0/zig", true),
            ("ziglang/lib/include/stddef.h", true),
            ("ziglang/lib/libc/include/x86-linux-any/asm/a.h", true),
            ("ziglang/lib/libc/include/arm-linux-any/asm/a.h", false),
            ("ziglang/lib/libc/musl/src/string/memcpy.c", false),
            ("ziglang/lib/std/std.zig", false),
            ("ziglang-0.17.0.dist-info/METADATA", false),
        ] {
            let found = Toolchain::Zig.wanted("zig", Path::new(path));
            assert_eq!(found, wanted, "{path}");
        }
    }
}
