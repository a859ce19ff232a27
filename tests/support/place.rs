//! Where the cache, and sessions, are kept in a test: the memory of the process, a server or a cluster.

use redis::FromRedisValue;

use crate::{Server, shared_cluster, shared_redis, shared_valkey};

/// Such a place.
#[derive(Clone, Debug)]
pub struct Place {
    url: Option<String>,
    servers: Vec<&'static Server>,
}

impl Place {
    /// The memory of the process.
    pub fn memory() -> Self {
        Self { url: None, servers: Vec::new() }
    }

    /// Debian's Redis 7.0: the oldest server that is promised.
    pub fn redis() -> Self {
        Self::on(vec![shared_redis()])
    }

    /// Valkey 9: the newest.
    pub fn valkey() -> Self {
        Self::on(vec![shared_valkey()])
    }

    /// Three nodes of Valkey 9, of which who keeps something is told one.
    pub fn cluster() -> Self {
        Self::on(shared_cluster().nodes().iter().collect())
    }

    fn on(servers: Vec<&'static Server>) -> Self {
        Self { url: Some(servers[0].url()), servers }
    }

    /// The URL; none of the memory of the process, which other processes cannot see.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Every key like `pattern`, with the server that has it; none in the memory of the process.
    pub fn keys(&self, pattern: &str) -> Vec<(&'static Server, String)> {
        let keys_of = |server: &&'static Server| {
            let keys = Vec::<String>::from_redis_value(server.command(&["KEYS", pattern])).expect("keys are text");
            let server = *server;
            keys.into_iter().map(move |key| (server, key)).collect::<Vec<_>>()
        };
        self.servers.iter().flat_map(keys_of).collect()
    }

    /// Every key like `pattern` has a time to live. Gives how many there are.
    pub fn every_key_has_its_end(&self, pattern: &str) -> usize {
        let keys = self.keys(pattern);
        for (server, key) in &keys {
            let ttl = i64::from_redis_value(server.command(&["PTTL", key])).expect("a time is a number");
            // -2 is a key that has gone since it was listed, and 0 one that goes in this millisecond.
            assert!(ttl >= 0 || ttl == -2, "{key} has no end: {ttl}");
        }
        keys.len()
    }
}
