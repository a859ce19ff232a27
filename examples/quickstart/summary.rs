//! What is shown: a bar while the jobs run, then the largest files and the totals.

use std::cmp::Reverse;
use std::path::absolute;

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use task_runtime::client::JobError;
use unicode_general_category::{GeneralCategory as Category, get_general_category as category};
use walkdir::WalkDir;

/// What is in one file; lines and words are those that GNU `wc` counts in UTF-8.
#[derive(Serialize, Deserialize)]
pub(crate) struct Contents {
    lines: usize,
    words: usize,
    bytes: usize,
    sha256: String,
}

impl Contents {
    pub(crate) fn of(bytes: &[u8], sha256: String) -> Self {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let text = bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
        let (words, _) = text.fold((0, false), |(words, inside), c| match category(c) {
            Category::Unassigned => (words, inside),
            Category::Control if !matches!(c, '\t'..='\r') => (words, inside),
            _ if c.is_whitespace() || c == '\u{2060}' => (words, false),
            _ => (words + usize::from(!inside), true),
        });
        Self { lines, words, bytes: bytes.len(), sha256 }
    }
}

/// What is known so far.
pub(crate) struct Summary {
    bar: ProgressBar,
    done: Vec<(String, Contents)>,
    failed: Vec<String>,
}

impl Summary {
    /// The files below `folder`, links left alone, and a summary of them that is still empty.
    pub(crate) fn begin(folder: &str) -> Result<(Vec<String>, Self)> {
        let folder = absolute(folder)?.canonicalize().with_context(|| format!("there is no folder {folder}"))?;
        let (mut files, mut failed) = (Vec::new(), Vec::new());
        // What a build left behind would hide the files of a workspace.
        let built = folder.join("Cargo.toml").exists().then(|| folder.join("target"));
        for entry in WalkDir::new(folder).into_iter().filter_entry(|entry| Some(entry.path()) != built.as_deref()) {
            match entry {
                Ok(entry) if entry.file_type().is_file() => files.push(entry.path().to_string_lossy().into_owned()),
                Ok(_) => {}
                Err(error) => failed.push(error.to_string()),
            }
        }
        let bar = ProgressBar::new(files.len() as u64);
        Ok((files, Self { bar, done: Vec::new(), failed }))
    }

    pub(crate) fn add(&mut self, file: &str, result: Result<Contents, JobError>) {
        self.bar.inc(1);
        match result {
            Ok(contents) => self.done.push((file.to_owned(), contents)),
            Err(error) => self.failed.push(format!("{file}: {error}")),
        }
    }

    pub(crate) fn print(mut self) {
        self.bar.finish_and_clear();
        self.done.sort_by(|(a, x), (b, y)| (Reverse(x.bytes), a).cmp(&(Reverse(y.bytes), b)));
        println!("{:>10} {:>10} {:>12}  {:64}  the largest files", "lines", "words", "bytes", "SHA-256");
        for (file, Contents { lines, words, bytes, sha256 }) in self.done.iter().take(10) {
            println!("{lines:>10} {words:>10} {bytes:>12}  {sha256}  {file}");
        }
        let total = |of: fn(&Contents) -> usize| self.done.iter().map(|(_, contents)| of(contents)).sum::<usize>();
        let (lines, words, bytes) = (total(|c| c.lines), total(|c| c.words), total(|c| c.bytes));
        println!("{lines:>10} {words:>10} {bytes:>12}  in {} files; {} failed", self.done.len(), self.failed.len());
        self.failed.iter().for_each(|failure| println!("failed: {failure}"));
    }
}
