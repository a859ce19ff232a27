//! Functions whose values are kept: what is looked up, what is called, and what is shared.
//!
//! The caches of a process are set once for all tests here; each has functions of its own, and with them its own keys.

mod failing;
mod in_time;

use std::convert::Infallible;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use support::{namespace, shared_redis};
use task_runtime::cache::{Caches, Ttl, cache, default_cache, set_caches};
use task_runtime::{Cache, CacheError, cached};
use tokio::sync::Semaphore;

use crate::fixture::BOUND;

/// Counts the calls of one function.
struct Calls(AtomicU32);

impl Calls {
    const fn none() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The number of this call, from 1.
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fault(String);

fn fault(text: &str) -> Fault {
    Fault(text.to_owned())
}

fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let server = Cache::builder().url(shared_redis().url()).prefix(namespace());
        let away = Cache::builder().url("redis://127.0.0.1:1/").deadline(Duration::from_millis(50));
        set_caches(
            Caches::new()
                .with("default", Cache::in_memory())
                .with("pages", Cache::in_memory())
                .with("server", server.build().unwrap())
                .with("away", away.build().unwrap()),
        );
    });
}

/// Asks again and again, for a while.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, wait).await.expect("it happens in time");
}

#[tokio::test]
async fn a_value_is_made_once_for_each_key() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60)]
    async fn double(number: u32) -> u32 {
        CALLS.next();
        number * 2
    }

    set_up();
    for _ in 0..3 {
        assert_eq!((double(1).await, double(2).await), (2, 4));
    }
    assert_eq!(CALLS.count(), 2);
}

