//! How a value is read, waited for, or made by one caller for all.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::decide::{Verdict, verdict};
use super::flight::{Flight, Landed, Seat};
use super::lease::{Lease, renewing};
use super::plan::Plan;
use super::{Remember, RememberError};
use crate::cache::cache::Cache;
use crate::cache::entry::Entry;
use crate::cache::error::CacheError;
use crate::cache::stats::count;
use crate::cache::store::{Left, Life, When};

/// How long a caller waits for a value that another one makes.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How long after a look for a value that another process makes the next one comes; half as long again after each.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// Longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Reads the value, or has it made.
pub(super) async fn value<F, Fut, T, E>(remember: Remember<'_, F>) -> Result<T, RememberError<E>>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Serialize + DeserializeOwned + Send + Sync,
    E: Send + Sync + 'static,
{
    let Remember { cache, key: name, fill, plan, in_background } = remember;
    let (plan, key) = (plan.checked()?, cache.keys().of(name)?);
    if !plan.anew
        && let Some((value, verdict)) = cache.served(name, &key, &plan, in_background.is_some()).await?
    {
        if let (Verdict::Stale | Verdict::Early, Some(refresh)) = (verdict, in_background) {
            refresh(cache.clone(), name.to_owned(), fill, plan);
        }
        return Ok(value);
    }
    if plan.anew {
        // What another one began to make may be older than what is wanted.
        cache.shared.flights.forget(&key);
    }
    let end = Instant::now() + MAX_WAIT;
    loop {
        match cache.shared.flights.board(&key) {
            Seat::Pilot(flight) => return Pilot { cache, name, key: &key, plan }.fly(flight, fill, end).await,
            Seat::Passenger(flight) => match arrive(flight, end).await {
                Some(Landed::Entry(entry)) => match cache.read(name, &entry) {
                    Ok(value) => {
                        count(&cache.shared.counters.prevented);
                        return Ok(value);
                    }
                    // Another call under this key makes values of another type.
                    Err(_) => break,
                },
                Some(Landed::Failed(error)) => match error.downcast() {
                    Ok(error) => return Err(RememberError::Fill(error)),
                    Err(_) => break,
                },
                None if Instant::now() < end => {}
                None => break,
            },
        }
    }
    Pilot { cache, name, key: &key, plan }.alone(fill).await
}

/// What another caller made; `None` when it gave up, or took too long.
async fn arrive(mut flight: watch::Receiver<Option<Landed>>, end: Instant) -> Option<Landed> {
    let landed = timeout_at(end, flight.wait_for(Option::is_some)).await.ok()?.ok()?;
    landed.clone()
}

/// Makes the value anew, while the old one is served. One task does, in all processes.
pub(super) fn in_background<F, Fut, T, E>(cache: Cache, name: String, fill: F, plan: Plan)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    E: fmt::Display + Send + Sync + 'static,
{
    let Ok(key) = cache.keys().of(&name) else { return };
    let Seat::Pilot(flight) = cache.shared.flights.board(&key) else { return };
    tokio::spawn(async move {
        let pilot = Pilot { cache: &cache, name: &name, key: &key, plan };
        match pilot.refresh(flight, fill).await {
            Err(RememberError::Fill(error)) => tracing::warn!(key = name, %error, "a stale value is not made anew"),
            Err(RememberError::Cache(error)) => tracing::warn!(key = name, %error, "a stale value is not made anew"),
            Ok(()) => {}
        }
    });
}

impl Cache {
    /// The value under a key, if there is one that may be served.
    async fn served<T: DeserializeOwned>(
        &self,
        name: &str,
        key: &str,
        plan: &Plan,
        stale_too: bool,
    ) -> Result<Option<(T, Verdict)>, CacheError> {
        let found = match stale_too {
            true => self.ask(None, |store| store.look(key)).await,
            false => {
                self.ask(None, |store| store.get(key)).await.map(|entry| entry.map(|entry| (entry, Left::Forever)))
            }
        };
        let found = match found {
            Err(CacheError::WrongKind { .. }) => None,
            found => found?,
        };
        let mut entries = [found.as_ref().map(|(entry, _)| entry.clone())];
        match stale_too {
            true => self.keep_tagged(&mut entries).await?,
            false => self.keep_valid(&[key.to_owned()], &mut entries).await?,
        }
        let [entry] = entries;
        let served = entry.zip(found).and_then(|(entry, (_, left))| {
            let stale = Entry::read(&entry).and_then(|entry| entry.head.stale);
            // Above 0, and 1 at most.
            let verdict = verdict(left, stale, plan.early, 1.0 - fastrand::f64());
            match self.read(name, &entry) {
                Ok(value) => Some((value, verdict)),
                Err(error) => {
                    tracing::warn!(key = name, %error, "a value is made anew, because it cannot be read");
                    count(&self.shared.counters.unreadable);
                    None
                }
            }
        });
        match &served {
            Some((_, Verdict::Stale)) => count(&self.shared.counters.stale),
            Some((_, Verdict::Early)) => count(&self.shared.counters.early),
            _ => {}
        }
        self.shared.counters.looked(usize::from(served.is_some()), usize::from(served.is_none()));
        Ok(served)
    }
}

/// The caller who makes a value.
struct Pilot<'a> {
    cache: &'a Cache,
    name: &'a str,
    key: &'a str,
    plan: Plan,
}

