//! What vouches for a source, as the manifest names it.

use toml::Spanned;

use super::{Check, Entry, Signature};
use crate::pins::{Evidence, Rung, Tag, Twin};

impl Check<'_> {
    /// How upstream signs the file.
    pub(super) fn signature(&mut self, entry: &Entry) -> Signature {
        let signature = self.plain(&entry.signature, "file name");
        match &entry.checksums {
            None if signature == "none" => Signature::None,
            None => Signature::Detached { signature },
            Some(checksums) => {
                if signature == "none" {
                    self.refuse(
                        checksums.span(),
                        "a list of checksums that nobody signed proves nothing",
                        "name its signature in `signature`, or leave `checksums` out",
                    );
                }
                Signature::Checksum {
                    checksums: self.plain(checksums, "file name"),
                    signature,
                }
            }
        }
    }

    /// What else vouches for it, and how well it was vouched for once.
    pub(super) fn evidence(&mut self, entry: &Entry) -> Evidence {
        let file = |check: &mut Self, name: &Option<Spanned<String>>| {
            name.as_ref().map(|name| check.plain(name, "file name"))
        };
        let dsc = file(self, &entry.dsc);
        let tag = self.tag(entry);
        let twin = entry.twin.as_ref().map(|name| Twin {
            name: self.plain(name, "name"),
            publishers: Default::default(),
        });
        let rung = self.rung(entry);
        let origins = entry.evidence_origins.iter();
        let origins: Vec<String> = origins.map(|folder| self.folder(folder)).collect();
        if !origins.is_empty() && entry.signature.get_ref() == "none" {
            self.refuse(
                entry.evidence_origins[0].span(),
                "there is nothing to ask for",
                "name upstream's signature in `signature`, or leave `evidence-origins` out",
            );
        }
        Evidence {
            rung,
            dsc,
            tag,
            twin,
            origins,
        }
    }

    /// The rung, for which there must be evidence.
    fn rung(&mut self, entry: &Entry) -> Rung {
        let text = &entry.rung;
        let name = text.get_ref();
        let Some(rung) = Rung::ALL.into_iter().find(|rung| rung.name() == name) else {
            self.refuse(
                text.span(),
                format!("`{name}` is not a rung"),
                "write `upstream`, `tag`, `debian`, `publishers` or `digest`",
            );
            return Rung::Digest;
        };
        let named = match rung {
            Rung::Digest => true,
            Rung::Publishers => entry.twin.is_some(),
            Rung::Debian => entry.dsc.is_some(),
            Rung::Tag => entry.tag.is_some(),
            Rung::Upstream => entry.signature.get_ref() != "none",
        };
        if !named {
            self.refuse(
                text.span(),
                format!("rung `{name}`, but no evidence for it is named"),
                "name it: `signature` for `upstream`, `tag` for `tag`, `dsc` for `debian`, `twin` for \
                 `publishers`",
            );
        }
        rung
    }

    /// Upstream's signed tag, and what goes with it.
    fn tag(&mut self, entry: &Entry) -> Option<Tag> {
        let Some(objects) = &entry.tag else {
            let name = entry.tag_name.as_ref();
            let others = entry.tag_lacks.iter().chain(&entry.tag_origins).chain(name);
            for other in others.take(1) {
                self.refuse(
                    other.span(),
                    "`tag-name`, `tag-origins` or `tag-lacks` without `tag`",
                    "name the file of the tag's objects in `tag`, or leave it out",
                );
            }
            return None;
        };
        let Some(name) = &entry.tag_name else {
            self.refuse(
                objects.span(),
                "`tag` without `tag-name`",
                "write what upstream calls the tag of this version",
            );
            return None;
        };
        let mut generated: Vec<String> = Vec::new();
        for path in &entry.tag_lacks {
            let text = path.get_ref();
            let parts = || text.split('/');
            if parts().any(|part| ["", ".", ".."].contains(&part)) {
                self.refuse(
                    path.span(),
                    format!("`{text}` is not the path of a file in the source"),
                    "write it without the top folder, such as `setup.cfg`",
                );
            }
            if generated.last().is_some_and(|last| last >= text) {
                self.refuse(path.span(), "out of order", "sort them, each once");
            }
            generated.push(text.clone());
        }
        let origins = entry.tag_origins.iter();
        Some(Tag {
            objects: self.plain(objects, "file name"),
            name: self.plain(name, "name of a tag"),
            origins: origins.map(|address| self.repository(address)).collect(),
            generated,
        })
    }

    fn repository(&mut self, address: &Spanned<String>) -> String {
        let text = address.get_ref();
        if !is_upstream(text) || text.ends_with('/') {
            self.refuse(
                address.span(),
                format!("`{text}` is not a repository of upstream's"),
                "write it like `https://gitlab.torproject.org/tpo/core/nyx.git`",
            );
        }
        text.clone()
    }

    fn folder(&mut self, folder: &Spanned<String>) -> String {
        let text = folder.get_ref();
        let plain = is_upstream(text) && text.ends_with('/');
        if !plain {
            self.refuse(
                folder.span(),
                format!("`{text}` is not a folder of upstream's"),
                "write it like `https://dist.torproject.org/`",
            );
        }
        text.clone()
    }
}

/// Whether a text is an address on some host that can be taken as it stands.
fn is_upstream(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'));
    host.is_some_and(|(host, _)| !host.is_empty() && !host.contains('@'))
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['?', '#'])
}
