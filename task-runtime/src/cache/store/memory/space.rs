//! What the memory of a process keeps, and what it lets go when there is no more room.

use std::collections::BinaryHeap;

use lru::LruCache;

use super::super::Left;
use super::commands::{Fields, Members, Scores};

/// Bytes that a key costs beside its name and value, roughly.
const KEY_COST: usize = 96;

/// Everything that is kept, the one that was not used for longest first.
pub(super) struct Space {
    kept: LruCache<String, Held>,
    keys: usize,
    most_bytes: usize,
    bytes: usize,
}

/// What is under a key.
pub(super) struct Held {
    pub(super) value: Value,
    /// In milliseconds since 1970; `None` is never.
    pub(super) end: Option<i64>,
}

/// What it can be.
pub(super) enum Value {
    Bytes(Vec<u8>),
    Tag(u64),
    Lock { token: String, until: i64, fence: u64 },
    Hash(Fields),
    Set(Members),
    Sorted(Scores),
}

impl Value {
    /// Whether it is a collection with nothing in it, which is no key.
    fn is_empty(&self) -> bool {
        match self {
            Self::Hash(fields) => fields.is_empty(),
            Self::Set(members) => members.is_empty(),
            Self::Sorted(scores) => scores.is_empty(),
            Self::Bytes(_) | Self::Tag(_) | Self::Lock { .. } => false,
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Tag(_) => 8,
            Self::Lock { token, .. } => token.len() + 16,
            Self::Hash(fields) => fields.cost(),
            Self::Set(members) => members.cost(),
            Self::Sorted(scores) => scores.cost(),
        }
    }
}

impl Space {
    pub(super) fn new(keys: usize, most_bytes: usize) -> Self {
        Self { kept: LruCache::unbounded(), keys, most_bytes, bytes: 0 }
    }

    /// What is under a key, if its time is not over.
    pub(super) fn get(&mut self, key: &str, now: i64) -> Option<&Held> {
        self.get_mut(key, now).map(|held| &*held)
    }

    /// The same, to be changed in what has no cost; for all else there is [`change`](Self::change).
    pub(super) fn get_mut(&mut self, key: &str, now: i64) -> Option<&mut Held> {
        if self.kept.peek(key).is_some_and(|held| held.is_over(now)) {
            self.remove(key);
        }
        self.kept.get_mut(key)
    }

    /// Has `call` change what is under a key, or `fresh` if there is nothing; `None` if there is neither. What it costs
    /// then is counted anew, and a collection that is empty then is no key any more.
    pub(super) fn change<T>(
        &mut self,
        key: &str,
        now: i64,
        fresh: Option<Value>,
        call: impl FnOnce(&mut Held) -> T,
    ) -> Option<T> {
        let held = self.take(key).filter(|held| !held.is_over(now));
        let mut held = held.or_else(|| fresh.map(|value| Held { value, end: None }))?;
        let told = call(&mut held);
        if !held.value.is_empty() {
            self.put(key, held.value, held.end, now);
        }
        Some(told)
    }

