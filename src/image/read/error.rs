//! Why somebody else's image cannot be read.

use std::io;
use std::path::PathBuf;

use crate::base::digest::Digest;

/// Why an image cannot be read. Names from inside it are shown escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing is at that path.
    #[error("there is no file or folder `{place}`")]
    NotThere {
        /// What was asked for.
        place: String,
    },
    /// A file or folder that holds no image.
    #[error(
        "`{}` is not an image: it has neither the `index.json` of a layout nor the `manifest.json` of `docker save`",
        image.display()
    )]
    NoImage {
        /// The file or folder.
        image: PathBuf,
    },
    /// A file that is not a tar archive, or that names one thing twice.
    #[error("`{}` cannot be read as a tar archive: {problem}", image.display())]
    Archive {
        /// The file.
        image: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A folder as `skopeo copy` writes for `dir:`, which has no list of images.
    #[error(
        "`{}` is a directory in skopeo's `dir:` format: its `manifest.json` is a manifest, not Docker's list of images",
        image.display()
    )]
    SkopeoDir {
        /// The folder.
        image: PathBuf,
    },
    /// A file that is compressed as a whole, by something that is not read here.
    #[error("`{}` is compressed with {by}, which is not read here", image.display())]
    Packed {
        /// The file.
        image: PathBuf,
        /// The compressor.
        by: &'static str,
    },
    /// A compressed file that grows too large when it is decompressed.
    #[error("`{}` is too large: decompressed, it has more than the {limit} bytes that a file of its size may have", image.display())]
    Bomb {
        /// The file.
        image: PathBuf,
        /// The most bytes.
        limit: u64,
    },
    /// A list that names more than anybody would publish in one.
    #[error("`{}` lists too much: {what}; the limit is {limit}", image.display())]
    TooMany {
        /// The image.
        image: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How many may be there.
        limit: usize,
    },
    /// Something in it names a file that is not in it.
    #[error("`{}` is incomplete: `{file}` is missing", image.display())]
    Missing {
        /// The image.
        image: PathBuf,
        /// The file in it.
        file: String,
    },
    /// A document in it that does not have the fields it should.
    #[error("`{file}` in `{}` is wrong: {problem}", image.display())]
    Document {
        /// The image.
        image: PathBuf,
        /// The file in it.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file in it of another size than is said.
    #[error("`{file}` in `{}` has {got} bytes, expected {expected}", image.display())]
    Size {
        /// The image.
        image: PathBuf,
        /// The file in it.
        file: String,
        /// The size that is said.
        expected: u64,
        /// The size that it has.
        got: u64,
    },
    /// A file in it whose bytes are not those that are named.
    #[error("`{file}` in `{}` is not what was named: {what} is {got}, expected {expected}", image.display())]
    Digest {
        /// The image.
        image: PathBuf,
        /// The file in it.
        file: String,
        /// Which of its digests: its own, or that of what it decompresses to.
        what: &'static str,
        /// The digest that is named.
        expected: Box<Digest>,
        /// The digest that it has.
        got: Box<Digest>,
    },
    /// A file in it that is too large, or that grows too large when it is decompressed.
    #[error("`{file}` in `{}` is too large: {what} may have {limit} bytes", image.display())]
    TooLarge {
        /// The image.
        image: PathBuf,
        /// The file in it.
        file: String,
        /// What is limited.
        what: &'static str,
        /// The most bytes.
        limit: u64,
    },
    /// A layer packed by a compressor that is not read here.
    #[error("`{file}` in `{}` is compressed with {by}, which is not read here", image.display())]
    Compressor {
        /// The image.
        image: PathBuf,
        /// The file in it.
        file: String,
        /// The compressor.
        by: &'static str,
    },
    /// A layer that is no tar archive.
    #[error("the layer `{layer}` of `{}` cannot be read: {problem}", image.display())]
    Layer {
        /// The image.
        image: PathBuf,
        /// The layer's name.
        layer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// None of the images is the one asked for, or it is not said which is meant.
    #[error("{} in `{}`; it holds:{}", asked(wanted.as_deref()), image.display(), listed(there))]
    Choice {
        /// The file or folder.
        image: PathBuf,
        /// What was asked for.
        wanted: Option<String>,
        /// What there is.
        there: Vec<String>,
    },
    /// An engine that reads one list gets another image than one that reads the other.
    #[error(
        "`{}` is two images in one: its `manifest.json`, which `docker load` reads, does not name {image_digest}, which its `index.json` names",
        image.display()
    )]
    TwoImages {
        /// The file or folder.
        image: PathBuf,
        /// The config and the layers of the index's image, in short.
        image_digest: Box<Digest>,
    },
}

fn asked(wanted: Option<&str>) -> String {
    match wanted {
        Some(wanted) => format!("not exactly one image is `{wanted}`"),
        None => "there is not exactly one image".to_owned(),
    }
}

/// What to do with the name of something that is no path here.
fn elsewhere(place: &str) -> String {
    let paths = ["oci:", "oci-archive:", "docker-archive:", "dir:"];
    if let Some(path) = paths.iter().find_map(|kind| place.strip_prefix(kind)) {
        return format!("give the path alone: `{path}`");
    }
    if place.starts_with("https://") || place.starts_with("http://") {
        return format!(
            "download it first, such as by `curl --location --remote-name {place}`, and give the file"
        );
    }
    let name = place.strip_prefix("docker://").unwrap_or(place);
    format!(
        "give a layout, or a tar of one; an image in a registry is pulled into a layout first, such as by `skopeo copy docker://{name} oci:pulled`"
    )
}

/// How many of the images in a file are listed.
const LISTED: usize = 20;

fn listed(there: &[String]) -> String {
    if there.is_empty() {
        return " nothing".to_owned();
    }
    let lines = there.iter().take(LISTED);
    let mut text: String = lines.map(|line| format!("\n  {line}")).collect();
    if let Some(more) = there.len().checked_sub(LISTED).filter(|more| *more > 0) {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

impl Error {
    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotThere { place } => Some(elsewhere(place)),
            Self::Choice { image, there, .. } if there.len() > 1 => Some(format!(
                "choose one of them: `{path}:NAME` or `{path}@DIGEST`",
                path = image.display()
            )),
            Self::SkopeoDir { image } => Some(format!(
                "make a layout of it: `skopeo copy dir:{path} oci:{path}-oci`, and give `{path}-oci`",
                path = image.display()
            )),
            Self::Packed { image, by } => {
                let program = match *by {
                    "zstd" => "zstd -dk",
                    "bzip2" => "bzip2 -dk",
                    _ => "xz -dk",
                };
                Some(format!("decompress it first: `{program} {}`", image.display()))
            }
            Self::Compressor { .. } => Some(
                "have it compressed with gzip: `skopeo copy --dest-compress-format gzip oci:FROM oci:TO`".into(),
            ),
            Self::Missing { .. } | Self::Digest { .. } | Self::Size { .. } => {
                Some("get the image again; whoever made it may have changed it".into())
            }
            Self::TwoImages { .. } => Some("do not load it: whoever made it hides one of them".into()),
            _ => None,
        }
    }
}
