//! How each component is built: a line of the table below and a short script beside it.
//!
//! A script runs in the sandbox by `sh -eu` in the component's source tree. It finds the
//! components it needs, finished, under `/deps/<name>`, its own files under `/build/files`,
//! and leaves its result in `/build/out`, license texts in `licenses/`. It may use the compiler's
//! wrappers, the tools of [`crate::build::sandbox::root::TOOLS`] and nothing else.
//!
//! Where the image is for another machine than the one that builds, a script that runs programs
//! finds those of the latter under `/deps/build-<name>`, a compiler for them as `$BUILD_CC`, and
//! their target as `$BUILD_TARGET`: see [`Recipe::cross`].

mod artifact;
mod form;
mod go;
mod step_id;

use crate::base::target::Target;

pub use self::artifact::Artifact;
pub use self::form::Recipe;
pub use self::go::go_keeps;
pub use self::step_id::StepId;

/// The C library: what is compiled for the image is compiled and linked with it, and so are
/// [`BUILT_TOOLS`]. Its script needs no tool that Alpine lacks.
pub const LIBC: StepId = StepId::Musl;

/// What clang calls for numbers that the processor has no instructions for: on aarch64 and
/// riscv64, `long double`, in which musl's `printf` calculates. On x86-64 nothing calls any of it.
pub const RUNTIME: StepId = StepId::CompilerRt;

