//! The files that the rules look at.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_lua(&self) -> bool {
        self.path.ends_with(".lua")
    }

    /// The path below `src`, such as `broker/redis/keys.rs`.
    pub(crate) fn in_crate(&self) -> &str {
        self.path.split_once("/src/").map_or(&self.path, |(_, path)| path)
    }

    /// The names from the crate's root to this file's module; empty for the root itself.
    pub(crate) fn module(&self) -> Vec<String> {
        let stem = self.in_crate().trim_end_matches(".rs");
        let names = stem.split('/').filter(|name| !["mod", "lib"].contains(name));
        names.map(str::to_owned).collect()
    }

    /// Whether the file is in one of `places`, such as `broker/redis` or `error`.
    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        let module = self.module().join("/");
        places.iter().any(|place| module == *place || module.starts_with(&format!("{place}/")))
    }
}

/// The folder of the root Cargo.toml.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folders of the workspace that hold code, which is all but what was built and what is hidden.
pub(crate) fn folders() -> Vec<String> {
    let entries = fs::read_dir(workspace()).expect("the workspace is readable");
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "target" && !name.starts_with('.')).collect()
}

/// All Rust and Lua files below these folders of the workspace.
pub(crate) fn load(folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders {
        collect(folder, &mut sources);
    }
    assert!(!sources.is_empty(), "there is no Rust or Lua file below {folders:?}");
    sources
}

fn collect(folder: &str, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(workspace().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("the folder is readable")).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&path, sources);
        } else if path.ends_with(".rs") || path.ends_with(".lua") {
            let text = fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            sources.push(Source { path, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_file_knows_its_module() {
        let module = |path| Source::new(path, "").module().join("::");
        assert_eq!(module("task-runtime/src/lib.rs"), "");
        assert_eq!(module("task-runtime/src/error.rs"), "error");
        assert_eq!(module("task-runtime/src/broker/mod.rs"), "broker");
        assert_eq!(module("task-runtime/src/broker/redis/keys.rs"), "broker::redis::keys");
    }

    #[test]
    fn a_place_is_a_module_and_what_is_below_it() {
        assert!(Source::new("a/src/broker/redis/keys.rs", "").is_in(&["broker/redis"]));
        assert!(Source::new("a/src/broker/redis/mod.rs", "").is_in(&["broker/redis"]));
        assert!(!Source::new("a/src/broker/redis_keys.rs", "").is_in(&["broker/redis"]));
        assert!(!Source::new("a/src/broker/mod.rs", "").is_in(&["broker/redis"]));
    }
}
