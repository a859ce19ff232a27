//! What is kept for a while beside the jobs: a cache, and the sessions of visitors.
//!
//! A `Cache` keeps typed values in Redis, Valkey, a cluster or the memory of the process, with the same
//! rules in each of them.
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use serde::{Deserialize, Serialize};
//! use task_runtime::cache::Cache;
//!
//! #[derive(Serialize, Deserialize)]
//! struct User {
//!     name: String,
//! }
//!
//! let cache = Cache::in_memory(); // or Cache::connect("redis://127.0.0.1/")?
//! cache.set("user:7", &User { name: "Ada".into() }).ttl(Duration::from_secs(60)).await?;
//! let user: Option<User> = cache.get("user:7").await?;
//!
//! // One caller makes it, in all processes; the others wait.
//! let user: User = cache.remember("user:8", || load(8)).await?;
//! # async fn load(_: u64) -> Result<User, std::io::Error> { Ok(User { name: String::new() }) }
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//! * Values: `get`, `set`, `add`, `get_or_set`, `take`, `delete`, and `get_many`, `set_many`, `delete_many` in one round
//!   trip; `incr` and `decr`.
//! * Their time: `ttl`, `touch`, `expire`, `expire_at`, `persist`. What is not told else lives for 5 minutes.
//! * Values that are made when they are missing: `remember`, also stale while they are made anew.
//! * What belongs together: `with_version` and `incr_version`, tags with `invalidate_tags`; `keys_like`, `delete_pattern`
//!   and `clear`.
//! * `lock`, with a fencing number; `command` for what has no name here.
//!
//! # Keys
//! A key is stored as `PREFIX:VERSION:KEY`. In a cluster, a part of it in braces decides on which node it is kept.
//!
//! # When the server is away
//! A call is an error after its deadline, 2 s. With `OnOutage::Miss` it is what it is when nothing is stored, and does
//! not wait: after the first one that had no answer within 30 ms, the server is left alone until it answers again.
//!
//! # What a value costs
//! 12 bytes beside its key and itself. Calls that come together are sent together.

mod allowed;
#[cfg(feature = "redis")]
mod script;

#[expect(clippy::module_inception, reason = "it is what the module is about")]
mod cache;
pub(crate) mod cached;
mod codec;
mod compression;
mod entry;
mod error;
mod guard;
mod key;
mod lock;
mod named;
mod raw;
mod remember;
mod scan;
mod set;
mod settings;
mod stats;
mod store;
mod tags;
mod ttl;
mod views;

#[cfg(feature = "sessions")]
pub mod session;

pub use self::{
    cache::{Cache, MAX_MANY},
    codec::Codec,
    compression::Compression,
    error::CacheError,
    guard::OnOutage,
    key::MAX_KEY_BYTES,
    lock::{DEFAULT_LOCK_TTL, Lock, LockRequest, MAX_LOCK_TTL, MAX_LOCK_WAIT, MIN_LOCK_TTL},
    named::{Caches, DEFAULT_CACHE, cache, default_cache, set_caches, set_default_cache},
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
    views::{Counter, Hash, ScoreIf, SetOf, Sorted},
};
