//! The steps there are.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a step makes. With the target it names the step, in a plan and to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepId {
    /// The compiler.
    Toolchain,
    /// The rootfs of Alpine.
    Alpine,
    /// The compiler of Go, and the library that comes with it.
    Go,
    /// Go, made from its signed source, to compare: no image needs it.
    GoFromSource,
    /// GNU make, for a rootfs that lacks it.
    Make,
    /// Perl, for a rootfs that lacks it.
    Perl,
    /// The C library.
    Musl,
    /// Clang's run-time library.
    CompilerRt,
    /// OpenSSL.
    Openssl,
    /// The program of ncurses that compiles terminal descriptions.
    Tic,
    /// ncurses.
    Ncurses,
    /// SQLite.
    Sqlite,
    /// Python.
    Python,
    /// nyx's library for tor's control port.
    Stem,
    /// nyx, which was once arm.
    Nyx,
    /// A module of `lyrebird`.
    Edwards25519,
    /// A module of `lyrebird`.
    Edwards25519Extra,
    /// A module of `lyrebird`.
    Goptlib,
    /// A module of `lyrebird`.
    Siphash,
    /// A module of `lyrebird`.
    XCrypto,
    /// A module of `lyrebird`.
    XNet,
    /// The program that speaks obfs4.
    Lyrebird,
    /// libevent.
    Libevent,
    /// Zstandard.
    Zstd,
    /// zlib.
    Zlib,
    /// mimalloc.
    Mimalloc,
    /// tor.
    Tor,
    /// The image's own programs.
    Container,
}

impl StepId {
    /// As plans, records and logs have it. A source of its own has the same name in
    /// `sources.toml`, save that of `tic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Toolchain => "toolchain",
            Self::Alpine => "alpine",
            Self::Go => "go",
            Self::GoFromSource => "go-from-source",
            Self::Make => "make",
            Self::Perl => "perl",
            Self::Musl => "musl",
            Self::CompilerRt => "compiler-rt",
            Self::Openssl => "openssl",
            Self::Tic => "tic",
            Self::Ncurses => "ncurses",
            Self::Sqlite => "sqlite",
            Self::Python => "python",
            Self::Stem => "stem",
            Self::Nyx => "nyx",
            Self::Edwards25519 => "edwards25519",
            Self::Edwards25519Extra => "edwards25519-extra",
            Self::Goptlib => "goptlib",
            Self::Siphash => "siphash",
            Self::XCrypto => "x-crypto",
            Self::XNet => "x-net",
            Self::Lyrebird => "lyrebird",
            Self::Libevent => "libevent",
            Self::Zstd => "zstd",
            Self::Zlib => "zlib",
            Self::Mimalloc => "mimalloc",
            Self::Tor => "tor",
            Self::Container => "container",
        }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for StepId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
