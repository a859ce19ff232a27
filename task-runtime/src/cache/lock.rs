//! Locks that several processes share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::cache::Cache;
use super::error::{CacheError, argument};

/// For how long a lock is held without being renewed, unless told else.
pub const DEFAULT_LOCK_TTL: Duration = Duration::from_secs(30);
/// Shortest time for which a lock is held.
pub const MIN_LOCK_TTL: Duration = Duration::from_millis(100);
/// Longest time for which a lock is held without being renewed.
pub const MAX_LOCK_TTL: Duration = Duration::from_secs(24 * 3600);
/// Longest wait for a lock.
pub const MAX_LOCK_WAIT: Duration = Duration::from_secs(3600);
/// How long the last fencing number is remembered; after that the clock of the server gives one that is larger.
const FENCE_MEMORY: Duration = Duration::from_secs(24 * 3600);
/// How long after a look at a lock that another has the next one comes; twice as long after each.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How often a lock is renewed within its time to live.
const RENEWALS: u32 = 3;

/// A lock that is being taken; see [`Cache::lock`].
#[derive(Debug)]
#[must_use = "no lock is taken until `acquire` is called"]
pub struct LockRequest<'a> {
    cache: &'a Cache,
    name: &'a str,
    ttl: Duration,
    wait: Duration,
    renewed: bool,
}

impl Cache {
    /// A lock that one holder has at a time, wherever it runs.
    ///
    /// ```
    /// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
    /// use std::time::Duration;
    ///
    /// let Some(lock) = cache.lock("invoices").wait(Duration::from_secs(5)).acquire().await? else {
    ///     return Ok(()); // another one is at it
    /// };
    /// // What is changed elsewhere takes the number along, and refuses smaller ones.
    /// let number = lock.fencing();
    /// lock.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A holder that is paused for longer than the time to live has lost the lock without knowing it: what must never
    /// be done by two compares [`Lock::fencing`] where it is done. On a server that fails over to a replica, the
    /// replica may not know of the last lock.
    pub fn lock<'a>(&'a self, name: &'a str) -> LockRequest<'a> {
        LockRequest { cache: self, name, ttl: DEFAULT_LOCK_TTL, wait: Duration::ZERO, renewed: true }
    }
}

