//! Who a build is to the host: never its super-user.

use std::io;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, openat, statat};

use super::keeper::outside;

/// Whom the super-user's builds run as: of the range that systemd's documentation on users and
/// groups leaves to nobody, so that no other process or file belongs to it.
const BUILDER: u32 = 2_000_451_200;
/// And in a container, whose map of users may end at 65535.
const BUILDER_IN_CONTAINER: u32 = 64_512;

/// Deeper folders than any build's.
const DEEPEST: usize = 200;

/// The user that a build has to become; nobody else when this is not the super-user.
pub(super) fn builder() -> io::Result<Option<u32>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/proc/self/uid_map")?;
    let groups = fs::read_to_string("/proc/self/gid_map")?;
    choose(&users, &groups).map_err(io::Error::other)
}

fn choose(users: &str, groups: &str) -> Result<Option<u32>, String> {
    let may = |id: u32| {
        let somebody = |map| outside(map, id).is_some_and(|id| id != 0);
        id != 0 && somebody(users) && somebody(groups)
    };
    let found = [BUILDER, BUILDER_IN_CONTAINER]
        .into_iter()
        .find(|&id| may(id));
    match found {
        Some(id) => Ok(Some(id)),
        // The super-user of a container that has no other user is somebody else outside.
        None if outside(users, 0).is_some_and(|id| id != 0) => Ok(None),
        None => Err("there is no user other than root to build as".to_owned()),
    }
}

/// Makes `user` the owner of `path` and of everything in it. No link is followed.
pub(super) fn give(path: &Path, user: u32) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default();
    let at = rustix::fs::open(parent, folder_flags(), Mode::empty())?;
    let owner = (Uid::from_raw(user), Gid::from_raw(user));
    give_at(&at, name, owner, 0)
}

fn folder_flags() -> OFlags {
    OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY
}

fn give_at(
    at: impl std::os::fd::AsFd,
    name: impl rustix::path::Arg + Copy,
    owner: (Uid, Gid),
    depth: usize,
) -> io::Result<()> {
    chownat(
        &at,
        name,
        Some(owner.0),
        Some(owner.1),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    let found = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory || depth > DEEPEST {
        return Ok(());
    }
    let folder = openat(&at, name, folder_flags() | OFlags::NOFOLLOW, Mode::empty())?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            give_at(&folder, name, owner, depth + 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_builds_as_the_hosts_super_user() {
        let whole = "         0          0 4294967295\n";
        for (users, groups, expected) in [
            (whole, whole, Ok(Some(BUILDER))),
            // Docker with remapped users, and rootless podman.
            (
                "0 100000 65536",
                "0 100000 65536",
                Ok(Some(BUILDER_IN_CONTAINER)),
            ),
            (
                "0 1000 1\n1 100000 65536",
                "0 1000 1\n1 100000 65536",
                Ok(Some(BUILDER_IN_CONTAINER)),
            ),
            // `unshare --map-root-user`: user 0 is an ordinary one outside.
            ("0 1000 1", "0 1000 1", Ok(None)),
            ("0 0 1", "0 0 1", Err(())),
            (whole, "0 0 1", Err(())),
        ] {
            assert_eq!(choose(users, groups).map_err(drop), expected, "{users}");
        }
    }

    #[test]
    fn a_map_says_who_is_who() {
        let map = "0 1000 1\n1 100000 65536\n";
        for (inside, expected) in [
            (0, Some(1000)),
            (1, Some(100_000)),
            (65_536, Some(165_535)),
            (65_537, None),
        ] {
            assert_eq!(outside(map, inside), expected);
        }
    }
}
