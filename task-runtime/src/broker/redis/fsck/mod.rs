//! The check of a queue on a server: many small scripts, each of which finds and mends what is wrong at
//! its moment.
//!
//! What a page of one key can tell is told by the script that reads it. That a job is in no list, or
//! twice in line, only the whole queue can tell: the ids in line are kept as hashes, and what they make
//! suspect is looked for once more, and then judged by one script together with all that can have moved
//! since. No key is read as a whole, and no script is about more than some hundred entries.

pub(super) mod answer;
mod ends;
mod line;
mod names;
mod pages;
mod suspects;
mod twice;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use redis::{FromRedisValue, Value};

use super::keys::Keys;
use super::reply::Read;
use super::script::Script;
use super::{Call, RedisBroker, reply};
use crate::broker::fsck::Tally;
use crate::broker::{Incarnation, Repair, Report};
use crate::connection::Request;
use crate::error::Error;
use crate::job::QueueName;

use answer::Found;

/// Most hashes of ids that are kept at a time, about 18 bytes each; a queue with more is read in
/// several rounds.
const MAX_SEEN: u64 = 2_000_000;
/// Most suspects that are kept before they are judged.
const MAX_SUSPECTS: usize = 100_000;
/// Most pages of one key. Only a key that grows faster than it is read has more.
const MAX_PAGES: usize = 10_000_000;
/// How often what is suspect is looked for again: under a load, jobs may move behind the look.
const ROUNDS: usize = 2;

/// An id as it is stored, whatever bytes it is.
pub(super) type RawId = Vec<u8>;

/// One check under way.
pub(super) struct Check<'a> {
    broker: &'a RedisBroker,
    queue: &'a QueueName,
    of: Keys,
    repair: bool,
    /// Whether what pages tell is new: when they are read again, it is not.
    first: bool,
    tally: Tally,
    /// All that have jobs on loan, or may have.
    incarnations: Vec<Incarnation>,
    /// Whether any has.
    on_loan: bool,
    /// Parked jobs that are not marked as such.
    unmarked: Seen,
    hasher: RandomState,
}

/// Ids by their hashes: those of one part of all.
#[derive(Default)]
struct Seen(HashSet<u64>);

/// Which of the parts of all ids a round is about.
#[derive(Clone, Copy)]
struct Part {
    at: u64,
    of: u64,
}

impl<'a> Check<'a> {
    pub(super) fn new(broker: &'a RedisBroker, queue: &'a QueueName, repair: Repair) -> Self {
        Self {
            broker,
            queue,
            of: broker.keys(queue),
            repair: repair == Repair::Yes,
            first: true,
            tally: Tally::default(),
            incarnations: Vec::new(),
            on_loan: false,
            unmarked: Seen::default(),
            hasher: RandomState::new(),
        }
    }

    pub(super) async fn run(mut self) -> Result<Report, Error> {
        if self.names().await? {
            self.workers().await?;
            self.indexes().await?;
            let marked = self.beside().await?;
            let parts = self.size().await? / MAX_SEEN + 1;
            for at in 0..parts {
                let part = Part { at, of: parts };
                let line = self.line(part).await?;
                let noted = self.noted(part).await?;
                self.jobs(part, &line, &noted).await?;
                self.marks(part, &line, &marked).await?;
                self.first = false;
            }
        }
        Ok(self.tally.report())
    }

    fn call(&self, script: &'static Script, running: &[Incarnation]) -> Call {
        Call::new(self.broker, script, &self.of, running)
    }

    async fn ask<T>(&self, call: Call, read: impl Fn(Value) -> Read<T>) -> Result<T, Error> {
        self.broker.call(call, read).await
    }

    /// A command on a key of the queue, or on the node that has it.
    async fn command<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, Error> {
        self.command_at(self.of.tag(), words).await
    }

    async fn command_at<T: FromRedisValue>(&self, tag: &str, words: &[&str]) -> Result<T, Error> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let read = |answer| reply::value(words[0], answer);
        Ok(self.broker.servers.send(tag, &Request::plain(command), read).await?)
    }

    /// Whether a script is to mend what it finds.
    fn mends(&self) -> bool {
        self.repair && self.first
    }

    /// Takes down what a script found.
    fn found(&mut self, place: &str, found: Vec<Found>) {
        for one in found.into_iter().filter(|_| self.first) {
            self.tally.add(one.flaw, place, shown(&one.what), one.repaired);
        }
    }

    fn hash(&self, id: &[u8]) -> u64 {
        self.hasher.hash_one(id)
    }

    fn belongs(&self, id: &[u8], part: Part) -> bool {
        part.of == 1 || self.hash(id) % part.of == part.at
    }
}

impl Seen {
    /// Adds an id; answers whether it is new.
    fn add(&mut self, hash: u64) -> bool {
        self.0.insert(hash)
    }

    fn has(&self, hash: u64) -> bool {
        self.0.contains(&hash)
    }
}

/// Whatever was stored, as text of one line.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
