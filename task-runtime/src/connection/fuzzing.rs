//! What must hold of server errors and URLs, whatever bytes they are.

use super::wire::{Frames, read};
use super::{Fault, Target, classify};
use crate::error::Error;

/// Errors after which something is known not to have happened; after any other it may have.
const NOTHING_HAPPENED: [&str; 16] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// Part of a password that must not be seen.
const SECRET: &str = "hunter2";

/// The first byte says whether the rest is an answer of a server, the text of its error, or a URL.
pub(crate) fn server(data: &[u8]) {
    match data.split_first() {
        Some((b'-', error)) => error_line(error),
        Some((b'/', url)) => url_of(&String::from_utf8_lossy(url)),
        _ => answer(data),
    }
}

/// Every error of a server has a meaning, and what no table knows may have happened.
fn error_line(error: &[u8]) {
    let line: Vec<u8> = error.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }).collect();
    let answer = redis::parse_redis_value(&[b"-", &line[..], b"\r\n"].concat());
    let Err(error) = answer.and_then(redis::Value::extract_error) else { panic!("an error is an error") };
    let code = error.code().map(str::to_owned);
    let fault = classify(&error);
    if let Fault::Moved(redirect) = &fault {
        let target = Target::parse("redis://me:secret@one:1").expect("the URL is right");
        // Whether there is such a place or not: to look for it must not fail.
        let _ = target.seeds()[0].beside(&redirect.place);
    }
    let meant = Error::from(fault);
    match meant {
        Error::Unavailable { .. } | Error::Rejected { .. } | Error::QueueFull => {
            let code = code.expect("without a code nothing is known");
            assert!(NOTHING_HAPPENED.contains(&&*code), "{code}: {meant}");
        }
        Error::Indeterminate { .. } => {}
        other => panic!("no worker or client expects {other}"),
    }
}

/// Bytes that are no answer leave open what happened. What is an answer is the same to all who read it.
fn answer(data: &[u8]) {
    if let Ok(Some(length)) = Frames::default().next(data)
        && let Ok(answer) = read(&data[..length])
    {
        assert_eq!(redis::parse_redis_value(&data[..length]), Ok(answer));
    }
    if let Err(error) = redis::parse_redis_value(data).and_then(redis::Value::extract_error) {
        error_meaning(&error);
    }
}

fn error_meaning(error: &redis::RedisError) {
    let meant = Error::from(classify(error));
    assert!(error.code().is_some() || meant.outcome_unknown(), "{meant}");
}

/// A URL is understood, or refused in words that do not repeat it; nor do they when any of it is a
/// password.
fn url_of(text: &str) {
    let urls =
        [text.to_owned(), format!("redis://{text}{SECRET}@host:1/0"), format!("redis://:{SECRET}{text}@host:1/0")];
    for url in urls {
        match Target::parse(&url) {
            Ok(target) => assert!(!target.seeds().is_empty()),
            Err(error) => {
                assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
                assert!(!error.to_string().contains(SECRET), "{error}");
            }
        }
    }
}
