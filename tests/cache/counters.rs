//! Counters.

use std::time::Duration;

use futures_util::future::join_all;
use task_runtime::cache::CacheError;

use crate::fixture::{Raw, moves_its_end};

pub(crate) async fn a_counter_begins_at_zero_and_begins_anew(raw: &Raw) {
    let hits = raw.cache().counter("hits");
    assert_eq!(hits.get().await.unwrap(), 0);
    assert_eq!(hits.reset().await.unwrap(), 0);
    assert!(raw.keys().is_empty());
    assert_eq!((hits.add(1).await.unwrap(), hits.add(41).await.unwrap(), hits.add(-50).await.unwrap()), (1, 42, -8));
    assert_eq!(hits.get().await.unwrap(), -8);
    assert_eq!(hits.reset().await.unwrap(), -8);
    assert_eq!((hits.get().await.unwrap(), raw.cache().ttl("hits").await.unwrap()), (0, None));
    assert_eq!(hits.add(i64::MIN).await.unwrap(), i64::MIN);
    assert_eq!(hits.add(i64::MAX).await.unwrap(), -1);
    raw.every_key_has_its_end();
}

pub(crate) async fn no_count_is_lost(raw: &Raw) {
    let adding = (0..8).map(|_| {
        let cache = raw.cache().clone();
        tokio::spawn(async move {
            let mut taken = 0;
            for number in 0..25 {
                cache.counter("n").add(3).await.unwrap();
                if number == 12 {
                    taken += cache.counter("n").reset().await.unwrap();
                }
            }
            taken
        })
    });
    let taken: i64 = join_all(adding).await.into_iter().map(|joined| joined.unwrap()).sum();
    assert_eq!(taken + raw.cache().counter("n").get().await.unwrap(), 8 * 25 * 3);
}

pub(crate) async fn each_count_moves_the_end_of_a_counter(raw: &Raw) {
    let counter = raw.cache().counter("n").ttl(Duration::from_secs(7 * 86_400));
    moves_its_end(raw, "n", async || counter.add(1).await.map(drop)).await;
    moves_its_end(raw, "n", async || counter.add(0).await.map(drop)).await;
}

pub(crate) async fn what_is_no_counter_is_told(raw: &Raw) {
    let (cache, counter) = (raw.cache(), raw.cache().counter("n"));
    counter.add(i64::MAX).await.unwrap();
    assert!(matches!(counter.add(1).await, Err(CacheError::NotANumber { key }) if key == "n"));
    assert_eq!(counter.get().await.unwrap(), i64::MAX, "nothing happened");
    assert!(matches!(cache.get::<i64>("n").await, Err(CacheError::WrongKind { key, .. }) if key == "n"));
    assert!(matches!(cache.incr("n", 1).await, Err(CacheError::NotANumber { .. })));
    cache.set("n", &7).await.unwrap();
    for told in [counter.add(1).await, counter.get().await] {
        assert!(matches!(&told, Err(CacheError::NotANumber { key }) if key == "n"), "{told:?}");
    }
    assert_eq!(cache.get("n").await.unwrap(), Some(7));
    cache.delete("n").await.unwrap();
    cache.set_of::<u8>("n").add(&[1]).await.unwrap();
    for told in [counter.add(1).await, counter.get().await, counter.reset().await] {
        assert!(matches!(&told, Err(CacheError::WrongKind { key, .. }) if key == "n"), "{told:?}");
    }
}
