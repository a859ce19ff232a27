//! Values that are made when they are missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::eventually;
use task_runtime::cache::{Cache, RememberError};
use tokio::sync::{Notify, Semaphore};

use crate::fixture::{BOUND, Raw};

/// One who makes values, and counts how often.
#[derive(Clone, Default)]
struct Maker(Arc<AtomicUsize>);

impl Maker {
    async fn make(self) -> Result<usize, String> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn made(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) async fn a_value_is_made_once_and_then_read(raw: &Raw) {
    let (cache, maker) = (raw.cache(), Maker::default());
    for _ in 0..3 {
        assert_eq!(cache.remember("a", || maker.clone().make()).await.unwrap(), 1);
    }
    assert_eq!(cache.remember("a", || maker.clone().make()).anew().await.unwrap(), 2);
    assert_eq!(cache.get::<usize>("a").await.unwrap(), Some(2));
    raw.every_key_has_its_end();
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.hits, stats.misses), (2, 3, 1));
}

pub(crate) async fn a_thousand_callers_of_a_cold_key_have_it_made_once(raw: &Raw) {
    let (cache, maker, gate) = (raw.cache(), Maker::default(), Arc::new(Semaphore::new(0)));
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let (cache, maker, gate) = (cache.clone(), maker.clone(), Arc::clone(&gate));
            tokio::spawn(async move {
                let fill = async || {
                    let _permit = gate.acquire().await.expect("it is never closed");
                    maker.make().await
                };
                cache.remember("cold", fill).await
            })
        })
        .collect();
    // All have asked by then, and found nothing.
    eventually("all have asked", BOUND, async || (cache.stats().misses == 1_000).then_some(())).await;
    gate.add_permits(1_000);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 1);
    }
    assert_eq!((maker.made(), cache.stats().fills, cache.stats().stampedes_prevented), (1, 1, 999));
}

pub(crate) async fn a_value_is_made_once_by_all_processes(raw: &Raw) {
    if raw.is_memory() {
        return;
    }
    // To the server, each cache is a process of its own.
    let caches: Vec<Cache> = (0..8).map(|_| raw.builder().build().unwrap()).collect();
    let maker = Maker::default();
    let slow = || {
        let (caches, maker) = (caches.clone(), maker.clone());
        async move {
            let all_have_asked = async {
                while caches.iter().map(|cache| cache.stats().misses).sum::<u64>() < 160 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(BOUND, all_have_asked).await.expect("all ask in time");
            maker.make().await
        }
    };
    let calls = caches.iter().flat_map(|cache| (0..20).map(|_| cache.remember("cold", slow).into_future()));
    for value in futures_util::future::join_all(calls.collect::<Vec<_>>()).await {
        assert_eq!(value.unwrap(), 1);
    }
    assert_eq!(maker.made(), 1);
    raw.every_key_has_its_end();
}

pub(crate) async fn an_error_is_told_to_all_who_wait_and_nothing_is_stored(raw: &Raw) {
    let (cache, begun, go_on) = (raw.cache(), Notify::new(), Notify::new());
    let fails = async || {
        begun.notify_one();
        go_on.notified().await;
        Err::<u32, _>("no luck".to_owned())
    };
    let other = async || Err::<u32, _>("never called".to_owned());
    let wait = async {
        begun.notified().await;
        let calls = (0..10).map(|_| cache.remember("a", other).into_future()).collect::<Vec<_>>();
        let release = async {
            eventually("all have asked", BOUND, async || (cache.stats().misses == 11).then_some(())).await;
            go_on.notify_one();
        };
        futures_util::future::join(futures_util::future::join_all(calls), release).await.0
    };
    let (first, others) = futures_util::future::join(cache.remember("a", fails).into_future(), wait).await;
    for result in [first].into_iter().chain(others) {
        let Err(RememberError::Fill(error)) = result else { panic!("{result:?}") };
        assert_eq!(*error, "no luck");
    }
    assert!(!cache.contains("a").await.unwrap());
    assert_eq!(cache.remember("a", async || Ok::<_, String>(7)).await.unwrap(), 7);
}

pub(crate) async fn when_the_caller_who_makes_it_is_gone_another_one_does(raw: &Raw) {
    let (cache, begun) = (raw.cache(), Arc::new(Notify::new()));
    let first = tokio::spawn({
        let (cache, begun) = (cache.clone(), Arc::clone(&begun));
        async move {
            let never = async || {
                begun.notify_one();
                std::future::pending::<Result<u32, String>>().await
            };
            cache.remember("a", never).await
        }
    });
    begun.notified().await;
    let second = tokio::spawn({
        let cache = cache.clone();
        async move { cache.remember("a", async || Ok::<_, String>(7)).await }
    });
    eventually("it has asked", BOUND, async || (cache.stats().misses == 2).then_some(())).await;
    first.abort();
    assert_eq!(tokio::time::timeout(BOUND, second).await.unwrap().unwrap().unwrap(), 7);
}

pub(crate) async fn a_stale_value_is_served_while_it_is_made_anew(raw: &Raw) {
    let (cache, maker) = (raw.cache(), Maker::default());
    let ask = async || {
        let maker = maker.clone();
        let remember = cache.remember("a", move || maker.make());
        remember.ttl(Duration::from_millis(30)).stale(Duration::from_secs(60)).await.unwrap()
    };
    assert_eq!(ask().await, 1);
    // As soon as its time is over, plain reads find nothing.
    eventually("it is stale", BOUND, async || cache.get::<usize>("a").await.unwrap().is_none().then_some(())).await;
    assert_eq!(ask().await, 1, "nobody waits");
    eventually("it is made anew", BOUND, async || (maker.made() >= 2).then_some(())).await;
    eventually("it is stored", BOUND, async || (ask().await >= 2).then_some(())).await;
    assert!(cache.stats().stale >= 1);
    raw.every_key_has_its_end();
}

pub(crate) async fn a_value_that_is_slow_to_make_is_made_anew_before_its_time_is_over(raw: &Raw) {
    let (cache, maker) = (raw.cache(), Maker::default());
    let ask = async || {
        let maker = maker.clone();
        let slow = async move || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(5) {
                tokio::task::yield_now().await;
            }
            maker.make().await
        };
        cache.remember("a", slow).ttl(Duration::from_secs(60)).early(1e9).await.unwrap()
    };
    assert_eq!(ask().await, 1);
    assert_eq!(ask().await, 1, "nobody waits");
    eventually("it is made anew", BOUND, async || (ask().await >= 2).then_some(())).await;
    assert!(cache.stats().early >= 1 && cache.stats().stale == 0);
}

