//! What must hold whatever is written in and under the attribute: the checks of the fuzz targets.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};

use crate::backoff::Backoff;
use crate::durations::{DAY, display, duration};
use crate::signature::{Function, as_written};
use crate::write;

/// The first line holds the options, the rest the item.
pub fn attribute(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (options, item) = text.split_once('\n').unwrap_or((text, "async fn ping() {}"));
    // What is not made of tokens never reaches the attribute.
    if let (Ok(options), Ok(item)) = (options.parse(), item.parse()) {
        expanded(options, item);
    }
}

/// The function stays, each mistake is told, and without one the output is Rust.
pub(crate) fn expanded(options: TokenStream, item: TokenStream) {
    let text = checked(item.clone(), write(options, item.clone()));
    assert!(text.starts_with(&as_written(item).to_string()), "the function is gone: {text}");
}

/// What an attribute wrote of an item, when it tells each mistake, and is Rust without one.
pub(crate) fn checked(item: TokenStream, output: TokenStream) -> String {
    let text = output.to_string();
    if syn::parse2::<syn::ItemFn>(item.clone()).is_ok() {
        let parsed = syn::parse2::<syn::File>(output);
        assert!(parsed.is_ok(), "{}: {text}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
    }
    // Its body is not read, and may be half-written.
    let is_right = Function::parse(item, "", "").is_ok();
    assert!(is_right || text.contains("compile_error"), "no mistake is told: {text}");
    text
}

/// A duration or a backoff is read as the same as it is written, or the error says what to write.
pub fn attribute_times(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(tokens) = text.parse::<TokenStream>() else { return };
    let one = |input: ParseStream| duration(input, "a delay", 0..=DAY);
    match one.parse2(tokens.clone()) {
        Ok(millis) => {
            assert!(millis <= DAY);
            let again = one.parse_str(&format!("\"{}\"", display(millis)));
            assert_eq!(again.map_err(|error| error.to_string()), Ok(millis));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // Checked on the way: every delay has its bounds, and the first is not over the cap.
    if let Ok(Backoff::Linear { step, cap, .. } | Backoff::Exponential { base: step, cap, .. }) =
        Backoff::parse.parse2(tokens)
    {
        assert!(0 < step && step <= cap && cap <= 7 * DAY);
    }
}
