//! Values that are made anew before or after their end.

use super::*;

#[tokio::test]
async fn a_stale_value_is_given_while_it_is_made_anew() {
    static CALLS: Calls = Calls::none();
    static MAY_GO_ON: Semaphore = Semaphore::const_new(1);

    #[cached(ttl = "1ms", stale = "1h")]
    async fn number(id: String) -> Result<u32, Fault> {
        let call = CALLS.next();
        MAY_GO_ON.acquire().await.map_err(|_| fault(&id))?.forget();
        Ok(call)
    }

    set_up();
    assert_eq!(number("a".into()).await, Ok(1));
    // The second call of the function has begun, and does not end.
    until(async || number("a".into()).await == Ok(1) && CALLS.count() == 2).await;
    for _ in 0..100 {
        assert_eq!(number("a".into()).await, Ok(1));
    }
    assert_eq!(CALLS.count(), 2);
    MAY_GO_ON.add_permits(1);
    until(async || number("a".into()).await == Ok(2)).await;
    let left = default_cache().unwrap().ttl(&number::key("a".into()).unwrap()).await.unwrap();
    assert!(matches!(left, Some(Ttl::For(left)) if left > Duration::from_secs(3_000)), "{left:?}");
}

#[tokio::test]
async fn a_value_is_made_anew_before_its_end() {
    static CALLS: Calls = Calls::none();

    /// At an eagerness of 100, what takes 50 ms is made anew about 5 s before its end.
    #[cached(ttl = "10s", early = 100)]
    async fn costly() -> u32 {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            tokio::task::yield_now().await;
        }
        CALLS.next()
    }

    set_up();
    let began = Instant::now();
    assert_eq!(costly().await, 1);
    until(async || costly().await == 2).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
