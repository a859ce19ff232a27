//! Where a cache is kept in a test.

use std::time::Duration;

use support::redis::FromRedisValue;
use support::{Server, namespace, shared_cluster, shared_redis, shared_valkey};
use task_runtime::cache::{Cache, CacheBuilder, CacheError, Ttl};

/// How long anything may take that a test waits for.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// A place where a cache is kept, for one test.
pub(crate) trait Place {
    fn make() -> Raw;
}

/// The memory of the process.
pub(crate) struct Memory;
/// Debian's Redis 7.0: the oldest server that is promised.
pub(crate) struct Redis;
/// Valkey 9: the newest.
pub(crate) struct Valkey;
/// Three nodes of Valkey 9, of which the cache is told one.
pub(crate) struct Cluster;

/// The way to a cache, and past it to the keys.
pub(crate) struct Raw {
    url: Option<String>,
    /// What its keys begin with.
    pub(crate) prefix: String,
    servers: Vec<&'static Server>,
    cache: Cache,
}

impl Place for Memory {
    fn make() -> Raw {
        Raw::new(None, Vec::new())
    }
}

impl Place for Redis {
    fn make() -> Raw {
        Raw::new(Some(shared_redis().url()), vec![shared_redis()])
    }
}

impl Place for Valkey {
    fn make() -> Raw {
        Raw::new(Some(shared_valkey().url()), vec![shared_valkey()])
    }
}

impl Place for Cluster {
    fn make() -> Raw {
        let nodes: Vec<&Server> = shared_cluster().nodes().iter().collect();
        Raw::new(Some(nodes[0].url()), nodes)
    }
}

impl Raw {
    fn new(url: Option<String>, servers: Vec<&'static Server>) -> Self {
        let prefix = namespace();
        let cache = builder(url.as_deref(), &prefix).build().expect("the settings of a test are allowed");
        Self { url, prefix, servers, cache }
    }

    /// The cache, which is the same for all calls.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Settings of another cache in the same place, with the same keys. In memory it shares nothing with the first.
    pub(crate) fn builder(&self) -> CacheBuilder {
        builder(self.url.as_deref(), &self.prefix)
    }

    /// The URL, for another process.
    pub(crate) fn url(&self) -> &str {
        self.url.as_deref().expect("it is on a server")
    }

    /// Whether it is the memory of the process, which other caches and processes cannot see.
    pub(crate) fn is_memory(&self) -> bool {
        self.url.is_none()
    }

    /// Every key, with the server that has it; none in the memory of the process.
    pub(crate) fn keys(&self) -> Vec<(&'static Server, String)> {
        let pattern = format!("{}:*", self.prefix);
        let keys_of = |server: &&'static Server| {
            let keys = Vec::<String>::from_redis_value(server.command(&["KEYS", &pattern])).expect("keys are text");
            let server = *server;
            keys.into_iter().map(move |key| (server, key)).collect::<Vec<_>>()
        };
        self.servers.iter().flat_map(keys_of).collect()
    }

    /// Every key has a time to live.
    pub(crate) fn every_key_has_its_end(&self) {
        for (server, key) in &self.keys() {
            let ttl = i64::from_redis_value(server.command(&["PTTL", key])).expect("a time is a number");
            // -2 is a key that has gone since it was listed, and 0 one that goes in this millisecond.
            assert!(ttl >= 0 || ttl == -2, "{key} has no end: {ttl}");
        }
    }
}

fn builder(url: Option<&str>, prefix: &str) -> CacheBuilder {
    let builder = Cache::builder().prefix(prefix);
    match url {
        Some(url) => builder.url(url),
        None => builder,
    }
}

/// A call that writes with a time to live of a week gives the key its end, whatever it was before.
pub(crate) async fn moves_its_end(raw: &Raw, key: &str, write: impl AsyncFn() -> Result<(), CacheError>) {
    let week = Duration::from_secs(7 * 86_400);
    raw.cache().expire(key, Duration::from_secs(60)).await.expect("the place answers");
    write().await.expect("it can be written");
    match raw.cache().ttl(key).await {
        Ok(Some(Ttl::For(left))) => assert!(left > week - BOUND && left <= week, "{key} ends in {left:?}"),
        other => panic!("{key} has no end: {other:?}"),
    }
}
