//! What goes into containers, as tar streams.

use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use fs_err as fs;
use tar::{EntryType, Header};

use super::room::taken;
use crate::build::sandbox::Mount;
use crate::build::sandbox::job::USER;

/// Writes a root file system: the trees of `mounts` and what every root has.
pub(super) fn root(stream: impl Write, mounts: &[&Mount]) -> io::Result<()> {
    let mut tar = Tar::new(stream);
    for (name, mode, owner) in [
        // What is mounted there takes over who may write.
        ("build", 0o1777, 0),
        ("deps", 0o1777, 0),
        ("dev", 0o755, 0),
        ("etc", 0o755, 0),
        ("opt", 0o755, 0),
        ("proc", 0o755, 0),
        ("sys", 0o755, 0),
        ("tmp", 0o1777, 0),
    ] {
        tar.directory(name, mode, owner, 0)?;
    }
    let passwd = format!("builder:x:{USER}:{USER}::/build:/tools/sh\n");
    tar.file("etc/passwd", passwd.as_bytes())?;
    tar.file("etc/group", format!("builder:x:{USER}:\n").as_bytes())?;
    // The root is read-only, and the FIFO is made by whoever fills it.
    tar.link("jobs", Path::new("/tmp/jobs"), 0)?;
    for mount in mounts {
        tar.tree(&mount.host, mount.inside.trim_start_matches('/'), 0)?;
    }
    tar.builder.into_inner()?.flush()
}

/// What a command works on.
pub(super) struct Input {
    /// A tar of it.
    pub(super) tar: fs::File,
    /// The bytes that what it needs takes up, its own folder left out.
    pub(super) needs: u64,
}

/// Writes what a command works on to the file `path`, and opens that: the folder `build`, and
/// `needs`.
pub(super) fn input<'a>(
    path: &Path,
    build: &Path,
    needs: impl Iterator<Item = &'a Mount>,
) -> io::Result<Input> {
    let mut tar = Tar::new(io::BufWriter::new(fs::File::create(path)?));
    tar.below(build, "build", USER)?;
    let own = tar.taken;
    for need in needs {
        tar.tree(&need.host, need.inside.trim_start_matches('/'), USER)?;
    }
    let needs = tar.taken - own;
    tar.builder.into_inner()?.flush()?;
    let tar = fs::File::open(path)?;
    Ok(Input { tar, needs })
}

/// A tar in the making. Owners are those of the container's side.
struct Tar<W: Write> {
    builder: tar::Builder<W>,
    /// The bytes that its entries take up where they are unpacked.
    taken: u64,
}

impl<W: Write> Tar<W> {
    fn new(stream: W) -> Self {
        Self {
            builder: tar::Builder::new(stream),
            taken: 0,
        }
    }

    fn tree(&mut self, host: &Path, inside: &str, owner: u32) -> io::Result<()> {
        let metadata = fs::metadata(host)?;
        let mode = metadata.permissions().mode();
        self.directory(inside, mode, owner, metadata.mtime())?;
        self.below(host, inside, owner)
    }

    /// What is in the folder `host`, but not itself.
    fn below(&mut self, host: &Path, inside: &str, owner: u32) -> io::Result<()> {
        let mut entries = fs::read_dir(host)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let inside = format!("{inside}/{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                self.tree(&path, &inside, owner)?;
            } else if metadata.is_symlink() {
                self.link(&inside, &fs::read_link(&path)?, owner)?;
            } else {
                let mode = metadata.permissions().mode();
                let mut header = header(EntryType::Regular, mode, owner, metadata.mtime());
                header.set_size(metadata.len());
                let file = fs::File::open(&path)?;
                self.taken += taken(metadata.len());
                self.builder.append_data(&mut header, &inside, file)?;
            }
        }
        Ok(())
    }

    fn directory(&mut self, inside: &str, mode: u32, owner: u32, time: i64) -> io::Result<()> {
        let mut header = header(EntryType::Directory, mode, owner, time);
        self.builder.append_data(&mut header, inside, io::empty())
    }

    fn file(&mut self, inside: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = header(EntryType::Regular, 0o644, 0, 0);
        header.set_size(bytes.len() as u64);
        self.builder.append_data(&mut header, inside, bytes)
    }

    fn link(&mut self, inside: &str, says: &Path, owner: u32) -> io::Result<()> {
        let mut header = header(EntryType::Symlink, 0o777, owner, 0);
        self.taken += taken(says.as_os_str().len() as u64);
        self.builder.append_link(&mut header, inside, says)
    }
}

fn header(kind: EntryType, mode: u32, owner: u32, time: i64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode & 0o7777);
    header.set_uid(owner.into());
    header.set_gid(owner.into());
    header.set_mtime(u64::try_from(time).unwrap_or(0));
    header.set_size(0);
    header
}
