//! What is kept for a while beside the jobs: a cache, and the sessions of visitors.

#[cfg(feature = "redis")]
mod script;

#[cfg(feature = "cache")]
#[expect(clippy::module_inception, reason = "it is what the module is about")]
mod cache;
#[cfg(feature = "cache")]
mod codec;
#[cfg(feature = "cache")]
mod compression;
#[cfg(feature = "cache")]
mod entry;
#[cfg(feature = "cache")]
mod error;
#[cfg(feature = "cache")]
mod guard;
#[cfg(feature = "cache")]
mod key;
#[cfg(feature = "cache")]
mod lock;
#[cfg(feature = "cache")]
mod raw;
#[cfg(feature = "cache")]
mod remember;
#[cfg(feature = "cache")]
mod scan;
#[cfg(feature = "cache")]
mod set;
#[cfg(feature = "cache")]
mod settings;
#[cfg(feature = "cache")]
mod stats;
#[cfg(feature = "cache")]
mod store;
#[cfg(feature = "cache")]
mod tags;
#[cfg(feature = "cache")]
mod ttl;

#[cfg(feature = "sessions")]
pub mod session;

#[cfg(feature = "cache")]
pub use self::{
    cache::{Cache, MAX_MANY},
    codec::Codec,
    compression::Compression,
    error::CacheError,
    guard::OnOutage,
    key::MAX_KEY_BYTES,
    lock::{DEFAULT_LOCK_TTL, Lock, LockRequest, MAX_LOCK_TTL, MAX_LOCK_WAIT, MIN_LOCK_TTL},
    raw::{RawCommand, Reply},
    remember::{MAX_STALE, Remember, RememberError},
    scan::{Cursor, KeyPage, KeyPages, MAX_PAGE},
    set::{Set, SetMany},
    settings::{
        CacheBuilder, DEFAULT_COMPRESS_FROM, DEFAULT_MEMORY_BYTES, DEFAULT_MEMORY_KEYS, DEFAULT_TTL,
        DEFAULT_VALUE_BYTES, MAX_VALUE_BYTES,
    },
    stats::CacheStats,
    tags::MAX_TAGS,
    ttl::{MAX_TTL, Ttl},
};
