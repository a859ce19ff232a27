//! Storing values.

use std::future::IntoFuture;
use std::pin::Pin;

use serde::Serialize;

use super::cache::{Cache, MAX_MANY};
use super::entry::Head;
use super::error::{CacheError, argument};
use super::store::When;
use super::tags::checked_tags;
use super::ttl::Ttl;

type Write<T> = for<'w> fn(&Cache, &str, &str, &'w T, &Head) -> Result<Vec<u8>, CacheError>;

/// A value that is being stored; awaiting it stores it, and gives whether it was stored.
///
/// ```
/// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
/// use std::time::Duration;
///
/// cache.set("greeting", "Hello").await?;
/// cache.set("price:7", &995).ttl(Duration::from_secs(60)).tags(["prices"]).await?;
/// let was_first = cache.set("leader", "me").if_absent().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`CacheError::Encode`] when the value cannot be written, [`CacheError::Argument`] for a time or a value that is too
/// long, and those of every call. An outage that is a miss gives `false`.
#[must_use = "nothing is stored until it is awaited"]
pub struct Set<'a, T: ?Sized> {
    cache: &'a Cache,
    key: &'a str,
    value: &'a T,
    write: Write<T>,
    ttl: Ttl,
    when: When,
    tags: Vec<String>,
}

impl<'a, T: Serialize + ?Sized> Set<'a, T> {
    pub(super) fn new(cache: &'a Cache, key: &'a str, value: &'a T) -> Self {
        let write: Write<T> = |cache, key, name, value, head| cache.shared.writing.write(key, name, value, head);
        Self { cache, key, value, write, ttl: cache.shared.ttl, when: When::Always, tags: Vec::new() }
    }
}

impl<'a> Set<'a, [u8]> {
    pub(super) fn of_bytes(cache: &'a Cache, key: &'a str, value: &'a [u8]) -> Self {
        let write: Write<[u8]> = |cache, key, _, value, head| cache.shared.writing.write_bytes(key, value, head);
        Self { cache, key, value, write, ttl: cache.shared.ttl, when: When::Always, tags: Vec::new() }
    }
}

impl<T: ?Sized> Set<'_, T> {
    /// For how long; as the cache was told, if absent.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Only if there is nothing under the key.
    pub fn if_absent(mut self) -> Self {
        self.when = When::Absent;
        self
    }

    /// Only if there is something under the key.
    pub fn if_present(mut self) -> Self {
        self.when = When::Present;
        self
    }

    /// Tags by which it is invalidated together with others, 16 at most; see [`Cache::invalidate_tags`].
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}

impl<'a, T: Sync + ?Sized> IntoFuture for Set<'a, T> {
    type Output = Result<bool, CacheError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (cache, key, life) = (self.cache, self.cache.keys().of(self.key)?, self.ttl.life()?);
            let tags = match self.tags.is_empty() {
                true => Some(Vec::new()),
                false => cache.numbers(&checked_tags(self.tags)?, life).await?,
            };
            // Without the numbers of its tags it would never be valid.
            let Some(tags) = tags else { return Ok(false) };
            let entry = (self.write)(cache, &key, self.key, self.value, &Head { stale: None, tags })?;
            cache.ask(false, |store| store.set(&key, &entry, life, self.when)).await
        })
    }
}

/// Values that are being stored; awaiting it stores them, in one round trip, and in a cluster one to each node.
///
/// ```
/// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
/// cache.set_many(&[("price:7", 995), ("price:8", 1_495)]).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As those of [`Set`], and [`CacheError::Argument`] for more than 10,000 values. When it fails, some may be stored.
#[must_use = "nothing is stored until it is awaited"]
pub struct SetMany<'a, K, T> {
    cache: &'a Cache,
    values: &'a [(K, T)],
    ttl: Ttl,
    tags: Vec<String>,
}

impl<'a, K, T> SetMany<'a, K, T> {
    pub(super) fn new(cache: &'a Cache, values: &'a [(K, T)]) -> Self {
        Self { cache, values, ttl: cache.shared.ttl, tags: Vec::new() }
    }

    /// For how long; as the cache was told, if absent.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Tags of each of them, as [`Set::tags`].
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}

impl<'a, K: AsRef<str> + Sync, T: Serialize + Sync> IntoFuture for SetMany<'a, K, T> {
    type Output = Result<(), CacheError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (cache, life) = (self.cache, self.ttl.life()?);
            if self.values.len() > MAX_MANY {
                let given = format!("for {} keys", self.values.len());
                return Err(argument("a call", given, format!("{MAX_MANY} at most")));
            }
            let tags = match self.tags.is_empty() {
                true => Some(Vec::new()),
                false => cache.numbers(&checked_tags(self.tags)?, life).await?,
            };
            let Some(tags) = tags else { return Ok(()) };
            let head = Head { stale: None, tags };
            let entry = |(name, value): &(K, T)| {
                let key = cache.keys().of(name.as_ref())?;
                let entry = cache.shared.writing.write(&key, name.as_ref(), value, &head)?;
                Ok((key, entry))
            };
            let entries = self.values.iter().map(entry).collect::<Result<Vec<_>, CacheError>>()?;
            cache.ask((), |store| store.set_many(&entries, life)).await
        })
    }
}
