//! The description of a Debian source package (`.dsc`): one paragraph of fields, as Debian's
//! policy manual has it in section 5.4, cleartext-signed by the developer who made it.

use std::path::Path;

use super::Error;
use crate::base::digest::Digest;
use crate::pins::Source;

/// The only list of checksums that is looked at.
const FIELD: &str = "checksums-sha256";

/// Requires that the signed `lines` list `source` by one of its names, with its size and digest.
pub(super) fn require(path: &Path, lines: &[String], source: &Source) -> Result<(), Error> {
    let refuse = |line: usize, why: String| Error::Dsc {
        path: path.to_owned(),
        line,
        why,
    };
    let names = source.file_names();
    let mut fields: Vec<String> = Vec::new();
    let mut listed: Vec<&str> = Vec::new();
    let mut found = false;
    // Counted in the file: the text begins after its head, of which there is one line or more.
    for (number, line) in (1..).zip(lines) {
        if line.is_empty() {
            // Of a second paragraph, nobody could say whether it counts.
            if lines[number..].iter().any(|line| !line.is_empty()) {
                return Err(refuse(number, "a second paragraph".to_owned()));
            }
            break;
        }
        if !line.starts_with([' ', '\t']) {
            let Some((name, value)) = line.split_once(':') else {
                return Err(refuse(
                    number,
                    "not a field: expected `Name: value`".to_owned(),
                ));
            };
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(refuse(
                    number,
                    format!("`{name}` is not the name of a field"),
                ));
            }
            let name = name.to_ascii_lowercase();
            if fields.contains(&name) {
                return Err(refuse(number, format!("the field `{name}` appears twice")));
            }
            if name == FIELD && !value.is_empty() {
                return Err(refuse(
                    number,
                    "a checksum beside the field's name".to_owned(),
                ));
            }
            fields.push(name);
            continue;
        }
        match fields.last() {
            None => return Err(refuse(number, "a line that continues no field".to_owned())),
            Some(field) if field == FIELD => {}
            Some(_) => continue,
        }
        let Some((hex, size, name)) = entry(line) else {
            let why = "not a checksum: expected ` <hex> <size> <file>`";
            return Err(refuse(number, why.to_owned()));
        };
        if listed.contains(&name) {
            return Err(refuse(number, format!("{name} is listed twice")));
        }
        listed.push(name);
        if !names.contains(&name) {
            continue;
        }
        let digest = format!("sha256:{hex}").parse::<Digest>().ok();
        if digest != Some(source.digest) || !source.size.allows(size) {
            return Err(refuse(
                number,
                format!(
                    "{name}: expected {} and {}, listed as {hex} and {size} bytes",
                    source.digest, source.size
                ),
            ));
        }
        found = true;
    }
    if found {
        return Ok(());
    }
    Err(match fields.iter().any(|field| field == FIELD) {
        true => Error::NotListed {
            path: path.to_owned(),
            file: source.file.clone(),
            named: listed.into_iter().map(str::to_owned).collect(),
        },
        false => refuse(lines.len(), "it has no `Checksums-Sha256`".to_owned()),
    })
}

/// One line of a list: three words, one space before each.
fn entry(line: &str) -> Option<(&str, u64, &str)> {
    let mut words = line.strip_prefix(' ')?.split(' ');
    let (hex, size, name) = (words.next()?, words.next()?, words.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let plain = hex.len() == 64 && hex.bytes().all(lower) && digits(size) && !name.is_empty();
    let alone = words.next().is_none() && !name.contains('\t');
    (plain && alone).then(|| Some((hex, size.parse().ok()?, name)))?
}