/// Whether this process makes the value.
enum Right {
    /// It does; no other one does as long as the lease is held.
    Lease(Lease),
    /// It does, and others may too: the cache is away.
    Alone,
    /// Another one has made it.
    Made(Vec<u8>),
}

impl Pilot<'_> {
    /// Makes the value if no other process does or has, and tells all who wait.
    async fn fly<F, Fut, T, E>(self, flight: Flight, fill: F, end: Instant) -> Result<T, RememberError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
    {
        let lease = match self.right(end).await? {
            Right::Lease(lease) => Some(lease),
            Right::Alone => None,
            Right::Made(entry) => match self.cache.read(self.name, &entry) {
                Ok(value) => {
                    count(&self.cache.shared.counters.prevented);
                    flight.land(Landed::Entry(entry.into()));
                    return Ok(value);
                }
                Err(_) => None,
            },
        };
        match self.make(lease, fill).await {
            Ok((value, entry)) => {
                flight.land(Landed::Entry(entry.into()));
                Ok(value)
            }
            Err(RememberError::Fill(error)) => {
                let shared: Arc<dyn Any + Send + Sync> = Arc::clone(&error) as _;
                flight.land(Landed::Failed(shared));
                Err(RememberError::Fill(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the value anew, if no other process does just now.
    async fn refresh<F, Fut, T, E>(self, flight: Flight, fill: F) -> Result<(), RememberError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
    {
        let Ok(Some(lease)) = Lease::take(self.cache, self.name).await else { return Ok(()) };
        // Another one may have been quicker.
        if self
            .cache
            .served::<T>(self.name, self.key, &self.plan, true)
            .await?
            .is_some_and(|(_, of)| of == Verdict::Serve)
        {
            lease.give_back().await;
            return Ok(());
        }
        let (_, entry) = self.make(Some(lease), fill).await?;
        flight.land(Landed::Entry(entry.into()));
        Ok(())
    }

    /// Makes the value for this caller alone.
    async fn alone<F, Fut, T, E>(self, fill: F) -> Result<T, RememberError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: Serialize,
        E: Send + Sync + 'static,
    {
        self.make(None, fill).await.map(|(value, _)| value)
    }

    /// Waits until this process may make the value, or another one has.
    async fn right(&self, end: Instant) -> Result<Right, CacheError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let lease = match Lease::take(self.cache, self.name).await {
                Err(error) if error.is_outage() && self.cache.shared.guard.is_miss() => return Ok(Right::Alone),
                lease => lease?,
            };
            // Also after the lease was had: another one may have made it until then.
            if !self.plan.anew
                && let Some(entry) = self.entry().await?
            {
                if let Some(lease) = lease {
                    lease.give_back().await;
                }
                return Ok(Right::Made(entry));
            }
            match lease {
                Some(lease) => return Ok(Right::Lease(lease)),
                None if Instant::now() + pause >= end => return Ok(Right::Alone),
                None => sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await,
            }
            pause = LONGEST_PAUSE.min(pause.mul_f64(1.5));
        }
    }

    /// The entry, if it is valid.
    async fn entry(&self) -> Result<Option<Vec<u8>>, CacheError> {
        let entry = match self.cache.ask(None, |store| store.get(self.key)).await {
            Err(CacheError::WrongKind { .. }) => None,
            entry => entry?,
        };
        let mut entries = [entry.filter(|entry| Entry::read(entry).is_some())];
        self.cache.keep_valid(&[self.key.to_owned()], &mut entries).await?;
        let [entry] = entries;
        Ok(entry)
    }

    /// Makes the value and stores it.
    async fn make<F, Fut, T, E>(&self, lease: Option<Lease>, fill: F) -> Result<(T, Vec<u8>), RememberError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: Serialize,
    {
        let life = self.plan.life()?;
        // Before the value is made: what is invalidated meanwhile is not valid.
        let tags = match self.plan.tags.is_empty() {
            true => Some(Vec::new()),
            false => self.cache.numbers(&self.plan.tags, life).await?,
        };
        let began = Instant::now();
        let made = renewing(lease.as_ref(), fill()).await;
        let value = match made {
            Ok(value) => value,
            Err(error) => {
                if let Some(lease) = lease {
                    lease.give_back().await;
                }
                return Err(RememberError::Fill(Arc::new(error)));
            }
        };
        count(&self.cache.shared.counters.fills);
        let is_tagged = tags.is_some();
        let head = self.plan.head(began.elapsed(), tags.unwrap_or_default());
        let entry = self.cache.shared.writing.write(self.key, self.name, &value, &head)?;
        if is_tagged {
            self.cache.renew_tags(&self.plan.tags, life, began.elapsed()).await?;
            self.store(lease, &entry, life).await?;
        }
        Ok((value, entry))
    }

    /// Stores what was made, unless the key was deleted meanwhile, or another process makes it by now.
    async fn store(&self, lease: Option<Lease>, entry: &[u8], life: Life) -> Result<(), CacheError> {
        if let Some(lease) = &lease
            && !lease.renew().await
        {
            return Ok(());
        }
        self.cache.ask(false, |store| store.set(self.key, entry, life, When::Always)).await?;
        if let Some(lease) = lease
            && lease.end().await == Ok(false)
        {
            let key = [self.key.to_owned()];
            self.cache.ask(0, |store| store.remove(&key)).await?;
        }
        Ok(())
    }
}
