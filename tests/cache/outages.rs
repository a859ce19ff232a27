//! A server that is killed, hangs, refuses or was never there: what calls give meanwhile, and that they come back.

use std::time::{Duration, Instant, SystemTime};

use support::{Fault, On, Proxy, Server, When, eventually};
use task_runtime::cache::{Cache, CacheBuilder, CacheError, KeyPage, OnOutage, Reply};

use crate::fixture::BOUND;

/// How soon values are there again after the server is.
pub(crate) const BACK: Duration = Duration::from_secs(5);
/// How much longer a page may take in an outage than without any cache.
const NOTICED: Duration = Duration::from_millis(50);
const CALLS_OF_A_PAGE: usize = 20;
/// The deadline of calls that fail.
const DEADLINE: Duration = Duration::from_millis(300);
/// How much later than its deadline a call may be known, on a machine that has much to do.
const LATE: Duration = Duration::from_millis(500);

/// It has what it acknowledged after a crash, too.
pub(crate) fn server() -> Server {
    Server::redis().config("appendonly yes").config("appendfsync always").start()
}

fn miss(url: &str) -> CacheBuilder {
    Cache::builder().url(url).on_outage(OnOutage::Miss)
}

fn fail(url: &str) -> Cache {
    Cache::builder().url(url).deadline(DEADLINE).build().expect("the settings of a test are allowed")
}

/// Stores the value that [`is_back`] finds.
pub(crate) async fn store(cache: &Cache) {
    // A machine that has much to do may need longer than the deadline.
    eventually("a value is stored", BOUND, async || {
        cache.set("kept", "value").await.expect("an outage is no error").then_some(())
    })
    .await;
}

pub(crate) async fn is_back(cache: &Cache) {
    let begun = Instant::now();
    eventually("the value is there again", BACK, async || cache.get::<String>("kept").await.ok().flatten()).await;
    println!("it was back after {:?}", begun.elapsed());
}

/// A value that is made, because there is none.
async fn remembered(cache: &Cache) -> String {
    let made = async || Ok::<_, std::io::Error>("made".to_owned());
    let begun = Instant::now();
    let plain = cache.remember("made", made).await.expect("an outage is no error");
    let tagged = cache.remember("made", made).tags(["tag"]).anew().await.expect("an outage is no error");
    let made = || async { Ok::<_, std::io::Error>("made".to_owned()) };
    let stale = cache.remember("made", made).stale(BACK).early(1.0).await.expect("an outage is no error");
    assert_eq!(plain, tagged);
    assert_eq!(plain, stale);
    assert!(begun.elapsed() < LATE, "nobody is waited for: {:?}", begun.elapsed());
    plain
}

