//! Values that are deleted, invalidated or made by another one while one is being made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join;
use support::redis::FromRedisValue;
use support::{Fault, On, Place, Proxy, When, eventually, shared_redis};
use task_runtime::cache::{Cache, RememberError};
use tokio::sync::Notify;

use crate::fixture::{BOUND, Raw};

/// So late is what a test holds back on its way.
const LATE: Duration = Duration::from_millis(500);
/// Less than the 5 s after which the right to make a value ends by itself.
const SOON: Duration = Duration::from_secs(4);
const HOUR: Duration = Duration::from_secs(3_600);

/// A value that begins to be made, and waits.
#[derive(Default)]
struct Gate {
    begun: Notify,
    go_on: Notify,
}

impl Gate {
    async fn pass(&self) {
        self.begun.notify_one();
        self.go_on.notified().await;
    }
}

async fn made<T>(value: T) -> Result<T, String> {
    Ok(value)
}

pub(crate) async fn who_comes_after_a_deletion_does_not_get_what_was_begun_before(raw: &Raw) {
    let (cache, gate) = (raw.cache(), Gate::default());
    let old = async || {
        gate.pass().await;
        made("old".to_owned()).await
    };
    let new = async {
        gate.begun.notified().await;
        assert!(!cache.delete("a").await.unwrap(), "there is none yet");
        let new = cache.remember("a", || made("new".to_owned())).into_future();
        let new = tokio::time::timeout(BOUND, new).await.expect("it does not wait for the old one").unwrap();
        gate.go_on.notify_one();
        new
    };
    let (old, new) = join(cache.remember("a", old).into_future(), new).await;
    assert_eq!((old.unwrap().as_str(), new.as_str()), ("old", "new"));
    assert_eq!(cache.get::<String>("a").await.unwrap().as_deref(), Some("new"), "and the old one is not stored");
}

pub(crate) async fn who_comes_after_a_deletion_waits_for_who_makes_it_since_then(raw: &Raw) {
    let (cache, first, second) = (raw.cache(), Gate::default(), Gate::default());
    let call = async |gate: &Gate, outcome: Result<u32, &str>| {
        let fill = async || {
            gate.pass().await;
            outcome.map_err(str::to_owned)
        };
        cache.remember("a", fill).await
    };
    let since_then = async {
        first.begun.notified().await;
        assert!(!cache.delete("a").await.unwrap(), "there is none yet");
        let third = async {
            second.begun.notified().await;
            first.go_on.notify_one();
            eventually("the first has ended", BOUND, async || (cache.stats().fills == 1).then_some(())).await;
            let third = cache.remember("a", || made(3)).into_future();
            let release = async {
                eventually("it has asked", BOUND, async || (cache.stats().misses == 3).then_some(())).await;
                second.go_on.notify_one();
            };
            join(third, release).await.0
        };
        join(call(&second, Err("no luck")), third).await
    };
    let (first, (second, third)) = join(call(&first, Ok(1)), since_then).await;
    assert_eq!(first.unwrap(), 1);
    for waited in [second, third] {
        assert!(matches!(&waited, Err(RememberError::Fill(error)) if **error == "no luck"), "{waited:?}");
    }
    assert!(!cache.contains("a").await.unwrap());
}

pub(crate) async fn who_wants_it_anew_does_not_get_what_was_begun_before(raw: &Raw) {
    let (cache, gate) = (raw.cache(), Gate::default());
    let old = async || {
        gate.pass().await;
        made(1).await
    };
    let anew = async {
        gate.begun.notified().await;
        // It asks before the old one ends.
        join(cache.remember("a", || made(2)).anew().into_future(), async { gate.go_on.notify_one() }).await.0
    };
    let (old, anew) = join(cache.remember("a", old).into_future(), anew).await;
    assert_eq!((old.unwrap(), anew.unwrap()), (1, 2));
    assert_eq!(cache.get::<u32>("a").await.unwrap(), Some(2));
}

pub(crate) async fn a_stale_value_whose_tag_was_invalidated_is_not_served(raw: &Raw) {
    let cache = raw.cache();
    let ask = async |value: u32| cache.remember("a", move || made(value)).stale(HOUR).tags(["users"]).await.unwrap();
    assert_eq!((ask(1).await, ask(2).await), (1, 1));
    assert!(cache.invalidate_tags(["users"]).await.unwrap());
    assert_eq!(ask(3).await, 3);
}

/// Two caches with the same keys: to the server, each is a process of its own.
fn two(raw: &Raw) -> [Cache; 2] {
    [raw.builder().build().unwrap(), raw.builder().build().unwrap()]
}

