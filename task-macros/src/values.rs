//! The values of single options: names, paths and lists.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Lit, LitStr, Path, Token, bracketed, token};

use crate::args::OPTIONS;
use crate::errors::Errors;
use crate::names;
use crate::options::CRATE;

/// Runs a parser and insists that it reads everything.
pub(crate) fn parse_all<T>(tokens: &TokenStream, parser: impl FnOnce(ParseStream) -> syn::Result<T>) -> syn::Result<T> {
    let parser = |input: ParseStream| {
        let value = parser(input)?;
        if input.is_empty() { Ok(value) } else { Err(input.error("expected `,`")) }
    };
    parser.parse2(tokens.clone())
}

pub(crate) fn string(input: ParseStream) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    if input.peek(syn::Ident) {
        let word: Ident = input.parse()?;
        let message = format!("expected a string; put quotes around it: `\"{word}\"`");
        return Err(syn::Error::new_spanned(word, message));
    }
    Err(input.error("expected a string in quotes"))
}

pub(crate) fn task_name(input: ParseStream) -> syn::Result<LitStr> {
    checked(string(input)?, names::check_task_name)
}

pub(crate) fn queue_name(input: ParseStream) -> syn::Result<LitStr> {
    checked(string(input)?, names::check_queue_name)
}

pub(crate) fn checked(name: LitStr, check: fn(&str) -> Result<(), String>) -> syn::Result<LitStr> {
    match check(&name.value()) {
        Ok(()) => Ok(name),
        Err(message) => Err(syn::Error::new_spanned(name, message)),
    }
}

pub(crate) fn aliases(input: ParseStream, errors: &mut Errors) -> syn::Result<Vec<LitStr>> {
    if !input.peek(token::Bracket) {
        let message = format!("expected a list: `{}`", OPTIONS.example("aliases"));
        return Err(input.error(message));
    }
    let content;
    bracketed!(content in input);
    let names = content.parse_terminated(string, Token![,])?;
    let mut aliases: Vec<LitStr> = Vec::new();
    for name in names {
        let Some(name) = errors.collect(checked(name, names::check_task_name)) else {
            continue;
        };
        if aliases.iter().any(|alias| alias.value() == name.value()) {
            let message = format!("the alias `{}` is given twice", name.value());
            errors.at(name, message);
        } else {
            aliases.push(name);
        }
    }
    Ok(aliases)
}

pub(crate) fn job_type(input: ParseStream) -> syn::Result<Ident> {
    if input.peek(syn::Ident) && !input.peek2(Token![::]) {
        return input.parse();
    }
    let message = format!("expected a type name: `{}`", OPTIONS.example("job"));
    Err(input.error(message))
}

pub(crate) fn runtime_path(input: ParseStream) -> syn::Result<Path> {
    if input.peek(Lit) {
        let message = format!("expected a path without quotes: `{}`", CRATE.1);
        return Err(input.error(message));
    }
    input.call(Path::parse_mod_style)
}

/// The serde derives are always there; the others are the user's.
pub(crate) fn derives(input: ParseStream, errors: &mut Errors) -> syn::Result<Vec<Path>> {
    let paths = input.parse_terminated(Path::parse_mod_style, Token![,])?;
    let mut derives: Vec<Path> = Vec::new();
    for path in paths {
        let last = path.segments.last().map(|segment| segment.ident.to_string());
        if matches!(last.as_deref(), Some("Serialize" | "Deserialize")) {
            errors.at(path, "every job type derives `Serialize` and `Deserialize`; remove it");
        } else if derives.iter().any(|derive| same_path(derive, &path)) {
            errors.at(path, "this derive is given twice");
        } else {
            derives.push(path);
        }
    }
    Ok(derives)
}

pub(crate) fn same_path(one: &Path, other: &Path) -> bool {
    one.to_token_stream().to_string() == other.to_token_stream().to_string()
}
