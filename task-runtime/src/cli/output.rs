//! Text for a terminal: nothing in it may steer the terminal, and columns line up.

use std::fmt;
use std::io::{self, Write as _};

use super::Exit;

/// The text with control and direction characters replaced, line ends kept.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|c| if steers(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Whether a terminal takes the character for anything but text.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is written to it goes into one line: characters that steer are written as Rust writes them.
pub(super) struct OneLine<'a, W>(pub(super) &'a mut W);

impl<W: fmt::Write> fmt::Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(steers) {
            let (plain, from) = rest.split_at(at);
            let mut letters = from.chars();
            self.0.write_str(plain)?;
            letters.next().into_iter().flat_map(char::escape_unicode).try_for_each(|c| self.0.write_char(c))?;
            rest = letters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Prints to stdout; a reader that has gone away is no failure.
pub(super) fn print(text: &str) -> Result<(), Exit> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::new(Exit::FAILURE, format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on stderr how far it is; a reader that has gone away is no failure.
pub(super) fn progress(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns as wide as their widest cell; those in `right` are flush right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(rows).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| match right.contains(&column) {
            true => format!("{cell:>width$}", width = widths[column]),
            false => format!("{cell:<width$}", width = widths[column]),
        });
        shown(cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    std::iter::once(&head).chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(shown("a\x1b[31mb\u{202e}c\nd\0"), "a\u{fffd}[31mb\u{fffd}c\nd\u{fffd}");
    }

    #[test]
    fn one_line_stays_one() {
        use std::fmt::Write as _;
        let mut line = String::new();
        OneLine(&mut line).write_str("a\n\x1b[31m\u{202e}é").unwrap();
        assert_eq!(line, "a\\u{a}\\u{1b}[31m\\u{202e}é");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["mail".into(), "7".into()], vec!["ü".into(), "1200".into()]];
        assert_eq!(table(&["QUEUE", "N"], &rows, &[1]), "QUEUE     N\nmail      7\nü      1200");
    }
}
