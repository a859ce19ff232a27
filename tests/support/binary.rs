//! Where the server binaries are: an environment variable, `target/test-servers`, then `PATH`.

use std::env;
use std::path::{Path, PathBuf};

/// Which server a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Redis 7, the oldest server that is supported.
    Redis,
    /// Valkey 9, the newest.
    Valkey,
}

impl Engine {
    fn binary_name(self) -> &'static str {
        match self {
            Engine::Redis => "redis-server",
            Engine::Valkey => "valkey-server",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Engine::Redis => "TASK_TEST_REDIS_SERVER",
            Engine::Valkey => "TASK_TEST_VALKEY_SERVER",
        }
    }
}

/// The path of the engine's server binary.
///
/// Panics when there is none: a test that needs a server must never pass without one.
pub(crate) fn find(engine: Engine) -> PathBuf {
    let name = engine.binary_name();
    let variable = engine.variable();
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        assert!(path.is_file(), "{variable} names {}, which is not a file", path.display());
        return path;
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-servers").join(name);
    let on_path = env::var_os("PATH")
        .into_iter()
        .flat_map(|path| env::split_paths(&path).map(|folder| folder.join(name)).collect::<Vec<_>>());
    std::iter::once(installed).chain(on_path).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no `{name}` in ${variable}, target/test-servers or PATH; install the test servers with `tests/run servers`"
        )
    })
}
