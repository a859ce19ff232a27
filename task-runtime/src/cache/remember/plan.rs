//! How a value that is made is kept.

use std::time::Duration;

use crate::cache::entry::{Head, Stale};
use crate::cache::error::{CacheError, argument};
use crate::cache::store::Life;
use crate::cache::tags::checked_tags;
use crate::cache::ttl::{MAX_TTL, Ttl};

/// How a value is kept.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) ttl: Ttl,
    pub(super) tags: Vec<String>,
    pub(super) stale: Option<Duration>,
    pub(super) early: Option<f64>,
    pub(super) anew: bool,
}

impl Plan {
    pub(super) fn new(ttl: Ttl) -> Self {
        Self { ttl, tags: Vec::new(), stale: None, early: None, anew: false }
    }

    pub(super) fn checked(mut self) -> Result<Self, CacheError> {
        if let Some(stale) = self.stale.filter(|stale| *stale > MAX_TTL) {
            return Err(argument("the time for which a value may be stale", format!("{stale:?}"), "10 years at most"));
        }
        if let Some(early) = self.early.filter(|early| !early.is_finite() || *early < 0.0) {
            return Err(argument("the eagerness", early, "0 or more"));
        }
        self.ttl.life()?;
        self.tags = checked_tags(self.tags)?;
        Ok(self)
    }

    /// For how long the entry of a value is kept, together with the time for which it may be stale.
    pub(super) fn life(&self) -> Result<Life, CacheError> {
        Ok(match self.ttl.life()? {
            Life::Ms(ms) => Life::Ms(ms.saturating_add_unsigned(whole_ms(self.stale.unwrap_or_default()))),
            Life::Forever => Life::Forever,
        })
    }

    pub(super) fn head(&self, cost: Duration, tags: Vec<(String, u64)>) -> Head {
        let stale = (self.stale.is_some() || self.early.is_some()).then(|| Stale {
            for_ms: whole_ms(self.stale.unwrap_or_default()),
            cost_ms: u32::try_from(cost.as_millis()).unwrap_or(u32::MAX),
        });
        Head { stale, tags }
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
