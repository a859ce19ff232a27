//! What the memory of a process keeps, and what it lets go when there is no more room.

use lru::LruCache;

use super::super::Left;

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
}

impl Value {
    fn cost(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Tag(_) => 8,
            Self::Lock { token, .. } => token.len() + 16,
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

    /// The same, to be changed. What changes the cost says so with [`put`](Self::put).
    pub(super) fn get_mut(&mut self, key: &str, now: i64) -> Option<&mut Held> {
        if self.kept.peek(key).is_some_and(|held| held.is_over(now)) {
            self.remove(key);
        }
        self.kept.get_mut(key)
    }

    pub(super) fn put(&mut self, key: &str, value: Value, end: Option<i64>) {
        self.remove(key);
        self.bytes += cost(key, &value);
        self.kept.put(key.to_owned(), Held { value, end });
        while self.kept.len() > self.keys || self.bytes > self.most_bytes {
            let Some((key, held)) = self.kept.pop_lru() else { break };
            self.bytes -= cost(&key, &held.value);
        }
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        let held = self.kept.pop(key)?;
        self.bytes -= cost(key, &held.value);
        Some(held.value)
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

    /// All keys whose time is not over, in their order, from the one behind `from` on.
    pub(super) fn keys_after(&self, from: Option<&str>, now: i64) -> Vec<String> {
        let live = self.kept.iter().filter(|(_, held)| !held.is_over(now)).map(|(key, _)| key);
        let mut keys: Vec<_> = live.filter(|key| from.is_none_or(|from| key.as_str() > from)).cloned().collect();
        keys.sort_unstable();
        keys
    }
}

impl Held {
    fn is_over(&self, now: i64) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

fn cost(key: &str, value: &Value) -> usize {
    KEY_COST + key.len() + value.cost()
}