impl LockRequest<'_> {
    /// After how long another can take it, when the holder is gone without having released it; 30 s unless told else,
    /// 100 ms to a day.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long to wait when another has it; not at all unless told else, an hour at most. Who waits longest is not first.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Lets it end after its time to live, whoever holds it; else it is renewed for as long as the [`Lock`] is there.
    pub fn without_renewal(mut self) -> Self {
        self.renewed = false;
        self
    }

    /// Takes the lock; `None` when another has it after all the waiting, and at once in an outage that is a miss.
    ///
    /// # Errors
    /// [`CacheError::Argument`] for a time outside of what is allowed, [`CacheError::Name`], and those of every call.
    /// When a connection dies before the answer comes, it is asked for again. After [`CacheError::Unknown`], and after an
    /// outage that is a miss, nobody may have the lock until its time to live is over.
    ///
    /// # Cancel safety
    /// When the future is dropped, a lock that was just taken is free after its time to live.
    pub async fn acquire(self) -> Result<Option<Lock>, CacheError> {
        if !(MIN_LOCK_TTL..=MAX_LOCK_TTL).contains(&self.ttl) {
            return Err(argument("the time to live of a lock", format!("{:?}", self.ttl), "100 ms to a day"));
        }
        if self.wait > MAX_LOCK_WAIT {
            return Err(argument("the wait for a lock", format!("{:?}", self.wait), "an hour at most"));
        }
        let (cache, key) = (self.cache, self.cache.keys().lock(self.name)?);
        let (end, mut pause) = (Instant::now() + self.wait, FIRST_PAUSE);
        // One token for all tries: when an answer is lost, the store asks again and finds its own lock.
        let token = new_token();
        loop {
            let asked = Instant::now();
            // In an outage that is a miss there is nothing to wait for.
            let taken = cache.ask(Taken::Away, |store| {
                let lock = store.lock(&key, &token, self.ttl, FENCE_MEMORY);
                Box::pin(async move { Ok(lock.await?.map_or(Taken::ByAnother, Taken::Here)) })
            });
            match taken.await? {
                Taken::Here(fence) => {
                    return Ok(Some(Lock::new(cache.clone(), key, token, fence, asked, self.ttl, self.renewed)));
                }
                Taken::Away => return Ok(None),
                Taken::ByAnother => {}
            }
            let now = Instant::now();
            if now >= end {
                return Ok(None);
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0).min(end - now)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}

/// Who has a lock after a try to take it.
enum Taken {
    /// With this fencing number.
    Here(u64),
    ByAnother,
    /// It is not known: the cache is away.
    Away,
}

/// 128 bits of chance.
pub(super) fn new_token() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// A lock that is held. Dropping it gives it back, in the background and as well as that goes; [`release`](Self::release)
/// tells whether it was held until then.
pub struct Lock {
    held: Arc<Held>,
    /// Ends the renewal with the lock.
    renewal: Option<AbortOnDropHandle<()>>,
}

struct Held {
    cache: Cache,
    key: String,
    token: String,
    fence: u64,
    ttl: Duration,
    lost: CancellationToken,
}

impl Lock {
    fn new(cache: Cache, key: String, token: String, fence: u64, asked: Instant, ttl: Duration, renewed: bool) -> Self {
        let held = Arc::new(Held { cache, key, token, fence, ttl, lost: CancellationToken::new() });
        let watched = Arc::clone(&held);
        let renewal = tokio::spawn(async move { watched.watch(asked, renewed).await });
        Self { held, renewal: Some(AbortOnDropHandle::new(renewal)) }
    }

    /// A number that is larger than that of each holder before.
    #[must_use]
    pub fn fencing(&self) -> u64 {
        self.held.fence
    }

    /// Is cancelled when the lock is, or may be, no longer held: it could not be renewed in time.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.held.lost
    }

    /// Gives the lock back, and says whether it was held until now. Never that of another holder.
    ///
    /// # Errors
    /// Those of every call; the lock is free after its time to live then. An outage that is a miss gives `false`.
    pub async fn release(mut self) -> Result<bool, CacheError> {
        drop(self.renewal.take());
        let held = &self.held;
        held.cache.ask(false, |store| store.unlock(&held.key, &held.token)).await
    }
}

impl Held {
    /// Tells when the lock is lost, and renews it until then.
    async fn watch(&self, asked: Instant, renewed: bool) {
        let mut until = asked + self.ttl;
        if renewed {
            until = self.renew(until).await;
        }
        sleep_until(until).await;
        self.lost.cancel();
    }

    /// Renews the lock, until it is known to be lost or its time is over without an answer; gives that time.
    async fn renew(&self, mut until: Instant) -> Instant {
        loop {
            sleep(self.ttl / RENEWALS).await;
            let asked = Instant::now();
            let renew = self.cache.shared.guard.ask(|store| store.renew(&self.key, &self.token, self.ttl));
            match timeout_at(until, renew).await {
                Ok(Ok(true)) => until = asked + self.ttl,
                Ok(Ok(false)) => return asked,
                Ok(Err(_)) if Instant::now() < until => {}
                _ => return until,
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.renewal.take().is_none() {
            return;
        }
        // Outside of a runtime it is free after its time to live.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let held = Arc::clone(&self.held);
            runtime.spawn(async move {
                let _ = held.cache.ask(false, |store| store.unlock(&held.key, &held.token)).await;
            });
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = self.held.lost.is_cancelled();
        formatter.debug_struct("Lock").field("fencing", &self.held.fence).field("lost", &lost).finish_non_exhaustive()
    }
}
