//! A limit of memory that the kernel keeps by killing: a cgroup, where one can be made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::Program;

/// Where the kernel shows its cgroups, if it has those of version 2 only.
const ROOT: &str = "/sys/fs/cgroup";
/// How long the kernel may take to forget the last process of a cgroup.
const EMPTY_BOUND: Duration = Duration::from_secs(5);

/// A cgroup of its own beside that of this process. It is removed on drop, when its processes have ended.
#[derive(Debug)]
pub struct MemoryLimit {
    folder: PathBuf,
}

impl MemoryLimit {
    /// Processes below it may have so many bytes of memory together, and no swap.
    ///
    /// # Errors
    ///
    /// Why none can be made here: no cgroups of version 2 with the controller of memory, or no right to make one.
    pub fn of(bytes: u64) -> Result<MemoryLimit, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = Path::new(ROOT).join(own.ok_or("this process is in no cgroup of version 2")?);
        // One that has processes cannot pass its controllers on, the one above it can; above the first is none.
        let parent = if own == Path::new(ROOT) { &own } else { own.parent().unwrap_or(&own) };
        let passed_on = parent.join("cgroup.subtree_control");
        let controllers =
            fs::read_to_string(&passed_on).map_err(|error| format!("{}: {error}", passed_on.display()))?;
        if !controllers.split_whitespace().any(|controller| controller == "memory") {
            return Err(format!("{} does not name memory", passed_on.display()));
        }
        let limit = MemoryLimit { folder: parent.join(format!("task-test-{}", std::process::id())) };
        let told = |what: &str, error: io::Error| format!("{}: {error}", limit.folder.join(what).display());
        fs::create_dir(&limit.folder).map_err(|error| told("", error))?;
        fs::write(limit.folder.join("memory.max"), bytes.to_string()).map_err(|error| told("memory.max", error))?;
        // A kernel without swap has no such file.
        if limit.folder.join("memory.swap.max").exists() {
            fs::write(limit.folder.join("memory.swap.max"), "0").map_err(|error| told("memory.swap.max", error))?;
        }
        Ok(limit)
    }

    /// The program at `path`, which enters the cgroup before it begins.
    pub fn program(&self, path: &str) -> Program {
        let enters = "echo $$ > \"$0\" && exec \"$@\"";
        Program::new("/bin/sh").args(["-c", enters]).arg(self.folder.join("cgroup.procs")).arg(path)
    }

    /// How many processes in it the kernel has killed because of it.
    ///
    /// # Panics
    ///
    /// When the kernel does not tell.
    pub fn kills(&self) -> u64 {
        let events = fs::read_to_string(self.folder.join("memory.events")).expect("a cgroup tells its events");
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.and_then(|kills| kills.parse().ok()).expect("the kernel counts what it kills")
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let deadline = Instant::now() + EMPTY_BOUND;
        while fs::remove_dir(&self.folder).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
            && Instant::now() < deadline
        {
            thread::yield_now();
        }
    }
}
