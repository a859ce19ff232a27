//! What the non-test code of one file names: paths, identifiers and string literals.
//!
//! It reads tokens rather than syntax, so that it also sees what is written inside macro calls.

use std::collections::BTreeSet;
use std::iter::once;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// What a path points to, as far as the layers are concerned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The first name below the root of this crate; `*` when everything of the root is imported.
    InCrate(String),
    /// A path that starts outside, such as `redis::cmd`.
    Outside(String),
}

impl Target {
    /// Whether this is `path`, or something below it, outside of the crate.
    pub(crate) fn is_outside(&self, path: &str) -> bool {
        match self {
            Target::Outside(whole) => {
                whole.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            }
            Target::InCrate(_) => false,
        }
    }
}

/// Something found in a file, with its line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found<T> {
    pub(crate) what: T,
    pub(crate) line: usize,
}

/// All that the rules ask of a file.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) paths: Vec<Found<Target>>,
    pub(crate) identifiers: Vec<Found<String>>,
    pub(crate) literals: Vec<Found<String>>,
    /// Modules that are compiled for tests only, and whose files are therefore not looked at.
    pub(crate) test_modules: Vec<Vec<String>>,
    /// Names of the modules that this file declares: a path may start with one.
    declared: BTreeSet<String>,
}

impl Scan {
    /// Scans the text of the file that is the module `module`.
    pub(crate) fn new(text: &str, module: &[String]) -> Result<Scan, String> {
        let tokens: TokenStream = text.parse().map_err(|error| format!("it is not Rust: {error}"))?;
        let mut scan = Scan::default();
        scan.walk(tokens, module);
        let Scan { paths, declared, .. } = &mut scan;
        paths.retain(|path| !declared.iter().any(|name| path.what.is_outside(name)));
        Ok(scan)
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if let Some((attribute, after)) = attribute(&tokens, at) {
                if is_test(attribute) {
                    at = self.skip_item(&tokens, after, module);
                } else {
                    if !is_named(attribute, "doc") {
                        self.walk(attribute.stream(), module);
                    }
                    at = after;
                }
            } else if let Some(name) = declared_module(&tokens, at) {
                self.declared.insert(name.clone());
                at += 2;
                if let Some(TokenTree::Group(body)) = tokens.get(at) {
                    let inner: Vec<String> = module.iter().cloned().chain(once(name)).collect();
                    self.walk(body.stream(), &inner);
                    at += 1;
                }
            } else {
                at = self.step(&tokens, at, module);
            }
        }
    }

    /// Reads one token, or one whole path, and says where to go on.
    fn step(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let imported = at > 0 && (is_ident(&tokens[at - 1], "use") || is_ident(&tokens[at - 1], "crate"));
        match &tokens[at] {
            TokenTree::Ident(_) => self.path(tokens, at, Vec::new(), imported, module),
            TokenTree::Punct(_)
                if is_separator(tokens, at) && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) =>
            {
                // `::name` starts outside, even if a module of that name is near.
                self.path(tokens, at + 2, vec![String::new()], true, module)
            }
            TokenTree::Group(group) => {
                self.walk(group.stream(), module);
                at + 1
            }
            TokenTree::Literal(literal) => {
                self.literals.push(Found { what: literal.to_string(), line: literal.span().start().line });
                at + 1
            }
            TokenTree::Punct(_) => at + 1,
        }
    }

    /// Reads `a::b::c`, or `a::{b, c::d}`, whose beginning was `before`.
    fn path(
        &mut self,
        tokens: &[TokenTree],
        mut at: usize,
        before: Vec<String>,
        imported: bool,
        module: &[String],
    ) -> usize {
        let mut names = before;
        let line = tokens[at].span().start().line;
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(ident)) => {
                    let name = ident.to_string().trim_start_matches("r#").to_owned();
                    self.identifiers.push(Found { what: name.clone(), line: ident.span().start().line });
                    names.push(name);
                    at += 1;
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.branches(group, &names, module);
                    return at + 1;
                }
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                    names.push("*".into());
                    at += 1;
                }
                // Generic arguments, or the end of a macro's repetition.
                _ => break,
            }
            if !is_separator(tokens, at) {
                break;
            }
            at += 2;
        }
        if let Some(what) = resolve(&names, imported, module) {
            self.paths.push(Found { what, line });
        }
        at
    }

    /// The inside of `{…}` in an import: each branch goes on where the common beginning ended.
    fn branches(&mut self, group: &Group, before: &[String], module: &[String]) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        for branch in tokens.split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',')) {
            if !branch.is_empty() {
                self.path(branch, 0, before.to_vec(), true, module);
            }
        }
    }

    /// Skips an item that is compiled for tests only, remembering a module that has a file of its own.
    fn skip_item(&mut self, tokens: &[TokenTree], mut at: usize, module: &[String]) -> usize {
        while let Some((_, after)) = attribute(tokens, at) {
            at = after;
        }
        while let Some(token) = tokens.get(at) {
            if let Some(name) = declared_module(tokens, at) {
                self.test_modules.push(module.iter().cloned().chain(once(name)).collect());
            }
            at += 1;
            match token {
                TokenTree::Punct(end) if end.as_char() == ';' => break,
                TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => break,
                _ => {}
            }
        }
        at
    }
}

