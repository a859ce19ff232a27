//! What the scripts answer, read into the answers of the verbs.

use std::time::Duration;

use redis::{FromRedisValue, Value};

use crate::broker::{
    Cancelled, Claim, Condemned, Counts, Enqueued, Heartbeat, Incarnation, Lease, MAX_TURN, Status, Storage,
    TurnAnswer, TurnDone, Watched, WhenFull,
};
use crate::connection::Malformed;
use crate::job::{JobId, QueueName};

pub(super) type Read<T> = Result<T, Malformed>;

/// A reply that does not have the form which its script promises.
pub(super) fn unexpected(script: &str, reply: impl std::fmt::Debug) -> Malformed {
    let mut text = format!("{reply:?}");
    text.truncate(text.floor_char_boundary(200));
    Malformed(format!("`{script}` answered {text}"))
}

pub(super) fn value<T: FromRedisValue>(script: &str, value: Value) -> Read<T> {
    T::from_redis_value(value).map_err(|error| unexpected(script, error))
}

pub(super) fn number(script: &str, reply: Value) -> Read<i64> {
    value(script, reply)
}

/// What has nothing to say, whatever it says.
#[cfg(feature = "cli")]
pub(super) fn nothing(_: Value) -> Read<()> {
    Ok(())
}

/// Whether there was something to pop from `key`.
pub(super) fn popped(key: &str, reply: Value) -> Read<bool> {
    match &reply {
        Value::Nil => Ok(false),
        Value::Array(pair) if pair.len() == 2 && pair[0] == Value::BulkString(key.into()) => Ok(true),
        _ => Err(unexpected("BLPOP", reply)),
    }
}

pub(super) fn list(script: &str, reply: Value) -> Read<std::vec::IntoIter<Value>> {
    match reply {
        Value::Array(list) => Ok(list.into_iter()),
        other => Err(unexpected(script, other)),
    }
}

pub(super) fn next<T: FromRedisValue>(script: &str, from: &mut impl Iterator<Item = Value>) -> Read<T> {
    value(script, from.next().ok_or_else(|| unexpected(script, "too little"))?)
}

pub(super) fn bytes(script: &str, value: Value) -> Read<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        other => Err(unexpected(script, other)),
    }
}

fn ids(script: &str, reply: Value) -> Read<Vec<JobId>> {
    let ids = list(script, reply)?.map(|id| bytes(script, id).map(|id| stored_id(&id)));
    ids.filter_map(Result::transpose).collect()
}

/// An id as it is stored. One that is no text was put there by a program of others; it is passed
/// over, because what could be asked of it could not be written down either.
fn stored_id(bytes: &[u8]) -> Option<JobId> {
    let id = std::str::from_utf8(bytes).ok().map(JobId::from_stored);
    if id.is_none() {
        tracing::warn!(id = %bytes.escape_ascii(), "a job whose id is not text is passed over");
    }
    id
}

/// The names of queues. One that is none was put there by a program of others; nothing can be asked
/// of it.
pub(super) fn queues(reply: Value) -> Read<Vec<QueueName>> {
    let read = |name: &Vec<u8>| {
        let queue = QueueName::new(String::from_utf8_lossy(name)).ok();
        if queue.is_none() {
            tracing::warn!(name = %name.escape_ascii(), "a queue whose name is none is passed over");
        }
        queue
    };
    Ok(value::<Vec<Vec<u8>>>("queues", reply)?.iter().filter_map(read).collect())
}

/// Names of tasks. One that is no text was put there by a program of others; no worker knows it.
fn names(script: &str, reply: Value) -> Read<Vec<String>> {
    let names: Vec<Vec<u8>> = value(script, reply)?;
    Ok(names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect())
}

pub(super) fn next_list(script: &str, from: &mut impl Iterator<Item = Value>) -> Read<Value> {
    from.next().ok_or_else(|| unexpected(script, "too little"))
}

/// What became of the jobs, each of which was sent as the one at its place in `order`.
pub(super) fn enqueued(reply: Value, order: &[usize]) -> Read<Vec<Enqueued>> {
    let letters = bytes("enqueue", reply)?;
    if letters.len() != order.len() {
        return Err(unexpected("enqueue", format_args!("{} letters for {} jobs", letters.len(), order.len())));
    }
    let mut became = vec![Enqueued::Unknown; order.len()];
    for (letter, at) in letters.into_iter().zip(order) {
        became[*at] = match letter {
            b'n' => Enqueued::New,
            b'x' => Enqueued::Existing,
            b'e' => Enqueued::Ended,
            b'u' => Enqueued::Unknown,
            other => return Err(unexpected("enqueue", char::from(other))),
        };
    }
    Ok(became)
}

