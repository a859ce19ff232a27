//! What the scripts of the check answer, read.

use redis::Value;

use super::RawId;
use crate::broker::redis::reply::{self, Read, unexpected};
use crate::broker::{Flaw, Incarnation};

/// One thing that a script found.
#[derive(Debug)]
pub(in crate::broker::redis) struct Found {
    pub(super) flaw: Flaw,
    pub(super) what: Vec<u8>,
    pub(super) repaired: bool,
}

/// A page of a key.
#[derive(Debug)]
pub(in crate::broker::redis) struct Page {
    pub(super) cursor: String,
    pub(super) found: Vec<Found>,
    pub(super) ids: Vec<RawId>,
    /// How many ids it names, also those that are not among `ids`; of notes of ends only.
    pub(super) named: i64,
}

/// A page of a list.
#[derive(Debug)]
pub(in crate::broker::redis) struct ListPage {
    /// How many entries were looked at; none when that was all.
    pub(super) passed: Option<u64>,
    pub(super) last: RawId,
    pub(super) found: Vec<Found>,
    pub(super) ids: Vec<RawId>,
    /// The number, from the head, of the entry that is nearest to it.
    pub(super) first: u64,
}

/// What one script saw of a job that was met twice.
#[derive(Debug)]
pub(in crate::broker::redis) struct Judged {
    /// Places beyond the first.
    pub(super) beyond: u64,
    /// Whether there is a first.
    pub(super) somewhere: bool,
    /// Places at which it was met before and not now.
    pub(super) missed: u64,
    /// Whether no list was too long to be looked at as a whole.
    pub(super) whole: bool,
}

/// A page of `jobs`.
#[derive(Debug)]
pub(in crate::broker::redis) struct JobsPage {
    pub(super) cursor: String,
    pub(super) bytes: u64,
    pub(super) jobs: u64,
    pub(super) elsewhere: Vec<RawId>,
    pub(super) ended: Vec<RawId>,
}

/// A job that stands nowhere.
#[derive(Debug)]
pub(in crate::broker::redis) struct Lost {
    pub(super) id: RawId,
    /// The beginning of its envelope.
    pub(super) header: Vec<u8>,
    pub(super) state: Option<Vec<u8>>,
}

/// How many ends `done` and `kept` note, and when the oldest of `done` was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::redis) struct Numbers {
    pub(super) done: i64,
    pub(super) oldest: String,
    pub(super) kept: i64,
}

/// What is written down of the notes, and what is there as far as one script can tell.
#[derive(Debug)]
pub(in crate::broker::redis) struct Count {
    pub(super) print: String,
    pub(super) written: Numbers,
    /// Negative where there are many notes.
    pub(super) there: Numbers,
    pub(super) forgetful: bool,
}

/// Three values of each: a letter, what it is about, whether it was repaired.
fn found(script: &str, values: Value) -> Read<Vec<Found>> {
    let mut values = reply::list(script, values)?;
    let mut all = Vec::with_capacity(values.len() / 3);
    while values.len() > 0 {
        let flaw = match &*reply::next::<String>(script, &mut values)? {
            "d" => Flaw::Dangling,
            "e" => Flaw::Ended,
            "t" => Flaw::Twice,
            "u" => Flaw::Untold,
            "l" => Flaw::Leftover,
            "n" => Flaw::EndOfNothing,
            "x" => Flaw::Unknown,
            other => return Err(unexpected(script, other)),
        };
        let what = reply::next(script, &mut values)?;
        let repaired = reply::next(script, &mut values)?;
        all.push(Found { flaw, what, repaired });
    }
    Ok(all)
}

pub(in crate::broker::redis) fn page(script: &str, answer: Value) -> Read<Page> {
    let mut parts = reply::list(script, answer)?;
    let cursor = reply::next(script, &mut parts)?;
    let found = found(script, reply::next_list(script, &mut parts)?)?;
    let ids = parts.next().map_or(Ok(Vec::new()), |ids| reply::value(script, ids))?;
    let named = parts.next().map_or(Ok(0), |named| reply::number(script, named))?;
    Ok(Page { cursor, found, ids, named })
}