/// `#[…]` or `#![…]` at this place, and where it ends.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(&Group, usize)> {
    let is_punct = |at: usize, sign| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    if !is_punct(at, '#') {
        return None;
    }
    let at = if is_punct(at + 1, '!') { at + 2 } else { at + 1 };
    match tokens.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some((group, at + 1)),
        _ => None,
    }
}

fn is_named(attribute: &Group, name: &str) -> bool {
    attribute.stream().into_iter().next().is_some_and(|token| is_ident(&token, name))
}

/// Whether the attribute is exactly `cfg(test)`; what is also compiled with a feature is not test code.
fn is_test(attribute: &Group) -> bool {
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

fn declared_module(tokens: &[TokenTree], at: usize) -> Option<String> {
    match (&tokens[at], tokens.get(at + 1)) {
        (keyword, Some(TokenTree::Ident(name))) if is_ident(keyword, "mod") => Some(name.to_string()),
        _ => None,
    }
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

/// `::`
fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(TokenTree::Punct(first)), Some(TokenTree::Punct(second))) => {
            first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':'
        }
        _ => false,
    }
}

/// Where the path leads. A single name that is not imported is a local thing.
fn resolve(names: &[String], imported: bool, module: &[String]) -> Option<Target> {
    let (first, rest) = names.split_first()?;
    match first.as_str() {
        "crate" => rest.first().cloned().map(Target::InCrate),
        "self" | "super" => {
            let supers = names.iter().take_while(|name| ["self", "super"].contains(&name.as_str()));
            let ups = supers.clone().filter(|name| *name == "super").count();
            let rest = &names[supers.count()..];
            let base = &module[..module.len().saturating_sub(ups)];
            base.first().or(rest.first()).cloned().map(Target::InCrate)
        }
        // A path that began with `::`.
        "" => Some(Target::Outside(rest.join("::"))),
        _ if imported || !rest.is_empty() => Some(Target::Outside(names.join("::"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Scan, Target};

    fn scan(text: &str) -> Scan {
        Scan::new(text, &["broker".into(), "redis".into()]).unwrap()
    }

    fn in_crate(text: &str) -> Vec<String> {
        let paths = scan(text).paths.into_iter();
        paths.filter_map(|path| if let Target::InCrate(name) = path.what { Some(name) } else { None }).collect()
    }

    fn outside(text: &str) -> Vec<String> {
        let paths = scan(text).paths.into_iter();
        paths.filter_map(|path| if let Target::Outside(name) = path.what { Some(name) } else { None }).collect()
    }

    #[test]
    fn an_import_is_seen_in_each_of_its_forms() {
        assert_eq!(in_crate("use crate::job::Job;"), ["job"]);
        assert_eq!(
            in_crate("pub(crate) use crate::{job::{Job, JobId}, error::Error as E, task};"),
            ["job", "job", "error", "task"]
        );
        assert_eq!(in_crate("use crate::*;"), ["*"]);
        assert_eq!(in_crate("fn f(job: &crate::job::Job) -> Vec<crate::error::Error> {}"), ["job", "error"]);
        assert_eq!(in_crate("macro_rules! m { () => { $crate::worker::go() } }"), ["worker"]);
        assert_eq!(in_crate("fn f() { tokio::select! { _ = crate::worker::turn() => {} } }"), ["worker"]);
    }

    #[test]
    fn super_is_followed_up_to_the_root() {
        assert_eq!(in_crate("use super::verbs::Turn;"), ["broker"]);
        assert_eq!(in_crate("use super::super::job::Job;"), ["job"]);
        assert_eq!(in_crate("use self::keys::Keys;"), ["broker"]);
        assert_eq!(in_crate("mod inner { use super::super::super::job::Job; }"), ["job"]);
        assert_eq!(in_crate("use super::super::{client, job::Job};"), ["client", "job"]);
    }

    #[test]
    fn a_dependency_is_told_from_a_local_name() {
        assert_eq!(outside("use redis::{Client, aio::Connection};"), ["redis::Client", "redis::aio::Connection"]);
        assert_eq!(outside("use redis;"), ["redis"]);
        assert_eq!(outside("fn f() { ::redis::cmd(\"PING\") }"), ["redis::cmd"]);
        assert_eq!(outside("fn f() { redis::cmd(\"PING\") }"), ["redis::cmd"]);
        assert_eq!(outside("fn f(redis: u8) -> u8 { redis }"), [""; 0]);
        assert_eq!(outside("mod redis; pub use redis::RedisBroker;"), [""; 0]);
        assert_eq!(outside("use crate::broker::redis::Keys;"), [""; 0]);
    }

    #[test]
    fn test_code_and_comments_are_not_seen() {
        assert_eq!(in_crate("#[cfg(test)] mod tests { use crate::testing::Harness; } use crate::job::Job;"), ["job"]);
        assert_eq!(in_crate("#[cfg(test)]\n#[allow(unused)]\nuse crate::{testing::X};\nuse crate::job::Job;"), ["job"]);
        assert_eq!(in_crate("/// See `crate::worker::turn`.\nfn f() {} // crate::worker"), [""; 0]);
        assert_eq!(in_crate("#[cfg(any(test, feature = \"testing\"))] use crate::testing::X;"), ["testing"]);
    }

    #[test]
    fn a_test_module_with_a_file_of_its_own_is_remembered() {
        assert_eq!(scan("#[cfg(test)] mod tests;").test_modules, [["broker", "redis", "tests"]]);
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(scan("\n\nuse crate::job::Job;").paths[0].line, 3);
    }
}
