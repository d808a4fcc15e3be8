//! Upstream's list of releases: the page that a web server makes of a folder.
//!
//! The page proves nothing and nobody signs it. All that is taken from it is which versions
//! there are; the addresses are made here, so that no link can lead anywhere.

use std::collections::BTreeMap;

use super::Version;

/// What tor publishes of each version beside the tarball.
const BESIDE: [&str; 3] = ["", ".sha256sum", ".sha256sum.asc"];

/// The file name of a version.
pub(super) fn tarball(version: Version) -> String {
    format!("tor-{version}.tar.gz")
}

/// The versions that the page links to with all that belongs to them, sorted. While upstream
/// is still uploading one, it is not there yet.
pub(super) fn versions(page: &str) -> Vec<Version> {
    // Which of the files each version has, a bit for each.
    let mut found: BTreeMap<Version, u8> = BTreeMap::new();
    for link in page.split('"').flat_map(|text| text.split('\'')) {
        let named = link
            .strip_prefix("tor-")
            .and_then(|rest| rest.split_once(".tar.gz"));
        let Some((text, ending)) = named else {
            continue;
        };
        let Some(bit) = BESIDE.iter().position(|beside| *beside == ending) else {
            continue;
        };
        // As upstream spells it, for that is how its files are asked for.
        let plain = |number: &str| number == "0" || !number.starts_with('0');
        if let (true, Ok(version)) = (text.split('.').all(plain), text.parse()) {
            *found.entry(version).or_default() |= 1 << bit;
        }
    }
    let all = (1 << BESIDE.len()) - 1;
    let complete = found.into_iter().filter(|(_, files)| *files == all);
    complete.map(|(version, _)| version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(links: &[&str]) -> Vec<String> {
        let rows: Vec<String> = links
            .iter()
            .map(|link| format!("<tr><td><a href=\"{link}\">{link}</a></td></tr>\n"))
            .collect();
        let versions = versions(&rows.concat());
        versions.iter().map(ToString::to_string).collect()
    }

    /// What is linked of one version.
    fn whole(version: &str) -> [String; 3] {
        BESIDE.map(|ending| format!("tor-{version}.tar.gz{ending}"))
    }

    #[test]
    fn the_complete_versions_in_order() {
        let [a, b] = ["0.4.9.11", "0.4.9.9"].map(whole);
        let rows: Vec<&str> = a.iter().chain(&b).map(String::as_str).collect();
        assert_eq!(found(&rows), ["0.4.9.9", "0.4.9.11"]);
        assert_eq!(found(&rows[..5]), ["0.4.9.11"]);
        assert_eq!(found(&[]), [""; 0]);
    }

    #[test]
    fn a_list_as_long_as_may_be_takes_no_time() {
        let names = (0..).flat_map(|n| whole(&format!("0.4.9.{n}")));
        let rows = names.map(|name| format!("<tr><td><a href=\"{name}\">{name}</a></td></tr>\n"));
        let mut page = String::new();
        for row in rows {
            if page.len() + row.len() > 4 << 20 {
                break;
            }
            page += &row;
        }
        assert!(versions(&page).len() > 10_000);
        // The best of a few: other work may have the processors.
        let once = |_| {
            let begun = std::time::Instant::now();
            versions(&page);
            begun.elapsed()
        };
        let took = (0..3).map(once).min().unwrap();
        assert!(took < std::time::Duration::from_secs(1), "{took:?}");
    }

    #[test]
    fn links_that_name_no_release() {
        for path in [
            "tor-0.5.0.1-alpha.tar.gz",
            "../tor-0.4.9.99.tar.gz",
            "/etc/tor-0.4.9.99.tar.gz",
            "https://elsewhere/tor-0.4.9.99.tar.gz",
            "tor-0.4.9.99.tar.gz?x",
            "tor-0.4.9.%39.tar.gz",
            "tor-0.4.9.99/../../x.tar.gz",
            "TOR-0.4.9.99.tar.gz",
            "tor-0.4.9.99.tar.xz",
        ] {
            let rows = BESIDE.map(|ending| format!("{path}{ending}"));
            assert_eq!(
                found(&rows.each_ref().map(String::as_str)),
                [""; 0],
                "{path}"
            );
        }
    }
}
