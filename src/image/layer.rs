//! One layer: a tar archive, compressed with gzip, and the two digests that name it.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use super::{Archive, Error};
use crate::base::digest::{Digest, Hasher, HashingWriter};
use crate::base::progress::Task;

/// The compressor is fed in pieces of this many bytes, however the archive was written, so
/// that its output can depend on the content alone.
const PIECE: usize = 64 * 1024;

/// 9: small downloads are worth a second of everybody's build.
const LEVEL: Compression = Compression::best();

/// "Unknown" as RFC 1952 numbers operating systems: the bytes must not tell where they were made.
const OS_UNKNOWN: u8 = 255;

/// What one layer is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it is about, in a word: `tor`, `geoip`.
    pub name: String,
    /// One line on what was put there, for the history of the image.
    pub created_by: String,
    /// The time of everything in it, in seconds since 1970.
    pub epoch: u64,
    /// The files.
    pub archive: Archive,
}

/// A layer that was written: what names it and how large it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerDigests {
    /// What it is about, in a word: `tor`, `geoip`.
    pub name: String,
    /// The digest of the tar archive: the same for equal content, however compressed.
    pub diff_id: Digest,
    /// The digest of the compressed bytes: what a registry calls the layer.
    pub digest: Digest,
    /// The size in bytes, compressed.
    pub size: u64,
}

impl Layer {
    /// The digest of the tar archive, which names the content however it is compressed.
    pub fn diff_id(&self) -> Result<Digest, Error> {
        let mut out = HashingWriter::sha256(io::sink());
        self.archive.write(self.epoch, &mut out)?;
        Ok(out.finish())
    }

    /// Writes the layer to `out`, in one pass and in constant memory; `task` advances by the
    /// bytes of the archive.
    pub fn write(&self, out: impl Write, task: &dyn Task) -> Result<LayerDigests, Error> {
        let gzip = GzBuilder::new().mtime(0).operating_system(OS_UNKNOWN);
        let mut pieces = Pieces {
            gzip: gzip.write(HashingWriter::sha256(out), LEVEL),
            plain: Hasher::sha256(),
            piece: Vec::with_capacity(PIECE),
            task,
        };
        self.archive.write(self.epoch, &mut pieces)?;
        pieces.flush_piece()?;
        let out = pieces.gzip.finish()?;
        Ok(LayerDigests {
            name: self.name.clone(),
            diff_id: pieces.plain.finish(),
            size: out.written(),
            digest: out.finish(),
        })
    }
}

/// Hashes what comes and hands it on to the compressor in pieces of one size.
struct Pieces<'a, W: Write> {
    gzip: GzEncoder<W>,
    plain: Hasher,
    piece: Vec<u8>,
    task: &'a dyn Task,
}

impl<W: Write> Pieces<'_, W> {
    fn flush_piece(&mut self) -> io::Result<()> {
        self.plain.update(&self.piece);
        self.gzip.write_all(&self.piece)?;
        self.task.advance(self.piece.len() as u64);
        self.piece.clear();
        Ok(())
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.piece.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.piece.extend_from_slice(taken);
        if self.piece.len() == PIECE {
            self.flush_piece()?;
        }
        Ok(taken.len())
    }

    /// Nothing: a flush would end a block of the compressed stream.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Read;
    use std::process::Command;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::base::progress::Silent;
    use crate::image::{Content, Owner};

    /// Bytes that do not compress, from a fixed seed (xorshift64).
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        std::iter::repeat_with(&mut next)
            .flatten()
            .take(length)
            .collect()
    }

    /// Lines that compress as a table of addresses does.
    fn prose(length: usize) -> Vec<u8> {
        let words = noise(length)
            .chunks_exact(3)
            .fold(String::new(), |mut text, chunk| {
                let (a, b, c) = (chunk[0], chunk[1], chunk[2]);
                writeln!(text, "{}.{}.{c}.0,{}", a % 8, b % 32, b as char).unwrap();
                text
            });
        words.into_bytes().into_iter().take(length).collect()
    }

    #[test]
    fn gzip_has_its_bytes() {
        let mut archive = Archive::default();
        for (name, bytes) in [
            ("noise", noise(1_000_000)),
            ("prose", prose(3_000_000)),
            ("zeros", vec![0; 1_000_000]),
        ] {
            archive
                .file(name, 0o644, Owner::ROOT, Content::Bytes(bytes))
                .unwrap();
        }
        let layer = Layer {
            name: "test".to_owned(),
            created_by: "a test".to_owned(),
            epoch: 0,
            archive,
        };
        let mut bytes = Vec::new();
        let written = layer.write(&mut bytes, &Silent).unwrap();
        assert_eq!(written.digest, Digest::sha256(&bytes));
        assert_eq!(written.size, bytes.len() as u64);
        let mut plain = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(written.diff_id, Digest::sha256(&plain));
        // RFC 1952: magic, deflate, no flags, no time, best compression, unknown system.
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
        insta::assert_snapshot!(
            format!("{} {}", Digest::sha256(&bytes), bytes.len()),
            @"sha256:b53ae5688e0b3b1424da5a18cfb00106e7f52801b11c1132c785cf7f11d38ebc 2137652"
        );
    }

    /// Cargo unites the features of a crate over all who ask for it: a dependency could bring in
    /// another compressor without a line changed here.
    #[test]
    fn flate2_compresses_with_miniz_oxide_only() {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "--workspace",
                "--invert",
                "flate2",
            ])
            .args(["--depth", "0", "--prefix", "none", "--format", "{p} [{f}]"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            text.trim(),
            "flate2 v1.1.11 [any_impl,miniz_oxide,rust_backend]"
        );
    }
}
