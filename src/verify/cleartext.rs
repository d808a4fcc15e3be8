//! Cleartext signatures (RFC 9580, section 7), read strictly: one signed text and nothing
//! around it, so that nobody takes for signed what is not.

use std::path::Path;

use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::types::SignatureType;

use super::{Error, evidence};

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A text and the signatures over it.
pub(super) struct Cleartext {
    /// The lines that are signed, without what the format adds and without their ends.
    pub(super) lines: Vec<String>,
    pub(super) signatures: Vec<Signature>,
}

impl Cleartext {
    /// Reads the whole of a file's `bytes`.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |line: usize, why: &'static str| Error::Cleartext {
            path: path.to_owned(),
            line: line + 1,
            why,
        };
        let text = std::str::from_utf8(bytes).map_err(|_| refuse(0, "it is not UTF-8"))?;
        // Spaces, tabs and a carriage return at the end of a line are not signed.
        let lines: Vec<&str> = text
            .split('\n')
            .map(|line| line.trim_end_matches(['\r', '\t', ' ']))
            .collect();
        let odd = |line: &&str| line.contains(|c: char| c.is_control() && c != '\t');
        if let Some(at) = lines.iter().position(odd) {
            return Err(refuse(at, "a control character"));
        }
        if lines.first() != Some(&BEGIN) {
            return Err(refuse(0, "expected `-----BEGIN PGP SIGNED MESSAGE-----`"));
        }
        let mut at = 1;
        while let Some(header) = lines.get(at).filter(|line| !line.is_empty()) {
            // Any other could pass for text that is signed.
            if !header.starts_with("Hash: ") {
                return Err(refuse(at, "only `Hash` may stand in the head"));
            }
            at += 1;
        }
        let start = at + 1;
        let end = lines.iter().skip(start).position(|line| *line == SIGNATURE);
        let end = end.ok_or_else(|| refuse(lines.len() - 1, "there is no signature"))? + start;
        let mut signed = Vec::new();
        for (at, line) in (start..).zip(&lines[start..end]) {
            signed.push(match line.strip_prefix("- ") {
                Some(escaped) => escaped.to_owned(),
                None if line.starts_with('-') => {
                    return Err(refuse(at, "a line begins with `-`, which must be `- -`"));
                }
                None => (*line).to_owned(),
            });
        }
        let last = lines.iter().skip(end).position(|line| *line == END);
        let last = last.ok_or_else(|| refuse(lines.len() - 1, "the signature is cut off"))? + end;
        if let Some(after) = lines
            .iter()
            .skip(last + 1)
            .position(|line| !line.is_empty())
        {
            return Err(refuse(last + 1 + after, "text after the signed part"));
        }
        let armored = lines[end..=last].join("\n") + "\n";
        let signatures = evidence::parse(path, armored.into_bytes())?;
        if signatures.iter().any(|it| it.typ() != SignatureType::Text) {
            return Err(refuse(end, "the signature is not one over text"));
        }
        Ok(Self {
            lines: signed,
            signatures,
        })
    }

    /// The bytes that the signatures are over: the end of the last line is not among them.
    pub(super) fn signed(&self) -> Vec<u8> {
        self.lines.join("\r\n").into_bytes()
    }
}
