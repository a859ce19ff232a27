//! Versions, and tags by which values are invalidated together.

use std::time::Duration;

use support::redis::FromRedisValue;
use support::{Server, eventually};
use task_runtime::cache::Ttl;

use crate::fixture::{BOUND, Raw};

pub(crate) async fn a_tag_invalidates_all_that_bear_it_and_nothing_else(raw: &Raw) {
    let cache = raw.cache();
    cache.set("a", &1).tags(["users", "page"]).await.unwrap();
    cache.set("b", &2).tags(["users"]).await.unwrap();
    cache.set("c", &3).tags(["page"]).await.unwrap();
    cache.set_many(&[("d", 4), ("e", 5)]).tags(["orders"]).await.unwrap();
    cache.set("f", &6).await.unwrap();
    cache.set("g", &7).tags(["users"]).await.unwrap();
    let read = async || cache.get_many::<u32>(["a", "b", "c", "d", "e", "f"]).await.unwrap();
    assert_eq!(read().await, [Some(1), Some(2), Some(3), Some(4), Some(5), Some(6)]);
    raw.every_key_has_its_end();
    assert!(cache.invalidate_tags(["users"]).await.unwrap());
    assert_eq!(read().await, [None, None, Some(3), Some(4), Some(5), Some(6)]);
    assert_eq!((cache.get::<u32>("a").await.unwrap(), cache.take::<u32>("b").await.unwrap()), (None, None));
    cache.set("a", &7).tags(["users", "page"]).await.unwrap();
    assert_eq!(cache.get::<u32>("a").await.unwrap(), Some(7), "what is written after it is valid");
    assert_eq!(cache.get::<u32>("g").await.unwrap(), None, "what was there before stays invalid");
    assert!(cache.invalidate_tags(["page", "orders", "unknown"]).await.unwrap());
    assert_eq!(read().await, [None, None, None, None, None, Some(6)]);
}

pub(crate) async fn a_tag_lives_as_long_as_what_bears_it(raw: &Raw) {
    let cache = raw.cache();
    cache.set("first", &1).ttl(Duration::from_secs(1)).tags(["t"]).await.unwrap();
    cache.set("long", &1).ttl(Duration::from_secs(3600)).tags(["t"]).await.unwrap();
    let lefts = || {
        let keys = raw.keys().into_iter().filter(|(_, key)| key.contains("!tag"));
        let left = |(server, key): (&Server, String)| i64::from_redis_value(server.command(&["PTTL", &key]));
        keys.map(left).collect::<Result<Vec<_>, _>>().expect("a time is a number")
    };
    assert!(lefts().into_iter().all(|left| left > 3_600_000), "it is needed for longer by now: {:?}", lefts());
    cache.set("short", &1).ttl(Duration::from_millis(10)).tags(["t"]).await.unwrap();
    eventually("it is gone", BOUND, async || (!cache.contains("short").await.unwrap()).then_some(())).await;
    assert_eq!(cache.get::<u32>("long").await.unwrap(), Some(1));
    cache.set("forever", &1).ttl(Ttl::Forever).tags(["t"]).await.unwrap();
    cache.set("short", &1).ttl(Duration::from_secs(1)).tags(["t"]).await.unwrap();
    assert!(lefts().into_iter().all(|left| left == -1), "what is kept for ever needs its tag for ever: {:?}", lefts());
}

pub(crate) async fn more_tags_than_allowed_are_refused(raw: &Raw) {
    let cache = raw.cache();
    let tags: Vec<_> = (0..17).map(|number| number.to_string()).collect();
    let error = cache.set("a", &1).tags(tags).await.unwrap_err().to_string();
    assert_eq!(error, "an entry is with 17 tags, expected 16 at most");
    cache.set("a", &1).tags(vec!["the same"; 17]).await.unwrap();
}

pub(crate) async fn versions_know_nothing_of_each_other(raw: &Raw) {
    let cache = raw.cache();
    let second = cache.with_version(2).unwrap();
    cache.set("a", "first").ttl(Duration::from_secs(100)).await.unwrap();
    assert_eq!(second.get::<String>("a").await.unwrap(), None);
    assert_eq!(cache.incr_version("a").await.unwrap(), Some(2));
    assert_eq!(cache.get::<String>("a").await.unwrap(), None);
    assert_eq!(second.get::<String>("a").await.unwrap().as_deref(), Some("first"));
    let Some(Ttl::For(left)) = second.ttl("a").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(90) && left <= Duration::from_secs(100));
    assert_eq!(cache.incr_version("a").await.unwrap(), None);
    assert_eq!(cache.with_version(0).unwrap_err().to_string(), "version is 0, expected 1 or more");
}
