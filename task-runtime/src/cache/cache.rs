//! The cache as programs see it.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{self, Writing};
use super::entry::Entry;
use super::error::{CacheError, argument};
use super::guard::Guard;
use super::key::{Keys, checked_version};
use super::raw::RawCommand;
use super::remember::Flights;
use super::set::{Set, SetMany};
use super::settings::CacheBuilder;
use super::stats::{CacheStats, Counters, count};
use super::store::{Added, Answer, End, Left, Life, Store, When};
use super::ttl::Ttl;

/// Most keys of one call.
pub const MAX_MANY: usize = 10_000;

/// A cache. Clones share everything; see the [module](super) for what it is.
///
/// # Errors
/// Every call fails with one of the errors of [`CacheError`] that say that the server is away, unless
/// [`OnOutage::Miss`](super::OnOutage::Miss) makes a miss of that; and with [`CacheError::Name`] for a key that is empty
/// or has more than 1,024 bytes.
///
/// # Cancel safety
/// When the future of a call is dropped, what was asked may still happen.
#[derive(Clone)]
pub struct Cache {
    pub(super) shared: Arc<Shared>,
    keys: Keys,
}

/// What all clones and versions of a cache share.
pub(super) struct Shared {
    pub(super) guard: Guard,
    pub(super) writing: Writing,
    pub(super) ttl: Ttl,
    pub(super) counters: Counters,
    pub(super) flights: Flights,
}

impl Cache {
    pub(super) fn new(shared: Shared, keys: Keys) -> Self {
        Self { shared: Arc::new(shared), keys }
    }

    /// A cache on the server, or cluster, at `url`, as in `redis://127.0.0.1/`. Nothing is connected before the first
    /// call.
    ///
    /// # Errors
    /// [`CacheError::Setting`] when the URL cannot be used.
    #[cfg(feature = "redis")]
    pub fn connect(url: impl Into<String>) -> Result<Self, CacheError> {
        Self::builder().url(url).build()
    }

