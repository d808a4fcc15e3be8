//! A control group for one sandbox, where this user may make one: the kernel then counts the
//! memory of all its processes, and ends them before the machine suffers.
//!
//! That is version 2 of control groups (see cgroups(7)) and a group that was delegated, as
//! systemd does for a user's services. Elsewhere [`super::usage`] counts, from outside.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;

use super::super::Limits;

/// Where control groups are mounted.
const MOUNTED: &str = "/sys/fs/cgroup";

/// Tells the groups of one run apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A group, removed when it is dropped; it must be empty by then.
pub(super) struct Group(PathBuf);

impl Group {
    /// A new group with these limits, if one can be had.
    pub(super) fn new(limits: &Limits) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::below(Path::new(MOUNTED), &own, limits)
    }

    fn below(mounted: &Path, own: &str, limits: &Limits) -> Option<Self> {
        let parent = parent(mounted, own)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let group = Self(parent.join(format!("relaysmith-{}-{number}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join("memory.max"), limits.memory.to_string()).ok()?;
        // Not every kernel counts swap.
        let _ = fs::write(group.0.join("memory.swap.max"), "0");
        let _ = fs::write(group.0.join("pids.max"), limits.processes.to_string());
        Some(group)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that is not empty yet stays, and limits nobody else.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The nearest group at or above this process's own in which groups with a memory limit can be
/// made: one that hands the controller down. `own` is /proc/self/cgroup.
fn parent(mounted: &Path, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = mounted.join(own);
    let hands_down = |group: &&Path| {
        fs::read_to_string(group.join("cgroup.subtree_control"))
            .is_ok_and(|text| text.split_whitespace().any(|name| name == "memory"))
    };
    own.ancestors()
        .take_while(|group| group.starts_with(mounted))
        .find(hands_down)
        .map(Path::to_path_buf)
}

/// Whether this user can limit the memory of a whole sandbox by the kernel.
pub(crate) fn is_delegated() -> bool {
    Group::new(&Limits::default()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_made_where_memory_is_handed_down() {
        let mounted = tempfile::tempdir().unwrap();
        let at = |path: &str| mounted.path().join(path);
        fs::create_dir_all(at("user.slice/app.slice/terminal")).unwrap();
        let own = "1:name=systemd:/\n0::/user.slice/app.slice/terminal\n";
        let limits = Limits::default();
        assert!(Group::below(mounted.path(), own, &limits).is_none());
        for (group, text) in [
            ("user.slice", "cpu memory pids"),
            ("user.slice/app.slice", "cpu pids"),
        ] {
            fs::write(at(group).join("cgroup.subtree_control"), text).unwrap();
        }
        let group = Group::below(mounted.path(), own, &limits).unwrap();
        assert_eq!(group.path().parent(), Some(&*at("user.slice")));
        let memory = fs::read_to_string(group.path().join("memory.max")).unwrap();
        assert_eq!(memory, limits.memory.to_string());
        // Version 1 has no line of its own kind.
        assert!(Group::below(mounted.path(), "4:memory:/x\n", &limits).is_none());
    }
}
