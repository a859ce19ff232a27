//! The library that changes the system around a process, and the name of a host that it takes away.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// The name of a host that only the programs know that were started with it, and only while the test wants them to.
///
/// Only on Linux: a test that needs it is ignored elsewhere, and so counted as skipped.
#[derive(Debug)]
pub struct HostName {
    folder: TempDir,
}

impl HostName {
    /// The name.
    pub const NAME: &str = "server-of-the-test.invalid";

    /// One that is known.
    #[expect(clippy::new_without_default, reason = "a name is made for a process, never by the way")]
    pub fn new() -> HostName {
        let folder = tempfile::Builder::new().prefix("task-name-").tempdir().expect("the temporary folder is writable");
        let name = HostName { folder };
        name.is_known(true);
        name
    }

    /// Whether the name leads to this machine, or nowhere.
    pub fn is_known(&self, known: bool) {
        let changed = if known { fs::write(self.file(), "") } else { fs::remove_file(self.file()) };
        changed.expect("the file of the name can be written");
    }

    /// What a process has to be started with.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 3] {
        let name = ("TASK_TEST_NAME", Self::NAME.into());
        [("LD_PRELOAD", library().into()), name, ("TASK_TEST_NAME_FILE", self.file().into())]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("known")
    }
}

/// The library, which Cargo builds beside the tests because they depend on it.
pub(crate) fn library() -> PathBuf {
    let test = env::current_exe().expect("the test's own path is known");
    let path = test.with_file_name("libtest_preload.so");
    assert!(path.is_file(), "{} is not built; it is for tests on Linux only", path.display());
    path
}
