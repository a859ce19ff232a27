//! Step one: reads the options of `#[cached]`.

use proc_macro2::TokenStream;
use syn::parse::ParseStream;
use syn::{Lit, LitStr, Path, Token, bracketed, token};

use super::tag::Tag;
use crate::durations::{DAY, Millis, duration};
use crate::errors::Errors;
use crate::names;
use crate::options::Options;
use crate::values::{checked, runtime_path, string};

/// As long as a cache can keep anything: 10 years.
const LONGEST: Millis = 10 * 366 * DAY;
/// What a cache allows for one entry.
const MOST_TAGS: usize = 16;

/// The options of `#[cached]`.
pub(crate) static OPTIONS: Options = Options { known: &KNOWN, foreign: &FOREIGN, typical: "ttl" };

const KNOWN: [(&str, &str); 9] = [
    ("ttl", "ttl = 60"),
    ("by", "by = [\"user_id\"]"),
    ("name", "name = \"users.summary\""),
    ("version", "version = 2"),
    ("tags", "tags = [\"users\", \"user:{user_id}\"]"),
    ("stale", "stale = \"10m\""),
    ("early", "early = true"),
    ("cache", "cache = \"pages\""),
    ("cache_errors", "cache_errors = \"5s\""),
];

/// What other caches call our options.
const FOREIGN: [(&str, &str); 12] = [
    ("key", "by"),
    ("keys", "by"),
    ("expire", "ttl"),
    ("expires", "ttl"),
    ("timeout", "ttl"),
    ("time", "ttl"),
    ("prefix", "name"),
    ("errors", "cache_errors"),
    ("stale_while_revalidate", "stale"),
    ("swr", "stale"),
    ("xfetch", "early"),
    ("tag", "tags"),
];

/// For how long values are kept.
#[derive(Clone, Copy)]
pub(crate) enum Ttl {
    For(Millis),
    Forever,
}

/// The options as far as they are right; a wrong one is reported and absent.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) ttl: Option<Ttl>,
    pub(crate) by: Option<Vec<LitStr>>,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<u32>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) stale: Option<Millis>,
    /// How eagerly a value is made anew before its end.
    pub(crate) early: Option<f64>,
    pub(crate) cache: Option<LitStr>,
    pub(crate) cache_errors: Option<Millis>,
    pub(crate) runtime: Option<Path>,
    /// The runtime was to be somewhere else, but it is not clear where.
    pub(crate) runtime_is_unknown: bool,
    /// It is not clear which parameters the key is made of.
    pub(crate) by_is_unknown: bool,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        OPTIONS.read(tokens, errors, |setting, errors| {
            match setting.name().as_str() {
                "ttl" => args.ttl = Some(setting.value(ttl)?),
                "by" => {
                    args.by_is_unknown = true;
                    args.by = Some(setting.value(one_or_more)?);
                    args.by_is_unknown = false;
                }
                "name" => args.name = Some(setting.value(|input| checked(string(input)?, names::check_cached_name))?),
                "version" => args.version = Some(setting.number(1..=u32::MAX)?),
                "tags" => {
                    let tags = setting.value(one_or_more)?;
                    if let Some(tag) = tags.get(MOST_TAGS) {
                        errors.at(tag, format!("an entry has {MOST_TAGS} tags at most"));
                    }
                    args.tags = tags.into_iter().filter_map(|tag| errors.collect(Tag::parse(tag))).collect();
                }
                "stale" => args.stale = Some(setting.duration("`stale`", 1..=LONGEST)?),
                "early" => args.early = setting.value(eagerness)?,
                "cache" => args.cache = Some(setting.value(|input| checked(string(input)?, is_named))?),
                "cache_errors" => args.cache_errors = Some(setting.duration("`cache_errors`", 1..=LONGEST)?),
                "crate" => {
                    args.runtime_is_unknown = true;
                    args.runtime = Some(setting.value(runtime_path)?);
                    args.runtime_is_unknown = false;
                }
                unknown => {
                    args.by_is_unknown |= OPTIONS.meant(unknown) == Some("by");
                    errors.at(&setting.key, OPTIONS.unknown(unknown));
                }
            }
            Ok(())
        });
        args
    }

    /// The option that has a value made anew while the caller goes on.
    pub(crate) fn in_background(&self) -> Option<&'static str> {
        match (self.stale, self.early) {
            (Some(_), _) => Some("stale"),
            (None, Some(_)) => Some("early"),
            (None, None) => None,
        }
    }
}

