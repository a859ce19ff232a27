//! A wall clock of its own for a process, which a test moves while the process runs.

use std::ffi::OsString;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use tempfile::NamedTempFile;

use crate::preload::library;

/// Names the file with the shift; the library that is preloaded reads it.
const SHIFT_FILE: &str = "TASK_TEST_CLOCK_SHIFT";

/// The wall clock of the processes that were started with it. Their monotonic clock is the machine's.
///
/// Only on Linux: a test that needs it is ignored elsewhere, and so counted as skipped.
#[derive(Clone, Debug)]
pub struct WallClock(Arc<NamedTempFile>);

impl WallClock {
    /// A clock that is right.
    #[expect(clippy::new_without_default, reason = "a clock is made for a process, never by the way")]
    pub fn new() -> WallClock {
        let file = tempfile::Builder::new().prefix("task-clock-").tempfile().expect("the temporary folder is writable");
        let clock = WallClock(Arc::new(file));
        clock.wrong_by(0);
        clock
    }

    /// Steps the clock: from now on it is ahead by so many seconds, or behind by as many if they are negative.
    pub fn wrong_by(&self, seconds: i64) {
        let nanos = seconds.checked_mul(1_000_000_000).expect("a shift of less than 292 years");
        // One write, since the processes read the same memory.
        self.0.as_file().write_all_at(&nanos.to_ne_bytes(), 0).expect("the file of the clock is writable");
    }

    /// What a process has to be started with.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 2] {
        [("LD_PRELOAD", library().into()), (SHIFT_FILE, self.0.path().into())]
    }
}
