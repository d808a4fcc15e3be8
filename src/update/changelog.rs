//! tor's `ChangeLog`: what upstream says of each release.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Version;

/// What begins the part on one release.
const HEADING: &str = "Changes in version ";

/// What upstream says of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The release.
    pub version: Version,
    /// Its day, as upstream writes it.
    pub date: String,
    /// Whether its part speaks of security.
    pub security: bool,
    /// The vulnerabilities it names, by tor's own numbers: `TROVE-2026-026`.
    pub vulnerabilities: BTreeSet<String>,
    /// What stands before the list of changes, in one line.
    pub summary: String,
}

/// The parts on releases, as they stand in the file: the newest first.
pub(super) fn read(text: &str) -> Vec<Changes> {
    let parts = text.split(HEADING).skip(1);
    parts.filter_map(part).collect()
}

fn part(part: &str) -> Option<Changes> {
    let (heading, body) = part.split_once('\n')?;
    let (version, date) = heading.split_once(" - ")?;
    let introduction = body.split("\n  o ").next().unwrap_or_default();
    let words: Vec<&str> = introduction.split_whitespace().collect();
    Some(Changes {
        version: version.parse().ok()?,
        date: plain(date.trim()),
        security: body.contains("TROVE-") || body.to_lowercase().contains("security"),
        vulnerabilities: vulnerabilities(body),
        summary: plain(&words.join(" ")),
    })
}

/// Every `TROVE-<year>-<number>`.
fn vulnerabilities(text: &str) -> BTreeSet<String> {
    let numbered = |rest: &str| {
        let digits = rest
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'-');
        let number = rest[..digits.count()].trim_end_matches('-');
        number.contains('-').then(|| format!("TROVE-{number}"))
    };
    text.split("TROVE-").skip(1).filter_map(numbered).collect()
}

/// Without what would steer a terminal.
fn plain(text: &str) -> String {
    shown::shown(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
Changes in version 0.4.9.11 - 2026-06-25
  Security release follows in quick succession. We strongly
  recommend upgrading.

  o Major bugfixes (security, conflux):
    - Fix a use-after-free. TROVE-2026-026. Fixes bug 41306; bugfix
      on 0.4.8.1-alpha.
    - Another one, TROVE-2026-025, and again (TROVE-2026-026).

  o Minor features (geoip data):
    - Update the geoip files.


Changes in version 0.4.9.8 - 2026-05-07
  A quick second release.

  o Minor features (fallbackdir):
    - Regenerate fallback directories.

Changes in version 0.4.9.4-rc - 2026-01-28
  A release candidate.
";

    #[test]
    fn what_upstream_says() {
        insta::assert_debug_snapshot!(read(LOG), @r#"
        [
            Changes {
                version: Version(
                    [
                        0,
                        4,
                        9,
                        11,
                    ],
                ),
                date: "2026-06-25",
                security: true,
                vulnerabilities: {
                    "TROVE-2026-025",
                    "TROVE-2026-026",
                },
                summary: "Security release follows in quick succession. We strongly recommend upgrading.",
            },
            Changes {
                version: Version(
                    [
                        0,
                        4,
                        9,
                        8,
                    ],
                ),
                date: "2026-05-07",
                security: false,
                vulnerabilities: {},
                summary: "A quick second release.",
            },
        ]
        "#);
    }

    #[test]
    fn text_that_is_no_change_log() {
        for text in [
            "",
            "Changes in version ",
            "Changes in version x - y\n",
            "\u{1b}[2J",
        ] {
            assert_eq!(read(text), []);
        }
        let steering = "Changes in version 0.4.9.8 - \u{1b}[2J\n  a\u{7}b TROVE-x TROVE-1\n";
        let [changes] = &read(steering)[..] else {
            panic!("one part");
        };
        assert_eq!(
            (&*changes.date, &*changes.summary),
            (r"\u{1b}[2J", r"a\u{7}b TROVE-x TROVE-1")
        );
        assert!(changes.vulnerabilities.is_empty());
    }
}
