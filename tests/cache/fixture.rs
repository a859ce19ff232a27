//! Where a cache is kept in a test.

use std::time::Duration;

use support::{Place, Server, namespace};
use task_runtime::cache::{Cache, CacheBuilder, CacheError, Ttl};

/// How long anything may take that a test waits for.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// The way to a cache, and past it to the keys.
pub(crate) struct Raw {
    place: Place,
    /// What its keys begin with.
    pub(crate) prefix: String,
    cache: Cache,
}

impl Raw {
    pub(crate) fn at(place: Place) -> Self {
        let prefix = namespace();
        let cache = builder(place.url(), &prefix).build().expect("the settings of a test are allowed");
        Self { place, prefix, cache }
    }

    /// The cache, which is the same for all calls.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Settings of another cache in the same place, with the same keys. In memory it shares nothing with the first.
    pub(crate) fn builder(&self) -> CacheBuilder {
        builder(self.place.url(), &self.prefix)
    }

    /// The URL, for another process.
    pub(crate) fn url(&self) -> &str {
        self.place.url().expect("it is on a server")
    }

    /// Whether it is the memory of the process, which other caches and processes cannot see.
    pub(crate) fn is_memory(&self) -> bool {
        self.place.url().is_none()
    }

    /// Every key, with the server that has it; none in the memory of the process.
    pub(crate) fn keys(&self) -> Vec<(&'static Server, String)> {
        self.place.keys(&format!("{}:*", self.prefix))
    }

    /// Every key has a time to live.
    pub(crate) fn every_key_has_its_end(&self) {
        self.place.every_key_has_its_end(&format!("{}:*", self.prefix));
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
