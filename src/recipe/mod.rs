//! How each component is built: a line of the table below and a short script beside it.
//!
//! A script runs in the sandbox by `sh -eu` in the component's source tree. It finds the
//! components it needs, finished, under `/deps/<name>`, its own files under `/build/files`,
//! and leaves its result in `/build/out`, licence texts in `licences/`. It may use the
//! compiler's wrappers, the tools of [`crate::builder::root::TOOLS`] and nothing else.

use crate::target::Target;

/// How one component is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// The component.
    pub name: &'static str,
    /// The name of its source in the manifest; none if all of its source is in `files`.
    pub source: Option<&'static str>,
    /// Files of ours that it needs, as (name, text); they are written to `/build/files`.
    pub files: &'static [(&'static str, &'static str)],
    /// The components it needs finished.
    pub needs: &'static [&'static str],
    /// Whether it links programs, and so needs the C library compiled.
    pub links: bool,
    /// Whether its script runs what it compiled, and so can only be built for the machine that
    /// builds.
    pub native: bool,
    /// The script.
    pub script: &'static str,
}

/// Every component, those on the longest way to the image first: of the steps that can
/// run, the first here starts first.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "openssl",
        source: Some("openssl"),
        files: &[],
        needs: &[],
        links: false,
        native: false,
        script: include_str!("openssl.sh"),
    },
    Recipe {
        name: "tic",
        source: Some("ncurses"),
        files: &[],
        needs: &[],
        links: true,
        native: true,
        script: include_str!("tic.sh"),
    },
    Recipe {
        name: "ncurses",
        source: Some("ncurses"),
        files: &[],
        needs: &["tic"],
        links: true,
        native: false,
        script: include_str!("ncurses.sh"),
    },
    Recipe {
        name: "sqlite",
        source: Some("sqlite"),
        files: &[],
        needs: &[],
        links: false,
        native: false,
        script: include_str!("sqlite.sh"),
    },
    Recipe {
        name: "python",
        source: Some("python"),
        files: &[],
        needs: &["ncurses", "sqlite", "zlib"],
        links: true,
        native: true,
        script: include_str!("python.sh"),
    },
    Recipe {
        name: "stem",
        source: Some("stem"),
        files: &[],
        needs: &[],
        links: false,
        native: false,
        script: include_str!("stem.sh"),
    },
    Recipe {
        name: "nyx",
        source: Some("nyx"),
        files: &[
            ("closure.py", include_str!("nyx/closure.py")),
            ("inittab.py", include_str!("nyx/inittab.py")),
            ("launcher.c", include_str!("nyx/launcher.c")),
            ("left-out.txt", include_str!("nyx/left-out.txt")),
            ("modules.txt", include_str!("nyx/modules.txt")),
            ("pack.py", include_str!("nyx/pack.py")),
        ],
        needs: &["python", "stem", "ncurses", "sqlite", "zlib"],
        links: true,
        native: true,
        script: include_str!("nyx.sh"),
    },
    Recipe {
        name: "libevent",
        source: Some("libevent"),
        files: &[],
        needs: &[],
        links: true,
        native: false,
        script: include_str!("libevent.sh"),
    },
    Recipe {
        name: "zstd",
        source: Some("zstd"),
        files: &[],
        needs: &[],
        links: false,
        native: false,
        script: include_str!("zstd.sh"),
    },
    Recipe {
        name: "zlib",
        source: Some("zlib"),
        files: &[],
        needs: &[],
        links: false,
        native: false,
        script: include_str!("zlib.sh"),
    },
    Recipe {
        name: "mimalloc",
        source: Some("mimalloc"),
        files: &[],
        needs: &[],
        links: false,
        native: false,
        script: include_str!("mimalloc.sh"),
    },
    Recipe {
        name: "tor",
        source: Some("tor"),
        files: &[],
        needs: &["openssl", "libevent", "zstd", "zlib", "mimalloc"],
        links: true,
        native: false,
        script: include_str!("tor.sh"),
    },
    Recipe {
        name: "container",
        source: None,
        files: &[
            ("health.c", include_str!("container/health.c")),
            ("start.c", include_str!("container/start.c")),
        ],
        needs: &[],
        links: true,
        native: false,
        script: include_str!("container.sh"),
    },
];

/// The programs that the Alpine root lacks, each built in it before the components and found
/// there as `/opt/<name>`. A script finds the C compiler for this machine; it leaves `bin/`
/// with the program in `/build/out`.
pub const BUILT_TOOLS: &[Recipe] = &[
    Recipe {
        name: "make",
        source: Some("make"),
        files: &[],
        needs: &[],
        links: true,
        native: true,
        script: include_str!("make.sh"),
    },
    Recipe {
        name: "perl",
        source: Some("perl"),
        files: &[],
        needs: &["make"],
        links: true,
        native: true,
        script: include_str!("perl.sh"),
    },
];

/// What runs before every script: the file mode mask, and the job tokens where
/// make expects them.
pub const PRELUDE: &str = "umask 022\nexec 9<>/jobs\n";

/// Compiles the C library into the compiler's cache.
pub const LIBC: &str = include_str!("libc.sh");

/// The flags of every compilation. The sections of their own let the linker drop what
/// nothing calls; nobody unwinds a stack in C, so the tables for it are left out.
const CFLAGS: &str = "-O2 -fPIE -fstack-protector-strong -fstack-clash-protection \
    -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables";

/// The environment of the script of one of [`BUILT_TOOLS`]: as that of every script, but the
/// compiler is one for this machine, in the step's own folder.
pub fn tool_environment(native: Target, epoch: u64) -> Vec<(&'static str, String)> {
    let mut all = environment(native, epoch);
    all.retain(|(name, _)| *name != "PATH");
    all.push(("PATH", "/build/bin:/tools".to_owned()));
    all
}

/// The environment of every script; all of it. `epoch` is `SOURCE_DATE_EPOCH`.
pub fn environment(target: Target, epoch: u64) -> Vec<(&'static str, String)> {
    let fixed = [
        ("AR", "ar"),
        // Not the target's name: so `configure` never runs what it compiled, and what it
        // finds cannot depend on the kernel or the CPU.
        ("BUILD", "x86_64-pc-linux-gnu"),
        ("CC", "cc"),
        ("CFLAGS", CFLAGS),
        ("CONFIG_SHELL", "/tools/sh"),
        ("HOME", "/build"),
        ("LC_ALL", "C"),
        ("MAKEFLAGS", "-j --jobserver-auth=9,9"),
        ("PATH", "/toolchain/bin:/tools"),
        ("PERL_HASH_SEED", "0"),
        ("RANLIB", "ranlib"),
        ("SHELL", "/tools/sh"),
        ("TMPDIR", "/tmp"),
        ("TZ", "UTC"),
        ("ZIG_GLOBAL_CACHE_DIR", "/build/.zig"),
        ("ZIG_LOCAL_CACHE_DIR", "/build/.zig"),
    ];
    let mut all: Vec<_> = fixed.map(|(name, value)| (name, value.to_owned())).to_vec();
    all.push(("SOURCE_DATE_EPOCH", epoch.to_string()));
    all.push(("TARGET", target.triple().to_owned()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_is_a_component() {
        for recipe in RECIPES {
            for need in recipe.needs {
                assert!(
                    RECIPES.iter().any(|other| other.name == *need),
                    "{}: {need}",
                    recipe.name
                );
            }
        }
    }
}