/// Every component, those on the longest way to the image first: of the steps that can
/// run, the first here starts first.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: LIBC,
        source: Some("musl"),
        files: &[],
        needs: &[],
        native: false,
        cross: &[],
        script: include_str!("musl.sh"),
    },
    Recipe {
        name: RUNTIME,
        source: Some("compiler-rt"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("compiler-rt.sh"),
    },
    Recipe {
        name: StepId::Openssl,
        source: Some("openssl"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("openssl.sh"),
    },
    Recipe {
        name: StepId::Tic,
        source: Some("ncurses"),
        files: &[],
        needs: &[StepId::Musl],
        native: true,
        cross: &[],
        script: include_str!("tic.sh"),
    },
    Recipe {
        name: StepId::Ncurses,
        source: Some("ncurses"),
        files: &[],
        needs: &[StepId::Musl, StepId::Tic],
        native: false,
        cross: &[LIBC],
        script: include_str!("ncurses.sh"),
    },
    Recipe {
        name: StepId::Sqlite,
        source: Some("sqlite"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[LIBC],
        script: include_str!("sqlite.sh"),
    },
    Recipe {
        name: StepId::Python,
        source: Some("python"),
        files: &[],
        needs: &[StepId::Musl, StepId::Ncurses, StepId::Sqlite, StepId::Zlib],
        native: false,
        cross: &[StepId::Python],
        script: include_str!("python.sh"),
    },
    Recipe {
        name: StepId::Stem,
        source: Some("stem"),
        files: &[],
        needs: &[],
        native: false,
        cross: &[],
        script: include_str!("stem.sh"),
    },
    Recipe {
        name: StepId::Nyx,
        source: Some("nyx"),
        files: &[
            ("closure.py", include_str!("nyx/closure.py")),
            ("inittab.py", include_str!("nyx/inittab.py")),
            ("launcher.c", include_str!("nyx/launcher.c")),
            ("left-out.txt", include_str!("nyx/left-out.txt")),
            ("modules.txt", include_str!("nyx/modules.txt")),
            ("pack.py", include_str!("nyx/pack.py")),
        ],
        needs: &[
            StepId::Musl,
            StepId::Python,
            StepId::Stem,
            StepId::Ncurses,
            StepId::Sqlite,
            StepId::Zlib,
        ],
        native: false,
        cross: &[StepId::Python, StepId::Nyx],
        script: include_str!("nyx.sh"),
    },
    go::EDWARDS25519,
    go::EDWARDS25519_EXTRA,
    go::GOPTLIB,
    go::SIPHASH,
    go::X_CRYPTO,
    go::X_NET,
    go::LYREBIRD,
    go::FROM_SOURCE,
    Recipe {
        name: StepId::Libevent,
        source: Some("libevent"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("libevent.sh"),
    },
    Recipe {
        name: StepId::Zstd,
        source: Some("zstd"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("zstd.sh"),
    },
    Recipe {
        name: StepId::Zlib,
        source: Some("zlib"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("zlib.sh"),
    },
    Recipe {
        name: StepId::Mimalloc,
        source: Some("mimalloc"),
        files: &[],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("mimalloc.sh"),
    },
    Recipe {
        name: StepId::Tor,
        source: Some("tor"),
        files: &[],
        needs: &[
            StepId::Musl,
            StepId::Openssl,
            StepId::Libevent,
            StepId::Zstd,
            StepId::Zlib,
            StepId::Mimalloc,
        ],
        native: false,
        cross: &[],
        script: include_str!("tor.sh"),
    },
    Recipe {
        name: StepId::Container,
        source: None,
        files: &[
            ("bridge.h", include_str!("container/bridge.h")),
            ("control.h", include_str!("container/control.h")),
            ("health.c", include_str!("container/health.c")),
            ("listener.h", include_str!("container/listener.h")),
            ("log.h", include_str!("container/log.h")),
            ("memory.h", include_str!("container/memory.h")),
            ("owner.h", include_str!("container/owner.h")),
            ("say.h", include_str!("container/say.h")),
            ("shown.h", include_str!("container/shown.h")),
            ("start.c", include_str!("container/start.c")),
        ],
        needs: &[StepId::Musl],
        native: false,
        cross: &[],
        script: include_str!("container.sh"),
    },
];

/// What a step needs finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The component.
    pub name: StepId,
    /// What it is to run on.
    pub target: Target,
    /// Whether it only helps to build for another machine, and lies beside the component of this
    /// name for that one.
    pub helps: bool,
}

impl Need {
    /// The folder in `/deps` where it lies: its name, or `build-` and its name.
    pub fn folder(&self) -> String {
        let prefix = if self.helps { BUILD } else { "" };
        format!("{prefix}{}", self.name)
    }
}

/// What the names of things begin with that are for the machine that builds, beside those for the
/// machine that the image is for.
pub const BUILD: &str = "build-";

impl Recipe {
    /// What it runs on, in an image for `target` that is built on `native`.
    pub fn runs_on(&self, target: Target, native: Target) -> Target {
        if self.native { native } else { target }
    }

    /// Whether it needs help of what is built for the `native` machine to be built for `target`.
    pub fn is_helped(&self, target: Target, native: Target) -> bool {
        target != native && !self.native && !self.cross.is_empty()
    }

    /// Whether it compiles programs for the `native` machine while it is built for `target`.
    pub fn compiles_here(&self, target: Target, native: Target) -> bool {
        self.is_helped(target, native) && self.cross.contains(&LIBC)
    }

    /// The whole environment of its script, as `environment` gives it; with what it needs to know of
    /// this machine, if it is helped.
    pub fn environment(
        &self,
        target: Target,
        native: Target,
        epoch: u64,
    ) -> Vec<(&'static str, String)> {
        let mut all = environment(target, native, epoch);
        if self.is_helped(target, native) {
            all.push(("BUILD_CC", format!("/build/bin/{BUILD}cc")));
            all.push(("BUILD_TARGET", native.triple().to_owned()));
        }
        all
    }

    /// The components that it needs finished, for `target`, on a machine that is `native`.
    pub fn needed(&self, target: Target, native: Target) -> Vec<Need> {
        let of = |name: StepId| {
            let is_native =
                name == StepId::Go || RECIPES.iter().any(|it| it.name == name && it.native);
            let target = if is_native { native } else { target };
            let helps = false;
            Need {
                name,
                target,
                helps,
            }
        };
        let links = self.needs.contains(&LIBC) && self.name != RUNTIME;
        let runtime = links && target.long_double_has_128_bits();
        let mut all: Vec<Need> = self.needs.iter().copied().map(of).collect();
        all.extend(runtime.then(|| of(RUNTIME)));
        if self.is_helped(target, native) {
            let compiles = self.compiles_here(target, native) && native.long_double_has_128_bits();
            let cross = self.cross.iter().copied();
            all.extend(cross.chain(compiles.then_some(RUNTIME)).map(|name| Need {
                name,
                target: native,
                helps: true,
            }));
        }
        all
    }
}

/// The programs that the Alpine root lacks, each built in it before the components and found
/// there as `/opt/<name>`. A script finds the C compiler for this machine; it leaves `bin/`
/// with the program in `/build/out`.
pub const BUILT_TOOLS: &[Recipe] = &[
    Recipe {
        name: StepId::Make,
        source: Some("make"),
        files: &[],
        needs: &[],
        native: true,
        cross: &[],
        script: include_str!("make.sh"),
    },
    Recipe {
        name: StepId::Perl,
        source: Some("perl"),
        files: &[],
        needs: &[StepId::Make],
        native: true,
        cross: &[],
        script: include_str!("perl.sh"),
    },
];

/// What runs before every script: the file mode mask, and the job tokens where
/// make expects them.
pub const PRELUDE: &str = "umask 022\nexec 9<>/jobs\n";

/// The flags of every compilation. The sections of their own let the linker drop what
/// nothing calls; nobody unwinds a stack in C, so the tables for it are left out.
const CFLAGS: &str = "-O2 -fPIE -fstack-protector-strong -fstack-clash-protection \
    -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables";

/// The environment of the script of one of [`BUILT_TOOLS`]: as that of every script, but the
/// compiler is one for this machine, in the step's own folder.
pub fn tool_environment(native: Target, epoch: u64) -> Vec<(&'static str, String)> {
    let mut all = environment(native, native, epoch);
    all.retain(|(name, _)| *name != "PATH");
    all.push(("PATH", "/build/bin:/tools".to_owned()));
    all
}

/// The environment of every script. `epoch` is `SOURCE_DATE_EPOCH`, the release date of the
/// step's own source: a date that all steps shared would rebuild them all for a new tor.
fn environment(target: Target, native: Target, epoch: u64) -> Vec<(&'static str, String)> {
    let fixed = [
        ("AR", "ar"),
        // Not the target's name: so `configure` never runs what it compiled, and what it
        // finds cannot depend on the kernel or the CPU.
        ("BUILD", native.build_triple()),
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
            let needs = recipe.needs.iter().chain(recipe.cross);
            for need in needs.filter(|need| **need != StepId::Go) {
                assert!(
                    RECIPES.iter().any(|other| other.name == *need),
                    "{}: {need}",
                    recipe.name
                );
            }
        }
    }

    #[test]
    fn a_step_for_another_machine_has_helpers_of_this_one() {
        let folders = |name: StepId, target, native| -> Vec<String> {
            let recipe = RECIPES.iter().find(|recipe| recipe.name == name).unwrap();
            let needs = recipe.needed(target, native).into_iter();
            needs
                .map(|need| format!("{} for {}", need.folder(), need.target.machine()))
                .collect()
        };
        let (x86, arm) = (Target::X86_64, Target::Aarch64);
        assert_eq!(
            folders(StepId::Ncurses, x86, x86),
            ["musl for x86_64", "tic for x86_64"]
        );
        assert_eq!(
            folders(StepId::Ncurses, arm, x86),
            [
                "musl for aarch64",
                "tic for x86_64",
                "compiler-rt for aarch64",
                "build-musl for x86_64"
            ]
        );
        assert_eq!(
            folders(StepId::Ncurses, x86, arm),
            [
                "musl for x86_64",
                "tic for aarch64",
                "build-musl for aarch64",
                "build-compiler-rt for aarch64"
            ]
        );
        assert_eq!(
            folders(StepId::Python, x86, arm)[4..],
            ["build-python for aarch64"]
        );
    }

    #[test]
    fn the_environment_names_the_machine_that_builds() {
        let (x86, arm) = (Target::X86_64, Target::Aarch64);
        let value = |of: StepId, target, native, name: &str| {
            let recipe = RECIPES.iter().find(|recipe| recipe.name == of).unwrap();
            let all = recipe.environment(target, native, 0);
            let found = all.into_iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value)
        };
        for (target, native, build, build_target) in [
            (x86, x86, "x86_64-pc-linux-gnu", None),
            (arm, x86, "x86_64-pc-linux-gnu", Some("x86_64-linux-musl")),
            (x86, arm, "aarch64-pc-linux-gnu", Some("aarch64-linux-musl")),
            (arm, arm, "aarch64-pc-linux-gnu", None),
        ] {
            let of = |recipe, name| value(recipe, target, native, name);
            for recipe in [StepId::Tor, StepId::Python] {
                assert_eq!(of(recipe, "BUILD").as_deref(), Some(build));
                assert_eq!(of(recipe, "TARGET").as_deref(), Some(target.triple()));
            }
            assert_eq!(of(StepId::Python, "BUILD_TARGET").as_deref(), build_target);
            let compiler = build_target.map(|_| "/build/bin/build-cc");
            assert_eq!(of(StepId::Python, "BUILD_CC").as_deref(), compiler);
            // What needs no help is not rebuilt because the helpers changed.
            assert_eq!(of(StepId::Tor, "BUILD_TARGET"), None);
        }
    }
}