pub(super) fn claims(script: &str, reply: Value) -> Read<Vec<Claim>> {
    let claim = |one: Value| {
        let mut one = list(script, one)?;
        let id: Vec<u8> = next(script, &mut one)?;
        let envelope: Vec<u8> = next(script, &mut one)?;
        let state: Option<Vec<u8>> = next(script, &mut one)?;
        let token: u64 = next(script, &mut one)?;
        Ok(stored_id(&id).map(|id| Claim { id, envelope, state, token }))
    };
    list(script, reply)?.filter_map(|one| claim(one).transpose()).collect()
}

/// Claims as a turn lends them: parts of ids, envelopes, and states or nothing when none has one; then
/// the token of the first, which the others follow.
fn lent(script: &str, parts: &mut impl Iterator<Item = Value>) -> Read<Vec<Claim>> {
    let lent = list(script, next_list(script, parts)?)?;
    let mut token: u64 = next(script, parts)?;
    let mut claims = Vec::with_capacity(MAX_TURN);
    for part in lent {
        let mut part = list(script, part)?;
        let ids = list(script, next_list(script, &mut part)?)?;
        let envelopes = list(script, next_list(script, &mut part)?)?;
        let mut states = list(script, next_list(script, &mut part)?)?;
        if ids.len() != envelopes.len() {
            return Err(unexpected(script, format_args!("{} ids and {} envelopes", ids.len(), envelopes.len())));
        }
        for (id, envelope) in ids.zip(envelopes) {
            let (id, envelope) = (bytes(script, id)?, bytes(script, envelope)?);
            let state = value(script, states.next().unwrap_or(Value::Nil))?;
            claims.extend(stored_id(&id).map(|id| Claim { id, envelope, state, token }));
            token = token.saturating_add(1);
        }
    }
    Ok(claims)
}

pub(super) fn turn(reply: Value) -> Read<TurnAnswer> {
    const SCRIPT: &str = "turn";
    let mut parts = list(SCRIPT, reply)?;
    match &*next::<String>(SCRIPT, &mut parts)? {
        "lost" => Ok(TurnAnswer::LeaseLost),
        "step" => Ok(TurnAnswer::OutOfStep {
            last: next(SCRIPT, &mut parts)?,
            running: ids(SCRIPT, next_list(SCRIPT, &mut parts)?)?,
        }),
        "done" => Ok(TurnAnswer::Done(TurnDone {
            claims: lent(SCRIPT, &mut parts)?,
            more: next(SCRIPT, &mut parts)?,
            asked: ids(SCRIPT, next_list(SCRIPT, &mut parts)?)?,
            next_due: u64::try_from(next::<i64>(SCRIPT, &mut parts)?).ok().map(Duration::from_millis),
            parked: names(SCRIPT, next_list(SCRIPT, &mut parts)?)?,
            paused: next(SCRIPT, &mut parts)?,
            alone: next(SCRIPT, &mut parts)?,
        })),
        other => Err(unexpected(SCRIPT, other)),
    }
}

pub(super) fn heartbeat(reply: Value) -> Read<Heartbeat> {
    const SCRIPT: &str = "heartbeat";
    let mut parts = list(SCRIPT, reply)?;
    let step: i64 = next(SCRIPT, &mut parts)?;
    let Ok(step) = u64::try_from(step) else {
        return Ok(Heartbeat::LeaseLost);
    };
    Ok(Heartbeat::Alive { step, asked: ids(SCRIPT, next_list(SCRIPT, &mut parts)?)? })
}

pub(super) fn leases(reply: Value) -> Read<Vec<Lease>> {
    const SCRIPT: &str = "workers";
    let mut parts = list(SCRIPT, reply)?;
    let now: i64 = next(SCRIPT, &mut parts)?;
    let mut leases = Vec::with_capacity(parts.len() / 2);
    while parts.len() > 0 {
        let incarnation = Incarnation::from_stored(next(SCRIPT, &mut parts)?);
        let ends_ms = next::<f64>(SCRIPT, &mut parts)? as i64;
        let left = Duration::from_millis(u64::try_from(ends_ms.saturating_sub(now)).unwrap_or(0));
        leases.extend(incarnation.map(|incarnation| Lease { incarnation, ends_ms, left }));
    }
    Ok(leases)
}

pub(super) fn condemned(reply: Value) -> Read<Option<Condemned>> {
    const SCRIPT: &str = "condemn";
    let mut parts = list(SCRIPT, reply)?;
    let on_board: i64 = next(SCRIPT, &mut parts)?;
    let Ok(on_board) = usize::try_from(on_board) else { return Ok(None) };
    Ok(Some(Condemned { on_board, jobs: claims(SCRIPT, next_list(SCRIPT, &mut parts)?)? }))
}