#[tokio::test]
async fn only_what_is_named_is_part_of_the_key() {
    struct Database(AtomicU32);

    #[cached(ttl = 60, by = ["user", "language"])]
    async fn greeting(
        user: &str,
        database: &Database,
        language: &[&str],
        suffix: &mut String,
    ) -> Result<String, Fault> {
        database.0.fetch_add(1, Ordering::SeqCst);
        suffix.push('!');
        Ok(format!("{user} {language:?}"))
    }

    set_up();
    let (one, other, mut suffix) = (Database(AtomicU32::new(0)), Database(AtomicU32::new(0)), String::new());
    assert_eq!(greeting("Ada", &one, &["en", "de"], &mut suffix).await, Ok(r#"Ada ["en", "de"]"#.to_owned()));
    assert_eq!(greeting("Ada", &other, &["en", "de"], &mut suffix).await, Ok(r#"Ada ["en", "de"]"#.to_owned()));
    assert_eq!(greeting("Ada", &other, &["en,de"], &mut suffix).await, Ok(r#"Ada ["en,de"]"#.to_owned()));
    assert_eq!((one.0.into_inner(), other.0.into_inner(), suffix.as_str()), (1, 1, "!!"));
    let key = greeting::key("Ada", &["en"]).unwrap();
    assert!(key.ends_with(r#"only_what_is_named_is_part_of_the_key::greeting:["Ada",["en"]]"#), "{key}");
}

#[tokio::test]
async fn the_key_says_name_and_version() {
    #[cached(name = "keys.plain", version = 2)]
    async fn plain(id: u64, note: Option<&str>) -> u64 {
        let _ = note;
        id
    }

    #[cached(name = "keys.one", by = [])]
    async fn one(id: u64) -> u64 {
        id
    }

    set_up();
    assert_eq!(plain::key(7, Some("x")).unwrap(), r#"keys.plain@2:[7,"x"]"#);
    assert_eq!(plain::key(7, None).unwrap(), "keys.plain@2:[7,null]?n");
    assert_eq!(one::key().unwrap(), "keys.one:[]");
    assert_eq!((one(1).await, one(2).await), (1, 1));
    plain(7, None).await;
    let stored = default_cache().unwrap().get::<u64>(&plain::key(7, None).unwrap()).await.unwrap();
    assert_eq!(stored, Some(7));
    assert!(plain::key(7, Some(&"x".repeat(10_000))).unwrap().starts_with("keys.plain@2:#"));
}

#[tokio::test]
async fn a_value_is_invalidated_refreshed_and_passed_by() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60, by = "id")]
    async fn number(id: u64, calls: &Calls) -> Result<u32, Infallible> {
        let _ = id;
        Ok(calls.next())
    }

    set_up();
    assert!(!number::invalidate(1).await.unwrap());
    assert_eq!(number(1, &CALLS).await, Ok(1));
    assert_eq!(number(1, &CALLS).await, Ok(1));
    assert_eq!(number::uncached(1, &CALLS).await, Ok(2));
    assert_eq!(number(1, &CALLS).await, Ok(1));
    assert!(number::invalidate(1).await.unwrap());
    assert_eq!(number(1, &CALLS).await, Ok(3));
    assert_eq!(number::refresh(1, &CALLS).await, Ok(4));
    assert_eq!(number(1, &CALLS).await, Ok(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_callers_at_once_one_calls_the_function() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60)]
    async fn slow(id: u64) -> Result<u64, Fault> {
        CALLS.next();
        tokio::task::yield_now().await;
        Ok(id)
    }

    set_up();
    let callers: Vec<_> = (0..100).map(|_| tokio::spawn(slow(7))).collect();
    for caller in callers {
        assert_eq!(tokio::time::timeout(BOUND, caller).await.unwrap().unwrap(), Ok(7));
    }
    assert_eq!(CALLS.count(), 1);
}

#[tokio::test]
async fn tags_hold_the_arguments() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60, tags = ["users", "user:{id}", "{language}"], by = ["id", "language"])]
    async fn page(id: u64, language: &str) -> u32 {
        let _ = (id, language);
        CALLS.next()
    }

    set_up();
    let cache = default_cache().unwrap();
    assert_eq!((page(1, "en").await, page(2, "en").await, page(1, "en").await), (1, 2, 1));
    cache.invalidate_tags(["user:1"]).await.unwrap();
    assert_eq!((page(1, "en").await, page(2, "en").await), (3, 2));
    cache.invalidate_tags(["en"]).await.unwrap();
    assert_eq!((page(1, "en").await, page(2, "en").await), (4, 5));
    assert_eq!(page::refresh(1, "en").await, 6);
    cache.invalidate_tags(["users"]).await.unwrap();
    assert_eq!((page(1, "en").await, page(2, "en").await), (7, 8));
}

#[tokio::test]
async fn a_named_cache_is_used() {
    #[cached(name = "named", cache = "pages", ttl = "forever")]
    async fn page(id: u64) -> String {
        format!("page {id}")
    }

    set_up();
    page(1).await;
    let key = page::key(1).unwrap();
    assert!(!default_cache().unwrap().contains(&key).await.unwrap());
    let pages = cache("pages").unwrap();
    assert_eq!(pages.ttl(&key).await.unwrap(), Some(Ttl::Forever));
}

#[tokio::test]
async fn a_server_keeps_the_values() {
    static CALLS: Calls = Calls::none();

    #[cached(cache = "server", name = "on_server", ttl = 60, stale = 60, cache_errors = 60, tags = "{id}")]
    async fn number(id: u64) -> Result<u32, Fault> {
        let call = CALLS.next();
        if id == 0 { Err(fault("zero")) } else { Ok(call) }
    }

    set_up();
    assert_eq!((number(7).await, number(7).await), (Ok(1), Ok(1)));
    assert_eq!((number(0).await, number(0).await), (Err(fault("zero")), Err(fault("zero"))));
    assert_eq!(CALLS.count(), 2);
    let server = cache("server").unwrap();
    assert_eq!(server.get("on_server:[7]").await.unwrap(), Some(1));
    assert_eq!(number::refresh(7).await, Ok(3));
    server.invalidate_tags(["7"]).await.unwrap();
    assert_eq!((number(7).await, number(7).await), (Ok(4), Ok(4)));
    assert!(number::invalidate(0).await.unwrap() && number::invalidate(7).await.unwrap());
}

#[tokio::test]
async fn none_is_a_value() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60)]
    async fn find(id: u64) -> Option<String> {
        CALLS.next();
        (id == 1).then(|| "Ada".to_owned())
    }

    #[cached(ttl = 60)]
    async fn try_find(id: u64) -> Result<Option<String>, Fault> {
        CALLS.next();
        Ok((id == 1).then(|| "Bob".to_owned()))
    }

    set_up();
    for _ in 0..2 {
        assert_eq!((find(1).await, find(2).await), (Some("Ada".to_owned()), None));
        assert_eq!((try_find(1).await, try_find(2).await), (Ok(Some("Bob".to_owned())), Ok(None)));
    }
    assert_eq!(CALLS.count(), 4);
}

/// Functions of a module that nobody else sees.
mod private {
    use super::{Calls, Fault, cached};

    #[derive(serde::Serialize)]
    struct Id(u64);

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Page {
        title: String,
    }

    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60)]
    async fn page(id: &Id) -> Result<Page, Fault> {
        CALLS.next();
        Ok(Page { title: id.0.to_string() })
    }

    #[cached(ttl = 60)]
    pub(super) async fn shared(mut list: Vec<u8>) -> Vec<u8> {
        list.push(CALLS.next() as u8);
        list
    }

    #[tokio::test]
    async fn a_private_function_of_private_types_is_cached() {
        super::set_up();
        assert_eq!(page(&Id(7)).await, Ok(Page { title: "7".into() }));
        let calls = CALLS.count();
        assert_eq!(page(&Id(7)).await, Ok(Page { title: "7".into() }));
        assert_eq!(CALLS.count(), calls);
        assert!(page::invalidate(&Id(7)).await.unwrap());
        assert!(page::key(&Id(7)).unwrap().ends_with("::cached::private::page:[7]"));
    }
}

#[tokio::test]
async fn both_names_are_imported_at_once() {
    use private::shared;

    set_up();
    let list = shared(vec![1]).await;
    assert_eq!(shared(vec![1]).await, list);
    assert!(shared::invalidate(vec![1]).await.unwrap());
}
