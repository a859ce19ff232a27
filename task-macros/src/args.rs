//! Step one: reads the options of the attribute, each on its own, so that one bad option hides no other.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{LitInt, LitStr, Path};

use crate::backoff::Backoff;
use crate::durations::{DAY, Millis, duration};
use crate::errors::{Errors, nearest};
use crate::values::{aliases, derives, job_type, parse_all, queue_name, runtime_path, task_name};

const LONGEST_TIMEOUT: Millis = 30 * DAY;
const LONGEST_RESULT_TTL: Millis = 30 * DAY;

/// The options and how each is written.
const OPTIONS: [(&str, &str); 12] = [
    ("name", "name = \"emails.send\""),
    ("aliases", "aliases = [\"old_name\"]"),
    ("queue", "queue = \"mail\""),
    ("timeout", "timeout = \"30s\""),
    ("max_attempts", "max_attempts = 5"),
    ("max_crashes", "max_crashes = 3"),
    ("backoff", "backoff = exponential(\"1s\", cap = \"10m\")"),
    ("priority", "priority = 7"),
    ("result_ttl", "result_ttl = \"1h\""),
    ("blocking", "blocking"),
    ("job", "job = SendEmailJob"),
    ("derive", "derive(Clone, Debug)"),
];
/// `crate` stands apart: few need it, and it would be an odd thing to suggest.
pub(crate) const CRATE: (&str, &str) = ("crate", "crate = my::path");

/// What other job systems call our options.
const FOREIGN: [(&str, &str); 9] = [
    ("alias", "aliases"),
    ("attempts", "max_attempts"),
    ("crashes", "max_crashes"),
    ("max_retries", "max_attempts"),
    ("rename", "name"),
    ("retries", "max_attempts"),
    ("retry", "max_attempts"),
    ("sync", "blocking"),
    ("ttl", "result_ttl"),
];

/// The options as far as they are right; a wrong one is reported and absent.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) timeout: Option<Millis>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_crashes: Option<u32>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) priority: Option<u8>,
    pub(crate) result_ttl: Option<Millis>,
    pub(crate) blocking: Option<Ident>,
    pub(crate) job: Option<Ident>,
    pub(crate) derive: Vec<Path>,
    pub(crate) runtime: Option<Path>,
    /// The runtime was to be somewhere else, but it is not clear where.
    pub(crate) runtime_is_unknown: bool,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let mut seen = HashSet::new();
        for tokens in split_at_commas(tokens, errors) {
            let Some(setting) = errors.collect(Setting::parse(tokens)) else {
                continue;
            };
            let name = setting.name();
            if !seen.insert(name.clone()) {
                errors.at(&setting.key, format!("option `{name}` is given twice"));
                continue;
            }
            let result = args.apply(&setting, errors);
            errors.collect(result);
        }
        args
    }

    fn apply(&mut self, setting: &Setting, errors: &mut Errors) -> syn::Result<()> {
        match setting.name().as_str() {
            "name" => self.name = Some(setting.value(task_name)?),
            "aliases" => self.aliases = setting.value(|input| aliases(input, errors))?,
            "queue" => self.queue = Some(setting.value(queue_name)?),
            "timeout" => {
                let timeout = |input: ParseStream| duration(input, "a timeout", 1..=LONGEST_TIMEOUT);
                self.timeout = Some(setting.value(timeout)?);
            }
            "max_attempts" => self.max_attempts = Some(setting.number(1..=1000)?),
            "max_crashes" => self.max_crashes = Some(setting.number(1..=100)?),
            "backoff" => self.backoff = Some(setting.value(Backoff::parse)?),
            "priority" => self.priority = Some(setting.number(0..=9)? as u8),
            "result_ttl" => {
                let ttl = |input: ParseStream| duration(input, "`result_ttl`", 0..=LONGEST_RESULT_TTL);
                self.result_ttl = Some(setting.value(ttl)?);
            }
            "blocking" => {
                // Set even when written wrongly: the intention is clear.
                self.blocking = Some(setting.key.clone());
                setting.word()?;
            }
            "job" => self.job = Some(setting.value(job_type)?),
            "derive" => self.derive = setting.list(|input| derives(input, errors))?,
            "crate" => {
                self.runtime_is_unknown = true;
                self.runtime = Some(setting.value(runtime_path)?);
                self.runtime_is_unknown = false;
            }
            unknown => {
                let meant = meant_option(unknown);
                if meant == Some("blocking") {
                    self.blocking = Some(setting.key.clone());
                }
                errors.at(&setting.key, unknown_option(unknown, meant));
            }
        }
        Ok(())
    }
}

fn meant_option(unknown: &str) -> Option<&'static str> {
    let foreign = FOREIGN.iter().find(|(word, _)| *word == unknown);
    foreign.map(|(_, option)| *option).or_else(|| nearest(unknown, OPTIONS.map(|(name, _)| name)))
}

fn unknown_option(unknown: &str, meant: Option<&str>) -> String {
    match meant {
        Some(option) => format!("unknown option `{unknown}`; did you mean `{option}`?"),
        None => {
            let known: Vec<String> = OPTIONS.map(|(name, _)| format!("`{name}`")).into();
            format!("unknown option `{unknown}`; the options are {}", known.join(", "))
        }
    }
}

