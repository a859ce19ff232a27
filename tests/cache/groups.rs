//! Versions, and tags by which values are invalidated together.

use std::time::{Duration, SystemTime};

use support::redis::FromRedisValue;
use support::{On, Place, Proxy, Server, eventually, shared_redis};
use task_runtime::cache::{Cache, MAX_KEY_BYTES, MAX_TAGS, Ttl};

use crate::fixture::{BOUND, Raw};

const HOUR: Duration = Duration::from_secs(3600);
/// For how long a value is stored that is to live on.
const SHORT: Duration = Duration::from_secs(10);
/// How much longer a tag is kept than what bears it, at least.
const OUTLIVES: Duration = Duration::from_secs(30);

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

/// What is left of the time of each tag, in ms; none in the memory of the process.
fn tag_lefts(raw: &Raw) -> Vec<i64> {
    let keys = raw.keys().into_iter().filter(|(_, key)| key.contains("!tag"));
    let left = |(server, key): (&Server, String)| i64::from_redis_value(server.command(&["PTTL", &key]));
    keys.map(left).collect::<Result<Vec<_>, _>>().expect("a time is a number")
}

/// Every way to let a key live on, for an hour or for ever; says whether it is there.
async fn lives_on(cache: &Cache, key: &str, way: usize) -> Option<bool> {
    let answer = match way {
        0 => cache.touch(key).await,
        1 => cache.expire(key, HOUR).await,
        2 => cache.expire_at(key, SystemTime::now() + HOUR).await,
        3 => cache.persist(key).await,
        4 => cache.expire(key, Ttl::Forever).await,
        // So far away that a server cannot add to it.
        5 => cache.expire_at(key, SystemTime::now() + Duration::from_secs(9_000_000_000_000_000)).await,
        _ => return None,
    };
    Some(answer.expect("the place answers"))
}

pub(crate) async fn a_tag_lives_on_with_what_bears_it(raw: &Raw) {
    // What is left in memory cannot be seen from here; its own tests let time go by.
    let cache = raw.builder().ttl(HOUR).build().unwrap();
    let tags: Vec<_> =
        (b'a'..).take(MAX_TAGS).map(|first| char::from(first).to_string().repeat(MAX_KEY_BYTES)).collect();
    let large = "large".repeat(10_000);
    for way in 0.. {
        cache.clear().await.unwrap();
        cache.invalidate_tags(&tags).await.unwrap();
        cache.set("it", &large).ttl(SHORT).tags(&tags).await.unwrap();
        let Some(there) = lives_on(&cache, "it", way).await else { break };
        assert!(there, "way {way}");
        let least = i64::try_from((HOUR + OUTLIVES).as_millis()).unwrap();
        let lefts = tag_lefts(raw);
        assert!(lefts.len() == if raw.is_memory() { 0 } else { MAX_TAGS }, "way {way}: {lefts:?}");
        assert!(lefts.iter().all(|left| *left == -1 || *left > least), "way {way}: {lefts:?}");
        assert_eq!(lefts.contains(&-1), way > 2 && !raw.is_memory(), "way {way}: {lefts:?}");
        // One that ends sooner than before leaves the tags as they are: others may need them.
        assert!(cache.expire("it", SHORT).await.unwrap());
        assert!(tag_lefts(raw).iter().all(|left| *left == -1 || *left > least), "way {way}: {:?}", tag_lefts(raw));
        assert_eq!(cache.get::<String>("it").await.unwrap().as_ref(), Some(&large), "way {way}");
        assert!(cache.invalidate_tags([&tags[0]]).await.unwrap());
        assert_eq!(lives_on(&cache, "it", way).await, Some(true), "it is there until its end");
        assert!(cache.get::<String>("it").await.unwrap().is_none(), "way {way}: what was invalidated lives on");
    }
    assert!(!cache.expire("none", HOUR).await.unwrap());
    cache.set("past", &1).tags(["t"]).await.unwrap();
    assert!(cache.expire_at("past", SystemTime::now() - HOUR).await.unwrap());
    assert!(!cache.contains("past").await.unwrap());
}

#[tokio::test]
async fn what_has_no_tags_lives_on_with_one_request() {
    let raw = Raw::at(Place::redis());
    let proxy = Proxy::to(shared_redis().port());
    let cache = raw.builder().url(proxy.url()).build().unwrap();
    cache.set("it", &1).await.unwrap();
    cache.hash::<u32>("hash").set("field", &1).await.unwrap();
    assert!(cache.touch("it").await.unwrap(), "the proxy knows the script");
    for key in ["it", "hash"] {
        for way in 0.. {
            let before = proxy.seen(On::Any);
            if lives_on(&cache, key, way).await.is_none() {
                break;
            }
            assert_eq!(proxy.seen(On::Any) - before, 1, "way {way} of {key}");
        }
    }
    // What others stored is let live on, whatever stands in it.
    for bytes in [&b""[..], b"\xC1", b"\xC1\x20", b"\xC1\x20 8 bytes\xFF\xFF and more"] {
        cache.command("SET", "other").bytes(bytes).send().await.unwrap();
        assert!(cache.expire("other", HOUR).await.unwrap(), "{bytes:?}");
        assert!(matches!(cache.ttl("other").await.unwrap(), Some(Ttl::For(left)) if left > HOUR - BOUND));
    }
}

pub(crate) async fn a_tag_lives_as_long_as_what_bears_it(raw: &Raw) {
    let cache = raw.cache();
    cache.set("first", &1).ttl(Duration::from_secs(1)).tags(["t"]).await.unwrap();
    cache.set("long", &1).ttl(Duration::from_secs(3600)).tags(["t"]).await.unwrap();
    let lefts = || tag_lefts(raw);
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
