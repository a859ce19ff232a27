//! What a cache is told before it begins.

use std::sync::Arc;
use std::time::Duration;

use super::allowed::{DEFAULT_DEADLINE, check_deadline, check_name};
use super::cache::{Cache, Shared};
use super::codec::{Codec, Writing};
use super::compression::Compression;
use super::error::{CacheError, setting};
use super::guard::{Guard, OnOutage};
use super::key::{Keys, checked_version};
use super::remember::Flights;
use super::stats::Counters;
use super::store::Store;
use super::store::memory::MemoryStore;
#[cfg(feature = "redis")]
use super::store::redis::RedisStore;
use super::ttl::Ttl;

/// What the keys of a cache begin with unless told else.
const DEFAULT_PREFIX: &str = "cache";
/// For how long values are kept unless told else: as Django does.
pub const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// Values of so many bytes and more are compressed unless told else.
pub const DEFAULT_COMPRESS_FROM: usize = 1_024;
/// Most bytes of a value unless told else.
pub const DEFAULT_VALUE_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of a value that can be told.
pub const MAX_VALUE_BYTES: usize = 256 * 1024 * 1024;
/// Keys that the memory of a process keeps unless told else.
pub const DEFAULT_MEMORY_KEYS: usize = 100_000;
/// Bytes that it keeps unless told else.
pub const DEFAULT_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// How long a call may take unless told else, where an outage is a miss: a page must not notice it.
const DEFAULT_MISS_DEADLINE: Duration = Duration::from_millis(30);

/// Builds a [`Cache`]; everything has a default.
///
/// ```
/// use std::time::Duration;
/// use task_runtime::cache::{Cache, OnOutage, Ttl};
///
/// let cache = Cache::builder()
///     .prefix("shop")
///     .ttl(Duration::from_secs(600))
///     .on_outage(OnOutage::Miss)
///     .build()?;
/// # Ok::<(), task_runtime::cache::CacheError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct CacheBuilder {
    url: Option<String>,
    replicas: Vec<String>,
    prefix: String,
    version: u32,
    ttl: Ttl,
    codec: Codec,
    compression: Compression,
    compress_from: usize,
    max_value_bytes: usize,
    memory: (usize, usize),
    on_outage: OnOutage,
    deadline: Option<Duration>,
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            url: None,
            replicas: Vec::new(),
            prefix: DEFAULT_PREFIX.into(),
            version: 1,
            ttl: Ttl::For(DEFAULT_TTL),
            codec: Codec::default(),
            compression: Compression::default(),
            compress_from: DEFAULT_COMPRESS_FROM,
            max_value_bytes: DEFAULT_VALUE_BYTES,
            memory: (DEFAULT_MEMORY_KEYS, DEFAULT_MEMORY_BYTES),
            on_outage: OnOutage::default(),
            deadline: None,
        }
    }
}

impl CacheBuilder {
    /// The server or cluster that keeps the values, as in `redis://127.0.0.1/`; without it the memory of this process
    /// does. It is never shown.
    #[cfg(feature = "redis")]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A replica of that server, from which values are read; with several, each read goes to one of them by chance. One
    /// that is away is no outage: the server itself is asked then. What was just written may not be there yet. Not for a
    /// cluster.
    #[cfg(feature = "redis")]
    pub fn replica(mut self, url: impl Into<String>) -> Self {
        self.replicas.push(url.into());
        self
    }

    /// Keeps caches on one server apart; `cache` unless told else. 1 to 64 letters, digits, `_`, `-` or `.`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// A part of every key; 1 unless told else. With another version nothing of before is found.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// For how long values are kept where a call does not say; 5 minutes unless told else.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// How values are written; as JSON unless told else.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// How values are compressed; not at all unless told else.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Values of so many bytes and more are compressed; 1,024 unless told else.
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.compress_from = bytes;
        self
    }

    /// Most bytes of one value, before it is compressed; 16 MiB unless told else, 256 MiB at most.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Most keys, and bytes, that the memory of this process keeps; 100,000 and 256 MiB unless told else. What was not
    /// used for longest goes first; a lock that is held does not. It says nothing of a server, which has its `maxmemory`.
    pub fn memory(mut self, keys: usize, bytes: usize) -> Self {
        self.memory = (keys, bytes);
        self
    }

    /// What a call gives while the server cannot be used; an error unless told else.
    pub fn on_outage(mut self, on_outage: OnOutage) -> Self {
        self.on_outage = on_outage;
        self
    }

    /// How long one call waits for the server; 2 s unless told else, or 30 ms with [`OnOutage::Miss`]. 30 s at most.
    ///
    /// A time that is too short for a value makes an outage of it.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Builds it. Nothing is connected before the first call.
    ///
    /// # Errors
    /// [`CacheError::Setting`] names the setting that cannot be used.
    pub fn build(self) -> Result<Cache, CacheError> {
        check_name(&self.prefix).map_err(|(given, expected)| setting("prefix", given, expected))?;
        let version = checked_version(self.version).map_err(|_| setting("version", 0, "1 or more"))?;
        if let Err(CacheError::Argument { given, expected, .. }) = self.ttl.life() {
            return Err(setting("ttl", given, expected));
        }
        if !(1..=MAX_VALUE_BYTES).contains(&self.max_value_bytes) {
            return Err(setting("max_value_bytes", self.max_value_bytes, format!("1 to {MAX_VALUE_BYTES}")));
        }
        if self.memory.0 == 0 || self.memory.1 == 0 {
            return Err(setting("memory", "0 keys or bytes", "1 or more of both"));
        }
        if self.codec == Codec::MessagePack && cfg!(not(feature = "cache-msgpack")) {
            return Err(setting("codec", "MessagePack", "JSON, or the cargo feature `cache-msgpack` of task-runtime"));
        }
        if let Some(feature) = self.compression.missing_feature() {
            let expected = format!("none, or the cargo feature `{feature}` of task-runtime");
            return Err(setting("compression", format!("{:?}", self.compression), expected));
        }
        let deadline = self.deadline.unwrap_or(match self.on_outage {
            OnOutage::Fail => DEFAULT_DEADLINE,
            OnOutage::Miss => DEFAULT_MISS_DEADLINE,
        });
        check_deadline(deadline).map_err(|(given, expected)| setting("deadline", given, expected))?;
        let writing = Writing {
            codec: self.codec,
            compression: self.compression,
            compress_from: self.compress_from,
            max_value_bytes: self.max_value_bytes,
        };
        let shared = Shared {
            guard: Guard::new(self.store(deadline)?, self.on_outage, deadline),
            writing,
            ttl: self.ttl,
            counters: Counters::default(),
            flights: Flights::default(),
        };
        Ok(Cache::new(shared, Keys::new(&self.prefix, version)))
    }

    fn store(&self, deadline: Duration) -> Result<Arc<dyn Store>, CacheError> {
        match &self.url {
            #[cfg(feature = "redis")]
            Some(url) => Ok(Arc::new(RedisStore::new(url, &self.replicas, deadline)?)),
            _ if !self.replicas.is_empty() => Err(setting("replicas", "given", "none, where there is no URL")),
            _ => {
                let _ = deadline;
                Ok(Arc::new(MemoryStore::new(self.memory.0, self.memory.1)))
            }
        }
    }
}