    pub(super) fn put(&mut self, key: &str, value: Value, end: Option<i64>, now: i64) {
        self.take(key);
        self.bytes += cost(key, &value);
        self.kept.put(key.to_owned(), Held { value, end });
        let mut spared = 0;
        while self.kept.len() > spared && (self.kept.len() > self.keys || self.bytes > self.most_bytes) {
            let Some((key, held)) = self.kept.pop_lru() else { break };
            if held.is_held_lock(now) {
                // Another one could take it meanwhile.
                self.kept.put(key, held);
                spared += 1;
            } else {
                self.bytes -= cost(&key, &held.value);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        self.take(key).map(|held| held.value)
    }

    fn take(&mut self, key: &str) -> Option<Held> {
        let held = self.kept.pop(key)?;
        self.bytes -= cost(key, &held.value);
        Some(held)
    }

    pub(super) fn left(&mut self, key: &str, now: i64) -> Left {
        match self.get(key, now) {
            None => Left::Missing,
            Some(Held { end: None, .. }) => Left::Forever,
            Some(Held { end: Some(end), .. }) => Left::Ms(end - now),
        }
    }

    /// Moves the end of a lock that is held with this token; says whether it is.
    pub(super) fn held_lock(&mut self, key: &str, token: &str, now: i64, change: impl FnOnce(&mut i64)) -> bool {
        let Some(Held { value: Value::Lock { token: holder, until, .. }, end }) = self.get_mut(key, now) else {
            return false;
        };
        if holder != token || *until <= now {
            return false;
        }
        let memory = end.map(|end| end - *until);
        change(until);
        *end = memory.map(|memory| until.saturating_add(memory));
        true
    }

    /// The first `count` keys whose time is not over, in their order, from the one behind `from` on, and whether more
    /// follow. It goes once over all keys, and keeps no more of them than it gives.
    pub(super) fn keys_after(&self, from: Option<&str>, count: usize, now: i64) -> (Vec<&str>, bool) {
        let live = self.kept.iter().filter(|(_, held)| !held.is_over(now)).map(|(key, _)| key.as_str());
        // The last of them is on top.
        let (mut first, mut more) = (BinaryHeap::new(), false);
        for key in live.filter(|key| from.is_none_or(|from| *key > from)) {
            if first.len() < count {
                first.push(key);
                continue;
            }
            more = true;
            if let Some(mut last) = first.peek_mut().filter(|last| key < **last) {
                *last = key;
            }
        }
        (first.into_sorted_vec(), more)
    }
}

impl Held {
    fn is_over(&self, now: i64) -> bool {
        self.end.is_some_and(|end| end <= now)
    }

    fn is_held_lock(&self, now: i64) -> bool {
        matches!(self.value, Value::Lock { until, .. } if until > now)
    }
}

fn cost(key: &str, value: &Value) -> usize {
    KEY_COST + key.len() + value.cost()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grow(space: &mut Space, key: &str, by: usize) {
        space.change(key, 0, Some(Value::Bytes(Vec::new())), |held| match &mut held.value {
            Value::Bytes(bytes) => bytes.extend(vec![0; by]),
            _ => unreachable!("only bytes were put"),
        });
    }

    #[test]
    fn what_grows_in_its_place_pushes_out_what_was_not_used_for_longest() {
        let mut space = Space::new(10, 3 * (KEY_COST + 1) + 100);
        ["a", "b", "c"].iter().for_each(|key| grow(&mut space, key, 20));
        assert!(space.get("a", 0).is_some(), "and it was used just now");
        grow(&mut space, "c", 41);
        assert_eq!(space.keys_after(None, 10, 0).0, ["a", "c"]);
        assert_eq!(space.bytes, 2 * (KEY_COST + 1) + 81);
        grow(&mut space, "c", 1_000);
        assert!(space.keys_after(None, 10, 0).0.is_empty(), "what does not fit alone is not kept");
        assert_eq!(space.bytes, 0);
    }

    #[test]
    fn a_lock_is_pushed_out_when_nobody_holds_it_any_more() {
        let mut space = Space::new(2, 10_000);
        let mut lock = |key: &str, until, now| {
            space.put(key, Value::Lock { token: "t".to_owned(), until, fence: 1 }, Some(100), now);
            space.keys_after(None, 10, now).0.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!([lock("a", 10, 0), lock("b", 20, 0)].concat(), ["a", "a", "b"]);
        assert_eq!(lock("c", 30, 0), ["a", "b", "c"], "all are held");
        assert_eq!(lock("d", 30, 10), ["b", "c", "d"]);
        assert_eq!(lock("e", 40, 30), ["d", "e"]);
    }

    #[test]
    fn pages_of_any_size_give_each_key_once_and_in_order() {
        let mut space = Space::new(100, 100_000);
        // Used in an order that is none, and every fifth is over.
        for number in (0..50).map(|at| at * 17 % 50) {
            let end = (number % 5 == 0).then_some(7);
            space.put(&format!("{number:02}"), Value::Bytes(Vec::new()), end, 0);
        }
        let expected: Vec<_> = (0..50).filter(|number| number % 5 != 0).map(|number| format!("{number:02}")).collect();
        for count in [1, 7, 39, 40, 41, 10_000] {
            let (mut keys, mut from, mut pages) = (Vec::new(), None, 0);
            loop {
                let (page, more) = space.keys_after(from, count, 7);
                (from, pages) = (page.last().copied(), pages + 1);
                keys.extend(page);
                if !more {
                    break;
                }
            }
            assert_eq!((keys, pages), (expected.iter().map(String::as_str).collect(), 40_usize.div_ceil(count)));
        }
    }

    #[test]
    fn a_change_counts_from_what_is_there_and_keeps_its_end() {
        let mut space = Space::new(10, 10_000);
        assert_eq!(space.change("a", 0, None, |_| ()), None);
        space.put("a", Value::Bytes(vec![0; 50]), Some(7), 0);
        grow(&mut space, "a", 10);
        assert_eq!((space.left("a", 0), space.bytes), (Left::Ms(7), KEY_COST + 61));
        assert_eq!(space.change("a", 7, None, |_| ()), None, "its time is over");
        assert_eq!(space.bytes, 0);
    }
}
