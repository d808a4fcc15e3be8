//! Images made byte by byte, as anybody could make them.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use fs_err as fs;
use relaysmith::base::digest::Digest;
use serde_json::{Value, json};

/// A layer: its name, and its file as it lies in the image.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) plain: Vec<u8>,
    pub(crate) packed: Vec<u8>,
}

impl Layer {
    pub(crate) fn new(name: &'static str, plain: Vec<u8>, level: u32) -> Self {
        let packed = gzip(&plain, level);
        Self {
            name,
            plain,
            packed,
        }
    }
}

/// An image to be: change what is to be wrong with it before it is written.
pub(crate) struct Packed {
    pub(crate) config: Value,
    pub(crate) manifest: Value,
    pub(crate) layers: Vec<Layer>,
}

impl Packed {
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let history = layers.iter().map(|layer| json!({ "comment": layer.name }));
        let diff_ids = layers.iter().map(|layer| Digest::sha256(&layer.plain));
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "User": "45553:45553", "Entrypoint": ["tor"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids.collect::<Vec<_>>() },
            "history": history.collect::<Vec<_>>(),
        });
        let described = layers
            .iter()
            .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer.packed));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "layers": described.collect::<Vec<_>>(),
        });
        Self {
            config,
            manifest,
            layers,
        }
    }

    /// The bytes of the config, and of the manifest that names it.
    pub(crate) fn documents(&self) -> (Vec<u8>, Vec<u8>) {
        let config = self.config.to_string().into_bytes();
        let mut manifest = self.manifest.clone();
        if manifest["config"].is_null() {
            manifest["config"] = descriptor("application/vnd.oci.image.config.v1+json", &config);
        }
        (config, manifest.to_string().into_bytes())
    }

    /// What the index says of it.
    pub(crate) fn described(&self) -> Value {
        descriptor(MANIFEST, &self.documents().1)
    }

    /// Writes the layout of this image alone.
    pub(crate) fn write(&self, layout: &Path) {
        self.add(layout);
        write_index(layout, &[self.described()]);
    }

    /// Writes its blobs.
    pub(crate) fn add(&self, layout: &Path) {
        let (config, manifest) = self.documents();
        let layers = self.layers.iter().map(|layer| &layer.packed);
        for bytes in layers.chain([&config, &manifest]) {
            let folder = layout.join("blobs/sha256");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(Digest::sha256(bytes).hex()), bytes).unwrap();
        }
    }
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
}

pub(crate) fn write_index(layout: &Path, manifests: &[Value]) {
    let index = json!({ "schemaVersion": 2, "manifests": manifests });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
}

pub(crate) fn gzip(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A tar archive in the making, of whatever is asked for.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn file(self, path: &[u8], mode: u32, content: &[u8]) -> Self {
        self.entry(path, b'0', mode, (0, 0), b"", content)
    }

    pub(crate) fn entry(
        mut self,
        path: &[u8],
        kind: u8,
        mode: u32,
        owner: (u64, u64),
        target: &[u8],
        content: &[u8],
    ) -> Self {
        let mut header = tar::Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path);
        old.linkname[..target.len()].copy_from_slice(target);
        old.linkflag = [kind];
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_mtime(1_782_403_099);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut all = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|n| n - rest == n.to_string().len()).unwrap();
            all.extend(format!("{length} {key}=").bytes());
            all.extend(*value);
            all.push(b'\n');
        }
        self.entry(b"pax", b'x', 0o644, (0, 0), b"", &all)
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// A program for x86-64 with nothing but these sections and the table of their names.
pub(crate) fn program(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = vec![0];
    let mut content = Vec::new();
    let mut table = vec![[0; 8].map(u64::to_le_bytes).concat()];
    let mut add = |name: &str, kind: u32, bytes: &[u8], names: &mut Vec<u8>| {
        let mut header = Vec::new();
        header.extend((names.len() as u32).to_le_bytes());
        header.extend(kind.to_le_bytes());
        names.extend(name.bytes().chain([0]));
        let bytes = if kind == 3 {
            names.clone()
        } else {
            bytes.to_vec()
        };
        for field in [2, 0, 64 + content.len() as u64, bytes.len() as u64, 0, 1, 0] {
            header.extend(field.to_le_bytes());
        }
        content.extend(bytes);
        table.push(header);
    };
    for (name, bytes) in sections {
        add(name, 1, bytes, &mut names);
    }
    add(".shstrtab", 3, &[], &mut names);
    // Tables stand at multiples of 8.
    content.resize(content.len().next_multiple_of(8), 0);
    let count = table.len() as u16;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([3_u16, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend(
        [0, 0, 64 + content.len() as u64]
            .map(u64::to_le_bytes)
            .concat(),
    );
    file.extend(0_u32.to_le_bytes());
    file.extend(
        [64, 56, 0, 64, count, count - 1]
            .map(u16::to_le_bytes)
            .concat(),
    );
    file.extend(content);
    file.extend(table.concat());
    file
}
