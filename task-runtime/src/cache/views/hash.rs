//! Named fields with values.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::View;
use crate::cache::error::CacheError;
use crate::cache::ttl::Ttl;

/// Named fields, each with a value, under one key of a cache; from [`Cache::hash`](crate::cache::Cache::hash).
///
/// Each field is read and written on its own, so that callers at the same time lose nothing of each other. Names and
/// values are stored as JSON text. Each call that writes, even one that finds nothing to change, lets the whole hash live
/// for its time to live from then on, in the same step. A hash without fields is no key. `delete`, `ttl`, `expire` and
/// the like of the [`Cache`](crate::cache::Cache) do what they do with any key.
///
/// A call takes 10,000 fields at most. It is atomic for up to 1,000; for more it is several commands, and when it fails
/// some of them may have been carried out.
///
/// ```
/// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
/// use std::time::Duration;
///
/// let cart = cache.hash::<i64>("cart:7").ttl(Duration::from_secs(3_600));
/// cart.set("apples", &3).await?;
/// cart.set_many([("pears", &1), ("plums", &12)]).await?;
/// let apples = cart.incr("apples", 2).await?;
/// let pears: Option<i64> = cart.get("pears").await?;
/// cart.remove(["plums"]).await?;
/// for (name, count) in cart.all().await? {
///     println!("{count} {name}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Of every method: [`CacheError::WrongKind`] when no hash is under the key, [`CacheError::Argument`] for too many fields,
/// a value that is too long or a time to live that is not allowed, [`CacheError::Encode`] and [`CacheError::Decode`] for
/// what cannot be written or read, and those of every call of a cache. An outage that is a miss gives `None`, `false`, 0
/// or nothing.
///
/// # Cancel safety
/// When the future of a call is dropped, what was asked may still happen.
pub struct Hash<'a, V> {
    pub(super) view: View<'a>,
    values: PhantomData<fn() -> V>,
}

impl<'a, V> Hash<'a, V> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view, values: PhantomData }
    }

    /// For how long it is kept after each call that writes; as the cache was told, if absent.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.view.ttl = ttl.into();
        self
    }

    /// The value of a field.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn get(&self, field: &str) -> Result<Option<V>, CacheError>
    where
        V: DeserializeOwned,
    {
        let reply = self.view.look("HGET", vec![self.view.encode(field)?]).await?;
        self.view.part(reply)
    }

    /// The values of some fields, in their order.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn get_many(
        &self,
        fields: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<V>>, CacheError>
    where
        V: DeserializeOwned,
    {
        let replies = self.view.look_all("HMGET", self.names(fields)?).await?;
        replies.into_iter().map(|reply| self.view.part(reply)).collect()
    }

    /// Writes a field, and says whether it is new.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn set<Q>(&self, field: &str, value: &Q) -> Result<bool, CacheError>
    where
        V: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let reply = self.view.change("HSET", vec![self.view.encode(field)?, self.view.encode(value)?]).await?;
        self.view.truth(reply)
    }

    /// Writes fields, and says how many of them are new.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn set_many<'q, Q>(
        &self,
        values: impl IntoIterator<Item = (impl AsRef<str>, &'q Q)>,
    ) -> Result<u64, CacheError>
    where
        V: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        let pair = |(field, value): (_, &Q)| Ok([self.view.encode(AsRef::as_ref(&field))?, self.view.encode(value)?]);
        let pairs = values.into_iter().map(pair).collect::<Result<Vec<_>, CacheError>>()?;
        self.view.change_all("HSET", &[], pairs).await
    }

    /// Writes a field if it is not there, and says whether it was written.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn set_if_absent<Q>(&self, field: &str, value: &Q) -> Result<bool, CacheError>
    where
        V: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let reply = self.view.change("HSETNX", vec![self.view.encode(field)?, self.view.encode(value)?]).await?;
        self.view.truth(reply)
    }

    /// Removes fields, and says how many of them were there.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn remove(&self, fields: impl IntoIterator<Item = impl AsRef<str>>) -> Result<u64, CacheError> {
        self.view.change_all("HDEL", &[], self.names(fields)?).await
    }

    /// Whether there is a field of this name.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn contains(&self, field: &str) -> Result<bool, CacheError> {
        let reply = self.view.look("HEXISTS", vec![self.view.encode(field)?]).await?;
        self.view.truth(reply)
    }

    /// How many fields there are.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn len(&self) -> Result<u64, CacheError> {
        let reply = self.view.look("HLEN", Vec::new()).await?;
        self.view.count(reply)
    }

    /// Whether there are no fields, so that there is no key.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn is_empty(&self) -> Result<bool, CacheError> {
        Ok(self.len().await? == 0)
    }

    /// The names of all fields, in no order. It is as much work as there are fields, as for the next two.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn keys(&self) -> Result<Vec<String>, CacheError> {
        let reply = self.view.look("HKEYS", Vec::new()).await?;
        self.view.parts(reply)
    }

    /// The values of all fields, in no order.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn values(&self) -> Result<Vec<V>, CacheError>
    where
        V: DeserializeOwned,
    {
        let reply = self.view.look("HVALS", Vec::new()).await?;
        self.view.parts(reply)
    }

    /// All fields with their values.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn all(&self) -> Result<HashMap<String, V>, CacheError>
    where
        V: DeserializeOwned,
    {
        let reply = self.view.look("HGETALL", Vec::new()).await?;
        let pair = |[field, value]: [Vec<u8>; 2]| Ok((self.view.decode(&field)?, self.view.decode(&value)?));
        self.view.pairs(reply)?.into_iter().map(pair).collect()
    }

    fn names(&self, fields: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Vec<[Vec<u8>; 1]>, CacheError> {
        fields.into_iter().map(|field| Ok([self.view.encode(field.as_ref())?])).collect()
    }
}

impl Hash<'_, i64> {
    /// Adds to the number of a field, which begins at 0, and gives the sum. What is below 0 is taken away.
    ///
    /// # Errors
    /// [`CacheError::NotANumber`] when the field holds something else, or the sum does not fit in 64 bits; nothing
    /// happened then.
    pub async fn incr(&self, field: &str, by: i64) -> Result<i64, CacheError> {
        let reply = self.view.change("HINCRBY", vec![self.view.encode(field)?, by.to_string().into_bytes()]).await?;
        self.view.int(reply)
    }
}
