//! The rules, each from sources to a list of violations in words.

use std::collections::BTreeSet;

use crate::scan::{Found, Scan, Target};
use crate::source::Source;
use crate::table::Table;

/// Files whose purpose is to re-export.
const EXEMPT: [&str; 3] = ["lib", "prelude", "private"];

const MAX_LINES: usize = 400;
const EXCUSE: &str = "Longer than 400 lines because";

/// Every path of the crate goes to a module that the table allows.
pub(crate) fn layers(sources: &[Source], table: &Table) -> Vec<String> {
    let modules = top_modules(sources);
    let mut violations: Vec<String> = Vec::new();
    for (source, scan) in scans(sources) {
        let Some(module) = top_module(source) else { continue };
        for Found { what, line } in scan.paths {
            let Target::InCrate(other) = what else { continue };
            if !modules.contains(&other) {
                violations.push(format!(
                    "{}:{line} names `{other}` at the crate's root; name the module it lives in",
                    source.path
                ));
            } else if !table.allows(&module, &other) {
                violations.push(format!("{}:{line} `{module}` may not import `{other}`", source.path));
            }
        }
    }
    // One import may name several things of one module.
    violations.dedup();
    violations
}

/// Every module has a row, and every row a module.
pub(crate) fn table_is_current(sources: &[Source], table: &Table) -> Vec<String> {
    let modules = top_modules(sources);
    let missing = modules.iter().filter(|module| !table.has(module));
    let stale = table.modules().filter(|module| !modules.contains(*module));
    let missing = missing.map(|module| format!("the module `{module}` has no row"));
    missing.chain(stale.map(|module| format!("the row `{module}` has no module"))).collect()
}

/// The dependency `name` is used in `places` only.
pub(crate) fn only_in(sources: &[Source], name: &str, places: &[&str]) -> Vec<String> {
    let mut violations = Vec::new();
    for (source, scan) in scans(sources) {
        if source.is_in(places) {
            continue;
        }
        for path in scan.paths.iter().filter(|path| path.what.is_outside(name)) {
            violations.push(format!("{}:{} uses the crate `{name}`", source.path, path.line));
        }
    }
    violations
}

/// No async, no I/O, no clock.
pub(crate) fn plain_data(sources: &[Source], places: &[&str]) -> Vec<String> {
    const WORDS: [&str; 4] = ["async", "await", "Instant", "SystemTime"];
    const PATHS: [&str; 7] = ["tokio", "tokio_util", "redis", "std::fs", "std::net", "std::process", "std::thread"];
    let mut violations = Vec::new();
    for (source, scan) in scans(sources).into_iter().filter(|(source, _)| source.is_in(places)) {
        for found in scan.identifiers.iter().filter(|found| WORDS.contains(&found.what.as_str())) {
            violations.push(format!("{}:{} names `{}`", source.path, found.line, found.what));
        }
        for found in &scan.paths {
            for path in PATHS.iter().filter(|path| found.what.is_outside(path)) {
                violations.push(format!("{}:{} uses `{path}`", source.path, found.line));
            }
        }
    }
    violations
}

/// Scripts are files of the folders `scripts`; elsewhere there is neither a Lua file nor Lua in a string.
pub(crate) fn lua(sources: &[Source], scripts: &[&str]) -> Vec<String> {
    let inside = |source: &Source| scripts.iter().any(|folder| source.in_crate().starts_with(&format!("{folder}/")));
    let outside = sources.iter().filter(|source| source.is_lua() && !inside(source));
    let mut violations: Vec<String> =
        outside.map(|source| format!("{} is not in {}", source.path, scripts.join(" or "))).collect();
    for (source, scan) in scans(sources) {
        let calls = ["redis.call(", "redis.pcall("];
        for literal in scan.literals.iter().filter(|literal| calls.iter().any(|call| literal.what.contains(call))) {
            violations.push(format!("{}:{} holds Lua in a string", source.path, literal.line));
        }
    }
    violations
}