    /// A cache in the memory of this process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::builder().build().expect("the defaults are allowed")
    }

    /// Settings of a cache.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    /// The same cache, where every key is one of another version.
    ///
    /// # Errors
    /// [`CacheError::Argument`] for version 0.
    pub fn with_version(&self, version: u32) -> Result<Self, CacheError> {
        let keys = self.keys.with_version(checked_version(version)?);
        Ok(Self { shared: Arc::clone(&self.shared), keys })
    }

    /// The version that its keys have.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.keys.version()
    }

    /// What it has done since it was built.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.shared.counters.read(self.shared.guard.is_open())
    }

    /// The value under a key; `None` when there is none, it has expired, or one of its tags was invalidated.
    ///
    /// # Errors
    /// [`CacheError::Decode`] when the value is of another type, [`CacheError::WrongKind`] when something else is there.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        let bytes = self.valid(&self.keys.of(key)?).await?;
        bytes.map(|bytes| self.read(key, &bytes)).transpose()
    }

    /// The values under some keys, in their order; one round trip, and in a cluster one to each node at the same time.
    ///
    /// # Errors
    /// As those of [`get`](Self::get), and [`CacheError::Argument`] for more than 10,000 keys.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<T>>, CacheError> {
        let names: Vec<_> = keys.into_iter().collect();
        let keys = self.all_of(&names)?;
        let mut entries = self.ask(vec![None; keys.len()], |store| store.get_many(&keys)).await?;
        self.keep_valid(&keys, &mut entries).await?;
        let hits = entries.iter().flatten().count();
        self.shared.counters.looked(hits, entries.len() - hits);
        let read = |(name, bytes): (_, Option<Vec<u8>>)| bytes.map(|bytes| self.read(AsRef::as_ref(name), &bytes));
        names.iter().zip(entries).map(|pair| read(pair).transpose()).collect()
    }

    /// The bytes that [`set_bytes`](Self::set_bytes) stored.
    ///
    /// # Errors
    /// As those of [`get`](Self::get).
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError> {
        let Some(bytes) = self.valid(&self.keys.of(key)?).await? else { return Ok(None) };
        let entry = Entry::read(&bytes).ok_or_else(|| not_an_entry(key))?;
        codec::read_bytes(key, &entry, self.shared.writing.max_value_bytes).map(Some)
    }

    /// Whether there is a value under a key.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn contains(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.valid(&self.keys.of(key)?).await?.is_some())
    }

    /// Stores a value, for as long as the cache keeps values unless told else: see [`Set`]. It is stored when the call
    /// is awaited, and gives whether it was.
    pub fn set<'a, T: Serialize + ?Sized>(&'a self, key: &'a str, value: &'a T) -> Set<'a, T> {
        Set::new(self, key, value)
    }

    /// Stores bytes as they are, a rendered page for example.
    pub fn set_bytes<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> Set<'a, [u8]> {
        Set::of_bytes(self, key, bytes)
    }

    /// Stores a value if there is none, and gives whether it was stored: short for `set(..).if_absent()`.
    pub fn add<'a, T: Serialize + ?Sized>(&'a self, key: &'a str, value: &'a T) -> Set<'a, T> {
        Set::new(self, key, value).if_absent()
    }

    /// Stores values, in one round trip: see [`SetMany`]. They are stored when the call is awaited.
    pub fn set_many<'a, K, T>(&'a self, values: &'a [(K, T)]) -> SetMany<'a, K, T>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        SetMany::new(self, values)
    }

    /// The value under a key, which is `default` from now on if there was none.
    ///
    /// # Errors
    /// As those of [`get`](Self::get) and [`set`](Self::set).
    pub async fn get_or_set<T>(&self, key: &str, default: T) -> Result<T, CacheError>
    where
        T: Serialize + DeserializeOwned + Sync,
    {
        match self.get(key).await? {
            Some(value) => Ok(value),
            None if self.add(key, &default).await? => Ok(default),
            // Another was first, unless that one is gone again.
            None => Ok(self.get(key).await?.unwrap_or(default)),
        }
    }

    /// Removes what is under a key, of whatever kind, and says whether there was something.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn delete(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.delete_many([key]).await? > 0)
    }

    /// Removes what is under some keys, in one round trip, and says how many there were.
    ///
    /// # Errors
    /// [`CacheError::Argument`] for more than 10,000 keys.
    pub async fn delete_many(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<u64, CacheError> {
        let names: Vec<_> = keys.into_iter().collect();
        let keys = self.all_of(&names)?;
        keys.iter().for_each(|key| self.shared.flights.forget(key));
        // Who makes one of the values just now must not store it afterwards.
        let fills: Vec<_> = names.iter().map(|name| self.keys.fill(name.as_ref())).collect();
        let (deleted, _) = futures_util::future::try_join(
            self.ask(0, |store| store.remove(&keys)),
            self.ask(0, |store| store.remove(&fills)),
        )
        .await?;
        Ok(deleted)
    }

    /// Removes a value and gives it; of those who take it at the same time, one gets it.
    ///
    /// # Errors
    /// As those of [`get`](Self::get); the value is gone then, too.
    pub async fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        let on_server = self.keys.of(key)?;
        let bytes = self.ask(None, |store| store.take(&on_server)).await?;
        let mut entries = [bytes];
        self.keep_tagged(&mut entries).await?;
        let [bytes] = entries;
        bytes.map(|bytes| self.read(key, &bytes)).transpose()
    }

    /// Adds to a whole number that [`set`](Self::set) stored, atomically, and gives the sum; `None` when there is
    /// none. Its end stays. A number that begins by itself is a [`counter`](Self::counter).
    ///
    /// # Errors
    /// [`CacheError::NotANumber`] when something else is there, or the sum does not fit in 64 bits.
    pub async fn incr(&self, key: &str, by: i64) -> Result<Option<i64>, CacheError> {
        let on_server = self.keys.of(key)?;
        match self.ask(Added::Missing, |store| store.add(&on_server, by)).await? {
            Added::Sum(sum) => Ok(Some(sum)),
            Added::Missing => Ok(None),
            Added::NotANumber => Err(CacheError::NotANumber { key: key.to_owned() }),
        }
    }

    /// The same, with the number taken away.
    ///
    /// # Errors
    /// As those of [`incr`](Self::incr).
    pub async fn decr(&self, key: &str, by: i64) -> Result<Option<i64>, CacheError> {
        self.incr(
            key,
            by.checked_neg().ok_or_else(|| argument("a number to take away", by, "one that can be negated"))?,
        )
        .await
    }

    /// What is left of the time of a key; `None` when there is none. Of a value that may be served stale, that time
    /// counts too.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn ttl(&self, key: &str) -> Result<Option<Ttl>, CacheError> {
        let key = self.keys.of(key)?;
        Ok(Ttl::of_left(self.ask(Left::Missing, |store| store.left(&key)).await?))
    }

    /// Lets a key live for as long as the cache keeps values, from now on, and says whether there is one. As with
    /// [`expire`](Self::expire), its tags live on with it.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn touch(&self, key: &str) -> Result<bool, CacheError> {
        self.expire(key, self.shared.ttl).await
    }

    /// Lets a key live for `ttl` from now on, and says whether there is one. The tags of a value live as long as it does:
    /// for a value that has some that is one more round trip.
    ///
    /// # Errors
    /// [`CacheError::Argument`] for a time outside of what is allowed.
    pub async fn expire(&self, key: &str, ttl: impl Into<Ttl>) -> Result<bool, CacheError> {
        let end = match ttl.into().life()? {
            Life::Ms(ms) => End::InMs(ms),
            Life::Forever => End::Never,
        };
        self.end(key, end).await
    }

    /// Lets a key live until `at`, and says whether there is one. A time that has passed removes it.
    /// Its tags live on with it, as with [`expire`](Self::expire).
    ///
    /// # Errors
    /// Those of every call.
    pub async fn expire_at(&self, key: &str, at: SystemTime) -> Result<bool, CacheError> {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.end(key, End::AtMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))).await
    }

    /// Lets a key live until it is deleted, and says whether there is one. So do its tags, as with
    /// [`expire`](Self::expire).
    ///
    /// # Errors
    /// Those of every call.
    pub async fn persist(&self, key: &str) -> Result<bool, CacheError> {
        self.end(key, End::Never).await
    }

    /// Gives a value the next version, and what is left of its time; gives that version, or `None` when there is no
    /// value. It is two steps: who reads in between finds both.
    ///
    /// # Errors
    /// [`CacheError::WrongKind`] when something else is there.
    pub async fn incr_version(&self, key: &str) -> Result<Option<u32>, CacheError> {
        let version = self.version().checked_add(1).ok_or_else(|| argument("version", u32::MAX, "a smaller one"))?;
        let (old, new) = (self.keys.of(key)?, self.keys.with_version(version).of(key)?);
        let Some((mut bytes, left)) = self.ask(None, |store| store.look(&old)).await? else { return Ok(None) };
        let life = match left {
            Left::Missing => return Ok(None),
            Left::Forever => Life::Forever,
            Left::Ms(ms) => Life::Ms(ms.max(1)),
        };
        Entry::move_to(&new, &mut bytes);
        // A full server that is a miss has stored nothing: then the old one stays.
        if !self.ask(false, |store| store.set(&new, &bytes, life, When::Always)).await? {
            return Ok(None);
        }
        self.ask(0, |store| store.remove(std::slice::from_ref(&old))).await?;
        Ok(Some(version))
    }

    /// Any command whose first argument is its only key, which gets its prefix and version. The memory of a process
    /// knows those that the views need.
    ///
    /// ```
    /// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), Box<dyn std::error::Error>> {
    /// cache.command("SADD", "colours").arg("red").arg("blue").send().await?;
    /// let count = cache.command("SCARD", "colours").send().await?.int();
    /// # Ok(())
    /// # }
    /// ```
    pub fn command<'a>(&'a self, name: &'a str, key: &'a str) -> RawCommand<'a> {
        RawCommand::new(self, name, key)
    }

    async fn end(&self, key: &str, end: End) -> Result<bool, CacheError> {
        let key = self.keys.of(key)?;
        let Some(ended) = self.ask(None, |store| store.expire(&key, end)).await? else { return Ok(false) };
        self.keep_tags(&ended).await?;
        Ok(true)
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    fn all_of(&self, names: &[impl AsRef<str>]) -> Result<Vec<String>, CacheError> {
        if names.len() > MAX_MANY {
            return Err(argument("a call", format!("for {} keys", names.len()), format!("{MAX_MANY} at most")));
        }
        names.iter().map(|name| self.keys.of(name.as_ref())).collect()
    }

    /// Makes a call; `missing` is what it gives when an outage is a miss.
    pub(super) async fn ask<'a, T>(
        &'a self,
        missing: T,
        call: impl Fn(&'a dyn Store) -> Answer<'a, T>,
    ) -> Result<T, CacheError> {
        match self.shared.guard.ask_again(call).await {
            Err(error) if error.is_outage() && self.shared.guard.is_miss() => {
                count(&self.shared.counters.outages);
                Ok(missing)
            }
            // The program knows its keys without prefix and version.
            Err(CacheError::WrongKind { key, reason }) => {
                Err(CacheError::WrongKind { key: self.keys.plain(&key).unwrap_or(&key).to_owned(), reason })
            }
            answer => answer,
        }
    }

    pub(super) fn read<T: DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Result<T, CacheError> {
        let entry = Entry::read(bytes).ok_or_else(|| not_an_entry(name))?;
        codec::read(name, &entry, self.shared.writing.max_value_bytes)
    }
}

fn not_an_entry(name: &str) -> CacheError {
    CacheError::WrongKind { key: name.to_owned(), reason: "it was not stored by a cache of this kind".into() }
}

impl fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cache").field("version", &self.version()).finish_non_exhaustive()
    }
}
