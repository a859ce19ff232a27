//! What is in a file: rows, and for each column what kind of values it has; the words of a plain text.

use std::collections::HashMap;
use std::io::Cursor;

use csv::{Reader, ReaderBuilder, StringRecord};
use serde::{Deserialize, Serialize};

use crate::column::{Column, Tally};

/// Most columns that are described; a result has a limit.
const MAX_COLUMNS: usize = 60;
/// Most words that are told, the most frequent first.
const TOP_WORDS: usize = 10;
/// The fewest letters of a word that is worth telling.
const MIN_LETTERS: usize = 3;
/// Most different words that are counted; those that come later are left out.
const MAX_WORDS: usize = 50_000;
/// Longest text that is kept of a word or a value, in characters.
pub(crate) const MAX_TEXT: usize = 60;

/// What is in a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Rows of a table without its head; lines of a text.
    pub(crate) rows: u64,
    /// Rows with another number of values than the head has.
    pub(crate) uneven: u64,
    /// The first 60 columns; none for a text.
    pub(crate) columns: Vec<Column>,
    /// How many columns there are.
    pub(crate) width: usize,
    /// Words of a text; none for a table.
    pub(crate) words: u64,
    /// The most frequent words of three letters or more, and how often each is there.
    pub(crate) top: Vec<(String, u64)>,
}

/// A report in the making, which goes on in small steps.
pub(crate) struct Analysis {
    source: Source,
    bytes: u64,
    report: Report,
    tallies: Vec<Tally>,
    words: HashMap<String, u64>,
}

enum Source {
    Table(Box<Reader<Cursor<String>>>),
    Text { text: String, at: usize },
}

impl Analysis {
    /// Begins with a file of this name and content.
    ///
    /// # Errors
    /// When the head of a table cannot be read.
    pub(crate) fn begin(name: &str, text: String) -> Result<Self, csv::Error> {
        let bytes = text.len() as u64;
        let report = Report { rows: 0, uneven: 0, columns: Vec::new(), width: 0, words: 0, top: Vec::new() };
        if !is_table(name) {
            let source = Source::Text { text, at: 0 };
            return Ok(Self { source, bytes, report, tallies: Vec::new(), words: HashMap::new() });
        }
        let delimiter = delimiter(&text);
        let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(Cursor::new(text));
        let head = reader.headers()?.clone();
        let name = |(at, name): (usize, &str)| match name.trim() {
            "" => format!("column {}", at + 1),
            name => cut(name),
        };
        let tallies = head.iter().enumerate().map(name).take(MAX_COLUMNS).map(Tally::new).collect();
        let (source, report) = (Source::Table(Box::new(reader)), Report { width: head.len(), ..report });
        Ok(Self { source, bytes, report, tallies, words: HashMap::new() })
    }

    /// Goes on for at least `bytes` bytes or to the end, and gives how many of how many bytes are done.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub(crate) fn go_on(&mut self, bytes: u64) -> Result<(u64, u64), csv::Error> {
        let until = self.done() + bytes.max(1);
        while self.done() < until && self.row()? {}
        Ok((self.done(), self.bytes))
    }

    fn done(&self) -> u64 {
        match &self.source {
            Source::Table(reader) if reader.is_done() => self.bytes,
            Source::Table(reader) => reader.position().byte(),
            Source::Text { at, .. } => *at as u64,
        }
    }

    /// Takes one row or line in; false when there is none.
    fn row(&mut self) -> Result<bool, csv::Error> {
        match &mut self.source {
            Source::Table(reader) => {
                let mut row = StringRecord::new();
                if !reader.read_record(&mut row)? {
                    return Ok(false);
                }
                self.report.rows += 1;
                self.report.uneven += u64::from(row.len() != self.report.width);
                for (at, tally) in self.tallies.iter_mut().enumerate() {
                    tally.add(row.get(at).unwrap_or_default());
                }
            }
            Source::Text { text, at } => {
                let Some(line) = text[*at..].split_inclusive('\n').next() else { return Ok(false) };
                *at += line.len();
                self.report.rows += 1;
                for word in line.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()) {
                    self.report.words += 1;
                    if word.chars().count() >= MIN_LETTERS {
                        count(&mut self.words, &word.to_lowercase(), MAX_WORDS);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The report, once all bytes are done.
    pub(crate) fn end(self) -> Report {
        let columns = self.tallies.into_iter().map(Tally::end).collect();
        Report { columns, top: most(self.words, TOP_WORDS), ..self.report }
    }
}

/// Whether a file of this name is read as a table.
pub(crate) fn is_table(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".csv") || name.ends_with(".tsv")
}

/// What divides the values of a row: of those that are used for it, the one that head and first row have most of.
fn delimiter(text: &str) -> u8 {
    let candidates = *b",;\t|";
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).take(2).collect();
    let count = |candidate: &u8| {
        let of_line = |line: &&str| line.bytes().filter(|byte| byte == candidate).count();
        lines.iter().map(of_line).min()
    };
    // Of several that are equally frequent `max_by_key` takes the last, and a comma is what to expect.
    candidates.into_iter().rev().max_by_key(count).unwrap_or(b',')
}

/// Counts a value, unless it is a new one and there are too many.
pub(crate) fn count(counts: &mut HashMap<String, u64>, value: &str, most: usize) {
    let value = cut(value);
    if counts.len() < most || counts.contains_key(&value) {
        *counts.entry(value).or_default() += 1;
    }
}

/// The most frequent values; of those that are equally frequent, in the order of the alphabet.
pub(crate) fn most(counts: HashMap<String, u64>, limit: usize) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    counts.truncate(limit);
    counts
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
