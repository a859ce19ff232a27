//! What the server answers, read into the words of the seam.

use redis::Value;

use super::super::{Added, Ended, Left};
use crate::cache::entry::Entry;
use crate::cache::raw::Reply;
use crate::connection::Malformed;

type Answer<T> = Result<T, Malformed>;

/// How deep lists may lie in one another in what a command answers.
const MAX_DEPTH: usize = 16;

/// An entry that says that it belongs to the key.
pub(super) fn entry(key: &str, reply: Value) -> Answer<Option<Vec<u8>>> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) if Entry::is_of(key, &bytes) => Ok(Some(bytes)),
        Value::BulkString(_) => Err(Malformed("it was not stored under this key by a cache of this kind".into())),
        other => Err(another("an entry", &other)),
    }
}

pub(super) fn entries(keys: &[String], reply: Value) -> Answer<Vec<Option<Vec<u8>>>> {
    match reply {
        Value::Array(values) if values.len() == keys.len() => {
            keys.iter().zip(values).map(|(key, value)| entry(key, value)).collect()
        }
        other => Err(another("a list of entries", &other)),
    }
}

/// The same, where what others stored is nothing.
pub(super) fn entries_but_others(keys: &[String], reply: Value) -> Answer<Vec<Option<Vec<u8>>>> {
    match reply {
        Value::Array(values) if values.len() == keys.len() => {
            Ok(keys.iter().zip(values).map(|(key, value)| entry(key, value).unwrap_or_default()).collect())
        }
        other => Err(another("a list of entries", &other)),
    }
}

pub(super) fn bytes(reply: Value) -> Answer<Option<Vec<u8>>> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        other => Err(another("bytes", &other)),
    }
}

pub(super) fn was_set(reply: Value) -> Answer<bool> {
    match reply {
        Value::Nil => Ok(false),
        Value::Okay => Ok(true),
        other => Err(another("OK", &other)),
    }
}

/// Whatever it is, it is an answer.
#[expect(clippy::unnecessary_wraps, reason = "it stands where others can fail")]
pub(super) fn done(_: Value) -> Answer<()> {
    Ok(())
}

pub(super) fn count(reply: Value) -> Answer<u64> {
    match reply {
        Value::Int(number) => u64::try_from(number).map_err(|_| another("a count", &Value::Int(number))),
        other => Err(another("a count", &other)),
    }
}

pub(super) fn truth(reply: Value) -> Answer<bool> {
    count(reply).map(|number| number > 0)
}

pub(super) fn left(reply: Value) -> Answer<Left> {
    match reply {
        Value::Int(-2) => Ok(Left::Missing),
        Value::Int(-1) => Ok(Left::Forever),
        Value::Int(ms @ 0..) => Ok(Left::Ms(ms)),
        other => Err(another("a time", &other)),
    }
}

/// What is left of the time of a key, and the head of what is there if it has tags.
pub(super) fn ended(key: &str, reply: Value) -> Answer<Option<Ended>> {
    let parts = match reply {
        Value::Nil => return Ok(None),
        Value::Array(parts) => parts,
        other => return Err(another("a time and a head", &other)),
    };
    match <[Value; 2]>::try_from(parts) {
        Ok([time, Value::BulkString(head)]) => Ok(Some(Ended { left: left(time)?, tags: Entry::tags_of(key, &head) })),
        _ => Err(Malformed("expected a time and a head".into())),
    }
}

pub(super) fn added(reply: Value) -> Answer<Added> {
    match reply {
        Value::BulkString(word) if word == b"missing" => Ok(Added::Missing),
        Value::BulkString(word) if word == b"other" => Ok(Added::NotANumber),
        other => digits(&other).map(Added::Sum),
    }
}

pub(super) fn number(reply: Value) -> Answer<u64> {
    digits(&reply)
}

pub(super) fn numbers(reply: Value) -> Answer<Vec<Option<u64>>> {
    match reply {
        // A tag that holds something else has no number, and what bears it is not valid.
        Value::Array(values) => Ok(values.iter().map(|value| digits(value).ok()).collect()),
        other => Err(another("a list of numbers", &other)),
    }
}

pub(super) fn fence(reply: Value) -> Answer<Option<u64>> {
    match reply {
        Value::Nil => Ok(None),
        other => digits(&other).map(Some),
    }
}

/// A cursor and some keys; those that are no text are of others.
pub(super) fn page(reply: Value) -> Answer<(String, Vec<String>)> {
    let Value::Array(parts) = reply else { return Err(another("a cursor and keys", &reply)) };
    match <[Value; 2]>::try_from(parts) {
        Ok([Value::BulkString(cursor), Value::Array(keys)]) => {
            let text = |value| match value {
                Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
                _ => None,
            };
            Ok((String::from_utf8_lossy(&cursor).into_owned(), keys.into_iter().filter_map(text).collect()))
        }
        _ => Err(Malformed("expected a cursor and keys".into())),
    }
}

pub(super) fn any(reply: Value) -> Answer<Reply> {
    read_any(reply, MAX_DEPTH)
}

fn read_any(reply: Value, depth: usize) -> Answer<Reply> {
    let list = |values: Vec<Value>| {
        let depth = depth.checked_sub(1).ok_or_else(|| Malformed("too many lists in one another".into()))?;
        values.into_iter().map(|value| read_any(value, depth)).collect::<Answer<_>>().map(Reply::List)
    };
    match reply {
        Value::Nil => Ok(Reply::Nil),
        Value::Int(number) => Ok(Reply::Int(number)),
        Value::BulkString(bytes) => Ok(Reply::Bytes(bytes)),
        Value::SimpleString(text) => Ok(Reply::Bytes(text.into_bytes())),
        Value::Okay => Ok(Reply::Bytes(b"OK".to_vec())),
        Value::Double(number) => Ok(Reply::Bytes(number.to_string().into_bytes())),
        Value::Boolean(truth) => Ok(Reply::Int(truth.into())),
        Value::Array(values) | Value::Set(values) => list(values),
        Value::Map(pairs) => list(pairs.into_iter().flat_map(|(name, value)| [name, value]).collect()),
        other => Err(another("an answer", &other)),
    }
}

fn digits<T: std::str::FromStr>(reply: &Value) -> Answer<T> {
    let text = match reply {
        Value::BulkString(text) => std::str::from_utf8(text).ok(),
        _ => None,
    };
    text.and_then(|text| text.parse().ok()).ok_or_else(|| another("a number", reply))
}

/// Without what it holds, which is not for the log.
fn another(expected: &str, reply: &Value) -> Malformed {
    let kind = match reply {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    Malformed(format!("expected {expected}, {kind} came"))
}
