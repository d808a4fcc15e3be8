//! How the compilers and binary tools of a toolchain are called.

/// How the programs of a toolchain are called.
pub(super) struct Programs {
    pub(super) clang: String,
    pub(super) ar: String,
    pub(super) ranlib: String,
    pub(super) ld: String,
    /// A script of its own: (path below the toolchain's folder, text).
    pub(super) own: Option<(String, String)>,
}
