//! Evidence: detached signatures as upstream publishes them, and the bytes they are over.

use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err::File;
use sequoia_openpgp::Packet;
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::packet::{Signature, Tag};
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::types::SignatureType;

use super::policy_file::is_file_name;
use super::{Error, armor};
use crate::base::digest::{Digest, Hasher};

/// The most bytes a file of signatures may have: room for dozens.
const SIGNATURE_LIMIT: u64 = 64 << 10;

/// The most signatures in a file: each hashes the whole signed file on its own.
const SIGNATURES: usize = 16;

/// The most bytes a list of checksums may have: thousands of lines.
const LIST_LIMIT: u64 = 1 << 20;

/// The file called `name` in the folder of evidence.
pub(super) fn locate(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    if is_file_name(name) {
        Ok(folder.join(name))
    } else {
        Err(Error::EvidenceName {
            name: name.to_owned(),
        })
    }
}

/// The signatures in the file, armored or binary: at least one.
pub(super) fn signatures(path: &Path) -> Result<Vec<Signature>, Error> {
    parse(path, armor::read(path, SIGNATURE_LIMIT)?)
}

/// As `signatures`, from the bytes of the file.
pub(super) fn parse(path: &Path, bytes: Vec<u8>) -> Result<Vec<Signature>, Error> {
    // Every OpenPGP packet starts with a byte beyond ASCII, and armor never does.
    let blocks = if bytes.first().is_some_and(|&byte| byte >= 0x80) {
        vec![bytes]
    } else {
        armor::blocks(path, &bytes, Kind::Signature)?
    };
    let mut signatures = Vec::new();
    for block in &blocks {
        packets(path, block, &mut signatures)?;
    }
    match signatures.len() {
        0 => Err(Error::NoSignature {
            path: path.to_owned(),
        }),
        count if count > SIGNATURES => Err(Error::TooManySignatures {
            path: path.to_owned(),
            limit: SIGNATURES,
        }),
        _ => Ok(signatures),
    }
}

/// Nothing but signatures may be there. Containers are refused before they are opened, so
/// that there is nothing to decompress.
fn packets(path: &Path, bytes: &[u8], signatures: &mut Vec<Signature>) -> Result<(), Error> {
    let mut state = PacketParser::from_bytes(bytes).map_err(|e| Error::malformed(path, e))?;
    while let PacketParserResult::Some(parser) = state {
        match &parser.packet {
            Packet::Signature(signature) => signatures.push(signature.clone()),
            Packet::Marker(_) | Packet::Padding(_) => {}
            Packet::Unknown(unknown) if unknown.tag() == Tag::Signature => {
                let why = unknown.error().to_string();
                return Err(Error::malformed(path, why));
            }
            other => {
                return Err(Error::NotDetached {
                    path: path.to_owned(),
                    found: other.tag().to_string(),
                });
            }
        }
        state = parser.next().map_err(|e| Error::malformed(path, e))?.1;
    }
    Ok(())
}

/// A signed list of checksums.
pub(super) fn list(path: &Path) -> Result<Vec<u8>, Error> {
    armor::read(path, LIST_LIMIT)
}

/// The bytes under some signatures, hashed once for each of them.
pub(super) struct Hashed {
    /// In the order of the signatures; nothing where the algorithm is not known.
    pub(super) contexts: Vec<Option<Context>>,
    /// By the algorithm of the pin, if one was given.
    pub(super) digest: Option<Digest>,
}

/// Hashes the file as its signatures have it, and as its pin has it, in one pass.
pub(super) fn hash_file(
    path: &Path,
    signatures: &[Signature],
    pin: Option<&Digest>,
) -> Result<Hashed, Error> {
    let mut hashing = Hashing::new(signatures, pin);
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hashing.finish()),
            count => hashing.update(&buffer[..count]),
        }
    }
}

/// Hashes `bytes` as their signatures have them.
pub(super) fn hash_bytes(bytes: &[u8], signatures: &[Signature]) -> Hashed {
    let mut hashing = Hashing::new(signatures, None);
    hashing.update(bytes);
    hashing.finish()
}

struct Hashing {
    contexts: Vec<Option<(Context, SignatureType)>>,
    pin: Option<Hasher>,
    /// Whether the last byte was a carriage return.
    after_cr: bool,
}

impl Hashing {
    fn new(signatures: &[Signature], pin: Option<&Digest>) -> Self {
        let context = |signature: &Signature| {
            let builder = signature.hash_algo().context().ok()?;
            let mut context = builder.for_signature(signature.version());
            // Version 6 hashes a salt before anything else (RFC 9580, section 5.2.4).
            if let Some(salt) = signature.salt() {
                context.update(salt);
            }
            Some((context, signature.typ()))
        };
        Self {
            contexts: signatures.iter().map(context).collect(),
            pin: pin.map(Hasher::like),
            after_cr: false,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(pin) = &mut self.pin {
            pin.update(bytes);
        }
        for (context, kind) in self.contexts.iter_mut().flatten() {
            match kind {
                SignatureType::Text => text(context, self.after_cr, bytes),
                _ => context.update(bytes),
            }
        }
        if let Some(&last) = bytes.last() {
            self.after_cr = last == b'\r';
        }
    }

    fn finish(self) -> Hashed {
        let contexts = self.contexts.into_iter();
        Hashed {
            contexts: contexts
                .map(|entry| entry.map(|(context, _)| context))
                .collect(),
            digest: self.pin.map(Hasher::finish),
        }
    }
}

/// A signature over text has every line end in CR LF (RFC 9580, section 5.2.1.2).
fn text(context: &mut Context, mut after_cr: bool, bytes: &[u8]) {
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) if !(line.ends_with(b"\r") || (line.is_empty() && after_cr)) => {
                context.update(line);
                context.update(b"\r\n");
            }
            _ => context.update(line),
        }
        after_cr = false;
    }
}
