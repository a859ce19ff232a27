//! Sessions in the memory of this process, and lost with it: for tests, and for programs of one process.
//!
//! It follows the scripts of the Redis store rule for rule. One lock, held for one call and never across an await.

mod record;

use std::collections::{BTreeSet, HashMap};
use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use self::record::Record;
use super::limits::{Life, TOMBSTONE, millis};
use super::store::{Answer, Found, Head, Listed, Read, Store, Whole, Write, Written};
use super::token::SessionHandle;

/// Sessions that are kept unless told else.
pub const DEFAULT_MEMORY_SESSIONS: usize = 100_000;
/// Bytes of their fields that are kept unless told else.
pub const DEFAULT_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// The store.
pub(crate) struct MemoryStore {
    sessions: usize,
    bytes: usize,
    /// The time at which it began, by the wall and by a clock that nobody sets.
    began_ms: i64,
    began: Instant,
    space: Mutex<Space>,
}

#[derive(Default)]
struct Space {
    entries: HashMap<SessionHandle, Entry>,
    /// Every entry by its end, the soonest first: it is the first to go, when its time has come or room is needed.
    ends: BTreeSet<(i64, SessionHandle)>,
    /// When each session of a user was last enlisted.
    users: HashMap<String, HashMap<SessionHandle, i64>>,
    bytes: usize,
}

enum Entry {
    Live(Box<Record>),
    /// It was ended, or got another id.
    Ended {
        until_ms: i64,
    },
}

impl MemoryStore {
    pub(crate) fn new(sessions: usize, bytes: usize) -> Self {
        let began_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        Self { sessions, bytes, began_ms, began: Instant::now(), space: Mutex::default() }
    }

    fn with<T>(&self, call: impl FnOnce(&mut Space, i64) -> T) -> T {
        let now = self.began_ms.saturating_add(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX));
        let mut space = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        space.forget_what_has_ended(now);
        let answer = call(&mut space, now);
        space.make_room(self.sessions, self.bytes);
        answer
    }
}

impl Store for MemoryStore {
    fn read<'a>(&'a self, at: SessionHandle, fields: &'a [String], life: Option<Life>) -> Answer<'a, Found<Read>> {
        let found = self.with(|space, now| space.found(at, |record| record.read(fields, life, now)));
        Box::pin(ready(Ok(found)))
    }

