//! Looks at all keys, and what is deleted by a pattern.

use std::collections::HashSet;

use support::redis::FromRedisValue;
use support::{Place, shared_redis};
use task_runtime::cache::{Cache, Cursor};

use crate::fixture::Raw;

/// More than one step looks at.
const MANY: usize = 2_500;

async fn fill(cache: &Cache) {
    let values: Vec<_> = (0..MANY).map(|number| (format!("user:{number}"), number)).collect();
    cache.set_many(&values).await.unwrap();
    cache.set("order:1", &1).await.unwrap();
    cache.with_version(2).unwrap().set("user:1", &1).await.unwrap();
}

async fn all(cache: &Cache, pattern: &str) -> HashSet<String> {
    let (mut pages, mut keys) = (cache.keys_like(pattern), HashSet::new());
    while let Some(page) = pages.next().await.unwrap() {
        keys.extend(page);
    }
    keys
}

pub(crate) async fn every_key_that_is_like_a_pattern_is_found(raw: &Raw) {
    let cache = raw.cache();
    fill(cache).await;
    assert_eq!(all(cache, "user:*").await, (0..MANY).map(|number| format!("user:{number}")).collect());
    assert_eq!(all(cache, "user:[12]").await, ["user:1".to_owned(), "user:2".to_owned()].into());
    assert_eq!(all(cache, "*").await.len(), MANY + 1);
    assert!(all(cache, "nothing*").await.is_empty());
}

pub(crate) async fn a_page_goes_on_from_a_cursor_that_was_text(raw: &Raw) {
    let cache = raw.cache();
    fill(cache).await;
    let (mut keys, mut from): (HashSet<String>, Option<Cursor>) = (HashSet::new(), None);
    for pages in 1.. {
        let page = cache.key_page("user:*", from.as_ref(), 100).await.unwrap();
        keys.extend(page.keys);
        match page.next {
            Some(next) => from = Some(next.to_string().parse().unwrap()),
            None => {
                assert!(pages > 3, "{pages}");
                break;
            }
        }
    }
    assert_eq!(keys.len(), MANY);
    let error = cache.key_page("*", None, 0).await.unwrap_err().to_string();
    assert_eq!(error, "a page is of 0 keys, expected 1 to 10000");
}

pub(crate) async fn what_is_like_a_pattern_is_deleted_and_nothing_else(raw: &Raw) {
    let cache = raw.cache();
    fill(cache).await;
    // Keys that begin the same: of version 1 and 12, of this prefix and of a longer one.
    let beside = raw.builder().prefix(format!("{}-x", raw.prefix)).build().unwrap();
    let others = [cache.with_version(2).unwrap(), cache.with_version(12).unwrap(), beside];
    for other in &others {
        other.set("user:1", &1).await.unwrap();
    }
    assert_eq!(cache.delete_pattern("user:*").await.unwrap(), MANY as u64);
    assert_eq!(all(cache, "*").await, ["order:1".to_owned()].into());
    assert_eq!(cache.delete_pattern("*").await.unwrap(), 1);
    for other in &others {
        assert_eq!(other.get::<u32>("user:1").await.unwrap(), Some(1));
    }
    others[2].clear().await.unwrap();
}

pub(crate) async fn clearing_deletes_all_versions_of_this_cache_and_nothing_else(raw: &Raw) {
    let cache = raw.cache();
    let beside = raw.builder().prefix(format!("{}-x", raw.prefix)).build().unwrap();
    fill(cache).await;
    beside.set("user:1", &7).await.unwrap();
    assert_eq!(cache.clear().await.unwrap(), MANY as u64 + 2);
    assert!(all(cache, "*").await.is_empty());
    assert_eq!(beside.get::<u32>("user:1").await.unwrap(), Some(7));
    assert_eq!(cache.clear().await.unwrap(), 0);
    beside.clear().await.unwrap();
}

/// What django-redis does with its cache.
#[tokio::test]
async fn clearing_never_empties_the_database() {
    let raw = Raw::at(Place::redis());
    let before = flushes();
    raw.cache().set("a", &1).await.unwrap();
    raw.cache().clear().await.unwrap();
    assert_eq!(flushes(), before);
}

fn flushes() -> usize {
    let stats = String::from_redis_value(shared_redis().command(&["INFO", "commandstats"])).unwrap();
    stats.lines().filter(|line| line.starts_with("cmdstat_flush")).count()
}
