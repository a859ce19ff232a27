//! A cache in the memory of this process, and lost with it: for tests, and for programs of one process.
//!
//! It follows the Redis store rule for rule. One lock, held for one call and never across an await.

mod commands;
mod glob;
mod space;

use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use self::commands::whole_number;
use self::glob::is_like;
use self::space::{Held, Space, Value};
use super::{Added, Answer, Command, End, Ended, Left, Life, Page, Store, When};
use crate::cache::entry::{Entry, Form};
use crate::cache::error::CacheError;
use crate::cache::raw::Reply;

/// The store.
pub(in crate::cache) struct MemoryStore {
    /// The time at which it began, by the wall and by a clock that nobody sets.
    began_us: i64,
    began: Instant,
    space: Mutex<Space>,
}

impl MemoryStore {
    /// A store that keeps so many keys, and so many bytes.
    pub(in crate::cache) fn new(keys: usize, bytes: usize) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Self { began_us, began: Instant::now(), space: Mutex::new(Space::new(keys, bytes)) }
    }

    fn now_us(&self) -> i64 {
        self.began_us.saturating_add(i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    fn with<'a, T: Send + 'a>(&self, call: impl FnOnce(&mut Space, i64) -> Result<T, CacheError>) -> Answer<'a, T> {
        let now = self.now_us() / 1_000;
        let answer = call(&mut self.space.lock().unwrap_or_else(PoisonError::into_inner), now);
        Box::pin(ready(answer))
    }
}

/// The end of what is kept for so long from now on; `None` is never.
fn end_of(life: Life, now: i64) -> Option<i64> {
    match life {
        Life::Ms(ms) => Some(now.saturating_add(ms)),
        Life::Forever => None,
    }
}

fn entry_of(space: &mut Space, key: &str, now: i64) -> Result<Option<Vec<u8>>, CacheError> {
    match space.get(key, now) {
        None => Ok(None),
        Some(Held { value: Value::Bytes(bytes), .. }) if Entry::is_of(key, bytes) => Ok(Some(bytes.clone())),
        Some(_) => Err(wrong_kind(key)),
    }
}

