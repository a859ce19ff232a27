//! How long a server that does not answer is waited for, and for how long it is left alone after that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::error::CacheError;
use super::store::{Answer, Store};

/// How often a call is sent at most, when nothing happened.
const MAX_TRIES: u32 = 4;
/// Pause before a call is sent again, or a server that is away is looked at again; the next is twice as long.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two looks at a server that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How much longer than a call one look waits for an answer: so long that a connection over which none comes is given
/// up by then.
const LOOK: Duration = Duration::from_millis(2_500);
/// After so much more without a new look, a call goes through and another task looks: the runtime of the first may stand
/// still.
const LOOKS_STAND_STILL: Duration = Duration::from_millis(1_200);
/// Refusals are logged no more often than that.
const REFUSALS: Duration = Duration::from_secs(60);

/// What a call gives while the server cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOutage {
    /// An error. A call is sent again for as long as nothing happened and its deadline has not come.
    #[default]
    Fail,
    /// What it gives when nothing is stored: `None`, `false`, 0. The first call that gets no answer opens a circuit
    /// breaker: from then on no call waits, and one look after the other finds out, in the background, when the server
    /// answers again.
    Miss,
}

/// The deadline of calls, and the circuit breaker.
pub(super) struct Guard {
    store: Arc<dyn Store>,
    on_outage: OnOutage,
    deadline: Duration,
    breaker: Arc<Breaker>,
}

#[derive(Default)]
struct Breaker {
    /// Whether the server is left alone.
    open: AtomicBool,
    /// The number of the task that looks when it answers again; 0 when none does.
    looking: AtomicU64,
    /// How many such tasks there were.
    looks: AtomicU64,
    /// When a look, or a call in its place, began last.
    looked: Mutex<Option<Instant>>,
    /// When a refusal was logged last.
    refused: Mutex<Option<Instant>>,
}

impl Guard {
    pub(super) fn new(store: Arc<dyn Store>, on_outage: OnOutage, deadline: Duration) -> Self {
        Self { store, on_outage, deadline, breaker: Arc::default() }
    }

    pub(super) fn is_miss(&self) -> bool {
        self.on_outage == OnOutage::Miss
    }

    pub(super) fn is_open(&self) -> bool {
        self.breaker.open.load(Ordering::Relaxed)
    }

    /// Makes a call, which is known after the deadline at the latest.
    pub(super) async fn ask<'a, T>(
        &'a self,
        call: impl FnOnce(&'a dyn Store) -> Answer<'a, T>,
    ) -> Result<T, CacheError> {
        self.ask_until(Instant::now() + self.deadline, call).await
    }

    /// The same with a call that can be made again; it is when nothing happened, unless an outage is a miss.
    pub(super) async fn ask_again<'a, T>(
        &'a self,
        call: impl Fn(&'a dyn Store) -> Answer<'a, T>,
    ) -> Result<T, CacheError> {
        let (end, mut pause) = (Instant::now() + self.deadline, PAUSE);
        for _ in 1..MAX_TRIES {
            match self.ask_until(end, &call).await {
                Err(CacheError::Unavailable { .. }) if !self.is_miss() && Instant::now() + pause < end => {
                    sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        self.ask_until(end, &call).await
    }

    async fn ask_until<'a, T>(
        &'a self,
        end: Instant,
        call: impl FnOnce(&'a dyn Store) -> Answer<'a, T>,
    ) -> Result<T, CacheError> {
        if self.is_open() {
            if !self.breaker.begins_after(self.look_limit() + LOOKS_STAND_STILL) {
                self.look();
                return Err(CacheError::Unavailable { reason: "it did not answer a moment ago".into() });
            }
            self.breaker.looking.store(0, Ordering::Relaxed);
        }
        let answer = timeout_at(end, call(&*self.store)).await.unwrap_or_else(|_| {
            // Who waits no longer does not learn that the connection is of no use; a look does.
            self.look();
            Err(CacheError::Unknown { reason: format!("no answer within {:?}", self.deadline) })
        });
        match &answer {
            Err(error @ (CacheError::Unavailable { .. } | CacheError::Unknown { .. })) if self.is_miss() => {
                self.leave_alone(error);
            }
            // It answers, only not as it should: nobody waits, and what it does not refuse goes on.
            Err(error @ (CacheError::Refused { .. } | CacheError::Full)) if self.is_miss() => {
                self.breaker.close();
                if self.breaker.tells_again() {
                    tracing::warn!(%error, "the cache refuses; what it refuses is a miss");
                }
            }
            _ => self.breaker.close(),
        }
        answer
    }

    fn leave_alone(&self, error: &CacheError) {
        if !self.breaker.open.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the cache is left alone until it answers again; meanwhile every call is a miss");
        }
        self.look();
    }

    fn look_limit(&self) -> Duration {
        self.deadline + LOOK
    }

    /// Has a task look when the server answers again, if none does.
    fn look(&self) {
        if self.breaker.looking.load(Ordering::Relaxed) != 0 {
            return;
        }
        let number = self.breaker.looks.fetch_add(1, Ordering::Relaxed) + 1;
        if self.breaker.looking.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        self.breaker.begins();
        let look = Look { breaker: Arc::clone(&self.breaker), number };
        let (store, limit) = (Arc::downgrade(&self.store), self.look_limit());
        tokio::spawn(async move {
            let mut pause = PAUSE;
            // Until nobody has the cache any more, or another looks in its place.
            while let (Some(store), true) = (store.upgrade(), look.goes_on()) {
                look.breaker.begins();
                if let Ok(Ok(())) = timeout(limit, store.ping()).await {
                    look.breaker.close();
                    return;
                }
                drop(store);
                sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        });
    }
}

impl Breaker {
    fn close(&self) {
        if self.open.load(Ordering::Relaxed) && self.open.swap(false, Ordering::Relaxed) {
            tracing::info!("the cache answers again");
        }
    }

    fn begins(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether no look has begun for so long; then one begins with this.
    fn begins_after(&self, time: Duration) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = looked.is_some_and(|at| at.elapsed() >= time);
        if begins {
            *looked = Some(Instant::now());
        }
        begins
    }

    fn tells_again(&self) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let tells = refused.is_none_or(|at| at.elapsed() >= REFUSALS);
        if tells {
            *refused = Some(Instant::now());
        }
        tells
    }
}

/// A task that looks. It may end with its runtime in the middle of it; then the next call begins another.
struct Look {
    breaker: Arc<Breaker>,
    number: u64,
}

impl Look {
    fn goes_on(&self) -> bool {
        self.breaker.looking.load(Ordering::Relaxed) == self.number
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let _ = self.breaker.looking.compare_exchange(self.number, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}