#[tokio::test]
async fn another_process_need_not_wait_for_one_that_failed_or_gave_up() {
    let raw = Raw::at(Place::redis());
    let [one, other] = two(&raw);
    let failed = one.remember("failed", async || Err::<u32, _>("no luck".to_owned())).await;
    assert!(matches!(failed, Err(RememberError::Fill(_))), "{failed:?}");
    let gate = Arc::new(Gate::default());
    let given_up = tokio::spawn({
        let (one, gate) = (one.clone(), Arc::clone(&gate));
        async move {
            let fill = async || {
                gate.pass().await;
                made(1).await
            };
            one.remember("given-up", fill).await
        }
    });
    gate.begun.notified().await;
    given_up.abort();
    for key in ["failed", "given-up"] {
        let begun = Instant::now();
        assert_eq!(other.remember(key, || made(2)).await.unwrap(), 2);
        assert!(begun.elapsed() < SOON, "{key}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn the_right_to_make_a_value_is_moved_on_while_it_is_made() {
    let raw = Raw::at(Place::redis());
    let (cache, gate, key) = (raw.cache(), Gate::default(), format!("{}:!fill:1:a", raw.prefix));
    let until =
        || i64::from_redis_value(shared_redis().command(&["HGET", &key, "until"])).expect("the right has its end");
    let slow = async || {
        gate.pass().await;
        made(1).await
    };
    let watch = async {
        gate.begun.notified().await;
        let first = until();
        eventually("it is moved on", BOUND, async || (until() > first).then_some(())).await;
        gate.go_on.notify_one();
    };
    assert_eq!(join(cache.remember("a", slow).into_future(), watch).await.0.unwrap(), 1);
}

/// Stores a value, and waits until it is stale.
async fn is_stale(cache: &Cache) {
    let ttl = Duration::from_millis(1);
    assert_eq!(cache.remember("a", || made(1)).ttl(ttl).stale(HOUR).await.unwrap(), 1);
    eventually("it is stale", BOUND, async || cache.get::<u32>("a").await.unwrap().is_none().then_some(())).await;
}

#[tokio::test]
async fn a_stale_value_is_made_anew_by_one_process() {
    let raw = Raw::at(Place::redis());
    let [one, other] = two(&raw);
    is_stale(&one).await;
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let slow = async move || {
        passed.pass().await;
        made(2).await
    };
    assert_eq!(one.remember("a", slow).ttl(HOUR).stale(HOUR).await.unwrap(), 1);
    gate.begun.notified().await;
    let again = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let again = Arc::clone(&again);
        let fill = async move || {
            again.fetch_add(1, Ordering::SeqCst);
            made(3).await
        };
        assert_eq!(other.remember("a", fill).ttl(HOUR).stale(HOUR).await.unwrap(), 1);
    }
    assert_eq!((again.load(Ordering::SeqCst), other.stats().stale), (0, 100));
    gate.go_on.notify_one();
    eventually("it is made anew", BOUND, async || (other.get::<u32>("a").await.unwrap() == Some(2)).then_some(()))
        .await;
}

#[tokio::test]
async fn a_stale_value_that_another_process_made_anew_is_not_made_once_more() {
    let raw = Raw::at(Place::redis());
    let proxy = Proxy::to(shared_redis().port());
    let late = raw.builder().url(proxy.url()).build().unwrap();
    is_stale(raw.cache()).await;
    let count = Arc::new(AtomicUsize::new(0));
    let ask = async |cache: &Cache| {
        let count = Arc::clone(&count);
        let fill = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            made(2).await
        };
        cache.remember("a", fill).ttl(HOUR).stale(HOUR).await.unwrap()
    };
    let held_back = proxy.inject(On::Script("lock"), When::Nth(1), Fault::Late(LATE));
    assert_eq!(ask(&late).await, 1);
    eventually("it asks for the right", BOUND, async || (held_back.hits() == 1).then_some(())).await;
    eventually("it is made anew", BOUND, async || (ask(raw.cache()).await == 2).then_some(())).await;
    let given_back = async || (proxy.seen(On::Script("unlock")) > 0).then_some(());
    eventually("the right came late, and is given back", BOUND, given_back).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_key_that_is_deleted_while_its_value_is_on_its_way_stays_without_one() {
    let raw = Raw::at(Place::redis());
    let proxy = Proxy::to(shared_redis().port());
    let late = raw.builder().url(proxy.url()).build().unwrap();
    let held_back = proxy.inject(On::Command("SET"), When::Nth(1), Fault::Late(LATE));
    let delete = async {
        eventually("the value is on its way", BOUND, async || (held_back.hits() == 1).then_some(())).await;
        raw.cache().delete("a").await.unwrap();
    };
    let (value, ()) = join(late.remember("a", || made(1)).into_future(), delete).await;
    assert_eq!(value.unwrap(), 1);
    assert_eq!(raw.cache().get::<u32>("a").await.unwrap(), None);
}