fn wrong_kind(key: &str) -> CacheError {
    CacheError::WrongKind { key: key.to_owned(), reason: "it was not stored by this kind of call".into() }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        self.with(|space, now| entry_of(space, key, now))
    }

    fn look<'a>(&'a self, key: &'a str) -> Answer<'a, Option<(Vec<u8>, Left)>> {
        self.with(|space, now| Ok(entry_of(space, key, now)?.map(|entry| (entry, space.left(key, now)))))
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> Answer<'a, Vec<Option<Vec<u8>>>> {
        self.with(|space, now| Ok(keys.iter().map(|key| entry_of(space, key, now).unwrap_or_default()).collect()))
    }

    fn set<'a>(&'a self, key: &'a str, entry: &'a [u8], life: Life, when: When) -> Answer<'a, bool> {
        self.with(|space, now| {
            let writes = match when {
                When::Always => true,
                When::Absent => space.get(key, now).is_none(),
                When::Present => space.get(key, now).is_some(),
            };
            if writes {
                space.put(key, Value::Bytes(entry.to_vec()), end_of(life, now), now);
            }
            Ok(writes)
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [(String, Vec<u8>)], life: Life) -> Answer<'a, ()> {
        self.with(|space, now| {
            for (key, entry) in entries {
                space.put(key, Value::Bytes(entry.clone()), end_of(life, now), now);
            }
            Ok(())
        })
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        self.with(|space, now| match space.get(key, now) {
            None => Ok(None),
            Some(Held { value: Value::Bytes(_), .. }) => match space.remove(key) {
                Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
                _ => Ok(None),
            },
            Some(_) => Err(wrong_kind(key)),
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> Answer<'a, u64> {
        self.with(|space, now| {
            let there = |key: &&String| space.get(key, now).is_some() && space.remove(key).is_some();
            Ok(keys.iter().filter(there).count() as u64)
        })
    }

    fn left<'a>(&'a self, key: &'a str) -> Answer<'a, Left> {
        self.with(|space, now| Ok(space.left(key, now)))
    }

    fn expire<'a>(&'a self, key: &'a str, end: End) -> Answer<'a, Option<Ended>> {
        self.with(|space, now| {
            let Some(held) = space.get_mut(key, now) else { return Ok(None) };
            let tags = match &held.value {
                Value::Bytes(bytes) => Entry::tags_of(key, bytes),
                _ => Vec::new(),
            };
            held.end = match end {
                End::InMs(ms) => Some(now.saturating_add(ms)),
                End::InMsOrLater(ms) => held.end.map(|end| end.max(now.saturating_add(ms))),
                End::AtMs(ms) => Some(ms),
                End::Never => None,
            };
            Ok(Some(Ended { left: space.left(key, now), tags }))
        })
    }

    fn add<'a>(&'a self, key: &'a str, by: i64) -> Answer<'a, Added> {
        self.with(|space, now| {
            let added = space.change(key, now, None, |held| {
                let Value::Bytes(bytes) = &mut held.value else { return Err(wrong_kind(key)) };
                let Some(sum) = sum_of(bytes, by) else { return Ok(Added::NotANumber) };
                let start = bytes.len() - Entry::read(bytes).map_or(0, |entry| entry.value.len());
                bytes.truncate(start);
                bytes.extend(sum.to_string().as_bytes());
                Ok(Added::Sum(sum))
            });
            added.unwrap_or(Ok(Added::Missing))
        })
    }

    fn tag<'a>(&'a self, key: &'a str, fresh: u64, life: Life) -> Answer<'a, u64> {
        self.with(|space, now| {
            let end = end_of(life, now);
            if let Some(Held { value: Value::Tag(number), end: until }) = space.get_mut(key, now) {
                *until = (*until).zip(end).map(|(before, after)| before.max(after));
                return Ok(*number);
            }
            space.put(key, Value::Tag(fresh), end, now);
            Ok(fresh)
        })
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> Answer<'a, Vec<Option<u64>>> {
        self.with(|space, now| {
            let number = |key: &String| match space.get(key, now) {
                Some(Held { value: Value::Tag(number), .. }) => Some(*number),
                _ => None,
            };
            Ok(keys.iter().map(number).collect())
        })
    }

    fn lock<'a>(&'a self, key: &'a str, token: &'a str, ttl: Duration, memory: Duration) -> Answer<'a, Option<u64>> {
        let now_us = u64::try_from(self.now_us()).unwrap_or_default();
        self.with(|space, now| {
            let fence = match space.get(key, now) {
                Some(Held { value: Value::Lock { token: holder, until, fence }, .. }) if *until > now => {
                    if holder != token {
                        return Ok(None);
                    }
                    *fence
                }
                Some(Held { value: Value::Lock { fence, .. }, .. }) => now_us.max(*fence + 1),
                _ => now_us,
            };
            let until = now.saturating_add(whole_ms(ttl));
            let end = until.saturating_add(whole_ms(memory));
            space.put(key, Value::Lock { token: token.to_owned(), until, fence }, Some(end), now);
            Ok(Some(fence))
        })
    }

    fn renew<'a>(&'a self, key: &'a str, token: &'a str, ttl: Duration) -> Answer<'a, bool> {
        self.with(|space, now| Ok(space.held_lock(key, token, now, |until| *until = now.saturating_add(whole_ms(ttl)))))
    }

    fn unlock<'a>(&'a self, key: &'a str, token: &'a str) -> Answer<'a, bool> {
        self.with(|space, now| Ok(space.held_lock(key, token, now, |until| *until = now)))
    }

    fn scan<'a>(&'a self, pattern: &'a str, from: Option<&'a str>, count: usize) -> Answer<'a, Page> {
        self.with(|space, now| {
            let (keys, more) = space.keys_after(from, count, now);
            let next = keys.last().filter(|_| more).map(|last| (*last).to_owned());
            let alike = keys.into_iter().filter(|key| is_like(pattern.as_bytes(), key.as_bytes()));
            Ok(Page { keys: alike.map(str::to_owned).collect(), next })
        })
    }

    fn command<'a>(&'a self, key: &'a str, command: &'a Command<'a>, life: Option<Life>) -> Answer<'a, Reply> {
        self.with(|space, now| commands::carry_out(space, key, command, life, now))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

/// The sum, if the entry is a whole number in the one form in which it is written.
fn sum_of(bytes: &[u8], by: i64) -> Option<i64> {
    let entry = Entry::read(bytes).filter(|entry| matches!(entry.form, Form::Json | Form::Integer))?;
    whole_number(entry.value)?.checked_add(by)
}

fn whole_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_tag_lives_as_long_as_who_needs_it_longest() {
        let store = MemoryStore::new(10, 10_000);
        for (life, least) in [(Life::Ms(1_000), 1), (Life::Ms(60_000), 50_000), (Life::Ms(1_000), 50_000)] {
            assert_eq!(store.tag("t", 7, life).await.unwrap(), 7);
            let left = store.left("t").await.unwrap();
            assert!(matches!(left, Left::Ms(left) if left >= least), "{left:?} after {life:?}");
        }
        for life in [Life::Forever, Life::Ms(1_000)] {
            store.tag("t", 8, life).await.unwrap();
            assert_eq!(store.left("t").await.unwrap(), Left::Forever);
        }
    }

    #[tokio::test]
    async fn a_fencing_number_grows_though_the_last_one_was_pushed_out() {
        let store = MemoryStore::new(1, 10_000);
        let first = store.lock("it", "a", TTL, TTL).await.unwrap().unwrap();
        assert!(store.unlock("it", "a").await.unwrap());
        store.lock("other", "a", TTL, TTL).await.unwrap().unwrap();
        assert_eq!(store.left("it").await.unwrap(), Left::Missing);
        let second = store.lock("it", "b", TTL, TTL).await.unwrap().unwrap();
        assert!(second > first, "{first} {second}");
    }

    #[tokio::test]
    async fn a_lock_that_is_held_is_not_pushed_out() {
        let store = MemoryStore::new(1, 200);
        store.lock("it", "a", TTL, TTL).await.unwrap().unwrap();
        store.set("value", &[0; 500], Life::Forever, When::Always).await.unwrap();
        assert_eq!(store.left("value").await.unwrap(), Left::Missing, "it does not fit");
        assert_eq!(store.lock("it", "b", TTL, TTL).await.unwrap(), None);
    }

    #[tokio::test]
    async fn who_has_a_lock_and_asks_again_keeps_its_number_and_has_all_of_its_time() {
        let store = MemoryStore::new(10, 10_000);
        let first = store.lock("it", "a", Duration::from_secs(1), Duration::ZERO).await.unwrap().unwrap();
        assert_eq!(store.lock("it", "a", TTL, TTL).await.unwrap(), Some(first));
        let left = store.left("it").await.unwrap();
        assert!(matches!(left, Left::Ms(left) if left > whole_ms(TTL)), "{left:?}");
        assert_eq!(store.lock("it", "b", TTL, TTL).await.unwrap(), None);
        assert!(store.unlock("it", "a").await.unwrap());
        let next = store.lock("it", "a", TTL, TTL).await.unwrap().unwrap();
        assert!(next > first, "given back, it is taken anew: {first} {next}");
    }

    #[tokio::test]
    async fn a_lock_whose_time_is_over_is_neither_renewed_nor_given_back() {
        let store = MemoryStore::new(10, 10_000);
        let first = store.lock("it", "a", Duration::ZERO, TTL).await.unwrap().unwrap();
        assert!(!store.renew("it", "a", TTL).await.unwrap() && !store.unlock("it", "a").await.unwrap());
        let second = store.lock("it", "a", TTL, TTL).await.unwrap().unwrap();
        assert!(second > first && store.renew("it", "a", TTL).await.unwrap());
        let left = store.left("it").await.unwrap();
        assert!(matches!(left, Left::Ms(left) if left > whole_ms(TTL)), "its number is remembered: {left:?}");
        assert!(!store.renew("it", "b", TTL).await.unwrap() && !store.unlock("it", "b").await.unwrap());
        assert!(store.unlock("it", "a").await.unwrap());
    }
}
