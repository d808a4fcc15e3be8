//! Lists of checksums as `sha256sum` writes them: `<hex>  <file>` or `<hex> *<file>`.

use std::path::Path;

use super::Error;
use crate::base::digest::Digest;

/// Requires that the list gives `digest` for `file`, by that very name.
pub(super) fn require(path: &Path, list: &[u8], file: &str, digest: &Digest) -> Result<(), Error> {
    let mut named = Vec::new();
    let mut found = false;
    for (number, line) in (1..).zip(list.split(|&byte| byte == b'\n')) {
        if line.is_empty() {
            continue;
        }
        let Some((hex, name)) = entry(line) else {
            return Err(Error::ListSyntax {
                path: path.to_owned(),
                line: number,
            });
        };
        if name != file {
            named.push(name.to_owned());
        } else if hex == digest.hex() {
            found = true;
        } else {
            // Also where another line has the right one: the list then says two things.
            return Err(Error::ListedDigest {
                path: path.to_owned(),
                line: number,
                file: file.to_owned(),
                listed: hex.to_owned(),
                pinned: digest.to_string(),
            });
        }
    }
    if found {
        Ok(())
    } else {
        Err(Error::NotListed {
            path: path.to_owned(),
            file: file.to_owned(),
            named,
        })
    }
}

/// The digest that the list gives for `file`.
pub(super) fn listed(path: &Path, list: &[u8], file: &str) -> Result<Digest, Error> {
    let mut entries = list.split(|&byte| byte == b'\n').filter_map(entry);
    let named = entries.find(|(_, name)| *name == file);
    let digest = named.and_then(|(hex, _)| {
        let algorithm = if hex.len() == 64 { "sha256" } else { "sha512" };
        format!("{algorithm}:{hex}").parse().ok()
    });
    // Without one, the list does not name the file, whatever the digest.
    let digest = digest.unwrap_or_else(|| Digest::sha256(b""));
    require(path, list, file, &digest).map(|()| digest)
}

/// One line. Names that `sha256sum` would escape are refused with their backslash.
fn entry(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let (hex, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let plain = !name.is_empty() && !name.contains(char::is_control);
    (digits && [64, 128].contains(&hex.len()) && plain).then_some((hex, name))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "tor-0.4.9.11.tar.gz";
    const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn read(list: &str) -> String {
        let digest = Digest::sha256(b"abc");
        let list = list.replace("HEX", &digest.hex()).replace("OTHER", OTHER);
        match require(Path::new("list"), list.as_bytes(), FILE, &digest) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lists() {
        let rows = [
            "HEX  tor-0.4.9.11.tar.gz\n",
            "HEX *tor-0.4.9.11.tar.gz",
            "OTHER  a\n\nHEX  tor-0.4.9.11.tar.gz\nOTHER  b\n",
            "HEX  tor-0.4.9.11.tar.gz\nHEX  tor-0.4.9.11.tar.gz\n",
            "",
            "HEX  tor-0.4.9.10.tar.gz\n",
            "HEX  ./tor-0.4.9.11.tar.gz\n",
            "HEX   tor-0.4.9.11.tar.gz\n",
            "HEX  TOR-0.4.9.11.tar.gz\nHEX  x\n",
            "OTHER  tor-0.4.9.11.tar.gz\n",
            "HEX  tor-0.4.9.11.tar.gz\nOTHER  tor-0.4.9.11.tar.gz\n",
            "HEX tor-0.4.9.11.tar.gz\n",
            "HEX\n",
            "HEX  \n",
            "HEX  tor-0.4.9.11.tar.gz\r\n",
            "HEX0  tor-0.4.9.11.tar.gz\n",
            "\\HEX  tor-0.4.9.11.tar.gz\n",
            "sha256:HEX  tor-0.4.9.11.tar.gz\n",
            "SHA256 (tor-0.4.9.11.tar.gz) = HEX\n",
            "HEX  tor-0.4.9.11.tar.gz\nand so on\n",
        ];
        let seen: Vec<String> = rows
            .iter()
            .map(|row| format!("{row:?}\n  {}", read(row)))
            .collect();
        assert_snapshot!(seen.join("\n"), @r#"
        "HEX  tor-0.4.9.11.tar.gz\n"
          ok
        "HEX *tor-0.4.9.11.tar.gz"
          ok
        "OTHER  a\n\nHEX  tor-0.4.9.11.tar.gz\nOTHER  b\n"
          ok
        "HEX  tor-0.4.9.11.tar.gz\nHEX  tor-0.4.9.11.tar.gz\n"
          ok
        ""
          list: expected a checksum of tor-0.4.9.11.tar.gz, got those of: nothing
        "HEX  tor-0.4.9.10.tar.gz\n"
          list: expected a checksum of tor-0.4.9.11.tar.gz, got those of: tor-0.4.9.10.tar.gz
        "HEX  ./tor-0.4.9.11.tar.gz\n"
          list: expected a checksum of tor-0.4.9.11.tar.gz, got those of: ./tor-0.4.9.11.tar.gz
        "HEX   tor-0.4.9.11.tar.gz\n"
          list: expected a checksum of tor-0.4.9.11.tar.gz, got those of:  tor-0.4.9.11.tar.gz
        "HEX  TOR-0.4.9.11.tar.gz\nHEX  x\n"
          list: expected a checksum of tor-0.4.9.11.tar.gz, got those of: TOR-0.4.9.11.tar.gz, x
        "OTHER  tor-0.4.9.11.tar.gz\n"
          list:1: tor-0.4.9.11.tar.gz: expected sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, listed as 0000000000000000000000000000000000000000000000000000000000000000
        "HEX  tor-0.4.9.11.tar.gz\nOTHER  tor-0.4.9.11.tar.gz\n"
          list:2: tor-0.4.9.11.tar.gz: expected sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, listed as 0000000000000000000000000000000000000000000000000000000000000000
        "HEX tor-0.4.9.11.tar.gz\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "HEX\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "HEX  \n"
          list:1: not a checksum: expected `<hex>  <file>`
        "HEX  tor-0.4.9.11.tar.gz\r\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "HEX0  tor-0.4.9.11.tar.gz\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "\\HEX  tor-0.4.9.11.tar.gz\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "sha256:HEX  tor-0.4.9.11.tar.gz\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "SHA256 (tor-0.4.9.11.tar.gz) = HEX\n"
          list:1: not a checksum: expected `<hex>  <file>`
        "HEX  tor-0.4.9.11.tar.gz\nand so on\n"
          list:2: not a checksum: expected `<hex>  <file>`
        "#);
    }

    proptest! {
        #[test]
        fn nothing_is_read_into_a_list(list in "([0-9a-f]{64}[ *]{1,3}[a-z.\n/]{0,9}\n?){0,4}") {
            let digest = Digest::sha256(b"abc");
            let list = list.into_bytes();
            let error = require(Path::new("list"), &list, FILE, &digest);
            prop_assert!(error.is_err());
        }
    }
}
