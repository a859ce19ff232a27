//! Durations as the attribute takes them: `30`, `1.5`, `"30s"`, `"1h30m"`, `"500ms"`.

use std::ops::RangeInclusive;

use quote::ToTokens;
use syn::parse::ParseStream;
use syn::{Lit, LitFloat, LitInt};

/// A duration in milliseconds, the unit of everything that is stored.
pub(crate) type Millis = u64;

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

/// Largest first: a text lists its units in this order.
const UNITS: [(&str, Millis); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

const EXPECTED: &str = "write seconds such as `30`, or a text such as `\"1h30m\"`";

/// Reads one duration and refuses it outside of `bounds`; `what` names it in the message.
pub(crate) fn duration(input: ParseStream, what: &str, bounds: RangeInclusive<Millis>) -> syn::Result<Millis> {
    let literal: Lit = if input.peek(Lit) {
        input.parse()?
    } else {
        return Err(input.error(format!("expected a duration: {EXPECTED}")));
    };
    let millis = match &literal {
        number if number.to_token_stream().to_string().starts_with('-') => Err(format!("{what} cannot be negative")),
        Lit::Int(number) => whole_seconds(number),
        Lit::Float(number) => decimal_seconds(number),
        Lit::Str(text) => text_to_millis(&text.value()),
        _ => Err(format!("expected a duration: {EXPECTED}")),
    };
    let millis = millis.map_err(|message| syn::Error::new_spanned(&literal, message))?;
    if !bounds.contains(&millis) {
        let (shortest, longest) = (display(*bounds.start()), display(*bounds.end()));
        let message = if *bounds.start() == 0 {
            format!("{what} must be at most {longest}")
        } else {
            format!("{what} must be between {shortest} and {longest}")
        };
        return Err(syn::Error::new_spanned(&literal, message));
    }
    Ok(millis)
}

fn whole_seconds(number: &LitInt) -> Result<Millis, String> {
    check_suffix(number.suffix(), number)?;
    number
        .base10_parse::<u64>()
        .ok()
        .and_then(|seconds| seconds.checked_mul(SECOND))
        .ok_or_else(|| "the duration is too long".to_owned())
}

fn decimal_seconds(number: &LitFloat) -> Result<Millis, String> {
    check_suffix(number.suffix(), number)?;
    let exact = number.base10_parse::<f64>().map_or(f64::INFINITY, |seconds| seconds * 1_000.0);
    let whole = exact.round();
    // Above 2^53 a float no longer knows its milliseconds; no bound comes near that.
    if whole > 9.0e15 {
        return Err("the duration is too long".to_owned());
    }
    if (exact - whole).abs() > 1e-6 {
        return Err("a duration cannot be finer than one millisecond".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a literal has no sign, and the value is whole and below 2^53"
    )]
    Ok(whole as Millis)
}

/// `30s` without quotes is a number with the suffix `s` to Rust.
fn check_suffix(suffix: &str, literal: impl ToString) -> Result<(), String> {
    if suffix.is_empty() {
        return Ok(());
    }
    let text = literal.to_string().replace('_', "");
    match text_to_millis(&text) {
        Ok(_) => Err(format!("put quotes around a duration with a unit: `\"{text}\"`")),
        Err(_) => Err(format!("unknown unit `{suffix}`: {EXPECTED}")),
    }
}

/// Reads `1h30m`: whole numbers, each with a unit, the units from large to small.
fn text_to_millis(text: &str) -> Result<Millis, String> {
    let mut rest = text;
    let mut total: Millis = 0;
    let mut units_left = UNITS.as_slice();
    if rest.is_empty() {
        return Err(format!("the duration is empty: {EXPECTED}"));
    }
    while !rest.is_empty() {
        let (digits, tail) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, tail) = split_while(tail, char::is_alphabetic);
        if digits.is_empty() {
            return Err(format!("`{text}` is not a duration: {EXPECTED}"));
        }
        if unit.is_empty() {
            return Err(format!("`{digits}` has no unit in the duration `{text}`: write `{digits}s` for seconds"));
        }
        let Some(position) = units_left.iter().position(|(known, _)| *known == unit) else {
            return Err(match meant_unit(unit) {
                Some(known) if known == unit => {
                    format!("the units of the duration `{text}` must go from large to small, each once")
                }
                Some(known) => format!("unknown unit `{unit}`; did you mean `{known}`?"),
                None => format!("unknown unit `{unit}`; use `d`, `h`, `m`, `s` or `ms`"),
            });
        };
        total = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(units_left[position].1))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| "the duration is too long".to_owned())?;
        units_left = &units_left[position + 1..];
        rest = tail;
    }
    Ok(total)
}

