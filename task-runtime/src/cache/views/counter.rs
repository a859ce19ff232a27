//! A number that is counted up.

use super::View;
use crate::cache::error::CacheError;
use crate::cache::raw::Reply;
use crate::cache::ttl::Ttl;

/// A whole number under one key of a cache, which begins at 0 by itself; from
/// [`Cache::counter`](crate::cache::Cache::counter).
///
/// Whoever adds to it at the same time, nothing is lost. Each call that adds lets it live for its time to live from then
/// on, in the same step; afterwards it begins anew.
///
/// ```
/// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
/// use std::time::Duration;
///
/// let hits = cache.counter("hits").ttl(Duration::from_secs(86_400));
/// hits.add(1).await?;
/// println!("{} hits", hits.get().await?);
/// let before = hits.reset().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`CacheError::NotANumber`] when something else is stored there as text, an entry for example, or the sum does not fit
/// in 64 bits; [`CacheError::WrongKind`] when a collection is there; and those of every call. An outage that is a miss
/// gives 0.
///
/// # Cancel safety
/// When the future of a call is dropped, what was asked may still happen.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    view: View<'a>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view }
    }

    /// For how long it is kept after each call that adds; as the cache was told, if absent.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.view.ttl = ttl.into();
        self
    }

    /// Adds to it, and gives the sum. What is below 0 is taken away.
    ///
    /// # Errors
    /// Those of every call, and [`CacheError::Argument`] for a time to live outside of what is allowed.
    pub async fn add(&self, by: i64) -> Result<i64, CacheError> {
        let reply = self.view.change("INCRBY", vec![by.to_string().into_bytes()]).await?;
        self.view.int(reply)
    }

    /// What it is; 0 when nobody has added to it.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn get(&self) -> Result<i64, CacheError> {
        let reply = self.view.look("GET", Vec::new()).await?;
        self.read(&reply)
    }

    /// Has it begin anew, and gives what it was. Of those who do so at the same time, one gets the number.
    ///
    /// # Errors
    /// Those of every call; what is stored there as text is gone then, too.
    pub async fn reset(&self) -> Result<i64, CacheError> {
        let reply = self.view.change("GETDEL", Vec::new()).await?;
        self.read(&reply)
    }

    fn read(&self, reply: &Reply) -> Result<i64, CacheError> {
        match reply {
            Reply::Nil => Ok(0),
            reply => reply.int().ok_or_else(|| CacheError::NotANumber { key: self.view.key.to_owned() }),
        }
    }
}
