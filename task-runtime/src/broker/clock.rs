//! Which clock decides what is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock of a broker: that of the server, or one that a test moves by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock that stands at `now_ms` milliseconds since 1970 until it is moved.
    #[must_use]
    pub fn given(now_ms: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Moves a given clock forward; the server's clock is not moved.
    pub fn advance(&self, by: Duration) {
        if let Some(now) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            now.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Sets a given clock to a time, also to an earlier one; the server's clock is not moved.
    pub fn set(&self, now_ms: i64) {
        if let Some(now) = &self.0 {
            now.store(now_ms, Ordering::SeqCst);
        }
    }

    /// The time of a given clock; none for the server's.
    pub(crate) fn given_ms(&self) -> Option<i64> {
        self.0.as_ref().map(|now| now.load(Ordering::SeqCst))
    }

    /// The time of a given clock, else of this machine.
    pub(crate) fn now_ms(&self) -> i64 {
        self.given_ms().unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
        })
    }
}