/// One option, of which only the outer form is known yet.
struct Setting {
    key: Ident,
    form: Form,
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
    fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut rest = tokens.clone().into_iter();
        let Some(TokenTree::Ident(key)) = rest.next() else {
            return Err(syn::Error::new_spanned(tokens, format!("expected an option such as `{}`", example("queue"))));
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
                let message = match example(&key.unraw().to_string()) {
                    "" => format!("expected `=` after `{key}`"),
                    example => format!("expected `{example}`"),
                };
                return Err(syn::Error::new_spanned(other, message));
            }
        };
        Ok(Self { key, form })
    }

    fn name(&self) -> String {
        self.key.to_string()
    }

    fn value<T>(&self, parser: impl FnOnce(ParseStream) -> syn::Result<T>) -> syn::Result<T> {
        match &self.form {
            Form::Value(tokens) if !tokens.is_empty() => parse_all(tokens, parser),
            _ => Err(self.wrong_form("needs a value")),
        }
    }

    fn list<T>(&self, parser: impl FnOnce(ParseStream) -> syn::Result<T>) -> syn::Result<T> {
        match &self.form {
            Form::List(tokens) => parse_all(tokens, parser),
            _ => Err(self.wrong_form("needs a list in parentheses")),
        }
    }

    fn word(&self) -> syn::Result<()> {
        match &self.form {
            Form::Word => Ok(()),
            _ => Err(self.wrong_form("takes no value")),
        }
    }

    fn number(&self, range: RangeInclusive<u32>) -> syn::Result<u32> {
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

    fn wrong_form(&self, problem: &str) -> syn::Error {
        let name = self.name();
        let message = format!("option `{name}` {problem}: write `{}`", example(&name));
        syn::Error::new_spanned(&self.key, message)
    }
}

pub(crate) fn example(option: &str) -> &'static str {
    let known = OPTIONS.iter().chain([&CRATE]);
    known.filter(|(name, _)| *name == option).map(|(_, example)| *example).next().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of all mistakes in the options.
    fn mistakes(source: &str) -> Vec<String> {
        let mut errors = Errors::default();
        Args::parse(source.parse().expect("the source is made of tokens"), &mut errors);
        errors.messages()
    }

    #[test]
    fn the_examples_are_accepted() {
        for (name, example) in OPTIONS.into_iter().chain([CRATE]) {
            assert_eq!(mistakes(example), Vec::<String>::new(), "{name}");
        }
        let all = OPTIONS.map(|(_, example)| example).join(",\n") + ",";
        assert_eq!(mistakes(&all), Vec::<String>::new());
        assert!(OPTIONS[6].1.contains(crate::backoff::EXAMPLE));
    }

    #[test]
    fn foreign_words_lead_to_options() {
        for (word, option) in FOREIGN {
            let expected = format!("unknown option `{word}`; did you mean `{option}`?");
            assert_eq!(mistakes(&format!("{word} = 1")), [expected]);
        }
    }

    #[test]
    fn every_mistake_is_reported() {
        let source = "timeuot = 30, queue = , priority = 10, , blocking = true, queue = 1";
        assert_eq!(
            mistakes(source),
            [
                "expected an option before `,`",
                "unknown option `timeuot`; did you mean `timeout`?",
                "option `queue` needs a value: write `queue = \"mail\"`",
                "`priority` must be a whole number between 0 and 9",
                "option `blocking` takes no value: write `blocking`",
                "option `queue` is given twice",
            ]
        );
    }

    #[test]
    fn bad_options_say_what_to_write() {
        let table = [
            ("\"mail\"", "expected an option such as `queue = \"mail\"`"),
            ("queue: \"mail\"", "expected `queue = \"mail\"`"),
            ("mail: 3", "expected `=` after `mail`"),
            ("queue(\"mail\")", "option `queue` needs a value: write `queue = \"mail\"`"),
            ("queue = mail", "expected a string; put quotes around it: `\"mail\"`"),
            ("queue = 5", "expected a string in quotes"),
            ("queue = \"a\" timeout = 3", "expected `,`"),
            ("derive(Clone) queue", "expected `,`"),
            ("derive = [Clone]", "needs a list in parentheses: write `derive(Clone, Debug)`"),
            ("derive(Clone, Clone)", "this derive is given twice"),
            ("derive(serde::Serialize)", "every job type derives"),
            ("aliases = \"old\"", "expected a list: `aliases = [\"old_name\"]`"),
            ("aliases = [\"a\", \"a\"]", "the alias `a` is given twice"),
            ("job = \"Send\"", "expected a type name"),
            ("job = my::Send", "expected a type name"),
            ("crate = \"my::path\"", "expected a path without quotes"),
            ("max_attempts = 0", "`max_attempts` must be a whole number between 1 and 1000"),
            ("max_attempts = -1", "`max_attempts` must be a whole number"),
            ("max_attempts = \"5\"", "`max_attempts` must be a whole number"),
            ("max_crashes = 101", "between 1 and 100"),
            ("max_crashes = 5u8", "between 1 and 100"),
            ("priority = 99999999999999", "between 0 and 9"),
            ("timeout = 0", "a timeout must be between 1ms and 30d"),
            ("timeout = \"31d\"", "a timeout must be between 1ms and 30d"),
            ("result_ttl = \"31d\"", "`result_ttl` must be at most 30d"),
            ("colour = 1", "unknown option `colour`; the options are `name`, `aliases`,"),
        ];
        for (source, message) in table {
            let found = mistakes(source);
            assert_eq!(found.len(), 1, "{source}: {found:?}");
            assert!(found[0].contains(message), "{source}: {found:?}");
        }
    }
}
