//! What the scripts answer, read into the words of the seam.

use std::collections::HashMap;
use std::time::Duration;

use redis::{FromRedisValue, Value};

use super::super::store::{Found, Head, Listed, Read, Whole, Written};
use super::super::token::SessionHandle;
use crate::connection::Malformed;

type Answer<T> = Result<T, Malformed>;

pub(super) fn read(reply: Value) -> Answer<Found<Read>> {
    found("read", reply, |head, rest| {
        let values: Answer<_> = rest.map(|value| typed("read", value)).collect();
        Ok(Read { head, values: values? })
    })
}

pub(super) fn whole(reply: Value) -> Answer<Found<Whole>> {
    found("whole", reply, |head, mut rest| {
        let mut fields = Vec::new();
        while let Some(name) = rest.next() {
            let (name, value): (Vec<u8>, Vec<u8>) = (typed("whole", name)?, next("whole", &mut rest)?);
            // A name that is no text was put there by others.
            fields.extend(String::from_utf8(name).ok().map(|name| (name, value)));
        }
        Ok(Whole { head, fields })
    })
}

/// A session as the server holds it; `None` when a field has a time of its own.
pub(super) fn plain_whole(reply: Value) -> Answer<Option<Found<Whole>>> {
    const COMMAND: &str = "HGETALL";
    let mut held: HashMap<Vec<u8>, Vec<u8>> = typed(COMMAND, reply)?;
    if held.contains_key(&b"soonest"[..]) {
        return Ok(None);
    }
    let mut text = |name: &str| held.remove(name.as_bytes()).map(|text| String::from_utf8_lossy(&text).into_owned());
    let (created, seen, user, ttl) = (text("created"), text("seen"), text("user"), text("ttl"));
    let Some(created) = created else {
        return Ok(Some(if held.contains_key(&b"ended"[..]) { Found::Ended } else { Found::Unknown }));
    };
    let head = Head {
        created_ms: number(&created),
        seen_ms: number(&seen.unwrap_or(created)),
        user,
        ttl: ttl.map(|ttl| time(&ttl)),
        moved: false,
    };
    let field = |(name, value): (Vec<u8>, Vec<u8>)| {
        let name = String::from_utf8(name).ok()?;
        name.strip_prefix('.').map(|name| (name.to_owned(), value))
    };
    Ok(Some(Found::There(Whole { head, fields: held.into_iter().filter_map(field).collect() })))
}

pub(super) fn ended(reply: Value) -> Answer<Found<Head>> {
    found("end", reply, |head, _| Ok(head))
}

pub(super) fn written(reply: Value) -> Answer<Written> {
    const SCRIPT: &str = "write";
    let mut parts = match reply {
        Value::BulkString(word) => {
            return match &*word {
                b"ended" => Ok(Written::Ended),
                b"unknown" => Ok(Written::Unknown),
                b"number" => Ok(Written::NotANumber),
                _ => Err(unexpected(SCRIPT, word)),
            };
        }
        Value::Array(parts) => parts.into_iter(),
        other => return Err(unexpected(SCRIPT, other)),
    };
    let word: String = next(SCRIPT, &mut parts)?;
    Ok(match &*word {
        "done" => Written::Done { head: head(SCRIPT, &mut parts)?, sum: next(SCRIPT, &mut parts)? },
        "differs" => Written::Differs(next(SCRIPT, &mut parts)?),
        "long" => Written::LongField { name: next(SCRIPT, &mut parts)?, bytes: next(SCRIPT, &mut parts)? },
        "fields" => Written::ManyFields(next(SCRIPT, &mut parts)?),
        "bytes" => Written::ManyBytes(next(SCRIPT, &mut parts)?),
        _ => return Err(unexpected(SCRIPT, word)),
    })
}

pub(super) fn handles(reply: Value) -> Answer<Vec<SessionHandle>> {
    let handles: Vec<String> = typed("enlist", reply)?;
    Ok(handles.iter().filter_map(|handle| handle.parse().ok()).collect())
}

pub(super) fn listed(reply: Value) -> Answer<Vec<Listed>> {
    let parts: Vec<String> = typed("listed", reply)?;
    let listed = |pair: &[String]| {
        let age_ms = pair[1].parse().map_err(|_| unexpected("listed", &pair[1]))?;
        // A member that is no handle was put there by others.
        Ok(pair[0].parse().ok().map(|session| Listed { session, age_ms }))
    };
    parts.chunks_exact(2).map(listed).filter_map(Result::transpose).collect()
}

/// What `delist` answers, which says nothing.
pub(super) fn count(reply: Value) -> Answer<()> {
    typed::<i64>("delist", reply).map(drop)
}

fn found<T>(
    script: &str,
    reply: Value,
    read: impl FnOnce(Head, std::vec::IntoIter<Value>) -> Answer<T>,
) -> Answer<Found<T>> {
    let mut parts = match reply {
        Value::BulkString(word) => {
            return match &*word {
                b"ended" => Ok(Found::Ended),
                b"unknown" => Ok(Found::Unknown),
                _ => Err(unexpected(script, word)),
            };
        }
        Value::Array(parts) => parts.into_iter(),
        other => return Err(unexpected(script, other)),
    };
    match next::<String>(script, &mut parts)?.as_str() {
        "there" => Ok(Found::There(read(head(script, &mut parts)?, parts)?)),
        word => Err(unexpected(script, word)),
    }
}

fn head(script: &str, parts: &mut std::vec::IntoIter<Value>) -> Answer<Head> {
    let mut text = || -> Answer<Option<String>> {
        let bytes: Option<Vec<u8>> = next(script, parts)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let (created, seen, user, ttl) = (text()?.unwrap_or_default(), text()?, text()?, text()?);
    Ok(Head {
        created_ms: number(&created),
        seen_ms: number(&seen.unwrap_or(created)),
        user,
        ttl: ttl.map(|ttl| time(&ttl)),
        moved: next::<i64>(script, parts)? == 1,
    })
}

/// A number as it is stored. One that others damaged is no reason to end the connection of all visitors.
fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

fn time(ms: &str) -> Duration {
    Duration::from_millis(ms.parse().unwrap_or(1))
}

fn next<T: FromRedisValue>(script: &str, parts: &mut std::vec::IntoIter<Value>) -> Answer<T> {
    typed(script, parts.next().ok_or_else(|| unexpected(script, "too little"))?)
}

fn typed<T: FromRedisValue>(script: &str, value: Value) -> Answer<T> {
    T::from_redis_value(value).map_err(|_| Malformed(format!("`{script}` answered what is of another type")))
}

/// A reply that does not have the form which its script promises. It is not shown: it may hold what a visitor stored.
fn unexpected(script: &str, _: impl std::fmt::Debug) -> Malformed {
    Malformed(format!("`{script}` answered what it never does"))
}