/// Each method gives what it gives where nothing is stored, and no error.
async fn every_call_is_a_miss(cache: &Cache) {
    let (values, tags) = ([("kept", 1), ("other", 2)], ["tag"]);
    // The first is the one that waits. What it asks may still happen, and a read changes nothing.
    assert_eq!(cache.get::<String>("kept").await.unwrap(), None);
    assert!(!cache.set("kept", &1).await.unwrap());
    assert!(!cache.set("kept", &1).tags(tags).await.unwrap());
    assert!(!cache.set("kept", &1).if_present().await.unwrap());
    assert!(!cache.set_bytes("kept", b"1").await.unwrap());
    assert!(!cache.set_bytes("kept", b"1").tags(tags).await.unwrap());
    assert!(!cache.add("other", &1).await.unwrap());
    cache.set_many(&values).await.unwrap();
    cache.set_many(&values).tags(tags).await.unwrap();
    assert_eq!(cache.get::<String>("kept").await.unwrap(), None);
    assert_eq!(cache.get_many::<String>(["kept", "other"]).await.unwrap(), [None, None]);
    assert_eq!(cache.get_bytes("kept").await.unwrap(), None);
    assert!(!cache.contains("kept").await.unwrap());
    assert_eq!(cache.get_or_set("kept", 7).await.unwrap(), 7);
    assert!(!cache.delete("kept").await.unwrap());
    assert_eq!(cache.delete_many(["kept", "other"]).await.unwrap(), 0);
    assert_eq!(cache.take::<String>("kept").await.unwrap(), None);
    assert_eq!(cache.incr("count", 1).await.unwrap(), None);
    assert_eq!(cache.decr("count", 1).await.unwrap(), None);
    assert_eq!(cache.ttl("kept").await.unwrap(), None);
    assert!(!cache.touch("kept").await.unwrap());
    assert!(!cache.expire("kept", Duration::from_secs(60)).await.unwrap());
    assert!(!cache.expire_at("kept", SystemTime::now() + Duration::from_secs(60)).await.unwrap());
    assert!(!cache.persist("kept").await.unwrap());
    assert_eq!(cache.incr_version("kept").await.unwrap(), None);
    assert!(!cache.invalidate_tags(tags).await.unwrap());
    assert_eq!(remembered(cache).await, "made");
    assert!(cache.lock("lock").wait(Duration::from_secs(60)).acquire().await.unwrap().is_none());
    assert_eq!(cache.keys_like("*").next().await.unwrap(), Some(Vec::new()));
    assert_eq!(cache.key_page("*", None, 100).await.unwrap(), KeyPage::default());
    assert_eq!((cache.delete_pattern("*").await.unwrap(), cache.clear().await.unwrap()), (0, 0));
    assert_eq!(cache.command("STRLEN", "kept").send().await.unwrap(), Reply::Nil);
    assert_eq!(cache.with_version(2).unwrap().get::<String>("kept").await.unwrap(), None);
    let stats = cache.stats();
    assert!(stats.outages > 20 && stats.hits == 0, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_is_a_miss_until_it_is_back() {
    let mut server = server();
    store(&miss(&server.url()).build().unwrap()).await;
    let cache = miss(&server.url()).build().unwrap();
    server.kill9();
    every_call_is_a_miss(&cache).await;
    assert!(cache.stats().away);
    server.restart();
    is_back(&cache).await;
    assert!(!cache.stats().away);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_a_miss_until_it_goes_on() {
    let mut server = server();
    let caches = [miss(&server.url()).build().unwrap(), miss(&server.url()).build().unwrap()];
    store(&caches[0]).await;
    server.freeze();
    // One that is connected, and one that is not.
    for cache in &caches {
        every_call_is_a_miss(cache).await;
        assert!(cache.stats().away);
    }
    server.thaw();
    for cache in &caches {
        is_back(cache).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_the_login_is_a_miss_until_it_does_not() {
    let server = server();
    store(&miss(&server.url()).build().unwrap()).await;
    server.command(&["CONFIG", "SET", "requirepass", "right"]);
    let place = format!("127.0.0.1:{}", server.port());
    let caches = [format!("redis://:wrong@{place}"), format!("redis://{place}")].map(|url| miss(&url).build().unwrap());
    for cache in &caches {
        every_call_is_a_miss(cache).await;
    }
    server.command(&["CONFIG", "SET", "requirepass", "wrong"]);
    is_back(&caches[0]).await;
    server.command(&["CONFIG", "SET", "requirepass", ""]);
    is_back(&caches[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_never_there_is_a_miss_until_it_is() {
    let mut server = server();
    store(&miss(&server.url()).build().unwrap()).await;
    server.kill9();
    let cache = miss(&server.url()).build().unwrap();
    every_call_is_a_miss(&cache).await;
    server.restart();
    is_back(&cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_over_which_nothing_comes_is_made_anew() {
    let server = server();
    let proxy = Proxy::to(server.port());
    for (cache, fails) in [(miss(&proxy.url()).build().unwrap(), false), (fail(&proxy.url()), true)] {
        eventually("a value is stored", BOUND, async || cache.set("kept", "value").await.ok()?.then_some(())).await;
        is_back(&cache).await;
        let open = proxy.accepted();
        proxy.set(support::Way::Replies, support::Line::Vanish);
        let lost = cache.get::<String>("kept").await;
        assert!(if fails { matches!(lost, Err(CacheError::Unknown { .. })) } else { matches!(lost, Ok(None)) });
        proxy.heal();
        // The old connection stays mute.
        is_back(&cache).await;
        assert!(proxy.accepted() > open);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_back_as_soon_after_a_long_outage() {
    let (mut hangs, mut dead) = (server(), server());
    let caches = [&hangs, &dead].map(|server| miss(&server.url()).build().unwrap());
    for cache in &caches {
        store(cache).await;
    }
    hangs.freeze();
    dead.kill9();
    // So long that the pauses between two looks are the longest.
    let end = Instant::now() + Duration::from_secs(8);
    eventually("it is over", BOUND, async || {
        for cache in &caches {
            assert_eq!(cache.get::<String>("kept").await.unwrap(), None);
        }
        (Instant::now() > end).then_some(())
    })
    .await;
    hangs.thaw();
    is_back(&caches[0]).await;
    dead.restart();
    is_back(&caches[1]).await;
}

/// How long a page takes that asks the cache before it makes each of its parts.
async fn page(cache: Option<&Cache>) -> Duration {
    let begun = Instant::now();
    for number in 0..CALLS_OF_A_PAGE {
        let found = match cache {
            Some(cache) => cache.get::<u64>(&format!("part:{number}")).await.expect("an outage is no error"),
            None => None,
        };
        let part = found.unwrap_or_else(|| (0..20_000_u64).fold(number as u64, |sum, next| sum.rotate_left(1) ^ next));
        if let Some(cache) = cache {
            cache.set(&format!("part:{number}"), &part).await.expect("an outage is no error");
        }
    }
    begun.elapsed()
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_does_not_notice_an_outage() {
    let mut server = server();
    let mut without = Vec::new();
    let (mut hangs, mut killed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        without.push(page(None).await);
        // Each time the first page of an outage, which waits, of a cache that is connected.
        let cache = miss(&server.url()).build().unwrap();
        store(&cache).await;
        server.freeze();
        hangs.push(page(Some(&cache)).await);
        server.thaw();
        let cache = miss(&server.url()).build().unwrap();
        store(&cache).await;
        server.kill9();
        killed.push(page(Some(&cache)).await);
        gone.push(page(Some(&miss(&server.url()).build().unwrap())).await);
        server.restart();
    }
    let without = middle(without);
    for (outage, times) in [("hangs", hangs), ("was killed", killed), ("was never there", gone)] {
        let time = middle(times);
        println!("a server that {outage}: {time:?}, without a cache: {without:?}");
        assert!(time < without + NOTICED, "a server that {outage}: {time:?}, without a cache: {without:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_outage_is_an_error_it_comes_in_time_and_says_why() {
    let mut server = server();
    let cache = fail(&server.url());
    cache.set("kept", "value").await.unwrap();
    let told = async |cache: &Cache, reason: &str| {
        let begun = Instant::now();
        let errors = [
            cache.get::<String>("kept").await.unwrap_err(),
            cache.set("other", &1).tags(["tag"]).await.unwrap_err(),
            cache.incr("count", 1).await.unwrap_err(),
        ];
        assert!(begun.elapsed() < 3 * (DEADLINE + LATE), "{:?}", begun.elapsed());
        for error in errors {
            assert!(error.is_outage(), "{error:?}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    };
    server.freeze();
    told(&cache, "no answer within 300ms").await;
    told(&fail(&server.url()), "no answer within 300ms").await;
    server.thaw();
    is_back(&cache).await;
    server.kill9();
    // What was under way when the connection ended is not known, and the next call finds nobody.
    let _ = cache.get::<String>("kept").await;
    told(&cache, "refused").await;
    told(&fail(&server.url()), "refused").await;
    server.restart();
    is_back(&cache).await;
    server.command(&["CONFIG", "SET", "requirepass", "right"]);
    let place = format!("127.0.0.1:{}", server.port());
    told(&fail(&format!("redis://:wrong@{place}")), "assword").await;
    told(&fail(&format!("redis://{place}")), "NOAUTH").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_for_which_a_server_is_not_ready_is_made_again() {
    let server = server();
    let proxy = Proxy::to(server.port());
    let cache = Cache::connect(proxy.url()).unwrap();
    cache.set("kept", "value").await.unwrap();
    let busy = proxy.inject(On::Command("GET"), When::First(2), Fault::Answer("-LOADING it reads its file".into()));
    assert_eq!(cache.get::<String>("kept").await.unwrap().as_deref(), Some("value"));
    assert_eq!(busy.hits(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_what_is_new_and_gives_what_is_there() {
    let server = Server::redis().config("maxmemory-policy noeviction").start();
    let cache = fail(&server.url());
    cache.set("kept", "value").tags(["tag"]).await.unwrap();
    cache.set("count", &1).await.unwrap();
    cache.set("taken", &1).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = |error: CacheError| assert!(matches!(error, CacheError::Full), "{error:?}");
    full(cache.set("new", &1).await.unwrap_err());
    full(cache.set("new", &1).tags(["new"]).await.unwrap_err());
    full(cache.add("new", &1).await.unwrap_err());
    full(cache.set_many(&[("new", 1), ("other", 2)]).await.unwrap_err());
    full(cache.incr("count", 1).await.unwrap_err());
    full(cache.get_or_set("new", 1).await.unwrap_err());
    let missing = miss(&server.url()).deadline(Duration::from_secs(2)).build().unwrap();
    assert!(!missing.set("new", &1).await.unwrap() && !missing.add("new", &1).await.unwrap());
    assert!(!missing.set("new", &1).tags(["new"]).await.unwrap());
    missing.set_many(&[("new", 1), ("other", 2)]).await.unwrap();
    assert_eq!(missing.incr("count", 1).await.unwrap(), None);
    assert_eq!(missing.get_or_set("new", 1).await.unwrap(), 1);
    full(cache.incr_version("kept").await.unwrap_err());
    assert_eq!(missing.incr_version("kept").await.unwrap(), None);
    for cache in [&cache, &missing] {
        assert_eq!(cache.get("kept").await.unwrap(), Some("value".to_owned()));
        assert_eq!(cache.get_many("count kept".split(' ').take(1)).await.unwrap(), [Some(1)]);
        assert!(cache.expire("count", Duration::from_secs(60)).await.unwrap());
        assert!(!cache.stats().away);
    }
    assert_eq!(missing.take::<u32>("taken").await.unwrap(), Some(1));
    assert!(missing.invalidate_tags(["tag"]).await.unwrap() && missing.delete("count").await.unwrap());
    assert_eq!(cache.get::<String>("kept").await.unwrap(), None);
}
