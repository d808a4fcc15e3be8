//! Upstream's list of releases: the page that a web server makes of a folder.
//!
//! The page proves nothing and nobody signs it. All that is taken from it is which versions
//! there are; the addresses are made here, so that no link can lead anywhere.

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
    let links: Vec<&str> = page.split(['"', '\'']).collect();
    let version = |link: &&str| -> Option<Version> {
        let version = link.strip_prefix("tor-")?.strip_suffix(".tar.gz")?;
        version.parse().ok()
    };
    let complete = |version: &Version| {
        let name = tarball(*version);
        BESIDE.iter().all(|ending| {
            let file = format!("{name}{ending}");
            links.contains(&file.as_str())
        })
    };
    let mut versions: Vec<Version> = links.iter().filter_map(version).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.retain(complete);
    versions
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
