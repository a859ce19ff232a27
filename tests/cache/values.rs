//! Values that are stored and read.

use std::time::Duration;

use support::{Place, shared_redis};
use task_runtime::cache::{CacheError, Ttl};

use crate::fixture::Raw;

pub(crate) async fn what_is_set_is_read(raw: &Raw) {
    let cache = raw.cache();
    assert_eq!(cache.get::<String>("greeting").await.unwrap(), None);
    assert!(cache.set("greeting", "Hello").await.unwrap());
    assert_eq!(cache.get("greeting").await.unwrap(), Some("Hello".to_owned()));
    let Some(Ttl::For(left)) = cache.ttl("greeting").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(290) && left <= Duration::from_secs(300), "{left:?}");
    raw.every_key_has_its_end();
    assert!(cache.delete("greeting").await.unwrap() && !cache.delete("greeting").await.unwrap());
    assert!(!cache.contains("greeting").await.unwrap() && !raw.is_memory() || raw.keys().is_empty());
}

pub(crate) async fn only_a_key_without_a_value_is_added(raw: &Raw) {
    let cache = raw.cache();
    assert!(!cache.set("a", &1).if_present().await.unwrap());
    assert!(cache.add("a", &1).await.unwrap() && !cache.add("a", &2).await.unwrap());
    assert!(cache.set("a", &3).if_present().await.unwrap());
    assert_eq!(cache.get("a").await.unwrap(), Some(3));
    cache.set("b", &1).ttl(Duration::from_secs(100)).await.unwrap();
    assert!(!cache.add("b", &2).ttl(Duration::from_secs(3600)).await.unwrap());
    let Some(Ttl::For(left)) = cache.ttl("b").await.unwrap() else { panic!("it has an end") };
    assert!(left <= Duration::from_secs(100), "what is there keeps its end: {left:?}");
}

pub(crate) async fn many_are_written_and_read_at_once(raw: &Raw) {
    let cache = raw.cache();
    let values: Vec<_> = (0..100).map(|number| (format!("key:{number}"), number)).collect();
    cache.set_many(&values).ttl(Duration::from_secs(60)).await.unwrap();
    let read = cache.get_many::<u32>(values.iter().map(|(key, _)| key).chain([&"other".to_owned()])).await.unwrap();
    assert_eq!(read.len(), 101);
    assert!(read[..100].iter().zip(&values).all(|(read, (_, number))| *read == Some(*number)) && read[100].is_none());
    raw.every_key_has_its_end();
    assert_eq!(cache.delete_many(values.iter().map(|(key, _)| key)).await.unwrap(), 100);
}

/// An entry says to which key it belongs.
#[tokio::test]
async fn what_was_stored_under_another_key_is_no_value_of_this_one() {
    let (raw, server) = (Raw::at(Place::redis()), shared_redis());
    let (cache, key) = (raw.cache(), |key: &str| format!("{}:1:{key}", raw.prefix));
    cache.set("a", "of a").await.unwrap();
    server.command(&["COPY", &key("a"), &key("b")]);
    let told = cache.get::<String>("b").await;
    assert!(matches!(&told, Err(CacheError::WrongKind { key, .. }) if key == "b"), "{told:?}");
    assert_eq!(cache.get_many::<String>(["a", "b"]).await.unwrap(), [Some("of a".to_owned()), None]);
    let made = cache.remember("b", async || Ok::<_, String>("of b".to_owned())).await;
    assert_eq!(made.unwrap(), "of b");
    assert_eq!(cache.get::<String>("b").await.unwrap().as_deref(), Some("of b"));
}