fn split_while(text: &str, accepts: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !accepts(c)).unwrap_or(text.len()))
}

/// The unit a person means who spells it another way.
fn meant_unit(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "d" | "day" | "days" => Some("d"),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("m"),
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "ms" | "msec" | "millis" | "milliseconds" => Some("ms"),
        _ => None,
    }
}

/// Writes a duration the way the attribute takes it: `1h30m`.
pub(crate) fn display(millis: Millis) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut rest = millis;
    let mut text = String::new();
    for (unit, size) in UNITS {
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::TokenStream;
    use syn::parse::Parser;

    fn parse(source: &str) -> Result<Millis, String> {
        let tokens: TokenStream = source.parse().expect("the source is made of tokens");
        let parser = |input: ParseStream| duration(input, "the delay", 0..=30 * DAY);
        parser.parse2(tokens).map_err(|error| error.to_string())
    }

    #[test]
    fn good_durations() {
        let table = [
            ("30", 30_000),
            ("0", 0),
            ("0x10", 16_000),
            ("1_000", 1_000_000),
            ("1.5", 1_500),
            ("0.001", 1),
            ("2.5e1", 25_000),
            ("\"30s\"", 30_000),
            ("\"5m\"", 5 * MINUTE),
            ("\"2h\"", 2 * HOUR),
            ("\"1h30m\"", 90 * MINUTE),
            ("\"500ms\"", 500),
            ("\"1d\"", DAY),
            ("\"1d2h3m4s5ms\"", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND + 5),
            ("\"0s\"", 0),
        ];
        for (source, millis) in table {
            assert_eq!(parse(source), Ok(millis), "{source}");
        }
    }

    #[test]
    fn bad_durations_say_what_to_write() {
        let table = [
            ("\"\"", "is empty"),
            ("\"30\"", "write `30s`"),
            ("\"1h30\"", "`30` has no unit"),
            ("\"s\"", "is not a duration"),
            ("\"1h 30m\"", "is not a duration"),
            ("\"-5s\"", "is not a duration"),
            ("\"1.5s\"", "no unit"),
            ("\"5min\"", "did you mean `m`?"),
            ("\"5M\"", "did you mean `m`?"),
            ("\"2w\"", "unknown unit `w`"),
            ("\"5s5s\"", "from large to small"),
            ("\"30m1h\"", "from large to small"),
            ("\"99999999999999999999s\"", "too long"),
            ("99999999999999999999", "too long"),
            ("1e300", "too long"),
            ("0.0001", "finer than one millisecond"),
            ("30s", "put quotes around a duration with a unit: `\"30s\"`"),
            ("1h30m", "`\"1h30m\"`"),
            ("30u64", "unknown unit `u64`"),
            ("1.5f64", "unknown unit `f64`"),
            ("true", "expected a duration"),
            ("'x'", "expected a duration"),
            ("TIMEOUT", "expected a duration"),
            ("-5", "the delay cannot be negative"),
            ("-0.5", "the delay cannot be negative"),
            ("\"31d\"", "must be at most 30d"),
        ];
        for (source, message) in table {
            let error = parse(source).expect_err(source);
            assert!(error.contains(message), "{source}: {error}");
        }
    }

    #[test]
    fn display_is_what_the_attribute_takes() {
        for (millis, text) in [(0, "0s"), (1, "1ms"), (90 * MINUTE, "1h30m"), (30 * DAY, "30d")] {
            assert_eq!(display(millis), text);
            assert_eq!(text_to_millis(text), Ok(millis));
        }
    }
}
