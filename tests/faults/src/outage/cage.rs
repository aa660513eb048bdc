//! A memory limit that the system enforces: a control group of version 1 or 2.
//!
//! Guarantees: the group is removed when dropped. The page cache counts, too, but the system takes
//! that back before it kills.

use crate::site::Fault;
use std::{
    fs,
    path::{Path, PathBuf},
};

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// A group with a limit, or none.
#[derive(Debug)]
pub(crate) struct Cage {
    folder: Option<PathBuf>,
    is_v1: bool,
}

impl Cage {
    /// Makes a group with a limit; 0 makes none.
    pub(crate) fn new(mib: u64) -> Result<Self, Fault> {
        let is_v1 = Path::new(V1).join("memory.limit_in_bytes").exists();
        if mib == 0 {
            return Ok(Self { folder: None, is_v1 });
        }
        let root = if is_v1 { V1 } else { V2 };
        let folder = Path::new(root).join(format!("causeway-faults-{}", std::process::id()));
        let bytes = (mib << 20).to_string();
        let limit = if is_v1 { "memory.limit_in_bytes" } else { "memory.max" };
        if !is_v1 {
            // The controller may have to be handed down first; where it is, this changes nothing.
            let _ = fs::write(Path::new(V2).join("cgroup.subtree_control"), "+memory");
        }
        let made = fs::create_dir(&folder).and_then(|()| fs::write(folder.join(limit), bytes));
        made.map_err(|fault| {
            let _ = fs::remove_dir(&folder);
            format!("no memory limit can be set in {root} ({fault}); --memory-mib 0 goes without")
        })?;
        Ok(Self { folder: Some(folder), is_v1 })
    }

    /// The file into which a process writes its number to be caught.
    pub(crate) fn door(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join("cgroup.procs"))
    }

    /// What the system says about it.
    pub(crate) fn told(&self) -> String {
        let Some(folder) = &self.folder else { return "without a limit".to_owned() };
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let name = if self.is_v1 { "memory.max_usage_in_bytes" } else { "memory.peak" };
        let peak = read(name).trim().parse::<u64>().unwrap_or(0) >> 10;
        let events = read(if self.is_v1 { "memory.oom_control" } else { "memory.events" });
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        format!(
            "the group {peak} KiB with the page cache, {} killed by the system",
            kills.unwrap_or("0").trim()
        )
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir(folder);
        }
    }
}
