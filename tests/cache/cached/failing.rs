//! What becomes of a call when the function, its cache or its value fails.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_for_a_call_that_fails_calls_the_function_too() {
    /// It cannot be cloned, and is no error that others know.
    #[derive(Debug, PartialEq)]
    struct Own(u32);

    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60)]
    async fn fails() -> Result<(), Own> {
        let call = CALLS.next();
        tokio::task::yield_now().await;
        Err(Own(call))
    }

    set_up();
    let callers: Vec<_> = (0..20).map(|_| tokio::spawn(fails())).collect();
    let mut errors = Vec::new();
    for caller in callers {
        errors.push(tokio::time::timeout(BOUND, caller).await.unwrap().unwrap().unwrap_err().0);
    }
    errors.sort_unstable();
    assert_eq!(errors, (1..=20).collect::<Vec<_>>());
    assert_eq!(fails().await, Err(Own(21)), "no error is kept");
}

#[tokio::test]
async fn an_error_is_kept_when_that_is_asked_for() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60, cache_errors = "1h", by = "id", tags = "errors")]
    async fn flaky(id: u32, works: bool) -> Result<u32, Fault> {
        let call = CALLS.next();
        if works { Ok(call) } else { Err(fault(&format!("{id} failed in call {call}"))) }
    }

    set_up();
    for _ in 0..3 {
        assert_eq!(flaky(7, false).await, Err(fault("7 failed in call 1")));
    }
    assert_eq!(flaky(7, true).await, Err(fault("7 failed in call 1")));
    assert!(flaky::invalidate(7).await.unwrap());
    assert_eq!(flaky(7, false).await, Err(fault("7 failed in call 2")));
    assert_eq!(flaky::refresh(7, true).await, Ok(3));
    assert_eq!(flaky(7, false).await, Ok(3));
    assert!(flaky::invalidate(7).await.unwrap());
    assert_eq!(flaky(7, false).await, Err(fault("7 failed in call 4")));
    default_cache().unwrap().invalidate_tags(["errors"]).await.unwrap();
    assert_eq!(flaky(7, true).await, Ok(5));
}

#[tokio::test]
async fn a_kept_error_has_its_own_end() {
    static CALLS: Calls = Calls::none();

    #[cached(ttl = "1h", cache_errors = "1ms")]
    async fn flaky() -> Result<u32, Fault> {
        match CALLS.next() {
            call @ 1..=3 => Err(fault(&call.to_string())),
            call => Ok(call),
        }
    }

    set_up();
    until(async || flaky().await.is_ok()).await;
    assert_eq!(flaky().await, Ok(4));
}

#[tokio::test]
async fn without_its_cache_a_function_is_called() {
    static CALLS: Calls = Calls::none();

    #[cached(cache = "nowhere", ttl = 60)]
    async fn number(id: u64) -> Result<u32, Fault> {
        let _ = id;
        Ok(CALLS.next())
    }

    set_up();
    assert_eq!((number(1).await, number(1).await, number::refresh(1).await), (Ok(1), Ok(2), Ok(3)));
    assert!(matches!(number::invalidate(1).await, Err(CacheError::NoCache { .. })));
}

#[tokio::test]
async fn a_cache_that_is_away_is_no_reason_to_fail() {
    static CALLS: Calls = Calls::none();

    #[cached(cache = "away", ttl = 60, cache_errors = 60, tags = "numbers")]
    async fn number(id: u64) -> Result<u32, Fault> {
        let _ = id;
        match CALLS.next() {
            2 => Err(fault("the second")),
            call => Ok(call),
        }
    }

    set_up();
    assert_eq!((number(1).await, number(1).await, number(1).await), (Ok(1), Err(fault("the second")), Ok(3)));
    assert_eq!(number::refresh(1).await, Ok(4));
    assert!(number::invalidate(1).await.is_err_and(|error| error.is_outage()));
}

#[tokio::test]
async fn an_argument_that_makes_no_key_is_no_reason_to_fail() {
    use std::collections::BTreeMap;

    #[cached(ttl = 60)]
    async fn count(map: &BTreeMap<(u8, u8), u8>) -> usize {
        map.len()
    }

    set_up();
    let map = BTreeMap::from([((1, 2), 3)]);
    assert_eq!((count(&map).await, count(&map).await), (1, 1));
    assert!(matches!(count::key(&map), Err(CacheError::Encode { .. })));
}

#[tokio::test]
async fn a_value_of_another_type_is_made_anew() {
    #[cached(name = "other_type", ttl = 60)]
    async fn number(id: u64) -> u64 {
        id
    }

    set_up();
    let (cache, key) = (default_cache().unwrap(), number::key(7).unwrap());
    cache.set(&key, "text").await.unwrap();
    assert_eq!(number(7).await, 7);
}

#[tokio::test]
async fn a_value_that_cannot_be_stored_is_returned() {
    use std::collections::BTreeMap;

    static CALLS: Calls = Calls::none();

    #[cached(ttl = 60)]
    async fn map(id: u8) -> Result<BTreeMap<(u8, u8), u32>, Fault> {
        Ok(BTreeMap::from([((id, id), CALLS.next())]))
    }

    set_up();
    for call in 1..=3 {
        assert_eq!(map(7).await, Ok(BTreeMap::from([((7, 7), call)])));
    }
    assert_eq!(map::refresh(7).await, Ok(BTreeMap::from([((7, 7), 4)])));
}