fn ttl(input: ParseStream) -> syn::Result<Ttl> {
    let text = input.fork().parse::<LitStr>();
    if text.is_ok_and(|text| text.value() == "forever") {
        input.parse::<LitStr>()?;
        return Ok(Ttl::Forever);
    }
    duration(input, "`ttl`", 1..=LONGEST).map(Ttl::For)
}

/// `true` is the usual eagerness.
fn eagerness(input: ParseStream) -> syn::Result<Option<f64>> {
    const EXPECTED: &str = "expected `true`, or how eagerly as a number up to 100, where 1 is usual";
    let Ok(literal) = input.parse::<Lit>() else { return Err(input.error(EXPECTED)) };
    let number = match &literal {
        Lit::Bool(early) => return Ok(early.value.then_some(1.0)),
        Lit::Int(number) if number.suffix().is_empty() => number.base10_parse().ok(),
        Lit::Float(number) if number.suffix().is_empty() => number.base10_parse().ok(),
        _ => None,
    };
    match number.filter(|number| (0.0..=100.0).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(syn::Error::new_spanned(literal, EXPECTED)),
    }
}

/// One string, or a list of them.
fn one_or_more(input: ParseStream) -> syn::Result<Vec<LitStr>> {
    if !input.peek(token::Bracket) {
        return Ok(vec![string(input)?]);
    }
    let content;
    bracketed!(content in input);
    Ok(content.parse_terminated(string, Token![,])?.into_iter().collect())
}

fn is_named(name: &str) -> Result<(), String> {
    if name.is_empty() { Err("the name of the cache is empty".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests;

    fn mistakes(source: &str) -> Vec<String> {
        tests::mistakes(source, Args::parse)
    }

    #[test]
    fn the_examples_are_accepted() {
        tests::the_examples_are_accepted(&OPTIONS, mistakes);
        assert_eq!(mistakes("early = 0.5"), Vec::<String>::new());
        assert_eq!(mistakes("ttl = \"forever\", by = \"a\", tags = \"b\""), Vec::<String>::new());
    }

    #[test]
    fn foreign_words_lead_to_options() {
        tests::foreign_words_lead_to_options(&OPTIONS, mistakes);
    }

    #[test]
    fn every_mistake_is_reported() {
        let source = "tll = 30, by = , version = 0, , stale, by = \"a\"";
        assert_eq!(
            mistakes(source),
            [
                "expected an option before `,`",
                "unknown option `tll`; did you mean `ttl`?",
                "option `by` needs a value: write `by = [\"user_id\"]`",
                "`version` must be a whole number between 1 and 4294967295",
                "option `stale` needs a value: write `stale = \"10m\"`",
                "option `by` is given twice",
            ]
        );
    }

    #[test]
    fn bad_options_say_what_to_write() {
        let many = format!("tags = [{}]", "\"a\", ".repeat(17));
        let table = [
            ("60", "expected an option such as `ttl = 60`"),
            ("ttl: 60", "expected `ttl = 60`"),
            ("ttl = 0", "`ttl` must be between 1ms and 3660d"),
            ("ttl = \"3661d\"", "`ttl` must be between 1ms and 3660d"),
            ("ttl = \"never\"", "`never` is not a duration"),
            ("ttl = forever", "expected a duration"),
            ("stale = 0", "`stale` must be between 1ms"),
            ("cache_errors = true", "expected a duration"),
            ("early", "option `early` needs a value: write `early = true`"),
            ("early = -1", "expected `true`, or how eagerly"),
            ("early = 101", "expected `true`, or how eagerly"),
            ("early = \"1m\"", "expected `true`, or how eagerly"),
            ("early = no", "expected `true`, or how eagerly"),
            ("by = user_id", "put quotes around it: `\"user_id\"`"),
            ("by = [user_id]", "put quotes around it: `\"user_id\"`"),
            ("by(user_id)", "option `by` needs a value"),
            ("name = \"a b\"", "the name \"a b\" contains ' '"),
            ("name = \"a:\"", "the name `a:` must begin and end with"),
            ("cache = \"\"", "the name of the cache is empty"),
            ("tags = [\"\"]", "the tag is empty"),
            ("tags = [\"a{\"]", "has no `}`"),
            (&many, "an entry has 16 tags at most"),
            ("crate = \"my::path\"", "expected a path without quotes"),
            ("colour = 1", "unknown option `colour`; the options are `ttl`, `by`,"),
        ];
        tests::each_is_one_mistake(&table, mistakes);
    }
}