    fn whole(&self, at: SessionHandle) -> Answer<'_, Found<Whole>> {
        let found = self.with(|space, now| space.found(at, |record| record.whole(now)));
        Box::pin(ready(Ok(found)))
    }

    fn write<'a>(&'a self, at: SessionHandle, write: &'a Write) -> Answer<'a, Written> {
        let written = self.with(|space, now| {
            let (fresh, mut record) = match space.take(at) {
                None if write.create => (true, Box::new(Record::new(now))),
                None => return Written::Unknown,
                Some(ended @ Entry::Ended { .. }) => {
                    space.put(at, ended);
                    return Written::Ended;
                }
                Some(Entry::Live(record)) => (false, record),
            };
            let written = record.write(write, now);
            match (&written, write.next) {
                (Written::Done { .. }, Some(next)) => {
                    space.bury(at, now);
                    space.put(next, Entry::Live(record));
                }
                (Written::Done { .. }, None) => space.put(at, Entry::Live(record)),
                _ if fresh => {}
                _ => space.put(at, Entry::Live(record)),
            }
            written
        });
        Box::pin(ready(Ok(written)))
    }

    fn end<'a>(&'a self, at: SessionHandle, of: Option<&'a str>) -> Answer<'a, Found<Head>> {
        let found = self.with(|space, now| {
            let found = space.found(at, |record| record.head(false));
            match &found {
                Found::There(head) if of.is_some() && head.user.as_deref() != of => return Found::Unknown,
                Found::There(_) => {
                    space.take(at);
                    space.bury(at, now);
                }
                _ => {}
            }
            found
        });
        Box::pin(ready(Ok(found)))
    }

    fn enlist<'a>(
        &'a self,
        user: &'a str,
        session: SessionHandle,
        _: Duration,
        most: usize,
    ) -> Answer<'a, Vec<SessionHandle>> {
        let over = self.with(|space, now| {
            if space.users.len() > self.sessions {
                // Only what was enlisted and never written can be left over.
                let Space { users, entries, .. } = space;
                users.retain(|_, sessions| sessions.keys().any(|session| entries.contains_key(session)));
            }
            let sessions = space.users.entry(user.to_owned()).or_default();
            sessions.insert(session, now);
            let mut oldest: Vec<_> = sessions.iter().map(|(session, seen)| (*seen, *session)).collect();
            oldest.sort_unstable();
            let over = oldest.len().saturating_sub(most);
            oldest.into_iter().map(|(_, one)| one).filter(|one| *one != session).take(over).collect()
        });
        Box::pin(ready(Ok(over)))
    }

    fn delist<'a>(&'a self, user: &'a str, sessions: &'a [SessionHandle]) -> Answer<'a, ()> {
        self.with(|space, _| sessions.iter().for_each(|session| space.delist(user, session)));
        Box::pin(ready(Ok(())))
    }

    fn listed<'a>(&'a self, user: &'a str, most: usize) -> Answer<'a, Vec<Listed>> {
        let listed = self.with(|space, now| {
            let of = space.users.get(user).into_iter().flatten();
            let mut listed: Vec<_> =
                of.map(|(session, seen)| Listed { session: *session, age_ms: now - seen }).collect();
            listed.sort_unstable_by_key(|one| (one.age_ms, one.session));
            listed.truncate(most);
            listed
        });
        Box::pin(ready(Ok(listed)))
    }
}

impl Space {
    fn found<T>(&mut self, at: SessionHandle, look: impl FnOnce(&mut Record) -> T) -> Found<T> {
        match self.take(at) {
            None => Found::Unknown,
            Some(Entry::Live(mut record)) => {
                let answer = look(&mut record);
                // What was read may have a later end now.
                self.put(at, Entry::Live(record));
                Found::There(answer)
            }
            Some(ended) => {
                self.put(at, ended);
                Found::Ended
            }
        }
    }

    fn put(&mut self, at: SessionHandle, entry: Entry) {
        self.ends.insert((entry.ends_ms(), at));
        self.bytes += entry.bytes();
        self.entries.insert(at, entry);
    }

    fn take(&mut self, at: SessionHandle) -> Option<Entry> {
        let entry = self.entries.remove(&at)?;
        self.ends.remove(&(entry.ends_ms(), at));
        self.bytes -= entry.bytes();
        Some(entry)
    }

    fn bury(&mut self, at: SessionHandle, now: i64) {
        self.put(at, Entry::Ended { until_ms: now.saturating_add(millis(TOMBSTONE)) });
    }

    fn forget_what_has_ended(&mut self, now: i64) {
        while let Some((end, at)) = self.ends.first().copied()
            && end <= now
        {
            self.forget(at);
        }
    }

    fn make_room(&mut self, sessions: usize, bytes: usize) {
        while (self.entries.len() > sessions || self.bytes > bytes)
            && let Some((_, at)) = self.ends.first().copied()
        {
            self.forget(at);
        }
    }

    fn forget(&mut self, at: SessionHandle) {
        if let Some(Entry::Live(record)) = self.take(at)
            && let Some(user) = &record.user
        {
            self.delist(user, &at);
        }
    }

    fn delist(&mut self, user: &str, session: &SessionHandle) {
        if let Some(sessions) = self.users.get_mut(user) {
            sessions.remove(session);
            if sessions.is_empty() {
                self.users.remove(user);
            }
        }
    }
}

impl Entry {
    fn ends_ms(&self) -> i64 {
        match self {
            Self::Live(record) => record.ends_ms,
            Self::Ended { until_ms } => *until_ms,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Live(record) => record.bytes,
            Self::Ended { .. } => 0,
        }
    }
}
