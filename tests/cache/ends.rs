//! For how long things are kept, and what counts.

use std::time::{Duration, SystemTime};

use support::eventually;
use task_runtime::cache::{CacheError, Ttl};

use crate::fixture::{BOUND, Raw};

pub(crate) async fn a_key_has_the_end_that_it_is_given(raw: &Raw) {
    let cache = raw.cache();
    let left = async || match cache.ttl("a").await.unwrap() {
        Some(Ttl::For(left)) => left.as_secs_f64().round(),
        Some(Ttl::Forever) => f64::INFINITY,
        None => -1.0,
    };
    assert_eq!(left().await, -1.0);
    for (change, expected) in
        [(cache.expire("a", Duration::from_secs(10)).await, false), (cache.touch("a").await, false)]
    {
        assert_eq!(change.unwrap(), expected, "there is none");
    }
    cache.set("a", &1).ttl(Duration::from_secs(100)).await.unwrap();
    assert_eq!(left().await, 100.0);
    assert!(cache.expire("a", Duration::from_secs(50)).await.unwrap());
    assert_eq!(left().await, 50.0);
    assert!(cache.touch("a").await.unwrap());
    assert_eq!(left().await, 300.0);
    assert!(cache.persist("a").await.unwrap() && cache.persist("a").await.unwrap());
    assert_eq!(left().await, f64::INFINITY);
    assert!(cache.expire_at("a", SystemTime::now() + Duration::from_secs(20)).await.unwrap());
    assert!((19.0..=20.0).contains(&left().await));
    assert!(cache.expire_at("a", SystemTime::now() - Duration::from_secs(20)).await.unwrap());
    assert_eq!((left().await, cache.get::<u32>("a").await.unwrap()), (-1.0, None));
    cache.set("a", &1).ttl(Ttl::Forever).await.unwrap();
    assert_eq!(left().await, f64::INFINITY);
}

pub(crate) async fn what_has_expired_is_gone(raw: &Raw) {
    let cache = raw.cache();
    cache.set("a", &1).ttl(Duration::from_millis(20)).await.unwrap();
    cache.set_many(&[("b", 1), ("c", 2)]).ttl(Duration::from_millis(20)).await.unwrap();
    eventually("all are gone", BOUND, async || {
        let read = cache.get_many::<u32>(["a", "b", "c"]).await.unwrap();
        read.iter().all(Option::is_none).then_some(())
    })
    .await;
    assert!(cache.add("a", &2).await.unwrap());
}

pub(crate) async fn a_time_that_cannot_be_is_refused(raw: &Raw) {
    let cache = raw.cache();
    for ttl in [Duration::ZERO, Duration::MAX] {
        let error = cache.set("a", &1).ttl(ttl).await.unwrap_err();
        assert!(matches!(error, CacheError::Argument { .. }), "{error}");
        assert!(cache.expire("a", ttl).await.is_err());
    }
    assert!(!cache.contains("a").await.unwrap());
}

pub(crate) async fn whole_numbers_are_counted_and_keep_their_end(raw: &Raw) {
    let cache = raw.cache();
    assert_eq!(cache.incr("n", 1).await.unwrap(), None);
    cache.set("n", &5).ttl(Duration::from_secs(100)).await.unwrap();
    assert_eq!(cache.incr("n", 3).await.unwrap(), Some(8));
    assert_eq!(cache.decr("n", 10).await.unwrap(), Some(-2));
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(-2));
    let Some(Ttl::For(left)) = cache.ttl("n").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(90));
    // Beyond what a number of Lua holds.
    cache.set("n", &(i64::MAX - 2)).ttl(Duration::from_secs(100)).await.unwrap();
    assert_eq!(cache.incr("n", 2).await.unwrap(), Some(i64::MAX));
    let error = cache.incr("n", 1).await.unwrap_err();
    assert!(matches!(error, CacheError::NotANumber { .. }), "{error}");
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(i64::MAX), "nothing happened");
    let Some(Ttl::For(left)) = cache.ttl("n").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(90) && left <= Duration::from_secs(100), "{left:?}");
    for other in ["text", "7"] {
        cache.set("n", other).await.unwrap();
        assert!(matches!(cache.incr("n", 1).await, Err(CacheError::NotANumber { .. })), "{other}");
        assert_eq!(cache.get::<String>("n").await.unwrap().as_deref(), Some(other));
    }
    cache.set_bytes("n", b"7").await.unwrap();
    assert!(matches!(cache.incr("n", 1).await, Err(CacheError::NotANumber { .. })));
}

pub(crate) async fn counts_at_the_same_time_are_all_counted(raw: &Raw) {
    let cache = raw.cache();
    cache.set("n", &0).await.unwrap();
    futures_util::future::join_all((0..100).map(|_| cache.incr("n", 1))).await;
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(100));
}
