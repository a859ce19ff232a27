//! Members that are there once.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{View, checked_count};
use crate::cache::error::CacheError;
use crate::cache::ttl::Ttl;

/// Members, each of which is there once, under one key of a cache; from [`Cache::set_of`](crate::cache::Cache::set_of).
///
/// Members are stored as JSON text, and are the same if their text is: a type that can be written in several ways, one
/// with a `HashMap` in it for example, is not for a set. Each call that adds, removes or pops, even one that finds nothing
/// to change, lets the whole set live for its time to live from then on, in the same step. A set without members is no
/// key. `delete`, `ttl`, `expire` and the like of the [`Cache`](crate::cache::Cache) do what they do with any key.
///
/// A call takes 10,000 members at most. It is atomic for up to 1,000; for more it is several commands, and when it fails
/// some of them may have been carried out.
///
/// ```
/// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
/// let tags = cache.set_of::<String>("tags:7");
/// tags.add(["rust", "async"]).await?;
/// assert!(tags.contains("rust").await?);
/// let shared = tags.intersection(&cache.set_of("tags:8")).await?;
///
/// let numbers = cache.set_of::<u32>("draw");
/// numbers.add(&[3, 5, 8]).await?;
/// let winner = numbers.pop(1).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Of every method: [`CacheError::WrongKind`] when no set is under the key, [`CacheError::Argument`] for too many members,
/// one that is too long or a time to live that is not allowed, [`CacheError::Encode`] and [`CacheError::Decode`] for what
/// cannot be written or read, and those of every call of a cache. An outage that is a miss gives `false`, 0 or nothing.
///
/// # Cancel safety
/// When the future of a call is dropped, what was asked may still happen.
pub struct SetOf<'a, M> {
    pub(super) view: View<'a>,
    members: PhantomData<fn() -> M>,
}

impl<'a, M> SetOf<'a, M> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view, members: PhantomData }
    }

    /// For how long it is kept after each call that changes it; as the cache was told, if absent.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.view.ttl = ttl.into();
        self
    }

    /// Adds members, and says how many of them are new.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn add<'q, Q>(&self, members: impl IntoIterator<Item = &'q Q>) -> Result<u64, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        self.view.change_all("SADD", &[], self.view.encode_each(members)?).await
    }

    /// Removes members, and says how many of them were there.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn remove<'q, Q>(&self, members: impl IntoIterator<Item = &'q Q>) -> Result<u64, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        self.view.change_all("SREM", &[], self.view.encode_each(members)?).await
    }

    /// Whether something is a member.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn contains<Q>(&self, member: &Q) -> Result<bool, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let reply = self.view.look("SISMEMBER", vec![self.view.encode(member)?]).await?;
        self.view.truth(reply)
    }

    /// Which of some are members, in their order.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn contains_many<'q, Q>(&self, members: impl IntoIterator<Item = &'q Q>) -> Result<Vec<bool>, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        let replies = self.view.look_all("SMISMEMBER", self.view.encode_each(members)?).await?;
        replies.into_iter().map(|reply| self.view.truth(reply)).collect()
    }

    /// How many members there are.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn len(&self) -> Result<u64, CacheError> {
        let reply = self.view.look("SCARD", Vec::new()).await?;
        self.view.count(reply)
    }

    /// Whether there are no members, so that there is no key.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn is_empty(&self) -> Result<bool, CacheError> {
        Ok(self.len().await? == 0)
    }

    /// All members, in no order. It is as much work as there are members.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn members(&self) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        let reply = self.view.look("SMEMBERS", Vec::new()).await?;
        self.view.parts(reply)
    }

    /// Removes up to `count` members by chance, and gives them. Of those who do so at the same time, one gets each.
    ///
    /// # Errors
    /// Those of the type. Members that cannot be read are gone then, too.
    pub async fn pop(&self, count: usize) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        checked_count(count)?;
        let reply = self.view.change("SPOP", vec![count.to_string().into_bytes()]).await?;
        self.view.parts(reply)
    }

    /// Up to `count` different members by chance, which stay.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn random(&self, count: usize) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        checked_count(count)?;
        let reply = self.view.look("SRANDMEMBER", vec![count.to_string().into_bytes()]).await?;
        self.view.parts(reply)
    }

    /// What is a member here or there, in no order.
    ///
    /// Both sets are read one after the other, as for the next two: in a cluster they may be on different nodes. What is
    /// written in between is seen in one of them.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn union(&self, other: &SetOf<'_, M>) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        let (mut here, there) = (self.raw_members().await?, other.raw_members().await?);
        here.extend(there);
        self.decoded(here.iter())
    }

    /// What is a member here and there, in no order.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn intersection(&self, other: &SetOf<'_, M>) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        let (here, there) = (self.raw_members().await?, other.raw_members().await?);
        self.decoded(here.intersection(&there))
    }

    /// What is a member here and not there, in no order.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn difference(&self, other: &SetOf<'_, M>) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        let (here, there) = (self.raw_members().await?, other.raw_members().await?);
        self.decoded(here.difference(&there))
    }

    async fn raw_members(&self) -> Result<HashSet<Vec<u8>>, CacheError> {
        let reply = self.view.look("SMEMBERS", Vec::new()).await?;
        Ok(self.view.texts(reply)?.into_iter().collect())
    }

    fn decoded<'t>(&self, texts: impl Iterator<Item = &'t Vec<u8>>) -> Result<Vec<M>, CacheError>
    where
        M: DeserializeOwned,
    {
        texts.map(|text| self.view.decode(text)).collect()
    }
}
