//! The delays between attempts: `constant(..)`, `linear(..)`, `exponential(..)` or a list.

use std::ops::RangeInclusive;

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream};
use syn::{LitBool, Token, bracketed, parenthesized, token};

use crate::durations::{DAY, MINUTE, Millis, display, duration};
use crate::errors::nearest;

const LONGEST_DELAY: Millis = 7 * DAY;
const MOST_DELAYS: usize = 64;
/// Where growing delays stop when the user sets no cap.
const DEFAULT_CAP: Millis = 10 * MINUTE;

const FORMS: [&str; 3] = ["constant", "linear", "exponential"];
pub(crate) const EXAMPLE: &str = "exponential(\"1s\", cap = \"10m\")";

/// A checked backoff; the variants are those of the runtime.
#[derive(Debug, PartialEq)]
pub(crate) enum Backoff {
    Constant { delay: Millis, jitter: bool },
    Linear { step: Millis, cap: Millis, jitter: bool },
    Exponential { base: Millis, cap: Millis, jitter: bool },
    List { delays: Vec<Millis> },
}

impl Backoff {
    pub(crate) fn parse(input: ParseStream) -> syn::Result<Self> {
        if input.peek(token::Bracket) {
            return parse_list(input);
        }
        if !input.peek(syn::Ident) {
            return Err(input.error(format!("expected a backoff such as `{EXAMPLE}` or a list of delays")));
        }
        let form: Ident = input.parse()?;
        let name = form.to_string();
        if !FORMS.contains(&name.as_str()) {
            let hint = match nearest(&name, FORMS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "use `constant`, `linear`, `exponential` or a list of delays".to_owned(),
            };
            return Err(syn::Error::new_spanned(form, format!("unknown backoff `{name}`; {hint}")));
        }
        if !input.peek(token::Paren) {
            return Err(syn::Error::new_spanned(form, format!("`{name}` needs its delay: `{name}(\"5s\")`")));
        }
        let content;
        parenthesized!(content in input);
        Self::parse_form(&form, &content)
    }

    /// Reads what is in the parentheses: the delay, then `cap` and `jitter` in any order.
    fn parse_form(form: &Ident, input: &ParseBuffer) -> syn::Result<Self> {
        let name = form.to_string();
        if input.is_empty() {
            return Err(syn::Error::new_spanned(form, format!("`{name}` needs its delay: `{name}(\"5s\")`")));
        }
        let grows = name != "constant";
        // A growing delay that begins at nothing stays at nothing.
        let first = delay(input, if grows { 1 } else { 0 }..=LONGEST_DELAY)?;
        let Extras { cap, jitter } = Extras::parse(input, &name, grows)?;
        if grows && first > cap.as_ref().map_or(DEFAULT_CAP, |(_, cap)| *cap) {
            return Err(match cap {
                Some((key, _)) => {
                    syn::Error::new(key.span(), format!("the cap is below the first delay, {}", display(first)))
                }
                None => syn::Error::new_spanned(
                    form,
                    format!(
                        "`{name}` stops at {} unless told otherwise, which is below the first \
                         delay; set `cap`",
                        display(DEFAULT_CAP)
                    ),
                ),
            });
        }
        let cap = cap.map_or(DEFAULT_CAP, |(_, cap)| cap);
        Ok(match name.as_str() {
            "constant" => Self::Constant { delay: first, jitter: jitter.unwrap_or(false) },
            "linear" => Self::Linear { step: first, cap, jitter: jitter.unwrap_or(false) },
            // Jobs that failed together would come back together, ever later.
            _ => Self::Exponential { base: first, cap, jitter: jitter.unwrap_or(true) },
        })
    }
}

/// The named parts of a backoff.
#[derive(Default)]
struct Extras {
    cap: Option<(Ident, Millis)>,
    jitter: Option<bool>,
}

impl Extras {
    fn parse(input: &ParseBuffer, form: &str, grows: bool) -> syn::Result<Self> {
        let known: &[&str] = if grows { &["cap", "jitter"] } else { &["jitter"] };
        let mut extras = Self::default();
        while !input.is_empty() {
            comma(input)?;
            if input.is_empty() {
                break;
            }
            let key = input
                .call(Ident::parse_any)
                .map_err(|error| syn::Error::new(error.span(), format!("expected `{}`", known.join("` or `"))))?;
            let name = key.to_string();
            if !known.contains(&name.as_str()) {
                let hint = match nearest(&name, known.iter().copied()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("it takes `{}`", known.join("` and `")),
                };
                let message = format!("`{form}` has no setting `{name}`; {hint}");
                return Err(syn::Error::new_spanned(key, message));
            }
            if !input.peek(Token![=]) {
                return Err(syn::Error::new_spanned(&key, format!("expected a value: `{name} = ..`")));
            }
            input.parse::<Token![=]>()?;
            let is_new = if name == "cap" {
                let cap = delay(input, 1..=LONGEST_DELAY)?;
                extras.cap.replace((key.clone(), cap)).is_none()
            } else {
                extras.jitter.replace(parse_bool(input)?).is_none()
            };
            if !is_new {
                return Err(syn::Error::new_spanned(key, format!("`{name}` is set twice")));
            }
        }
        Ok(extras)
    }
}

