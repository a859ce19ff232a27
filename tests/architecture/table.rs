//! The layer table: which module of the runtime may import which.

use std::collections::{BTreeMap, BTreeSet};

/// The parsed table.
#[derive(Debug)]
pub(crate) struct Table {
    rows: BTreeMap<String, Allowed>,
}

#[derive(Debug)]
enum Allowed {
    Only(BTreeSet<String>),
    EverythingExcept(BTreeSet<String>),
}

impl Table {
    /// Reads the one Markdown table whose header is `| module | may import |`.
    pub(crate) fn parse(markdown: &str) -> Result<Table, String> {
        let is_header = |line: &&str| cells(line) == ["module", "may import"];
        let mut lines = markdown.lines().skip_while(|line| !is_header(line));
        lines.next().ok_or("there is no table with the header `| module | may import |`")?;

        let mut rows = BTreeMap::new();
        for line in lines.skip(1).take_while(|line| line.trim_start().starts_with('|')) {
            let [modules, imports] =
                cells(line).try_into().map_err(|_| format!("the row `{line}` does not have two cells"))?;
            for module in names(&modules) {
                let allowed = match imports.strip_prefix("everything except") {
                    Some(except) => Allowed::EverythingExcept(names(except).collect()),
                    None => Allowed::Only(names(&imports).collect()),
                };
                if rows.insert(module.clone(), allowed).is_some() {
                    return Err(format!("the module `{module}` has two rows"));
                }
            }
        }
        match rows.is_empty() {
            true => Err("the layer table has no rows".into()),
            false => Ok(Table { rows }),
        }
    }

    /// The modules that have a row.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Whether there is a row for `module`.
    pub(crate) fn has(&self, module: &str) -> bool {
        self.rows.contains_key(module)
    }

    /// Whether code of `module` may name something of `other`.
    pub(crate) fn allows(&self, module: &str, other: &str) -> bool {
        match self.rows.get(module) {
            _ if module == other => true,
            Some(Allowed::Only(allowed)) => allowed.contains(other),
            Some(Allowed::EverythingExcept(except)) => self.has(other) && !except.contains(other),
            None => false,
        }
    }
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|').trim_end_matches('|');
    row.split('|').map(|cell| cell.replace(['`', '*'], "").trim().to_owned()).collect()
}

/// The comma-separated names of a cell; a dash stands for none.
fn names(cell: &str) -> impl Iterator<Item = String> {
    cell.split(',').map(str::trim).filter(|name| !["", "-", "–", "—"].contains(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::Table;

    const TEXT: &str = "\
Some words.

| module | may import |
|---|---|
| error | – |
| `connection`, job | error |
| cli | everything except testing |
| testing | error, **job** |

| another | table |
|---|---|
| x | y |
";

    #[test]
    fn a_row_may_name_several_modules() {
        let table = Table::parse(TEXT).unwrap();
        assert_eq!(table.modules().collect::<Vec<_>>(), ["cli", "connection", "error", "job", "testing"]);
        assert!(table.allows("job", "error") && table.allows("connection", "error"));
        assert!(!table.allows("job", "connection") && !table.allows("error", "job"));
    }

    #[test]
    fn a_module_may_always_import_itself() {
        assert!(Table::parse(TEXT).unwrap().allows("error", "error"));
    }

    #[test]
    fn everything_except_means_every_row_but_those() {
        let table = Table::parse(TEXT).unwrap();
        assert!(table.allows("cli", "connection"));
        assert!(!table.allows("cli", "testing"));
        assert!(!table.allows("cli", "unknown"));
    }

    #[test]
    fn a_text_without_the_table_is_refused() {
        assert!(Table::parse("| module | imports |\n|---|---|\n| a | b |").is_err());
        assert!(Table::parse("| module | may import |\n|---|---|\n").is_err());
    }

    #[test]
    fn two_rows_for_one_module_are_refused() {
        assert!(Table::parse("| module | may import |\n|---|---|\n| a | – |\n| a | – |").is_err());
    }
}
