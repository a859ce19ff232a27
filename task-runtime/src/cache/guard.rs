//! How long a server that does not answer is waited for, and for how long it is left alone after that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
/// How long one look waits for an answer.
const LOOK: Duration = Duration::from_secs(2);

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
    /// Whether a task looks when it answers again.
    looking: AtomicBool,
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
        if self.is_open() {
            self.look();
            return Err(CacheError::Unavailable { reason: "it did not answer a moment ago".into() });
        }
        let late = |_| Err(CacheError::Unknown { reason: format!("no answer within {:?}", self.deadline) });
        let answer = timeout(self.deadline, call(&*self.store)).await.unwrap_or_else(late);
        if let Err(error @ (CacheError::Unavailable { .. } | CacheError::Unknown { .. } | CacheError::Refused { .. })) =
            &answer
            && self.is_miss()
        {
            self.leave_alone(error);
        }
        answer
    }

    /// The same with a call that can be made again; it is when nothing happened, unless an outage is a miss.
    pub(super) async fn ask_again<'a, T>(
        &'a self,
        call: impl Fn(&'a dyn Store) -> Answer<'a, T>,
    ) -> Result<T, CacheError> {
        let (end, mut pause) = (Instant::now() + self.deadline, PAUSE);
        for _ in 1..MAX_TRIES {
            match self.ask(&call).await {
                Err(CacheError::Unavailable { .. }) if !self.is_miss() && Instant::now() + pause < end => {
                    sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        let late = |_| Err(CacheError::Unknown { reason: format!("no answer within {:?}", self.deadline) });
        timeout_at(end, self.ask(&call)).await.unwrap_or_else(late)
    }

    fn leave_alone(&self, error: &CacheError) {
        if !self.breaker.open.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the cache is left alone until it answers again; meanwhile every call is a miss");
        }
        self.look();
    }

    /// Has a task look when the server answers again, if none does.
    fn look(&self) {
        if self.breaker.looking.swap(true, Ordering::Relaxed) {
            return;
        }
        let looking = Looking(Arc::clone(&self.breaker));
        let store = Arc::downgrade(&self.store);
        tokio::spawn(async move {
            let mut pause = PAUSE;
            // Until nobody has the cache any more.
            while let Some(store) = store.upgrade() {
                if let Ok(Ok(())) = timeout(LOOK, store.ping()).await {
                    looking.0.open.store(false, Ordering::Relaxed);
                    tracing::info!("the cache answers again");
                    return;
                }
                drop(store);
                sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        });
    }
}

/// The task may end with its runtime, in the middle of a look; then the next call begins another.
struct Looking(Arc<Breaker>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.looking.store(false, Ordering::Relaxed);
    }
}