fn parse_list(input: ParseStream) -> syn::Result<Backoff> {
    let content;
    let bracket = bracketed!(content in input);
    let mut delays = Vec::new();
    while !content.is_empty() {
        delays.push(delay(&content, 0..=LONGEST_DELAY)?);
        if !content.is_empty() {
            comma(&content)?;
        }
    }
    if delays.is_empty() {
        return Err(syn::Error::new(
            bracket.span.join(),
            "the list of delays is empty; write at least one, such as `[\"5s\", \"1m\"]`",
        ));
    }
    if delays.len() > MOST_DELAYS {
        let message = format!("the list has {} delays; use at most {MOST_DELAYS}, the last one repeats", delays.len());
        return Err(syn::Error::new(bracket.span.join(), message));
    }
    Ok(Backoff::List { delays })
}

fn delay(input: ParseStream, bounds: RangeInclusive<Millis>) -> syn::Result<Millis> {
    duration(input, "a delay", bounds)
}

fn parse_bool(input: ParseStream) -> syn::Result<bool> {
    if !input.peek(LitBool) {
        return Err(input.error("expected `true` or `false`"));
    }
    Ok(input.parse::<LitBool>()?.value)
}

fn comma(input: ParseStream) -> syn::Result<()> {
    if !input.peek(Token![,]) {
        return Err(input.error("expected `,`"));
    }
    input.parse::<Token![,]>().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durations::{HOUR, SECOND};
    use syn::parse::Parser;

    fn parse(source: &str) -> Result<Backoff, String> {
        Backoff::parse.parse_str(source).map_err(|error| error.to_string())
    }

    #[test]
    fn good_backoffs() {
        let constant = |jitter| Backoff::Constant { delay: 5 * SECOND, jitter };
        assert_eq!(parse("constant(5)"), Ok(constant(false)));
        assert_eq!(parse("constant(\"5s\", jitter = true)"), Ok(constant(true)));
        assert_eq!(
            parse("linear(\"5s\", cap = \"5m\",)"),
            Ok(Backoff::Linear { step: 5 * SECOND, cap: 5 * MINUTE, jitter: false })
        );
        assert_eq!(parse("exponential(1)"), Ok(Backoff::Exponential { base: SECOND, cap: DEFAULT_CAP, jitter: true }));
        assert_eq!(
            parse("exponential(\"1h\", jitter = false, cap = \"1h\")"),
            Ok(Backoff::Exponential { base: HOUR, cap: HOUR, jitter: false })
        );
        assert_eq!(parse("[1, \"5s\", 0.5, 0,]"), Ok(Backoff::List { delays: vec![1_000, 5_000, 500, 0] }));
    }

    #[test]
    fn bad_backoffs_say_what_to_write() {
        let too_many = format!("[{}]", "1,".repeat(65));
        let table = [
            ("5", "expected a backoff such as"),
            ("\"5s\"", "expected a backoff such as"),
            ("exponental(1)", "did you mean `exponential`?"),
            ("fibonacci(1)", "use `constant`, `linear`, `exponential`"),
            ("constant", "needs its delay"),
            ("constant()", "needs its delay"),
            ("constant(cap = 5)", "expected a duration"),
            ("constant(1, cap = 5)", "`constant` has no setting `cap`; it takes `jitter`"),
            ("linear(1, caps = 5)", "did you mean `cap`?"),
            ("linear(1, 5)", "expected `cap` or `jitter`"),
            ("linear(1 cap = 5)", "expected `,`"),
            ("linear(1, cap)", "expected a value: `cap = ..`"),
            ("linear(1, jitter = 1)", "expected `true` or `false`"),
            ("linear(1, jitter = true, jitter = true)", "`jitter` is set twice"),
            ("linear(0)", "a delay must be between 1ms and 7d"),
            ("linear(\"8d\")", "a delay must be between 1ms and 7d"),
            ("exponential(\"1h\")", "stops at 10m unless told otherwise"),
            ("exponential(\"1h\", cap = \"30m\")", "the cap is below the first delay, 1h"),
            ("[]", "the list of delays is empty"),
            ("[1 2]", "expected `,`"),
            (too_many.as_str(), "the list has 65 delays; use at most 64"),
        ];
        for (source, message) in table {
            let error = parse(source).expect_err(source);
            assert!(error.contains(message), "{source}: {error}");
        }
    }
}