pub(in crate::broker::redis) fn list_page(answer: Value) -> Read<ListPage> {
    const SCRIPT: &str = "fsck/list";
    let mut parts = reply::list(SCRIPT, answer)?;
    let passed = u64::try_from(reply::next::<i64>(SCRIPT, &mut parts)?).ok();
    let last = reply::next(SCRIPT, &mut parts)?;
    let found = found(SCRIPT, reply::next_list(SCRIPT, &mut parts)?)?;
    let ids = reply::next(SCRIPT, &mut parts)?;
    Ok(ListPage { passed, last, found, ids, first: reply::next(SCRIPT, &mut parts)? })
}

pub(in crate::broker::redis) fn twice(answer: Value) -> Read<Judged> {
    let (beyond, somewhere, missed, whole) = reply::value("fsck/twice", answer)?;
    Ok(Judged { beyond, somewhere, missed, whole })
}

pub(in crate::broker::redis) fn jobs_page(answer: Value) -> Read<JobsPage> {
    let (cursor, bytes, jobs, elsewhere, ended) = reply::value("fsck/jobs", answer)?;
    Ok(JobsPage { cursor, bytes, jobs, elsewhere, ended })
}

/// The cursor of the next page, and names as they are stored.
pub(in crate::broker::redis) fn names(answer: Value) -> Read<(String, Vec<Vec<u8>>)> {
    reply::value("fsck/names", answer)
}

/// What is wrong with a worker, whether it was repaired, and how many jobs it has on loan.
pub(in crate::broker::redis) fn worker(answer: Value) -> Read<(Option<Flaw>, bool, u64)> {
    const SCRIPT: &str = "fsck/worker";
    let (letter, repaired, on_loan): (String, bool, u64) = reply::value(SCRIPT, answer)?;
    let flaw = match &*letter {
        "" => None,
        "u" => Some(Flaw::Unwatched),
        "h" => Some(Flaw::HalfRegistered),
        "l" => Some(Flaw::Leftover),
        other => return Err(unexpected(SCRIPT, other)),
    };
    Ok((flaw, repaired, on_loan))
}

/// Jobs that stand nowhere, or the incarnations that the next call must name.
pub(in crate::broker::redis) fn lost(answer: Value) -> Read<Result<Vec<Lost>, Vec<Incarnation>>> {
    const SCRIPT: &str = "fsck/lost";
    let mut parts = reply::list(SCRIPT, answer)?;
    let missing = reply::incarnations(SCRIPT, reply::next_list(SCRIPT, &mut parts)?)?;
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    let one = |one: Value| {
        let (id, header, state) = reply::value(SCRIPT, one)?;
        Ok(Lost { id, header, state })
    };
    parts.map(one).collect::<Read<_>>().map(Ok)
}

pub(in crate::broker::redis) fn count(answer: Value) -> Read<Count> {
    const SCRIPT: &str = "fsck/count";
    let mut parts = reply::list(SCRIPT, answer)?;
    let print = reply::next(SCRIPT, &mut parts)?;
    let mut numbers = || {
        Ok(Numbers {
            done: reply::next(SCRIPT, &mut parts)?,
            oldest: reply::next(SCRIPT, &mut parts)?,
            kept: reply::next(SCRIPT, &mut parts)?,
        })
    };
    let (written, there) = (numbers()?, numbers()?);
    Ok(Count { print, written, there, forgetful: reply::next(SCRIPT, &mut parts)? })
}

/// Ids, and nothing else.
pub(in crate::broker::redis) fn ids(script: &str, answer: Value) -> Read<Vec<RawId>> {
    reply::value(script, answer)
}
