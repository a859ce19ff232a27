//! Locks that several processes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::eventually;

use crate::fixture::{BOUND, Raw};

pub(crate) async fn one_holder_has_it_at_a_time(raw: &Raw) {
    let (taken, count, last) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let caches: Vec<_> =
        (0..4).map(|_| if raw.is_memory() { raw.cache().clone() } else { raw.builder().build().unwrap() }).collect();
    let work = async |number: usize| {
        for _ in 0..5 {
            let lock = caches[number % 4].lock("it").wait(BOUND).acquire().await.unwrap().expect("it is free in time");
            assert!(!taken.swap(true, Ordering::SeqCst), "two have it");
            let before = last.swap(lock.fencing(), Ordering::SeqCst);
            assert!(before < lock.fencing(), "{before} {}", lock.fencing());
            tokio::task::yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
            taken.store(false, Ordering::SeqCst);
            assert!(lock.release().await.unwrap());
        }
    };
    futures_util::future::join_all((0..8).map(work)).await;
    assert_eq!(count.load(Ordering::SeqCst), 40);
    raw.every_key_has_its_end();
}

pub(crate) async fn who_does_not_wait_does_not_get_a_lock_that_is_held(raw: &Raw) {
    let cache = raw.cache();
    let lock = cache.lock("it").acquire().await.unwrap().unwrap();
    assert!(cache.lock("it").acquire().await.unwrap().is_none());
    assert!(cache.lock("it").wait(Duration::from_millis(20)).acquire().await.unwrap().is_none());
    assert!(cache.lock("other").acquire().await.unwrap().is_some());
    drop(lock);
    assert!(cache.lock("it").wait(BOUND).acquire().await.unwrap().is_some(), "dropped, it is free");
}

pub(crate) async fn a_lock_is_renewed_for_as_long_as_it_is_held(raw: &Raw) {
    let cache = raw.cache();
    let lock = cache.lock("it").ttl(Duration::from_secs(1)).acquire().await.unwrap().unwrap();
    let other = cache.lock("it").wait(Duration::from_millis(2_500)).acquire().await.unwrap();
    assert!(other.is_none() && !lock.lost().is_cancelled());
    assert!(lock.release().await.unwrap());
}

pub(crate) async fn a_lock_that_is_not_renewed_ends_and_says_so(raw: &Raw) {
    let cache = raw.cache();
    let request = cache.lock("it").ttl(Duration::from_millis(100)).without_renewal();
    let first = request.acquire().await.unwrap().unwrap();
    let second = cache.lock("it").wait(BOUND).acquire().await.unwrap().unwrap();
    assert!(second.fencing() > first.fencing());
    tokio::time::timeout(BOUND, first.lost().cancelled()).await.unwrap();
    assert!(!first.release().await.unwrap(), "it is another's by now");
    assert!(cache.lock("it").acquire().await.unwrap().is_none(), "and stays so");
    assert!(second.release().await.unwrap());
}

pub(crate) async fn clearing_the_cache_leaves_locks_alone(raw: &Raw) {
    let cache = raw.cache();
    let lock = cache.lock("it").acquire().await.unwrap().unwrap();
    cache.set("a", &1).await.unwrap();
    assert_eq!(cache.clear().await.unwrap(), 1);
    assert!(cache.lock("it").acquire().await.unwrap().is_none());
    assert!(lock.release().await.unwrap());
}

/// A lock whose keys someone deleted is lost, and is known to be.
#[tokio::test]
async fn a_lock_that_is_taken_away_is_known_to_be_lost() {
    let raw = <crate::fixture::Redis as crate::fixture::Place>::make();
    let lock = Arc::new(raw.cache().lock("it").ttl(Duration::from_millis(300)).acquire().await.unwrap().unwrap());
    for (server, key) in raw.keys() {
        server.command(&["DEL", &key]);
    }
    eventually("it is lost", BOUND, async || lock.lost().is_cancelled().then_some(())).await;
}
