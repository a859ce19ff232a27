//! What a cache has done since it began.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a cache, with all its clones and versions in this process, has done since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Entries that were there when they were asked for.
    pub hits: u64,
    /// Entries that were not; each key of a call for many counts.
    pub misses: u64,
    /// Values that `remember` had made.
    pub fills: u64,
    /// Callers of `remember` who did not make a value because another caller, here or in another process, made it.
    pub stampedes_prevented: u64,
    /// Values that were served after their time while they were made anew.
    pub stale: u64,
    /// Values that were made anew before their time was over.
    pub early: u64,
    /// Entries that could not be read as the type that was asked for, and were made anew.
    pub unreadable: u64,
    /// Calls that an outage made a miss.
    pub outages: u64,
    /// Whether the server is left alone just now, because it did not answer.
    pub away: bool,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) fills: AtomicU64,
    pub(super) prevented: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) early: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) outages: AtomicU64,
}

impl Counters {
    pub(super) fn looked(&self, hits: usize, misses: usize) {
        self.hits.fetch_add(hits as u64, Ordering::Relaxed);
        self.misses.fetch_add(misses as u64, Ordering::Relaxed);
    }

    pub(super) fn read(&self, away: bool) -> CacheStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&self.hits),
            misses: read(&self.misses),
            fills: read(&self.fills),
            stampedes_prevented: read(&self.prevented),
            stale: read(&self.stale),
            early: read(&self.early),
            unreadable: read(&self.unreadable),
            outages: read(&self.outages),
            away,
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
