//! The outer form of options, the same in every attribute: each is read on its own, so that one bad option hides no other.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::LitInt;
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use crate::durations::{Millis, duration};
use crate::errors::{Errors, nearest};
use crate::values::parse_all;

/// `crate` stands apart: few need it, and it would be an odd thing to suggest.
pub(crate) const CRATE: (&str, &str) = ("crate", "crate = my::path");

/// The options of one attribute.
pub(crate) struct Options {
    /// Each option and how it is written.
    pub(crate) known: &'static [(&'static str, &'static str)],
    /// What other systems call them.
    pub(crate) foreign: &'static [(&'static str, &'static str)],
    /// The one that is shown to who wrote something else than an option.
    pub(crate) typical: &'static str,
}

impl Options {
    /// Applies each of the settings among some tokens, in order; what is none, and what is given twice, is reported.
    pub(crate) fn read(
        &'static self,
        tokens: TokenStream,
        errors: &mut Errors,
        mut apply: impl FnMut(&Setting, &mut Errors) -> syn::Result<()>,
    ) {
        let mut seen = HashSet::new();
        for tokens in split_at_commas(tokens, errors) {
            let Some(setting) = errors.collect(Setting::parse(tokens, self)) else {
                continue;
            };
            let name = setting.name();
            if !seen.insert(name.clone()) {
                errors.at(&setting.key, format!("option `{name}` is given twice"));
                continue;
            }
            let result = apply(&setting, errors);
            errors.collect(result);
        }
    }

    /// How an option is written; empty for one that is not known.
    pub(crate) fn example(&self, option: &str) -> &'static str {
        let known = self.known.iter().chain([&CRATE]);
        known.filter(|(name, _)| *name == option).map(|(_, example)| *example).next().unwrap_or_default()
    }

    /// The option that was probably meant.
    pub(crate) fn meant(&self, unknown: &str) -> Option<&'static str> {
        let foreign = self.foreign.iter().find(|(word, _)| *word == unknown);
        foreign.map(|(_, option)| *option).or_else(|| nearest(unknown, self.known.iter().map(|(name, _)| *name)))
    }

    /// What is said of an option that there is not.
    pub(crate) fn unknown(&self, unknown: &str) -> String {
        match self.meant(unknown) {
            Some(option) => format!("unknown option `{unknown}`; did you mean `{option}`?"),
            None => {
                let known: Vec<String> = self.known.iter().map(|(name, _)| format!("`{name}`")).collect();
                format!("unknown option `{unknown}`; the options are {}", known.join(", "))
            }
        }
    }
}

/// One option, of which only the outer form is known yet.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    form: Form,
    options: &'static Options,
}

enum Form {
    /// `key`
    Word,
    /// `key = tokens`
    Value(TokenStream),
    /// `key(tokens)`
    List(TokenStream),
}

impl Setting {
    fn parse(tokens: TokenStream, options: &'static Options) -> syn::Result<Self> {
        let mut rest = tokens.clone().into_iter();
        let Some(TokenTree::Ident(key)) = rest.next() else {
            let message = format!("expected an option such as `{}`", options.example(options.typical));
            return Err(syn::Error::new_spanned(tokens, message));
        };
        let form = match rest.next() {
            None => Form::Word,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => Form::Value(rest.collect()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                if let Some(next) = rest.next() {
                    return Err(syn::Error::new_spanned(next, "expected `,`"));
                }
                Form::List(group.stream())
            }
            Some(other) => {
                let message = match options.example(&key.unraw().to_string()) {
                    "" => format!("expected `=` after `{key}`"),
                    example => format!("expected `{example}`"),
                };
                return Err(syn::Error::new_spanned(other, message));
            }
        };
        Ok(Self { key, form, options })
    }

    pub(crate) fn name(&self) -> String {
        self.key.to_string()
    }

    pub(crate) fn value<T>(&self, parser: impl FnOnce(ParseStream) -> syn::Result<T>) -> syn::Result<T> {
        match &self.form {
            Form::Value(tokens) if !tokens.is_empty() => parse_all(tokens, parser),
            _ => Err(self.wrong_form("needs a value")),
        }
    }

    pub(crate) fn list<T>(&self, parser: impl FnOnce(ParseStream) -> syn::Result<T>) -> syn::Result<T> {
        match &self.form {
            Form::List(tokens) => parse_all(tokens, parser),
            _ => Err(self.wrong_form("needs a list in parentheses")),
        }
    }

    pub(crate) fn word(&self) -> syn::Result<()> {
        match &self.form {
            Form::Word => Ok(()),
            _ => Err(self.wrong_form("takes no value")),
        }
    }

    pub(crate) fn number(&self, range: RangeInclusive<u32>) -> syn::Result<u32> {
        let name = self.name();
        let outside = || {
            let (low, high) = (range.start(), range.end());
            format!("`{name}` must be a whole number between {low} and {high}")
        };
        self.value(|input| {
            if !input.peek(LitInt) {
                return Err(input.error(outside()));
            }
            let literal: LitInt = input.parse()?;
            let number = literal.base10_parse::<u32>().ok();
            number
                .filter(|number| range.contains(number) && literal.suffix().is_empty())
                .ok_or_else(|| syn::Error::new_spanned(literal, outside()))
        })
    }

    pub(crate) fn duration(&self, what: &str, range: RangeInclusive<Millis>) -> syn::Result<Millis> {
        self.value(|input| duration(input, what, range))
    }

    fn wrong_form(&self, problem: &str) -> syn::Error {
        let name = self.name();
        let message = format!("option `{name}` {problem}: write `{}`", self.options.example(&name));
        syn::Error::new_spanned(&self.key, message)
    }
}

/// Splits before parsing, so that a mistake in one option does not reach into the next.
fn split_at_commas(tokens: TokenStream, errors: &mut Errors) -> Vec<TokenStream> {
    let mut parts = Vec::new();
    let mut part = TokenStream::new();
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                if part.is_empty() {
                    errors.at(punct, "expected an option before `,`");
                } else {
                    parts.push(std::mem::take(&mut part));
                }
            }
            _ => part.extend([token]),
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// What holds of the options of every attribute, with a function that gives the messages of all mistakes in some.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn mistakes<A>(source: &str, parse: fn(TokenStream, &mut Errors) -> A) -> Vec<String> {
        let mut errors = Errors::default();
        parse(source.parse().expect("the source is made of tokens"), &mut errors);
        errors.messages()
    }

    pub(crate) fn the_examples_are_accepted(options: &Options, mistakes: fn(&str) -> Vec<String>) {
        for (name, example) in options.known.iter().chain([&CRATE]) {
            assert_eq!(mistakes(example), Vec::<String>::new(), "{name}");
        }
        let all: String = options.known.iter().map(|(_, example)| format!("{example},\n")).collect();
        assert_eq!(mistakes(&all), Vec::<String>::new());
    }

    pub(crate) fn foreign_words_lead_to_options(options: &Options, mistakes: fn(&str) -> Vec<String>) {
        for (word, option) in options.foreign {
            let expected = format!("unknown option `{word}`; did you mean `{option}`?");
            assert_eq!(mistakes(&format!("{word} = 1")), [expected]);
        }
    }

    pub(crate) fn each_is_one_mistake(table: &[(&str, &str)], mistakes: fn(&str) -> Vec<String>) {
        for (source, message) in table {
            let found = mistakes(source);
            assert_eq!(found.len(), 1, "{source}: {found:?}");
            assert!(found[0].contains(message), "{source}: {found:?}");
        }
    }
}
