//! The seam between a cache and where it is kept.

pub(super) mod memory;
#[cfg(feature = "redis")]
pub(super) mod redis;

use std::pin::Pin;
use std::time::Duration;

use super::error::CacheError;
use super::raw::Reply;

pub(super) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, CacheError>> + Send + 'a>>;

/// Where a cache is kept. Keys are those on the server. Each call on one key is atomic; one on several keys is not, and
/// is one round trip.
///
/// # Cancel safety
/// Dropping an answer does not take the call back: it may still be carried out.
pub(super) trait Store: Send + Sync + 'static {
    /// The entry under a key.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>>;

    /// The entry under a key and what is left of its time.
    fn look<'a>(&'a self, key: &'a str) -> Answer<'a, Option<(Vec<u8>, Left)>>;

    /// The entries under some keys, in their order.
    fn get_many<'a>(&'a self, keys: &'a [String]) -> Answer<'a, Vec<Option<Vec<u8>>>>;

    /// Writes an entry, and says whether it was written.
    fn set<'a>(&'a self, key: &'a str, entry: &'a [u8], life: Life, when: When) -> Answer<'a, bool>;

    /// Writes entries.
    fn set_many<'a>(&'a self, entries: &'a [(String, Vec<u8>)], life: Life) -> Answer<'a, ()>;

    /// Removes an entry and gives it.
    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>>;

    /// Removes what is under the keys, of whatever kind, and says how many there were.
    fn remove<'a>(&'a self, keys: &'a [String]) -> Answer<'a, u64>;

    /// What is left of the time of a key.
    fn left<'a>(&'a self, key: &'a str) -> Answer<'a, Left>;

    /// Gives a key another end; `None` when there is no such key.
    fn expire<'a>(&'a self, key: &'a str, end: End) -> Answer<'a, Option<Ended>>;

    /// Counts an entry up.
    fn add<'a>(&'a self, key: &'a str, by: i64) -> Answer<'a, Added>;

    /// The number of a tag; if it has none, `fresh` becomes it. It is kept for `life` at least.
    fn tag<'a>(&'a self, key: &'a str, fresh: u64, life: Life) -> Answer<'a, u64>;

    /// The numbers of some tags.
    fn tags<'a>(&'a self, keys: &'a [String]) -> Answer<'a, Vec<Option<u64>>>;

    /// Takes a lock for `ttl`, and gives its fencing number; `None` when another has it. With the token of who has it, it
    /// keeps its number and lives for `ttl` from now on, so that it is asked for again when the answer is lost soon. When
    /// it is free again, the last number is remembered for `memory`.
    fn lock<'a>(&'a self, key: &'a str, token: &'a str, ttl: Duration, memory: Duration) -> Answer<'a, Option<u64>>;

    /// Lets a lock live for `ttl` from now on; `false` when it is not, or no longer, held with this token.
    fn renew<'a>(&'a self, key: &'a str, token: &'a str, ttl: Duration) -> Answer<'a, bool>;

    /// Gives a lock back; `false` when it was not, or no longer, held with this token.
    fn unlock<'a>(&'a self, key: &'a str, token: &'a str) -> Answer<'a, bool>;

    /// Some of the keys that are like `pattern`; `from` is `None`, or what the page before said.
    fn scan<'a>(&'a self, pattern: &'a str, from: Option<&'a str>, count: usize) -> Answer<'a, Page>;

    /// Any command whose first argument is its only key; a `life` is given to the key in the same step if the command
    /// leaves anything there.
    fn command<'a>(&'a self, key: &'a str, command: &'a Command<'a>, life: Option<Life>) -> Answer<'a, Reply>;

    /// Whether it answers.
    fn ping(&self) -> Answer<'_, ()>;
}

/// For how long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// At least 1 ms.
    Ms(i64),
    Forever,
}

/// When an entry is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Absent,
    Present,
}

/// What is left of the time of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Missing,
    Forever,
    Ms(i64),
}

/// Another end of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    InMs(i64),
    /// The same, or as before if that is later.
    InMsOrLater(i64),
    /// In milliseconds since 1970.
    AtMs(i64),
    Never,
}

/// What has another end now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Missing when that end has passed.
    pub(super) left: Left,
    /// The tags of an entry, which are needed for as long.
    pub(super) tags: Vec<String>,
}

/// What became of counting up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Sum(i64),
    Missing,
    NotANumber,
}

/// Some keys, and from where to look for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) keys: Vec<String>,
    pub(super) next: Option<String>,
}

/// A command without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    pub(super) name: &'a str,
    pub(super) args: Vec<Vec<u8>>,
    /// Whether it changes nothing, so that it needs no step of its own for the time to live.
    pub(super) looks: bool,
}
