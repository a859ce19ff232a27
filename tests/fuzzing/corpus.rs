//! The committed inputs, one file each in `fuzz/corpus/TARGET/`.

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The source of a fuzz target.
pub(crate) fn target_file(target: &str) -> PathBuf {
    folder().join("fuzz_targets").join(format!("{target}.rs"))
}

/// Every input of a target with its name, sorted by it.
pub(crate) fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("the folder is readable");
            let input = fs::read(entry.path()).expect("an input is readable");
            (entry.file_name().to_string_lossy().into_owned(), input)
        })
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} holds no input", folder.display());
    inputs
}
