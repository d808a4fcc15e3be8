//! The targets that an image can be built for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A processor, with Linux and musl: what the compiler is told and what file names carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
    /// 64-bit RISC-V. Images are built for it, but nothing is built on it: nobody delivers a compiler
    /// for it that is pinned.
    Riscv64,
}

/// A text that names no known target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a target: expected {}", Target::ALL.map(|target| format!("`{target}`")).join(" or "))]
pub struct ParseTargetError {
    /// The text as it was given.
    pub text: String,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Riscv64];

    /// The one whose programs run on this machine, if there is one.
    pub fn native() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// The one that is meant where nobody says which: this machine's.
    pub fn usual() -> Self {
        Self::native().unwrap_or(Self::X86_64)
    }

    /// The triple, as clang, zig and `configure --host` spell it.
    pub fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-musl",
            Self::Aarch64 => "aarch64-linux-musl",
            Self::Riscv64 => "riscv64-linux-musl",
        }
    }

    /// The processor, as `uname -m` spells it.
    pub fn machine(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// What `configure --build` is told where programs of this target run: not the triple, so that
    /// it never takes what it compiles for programs of the machine that builds.
    pub fn build_triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-pc-linux-gnu",
            Self::Aarch64 => "aarch64-pc-linux-gnu",
            Self::Riscv64 => "riscv64-pc-linux-gnu",
        }
    }

    /// The platform as engines spell it: `linux/amd64`.
    pub fn platform(self) -> &'static str {
        match self {
            Self::X86_64 => "linux/amd64",
            Self::Aarch64 => "linux/arm64",
            Self::Riscv64 => "linux/riscv64",
        }
    }

    /// The architecture as OCI images spell it: Go's `GOARCH`.
    pub fn oci_architecture(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// Whether `long double` has 128 bits, for which the processor has no instructions.
    pub fn long_double_has_128_bits(self) -> bool {
        self != Self::X86_64
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.triple())
    }
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|target| target.triple() == text)
            .ok_or_else(|| ParseTargetError {
                text: text.to_owned(),
            })
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.triple())
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_target() {
        let names = |target: Target| {
            [
                target.triple(),
                target.machine(),
                target.build_triple(),
                target.platform(),
            ]
        };
        let x86_64 = [
            "x86_64-linux-musl",
            "x86_64",
            "x86_64-pc-linux-gnu",
            "linux/amd64",
        ];
        let aarch64 = [
            "aarch64-linux-musl",
            "aarch64",
            "aarch64-pc-linux-gnu",
            "linux/arm64",
        ];
        let riscv64 = [
            "riscv64-linux-musl",
            "riscv64",
            "riscv64-pc-linux-gnu",
            "linux/riscv64",
        ];
        assert_eq!(names(Target::Riscv64), riscv64);
        assert_eq!(names(Target::X86_64), x86_64);
        assert_eq!(names(Target::Aarch64), aarch64);
    }

    #[test]
    fn a_triple_names_one_target() {
        for target in Target::ALL {
            assert_eq!(target.triple().parse(), Ok(target));
        }
        assert_eq!(
            "x86_64".parse::<Target>().unwrap_err().to_string(),
            "`x86_64` is not a target: expected `x86_64-linux-musl` or `aarch64-linux-musl` or `riscv64-linux-musl`"
        );
    }
}