/// The keys of a queue are made in `places` only: nowhere else is there text that opens or closes a hash tag.
pub(crate) fn keys(sources: &[Source], places: &[&str]) -> Vec<String> {
    let mut violations = Vec::new();
    for (source, scan) in scans(sources).into_iter().filter(|(source, _)| !source.is_in(places)) {
        // As `format!` takes them: a brace is doubled, and a name stands in braces.
        let tags = |text: &str| text.contains("{{{") || text.contains("}}}:") || text.contains("}}:");
        for literal in scan.literals.iter().filter(|literal| tags(&literal.what)) {
            violations.push(format!("{}:{} makes a key; only {} does", source.path, literal.line, places[0]));
        }
    }
    violations
}

/// Every test and every file of tests that a page names is there.
pub(crate) fn tests_exist(page: &str, sources: &[Source]) -> Vec<String> {
    let files = |name: &str| sources.iter().any(|source| [name, &format!("tests/{name}")].contains(&&*source.path));
    let mut violations = Vec::new();
    for line in page.lines() {
        let names = line.split('`').skip(1).step_by(2);
        if line.starts_with("Held by ") {
            let word = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let missing = names.filter(word).filter(|name| {
                let declared = format!("fn {name}(");
                // One that is stamped for each broker, or named by a macro, is declared elsewhere.
                let stamped = format!(": {name}\n");
                !sources.iter().any(|source| source.text.contains(&declared) || source.text.contains(&stamped))
            });
            violations.extend(missing.map(|name| format!("there is no test `{name}`")));
        } else if line.starts_with("| [P") {
            let missing = names.filter(|name| name.ends_with(".rs") && !files(name));
            violations.extend(missing.map(|name| format!("there is no file `{name}`")));
        }
    }
    violations
}

/// A manifest does not name `dependency`, except for its tests.
pub(crate) fn no_dependency(manifest: &str, dependency: &str) -> Vec<String> {
    let mut section = "";
    let mut violations = Vec::new();
    for line in manifest.lines().map(str::trim) {
        let header = line.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        section = header.unwrap_or(section);
        let named = match header {
            Some(header) => header.ends_with(&format!("dependencies.{dependency}")),
            None => section.ends_with("dependencies") && line.starts_with(dependency),
        };
        if named && !section.contains("dev-dependencies") {
            violations.push(format!("[{section}] names {dependency}"));
        }
    }
    violations
}

/// Every Rust file opens with a `//!` sentence. A fixture of the compiler tests is explained by its name.
pub(crate) fn opening_sentence(sources: &[Source]) -> Vec<String> {
    let files = sources.iter().filter(|source| source.is_rust() && !source.path.contains("/ui/"));
    let silent = files.filter(|source| !source.text.starts_with("//! "));
    silent.map(|source| format!("{} does not open with a `//!` sentence", source.path)).collect()
}

/// No file is longer than 400 lines, unless its header says why.
pub(crate) fn length(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        let is_comment = |line: &&str| ["//", "--"].iter().any(|sign| line.starts_with(sign));
        let excused = source.text.lines().take_while(is_comment).any(|line| line.contains(EXCUSE));
        if lines > MAX_LINES && !excused {
            violations.push(format!(
                "{} has {lines} lines; give its second thought a file, or say in its header `{EXCUSE} …`",
                source.path
            ));
        }
    }
    violations
}

/// The Rust files that are compiled without `cfg(test)`, scanned.
fn scans<'a>(sources: &'a [Source]) -> Vec<(&'a Source, Scan)> {
    let scan = |source: &'a Source| match Scan::new(&source.text, &source.module()) {
        Ok(scan) => (source, scan),
        Err(error) => panic!("{}: {error}", source.path),
    };
    let scans: Vec<(&Source, Scan)> = sources.iter().filter(|source| source.is_rust()).map(scan).collect();
    let tests: Vec<Vec<String>> = scans.iter().flat_map(|(_, scan)| scan.test_modules.clone()).collect();
    let is_test = |source: &Source| tests.iter().any(|test| source.module().starts_with(test));
    scans.into_iter().filter(|(source, _)| !is_test(source)).collect()
}

/// The top-level module of a file; `None` for files that are exempt from the table.
fn top_module(source: &Source) -> Option<String> {
    let module = source.module().into_iter().next()?;
    (!EXEMPT.contains(&module.as_str())).then_some(module)
}

fn top_modules(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().filter(|source| source.is_rust()).filter_map(top_module).collect()
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
