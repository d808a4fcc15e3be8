//! The room that a step has for its files: file systems in memory, for an engine's volumes know
//! no limit as a whole. The kernel holds these to their sizes, and counts deleted files that are
//! still open, and all that a step writes counts against its memory, too.

use crate::build::sandbox::Limits;

/// The largest page of any kernel, which a file takes at least.
const PAGE: u64 = 64 << 10;
/// The most for `/tmp`, and for `/dev/shm` again.
const SCRATCH: u64 = 1 << 30;
/// How each is mounted.
const OPTIONS: &str = "rw,exec,nosuid,nodev,mode=1777";

/// The sizes of a container's file systems in bytes. Together they are the step's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    build: u64,
    needs: u64,
    scratch: u64,
}

impl Room {
    /// What a step within `limits` has, for which files of `needs` bytes go in beside its folder.
    pub(super) fn new(limits: &Limits, needs: u64) -> Self {
        let all = most(limits);
        let scratch = (all / 8).min(SCRATCH);
        Self {
            build: all.saturating_sub(2 * scratch + needs),
            needs,
            scratch,
        }
    }

    /// The engine's options for it.
    pub(super) fn arguments(self) -> [String; 8] {
        let [build, needs, scratch] = [self.build, self.needs, self.scratch]
            // None at all would be no limit, see tmpfs(5).
            .map(|size| size.max(PAGE));
        let at = |place: &str, size: u64| format!("{place}:{OPTIONS},size={size}");
        [
            "--tmpfs".to_owned(),
            at("/build", build),
            "--tmpfs".to_owned(),
            at("/deps", needs),
            "--tmpfs".to_owned(),
            at("/tmp", scratch),
            "--shm-size".to_owned(),
            scratch.to_string(),
        ]
    }
}

/// The most that a step may write in a container: of the memory a quarter is left for its
/// processes, so that a write that fails says what it was before the kernel ends anything.
pub(super) fn most(limits: &Limits) -> u64 {
    limits.disk.min(limits.memory / 4 * 3)
}

/// What a file of `size` bytes takes there.
pub(super) fn taken(size: u64) -> u64 {
    size.next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(disk: u64, memory: u64) -> Limits {
        Limits {
            disk,
            memory,
            ..Limits::default()
        }
    }

    #[test]
    fn all_places_together_are_the_limit() {
        for (disk, memory, needs) in [
            (8 << 30, 64 << 30, 0),
            (8 << 30, 8 << 30, 300 << 20),
            (8 << 30, 3 << 30, 300 << 20),
            (30_000_000, 1 << 30, PAGE),
        ] {
            let limits = limits(disk, memory);
            let room = Room::new(&limits, needs);
            assert_eq!(
                room.build + room.needs + 2 * room.scratch,
                disk.min(memory / 4 * 3),
                "{room:?}"
            );
            // The largest part is for what a step is there for.
            assert!(room.build * 2 > disk.min(memory / 4 * 3), "{room:?}");
        }
    }

    #[test]
    fn no_place_is_without_a_limit() {
        let arguments = Room::new(&limits(0, 0), 0).arguments();
        for argument in &arguments {
            assert!(
                !argument.ends_with("size=0") && argument != "0",
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn a_file_takes_whole_pages() {
        for (size, expected) in [(0, 0), (1, PAGE), (PAGE, PAGE), (PAGE + 1, 2 * PAGE)] {
            assert_eq!(taken(size), expected);
        }
    }
}