pub(crate) async fn a_key_that_is_deleted_while_its_value_is_made_stays_without_one(raw: &Raw) {
    let cache = raw.cache();
    let fill = async || {
        assert!(!cache.delete("a").await.unwrap(), "there is none yet");
        Ok::<_, String>("made of what was there before")
    };
    let value = cache.remember("a", async || fill().await.map(str::to_owned)).await.unwrap();
    assert_eq!(value, "made of what was there before");
    assert!(!cache.contains("a").await.unwrap());
}

pub(crate) async fn a_tag_that_is_invalidated_while_a_value_is_made_invalidates_it(raw: &Raw) {
    let cache = raw.cache();
    let fill = async || {
        cache.invalidate_tags(["users"]).await.unwrap();
        Ok::<_, String>(1)
    };
    assert_eq!(cache.remember("a", fill).tags(["users"]).await.unwrap(), 1);
    assert!(!cache.contains("a").await.unwrap());
    assert_eq!(cache.remember("a", async || Ok::<_, String>(2)).tags(["users"]).await.unwrap(), 2);
    assert_eq!(cache.get::<u32>("a").await.unwrap(), Some(2));
}

pub(crate) async fn a_value_of_another_type_is_made_anew(raw: &Raw) {
    let cache = raw.cache();
    cache.set("a", "text").await.unwrap();
    assert_eq!(cache.remember("a", async || Ok::<_, String>(7)).await.unwrap(), 7);
    assert_eq!(cache.stats().unreadable, 1);
    assert_eq!(cache.get::<u32>("a").await.unwrap(), Some(7));
}

pub(crate) async fn calls_of_one_key_with_other_types_both_get_theirs(raw: &Raw) {
    let cache = raw.cache();
    let (begun, go_on) = (Notify::new(), Notify::new());
    let number = async || {
        begun.notify_one();
        go_on.notified().await;
        Ok::<_, String>(7)
    };
    let text = async {
        begun.notified().await;
        let call = cache.remember("a", async || Ok::<_, u32>("text".to_owned())).into_future();
        let release = async {
            eventually("it has asked", BOUND, async || (cache.stats().misses == 2).then_some(())).await;
            go_on.notify_one();
        };
        futures_util::future::join(call, release).await.0
    };
    let (number, text) = futures_util::future::join(cache.remember("a", number).into_future(), text).await;
    assert_eq!((number.unwrap(), text.unwrap()), (7, "text".to_owned()));
}
