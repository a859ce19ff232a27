//! Values that are made when they are missing, by one caller for all.

mod decide;
mod fill;
mod flight;
mod lease;
mod plan;

pub(super) use self::flight::Flights;

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::plan::Plan;
use super::cache::Cache;
use super::error::CacheError;
use super::ttl::Ttl;

/// Longest time for which a value may be stale: as long as a value may live.
pub use super::ttl::MAX_TTL as MAX_STALE;

/// Why there is no value: whoever makes it failed, or the cache did.
#[derive(Debug)]
pub enum RememberError<E> {
    /// The value could not be made. All who waited for it get the same error.
    Fill(Arc<E>),
    /// The cache failed; never because the server is away, if an outage is a miss.
    Cache(CacheError),
}

impl<E: fmt::Display> fmt::Display for RememberError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fill(error) => error.fmt(formatter),
            Self::Cache(error) => error.fmt(formatter),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for RememberError<E> {}

impl<E> From<CacheError> for RememberError<E> {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

/// A value that is read, or made and stored; see [`Cache::remember`].
#[must_use = "nothing happens until it is awaited"]
pub struct Remember<'a, F> {
    cache: &'a Cache,
    key: &'a str,
    fill: F,
    plan: Plan,
    /// How the value is made anew in the background, if it may be.
    in_background: Option<fn(Cache, String, F, Plan)>,
}

impl Cache {
    /// The value under a key; if there is none, it is made and stored.
    ///
    /// Of all callers, in this process and in others, one makes it. The others wait for it; so a page that everybody
    /// asks for costs what it costs once. When the one who makes it is gone, another takes over: at once in the same
    /// process, after 5 s in another one. Who has waited for 30 s makes it in any case.
    ///
    /// A value that cannot be read as `T`, because an earlier version of the program stored it, is made anew.
    /// A key that is [deleted](Self::delete) while its value is being made stays without one.
    ///
    /// ```
    /// # use task_runtime::cache::{Cache, RememberError};
    /// # async fn load(_: u64) -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn run(cache: &Cache) -> Result<(), RememberError<std::io::Error>> {
    /// use std::time::Duration;
    ///
    /// let name = cache.remember("user:7:name", || load(7)).ttl(Duration::from_secs(60)).await?;
    ///
    /// // Nobody waits for a value that is made anew: for an hour more the old one is served meanwhile.
    /// let report = cache.remember("report", || load(0)).stale(Duration::from_secs(3600)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RememberError::Fill`] with what `fill` says: nothing is stored then, and all who waited get it. Else
    /// [`RememberError::Cache`].
    ///
    /// # Cancel safety
    /// When the future of the caller who makes the value is dropped, another one of those who wait makes it.
    pub fn remember<'a, F, Fut, T, E>(&'a self, key: &'a str, fill: F) -> Remember<'a, F>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Remember { cache: self, key, fill, plan: Plan::new(self.shared.ttl), in_background: None }
    }
}

impl<F> Remember<'_, F> {
    /// For how long it is kept; as the cache was told, if absent.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.plan.ttl = ttl.into();
        self
    }

    /// Tags by which it is invalidated together with others, 16 at most. One that is invalidated while the value is
    /// being made invalidates that, too.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.plan.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// Makes it in any case, also if there is one.
    pub fn anew(mut self) -> Self {
        self.plan.anew = true;
        self
    }
}

impl<F, Fut, T, E> Remember<'_, F>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    E: fmt::Display + Send + Sync + 'static,
{
    /// Keeps it for so much longer. A caller who comes in that time gets the old value at once, while one makes it anew
    /// in the background. When that fails the log says so, and the next caller tries again.
    pub fn stale(mut self, stale: Duration) -> Self {
        self.plan.stale = Some(stale);
        self.in_background = Some(fill::in_background);
        self
    }

    /// Has it made anew in the background before its time is over, so that under load it is always there: the sooner, the
    /// longer it takes to make, and by chance, so that not all do it at once. `eagerness` 1 is usual, more is sooner; 0
    /// is not at all.
    ///
    /// Source: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
    pub fn early(mut self, eagerness: f64) -> Self {
        self.plan.early = Some(eagerness);
        self.in_background = Some(fill::in_background);
        self
    }
}

impl<'a, F, Fut, T, E> IntoFuture for Remember<'a, F>
where
    F: FnOnce() -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Serialize + DeserializeOwned + Send + Sync + 'a,
    E: Send + Sync + 'static,
{
    type Output = Result<T, RememberError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(fill::value(self))
    }
}

impl<F> fmt::Debug for Remember<'_, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remember").field("key", &self.key).finish_non_exhaustive()
    }
}
