//! Locks that several processes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::redis::FromRedisValue;
use support::{Fault, Line, On, Place, Proxy, Server, WallClock, Way, When, eventually, shared_redis, shared_valkey};
use task_runtime::cache::{Cache, CacheError, OnOutage};

use crate::fixture::{BOUND, Raw};

const DAY_MS: i64 = 86_400_000;
/// How late answers are that are lost.
const LATE: Duration = Duration::from_millis(300);
/// Time to live of a lock whose answer is lost.
const TTL: Duration = Duration::from_secs(60);

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
    let lock = cache.lock("it").ttl(Duration::from_millis(1_000)).acquire().await.unwrap().unwrap();
    let other = cache.lock("it").wait(Duration::from_millis(2_500)).acquire().await.unwrap();
    assert!(other.is_none(), "two have it");
    assert!(!lock.lost().is_cancelled());
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

pub(crate) async fn a_lock_whose_time_is_over_cannot_be_given_back(raw: &Raw) {
    let take = async |name| {
        let request = raw.cache().lock(name).ttl(Duration::from_millis(100)).without_renewal();
        request.acquire().await.unwrap().unwrap()
    };
    let lock = take("it").await;
    // The server may begin to count a little later than who asks; when the second is over, the first is in any case.
    for waited in [lock.lost().clone(), take("other").await.lost().clone()] {
        tokio::time::timeout(BOUND, waited.cancelled()).await.unwrap();
    }
    assert!(!lock.release().await.unwrap(), "it was free for a while");
}

/// A lock whose keys someone deleted is lost, and is known to be. Who takes it meanwhile keeps it.
#[tokio::test]
async fn a_lock_that_is_taken_away_is_known_to_be_lost() {
    let raw = Raw::at(Place::redis());
    let lock = Arc::new(raw.cache().lock("it").ttl(Duration::from_millis(300)).acquire().await.unwrap().unwrap());
    for (server, key) in raw.keys() {
        server.command(&["DEL", &key]);
    }
    let other = raw.cache().lock("it").acquire().await.unwrap().unwrap();
    eventually("it is lost", BOUND, async || lock.lost().is_cancelled().then_some(())).await;
    assert!(other.release().await.unwrap());
}

#[tokio::test]
async fn the_last_number_of_a_lock_is_remembered_for_a_day() {
    let raw = Raw::at(Place::redis());
    let key = format!("{}:!lock:it", raw.prefix);
    let number = |words: &[&str]| i64::from_redis_value(shared_redis().command(words)).expect("it is a number");
    let until = || number(&["HGET", &key, "until"]);
    let is_remembered = || {
        let left = number(&["PTTL", &key]);
        assert!(left > DAY_MS - 1_000, "{left}");
    };
    let lock = raw.cache().lock("it").ttl(Duration::from_millis(300)).acquire().await.unwrap().unwrap();
    is_remembered();
    let first = until();
    eventually("it is renewed for 2 s", BOUND, async || (until() > first + 2_000).then_some(())).await;
    is_remembered();
    assert!(lock.release().await.unwrap());
    is_remembered();
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "a wall clock is moved by a library that is preloaded")]
async fn a_fencing_number_grows_though_the_clock_goes_back_or_the_last_one_is_forgotten() {
    let clock = WallClock::new();
    let server = Server::redis().clock(&clock).start();
    let cache = Cache::connect(server.url()).unwrap();
    let take = async || {
        let lock = cache.lock("it").acquire().await.unwrap().unwrap();
        let number = lock.fencing();
        assert!(lock.release().await.unwrap());
        number
    };
    let first = take().await;
    clock.wrong_by(-3_600);
    let second = take().await;
    assert!(second > first, "{first} {second}");
    clock.wrong_by(0);
    server.command(&["FLUSHALL"]);
    let third = take().await;
    assert!(third > second, "{second} {third}");
}

/// The server takes the lock and the answer is lost: who asked has it, does not wait for that, and nobody else.
async fn a_lock_whose_answer_is_lost_is_had(raw: &Raw, server: &Server) {
    let number = |name: &str, field: &str| {
        let key = format!("{}:!lock:{name}", raw.prefix);
        u64::from_redis_value(server.command(&["HGET", &key, field])).expect("it is a number")
    };
    for (on_outage, fault) in [
        (OnOutage::Fail, Fault::Cut),
        (OnOutage::Miss, Fault::Cut),
        (OnOutage::Fail, Fault::Truncate(3)),
        (OnOutage::Miss, Fault::Truncate(0)),
    ] {
        let proxy = Proxy::to(server.port());
        let cache = raw.builder().url(proxy.url()).on_outage(on_outage).deadline(BOUND).build().unwrap();
        // It is connected, and the proxy knows the script.
        let other = cache.lock("other").acquire().await.unwrap().unwrap();
        assert!(other.release().await.unwrap());
        let asked = proxy.seen(On::Script("lock"));
        let lost = proxy.inject(On::Script("lock"), When::Nth(1), fault.clone());
        proxy.set(Way::Replies, Line::delay(LATE));
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let lock = cache.lock("it").ttl(TTL).without_renewal().acquire().await.unwrap().expect("it is free");
        proxy.heal();
        assert_eq!((lost.hits(), proxy.seen(On::Script("lock")) - asked), (1, 2), "{fault:?}");
        assert_eq!(number("it", "fence"), lock.fencing(), "{fault:?}");
        let until = u128::from(number("it", "until"));
        assert!(until >= (begun + LATE + TTL).as_millis(), "it has all of its time: {until} {begun:?}");
        assert!(raw.cache().lock("it").acquire().await.unwrap().is_none(), "two have it");
        assert!(!lock.lost().is_cancelled());
        let fencing = lock.fencing();
        assert!(lock.release().await.unwrap());
        let next = raw.cache().lock("it").acquire().await.unwrap().expect("nobody has it");
        assert!(next.fencing() > fencing);
        assert!(next.release().await.unwrap());
    }
}

#[tokio::test]
async fn a_lock_whose_answer_is_lost_on_redis_is_had() {
    a_lock_whose_answer_is_lost_is_had(&Raw::at(Place::redis()), shared_redis()).await;
}

#[tokio::test]
async fn a_lock_whose_answer_is_lost_on_valkey_is_had() {
    a_lock_whose_answer_is_lost_is_had(&Raw::at(Place::valkey()), shared_valkey()).await;
}

/// No answer ever comes: it is asked for a few times, and nothing is said that is not known.
#[tokio::test]
async fn a_lock_whose_answers_are_all_lost_may_be_held() {
    let raw = Raw::at(Place::redis());
    let proxy = Proxy::to(shared_redis().port());
    let cache = raw.builder().url(proxy.url()).build().unwrap();
    let lost = proxy.inject(On::Script("lock"), When::Always, Fault::Cut);
    let error = cache.lock("it").acquire().await.unwrap_err();
    assert!(matches!(error, CacheError::Unknown { .. }), "{error}");
    assert_eq!(lost.hits(), 3);
    assert!(raw.cache().lock("it").acquire().await.unwrap().is_none(), "it was taken");
}