/// A status, or the incarnations that the next call must name.
pub(super) fn status(reply: Value) -> Read<Result<Status, Vec<Incarnation>>> {
    const SCRIPT: &str = "status";
    let mut parts = list(SCRIPT, reply)?;
    let word: String = next(SCRIPT, &mut parts)?;
    if word == "workers" {
        return Ok(Err(incarnations(SCRIPT, next_list(SCRIPT, &mut parts)?)?));
    }
    let record: Option<Vec<u8>> = next(SCRIPT, &mut parts)?;
    let due_ms: i64 = next(SCRIPT, &mut parts)?;
    Ok(Ok(match &*word {
        "ended" => Status::Ended { record: record.unwrap_or_default() },
        "unknown" => Status::Unknown,
        "parked" => Status::Parked { state: record },
        "scheduled" => Status::Scheduled { due_ms, state: record },
        "dead" => Status::Dead { state: record },
        "running" => Status::Running,
        "ready" => Status::Ready,
        other => return Err(unexpected(SCRIPT, other)),
    }))
}

/// What became of a cancel, or the incarnations that the next call must name.
pub(super) fn cancelled(reply: Value) -> Read<Result<Cancelled, Vec<Incarnation>>> {
    const SCRIPT: &str = "cancel";
    let Value::BulkString(word) = reply else { return incarnations(SCRIPT, reply).map(Err) };
    Ok(Ok(match &*word {
        b"cancelled" => Cancelled::Cancelled,
        b"asked" => Cancelled::Asked,
        b"ended" => Cancelled::Ended,
        b"dead" => Cancelled::Dead,
        b"unknown" => Cancelled::NotFound,
        _ => return Err(unexpected(SCRIPT, word)),
    }))
}

pub(super) fn incarnations(script: &str, reply: Value) -> Read<Vec<Incarnation>> {
    let list: Vec<Vec<u8>> = value(script, reply)?;
    Ok(list.into_iter().filter_map(Incarnation::from_stored).collect())
}

pub(super) fn watched(reply: Value) -> Read<Watched> {
    const SCRIPT: &str = "watch";
    let mut parts = list(SCRIPT, reply)?;
    let word: String = next(SCRIPT, &mut parts)?;
    let record: Option<Vec<u8>> = next(SCRIPT, &mut parts)?;
    Ok(match &*word {
        "waiting" => Watched::Waiting,
        "ended" => Watched::Ended { record: record.unwrap_or_default() },
        "dead" => Watched::Dead { state: record },
        "unknown" => Watched::Unknown,
        other => return Err(unexpected(SCRIPT, other)),
    })
}

pub(super) fn counts(reply: Value, running: usize) -> Read<Counts> {
    const SCRIPT: &str = "counts";
    let mut parts = list(SCRIPT, reply)?;
    let jobs: usize = next(SCRIPT, &mut parts)?;
    let scheduled = next(SCRIPT, &mut parts)?;
    let parked = next(SCRIPT, &mut parts)?;
    let dead = next(SCRIPT, &mut parts)?;
    let finished = next(SCRIPT, &mut parts)?;
    let elsewhere = [scheduled, parked, dead, running, finished].into_iter().fold(0, usize::saturating_add);
    Ok(Counts {
        scheduled,
        // The lists also hold entries of cancelled jobs until they are popped.
        ready: jobs.saturating_sub(elsewhere),
        running,
        parked,
        dead,
        finished,
        workers: next(SCRIPT, &mut parts)?,
        paused: next(SCRIPT, &mut parts)?,
    })
}

/// How a server keeps what it has, from its `INFO memory persistence`.
pub(super) fn storage(reply: Value) -> Read<Storage> {
    const NO_EVICTION: &str = "noeviction";
    let text: String = value("INFO", reply)?;
    let field = |name: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned()).next()
    };
    let when_full = match (field("maxmemory_policy"), field("maxmemory")) {
        (None, _) => WhenFull::NotKnown { reason: "its INFO has no `maxmemory_policy`".into() },
        (Some(policy), _) if policy == NO_EVICTION => WhenFull::Refuses,
        (Some(policy), Some(bound)) if bound == "0" => WhenFull::WouldEvict { policy },
        (Some(policy), _) => WhenFull::Evicts { policy },
    };
    let append_only = field("aof_enabled").map(|enabled| enabled == "1");
    Ok(Storage { when_full, append_only })
}
