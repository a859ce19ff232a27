//! Answers that are doubled, lost, swapped, damaged or unasked for: nobody gets the value of another key.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use support::{Fault, On, Proxy, Server, ServerOptions, When, eventually};
use task_runtime::cache::{Cache, OnOutage};
use tokio::sync::watch;

use crate::fixture::BOUND;

/// Callers at the same time, each with keys of its own.
const CALLERS: usize = 16;
/// How often each fault acts.
const HITS: u64 = 5;
/// Each request meets the fault with this chance.
const CHANCE: f64 = 0.02;

fn faults() -> Vec<Fault> {
    let mut faults = vec![Fault::Duplicate, Fault::DropReply, Fault::Swap, Fault::Corrupt, Fault::Cut];
    faults.extend([0, 3, 20].map(Fault::Truncate));
    let unasked =
        [":1", "+OK", "$-1", "*0", "$1\r\n1", "*2\r\n:1\r\n$1\r\n1", "-NOSCRIPT none", "-LOADING wait", "-OOM full"];
    faults.extend(unasked.map(|line| Fault::Extra(line.into())));
    faults
}

fn key(caller: usize, number: usize) -> String {
    format!("key:{caller}:{}", number % 8)
}

/// Asks in every way that has an answer of its own; whatever comes, it is nothing or it is theirs.
async fn calls(cache: Arc<Cache>, caller: usize, stopped: watch::Receiver<bool>) -> usize {
    let (mut hits, mut last) = (0, 0);
    let counter = format!("count:{caller}");
    for number in 0.. {
        if *stopped.borrow() {
            break;
        }
        // Calls of a cache that is left alone wait for nothing.
        tokio::task::yield_now().await;
        let (one, two) = (key(caller, number), key(caller, number + 1));
        if let Ok(Some(value)) = cache.get::<String>(&one).await {
            assert_eq!(value, one, "the value of another key");
            hits += 1;
        }
        if let Ok(values) = cache.get_many::<String>([&one, &two]).await {
            assert_eq!(values.len(), 2);
            for (value, key) in values.into_iter().zip([&one, &two]) {
                assert!(value.is_none_or(|value| value == *key), "the value of another key than {key}");
            }
        }
        if let Ok(Some(sum)) = cache.incr(&counter, 1).await {
            assert!(sum > last && sum < 1_000_000 * (caller as i64 + 2), "{sum} after {last} of caller {caller}");
            assert!(sum >= 1_000_000 * (caller as i64 + 1), "the sum of another counter: {sum} of caller {caller}");
            last = sum;
        }
        let _ = cache.set(&one, &one).await;
    }
    hits
}

async fn nobody_gets_what_is_not_theirs(options: ServerOptions, on_outage: OnOutage) {
    let server = options.start();
    let proxy = Proxy::to(server.port());
    let direct = Cache::connect(server.url()).unwrap();
    for caller in 0..CALLERS {
        let keys: Vec<_> = (0..8).map(|number| (key(caller, number), key(caller, number))).collect();
        direct.set_many(&keys).await.unwrap();
        direct.set(&format!("count:{caller}"), &(1_000_000 * (caller + 1))).await.unwrap();
    }
    let cache = Cache::builder().url(proxy.url()).on_outage(on_outage).deadline(Duration::from_millis(200));
    let cache = Arc::new(cache.build().unwrap());
    let (mut hits, mut acted) = (0, 0);
    for fault in faults() {
        let injected = proxy.inject(On::Any, When::Chance(CHANCE), fault);
        let (stop, stopped) = watch::channel(false);
        let call = |caller| tokio::spawn(calls(Arc::clone(&cache), caller, stopped.clone()));
        let callers: Vec<_> = (0..CALLERS).map(call).collect();
        eventually("the fault acts", 2 * BOUND, async || (injected.hits() >= HITS).then_some(())).await;
        stop.send_replace(true);
        for ended in tokio::time::timeout(BOUND, join_all(callers)).await.expect("each call has its deadline") {
            hits += ended.expect("no caller panics");
        }
        injected.lift();
        acted += injected.hits();
    }
    println!("{acted} faults, {hits} hits");
    assert!(hits > 500, "{hits} hits");
    proxy.heal();
    // It goes on by itself, and what is stored is what was stored.
    for key in (0..CALLERS).flat_map(|caller| (0..8).map(move |number| key(caller, number))) {
        let value = eventually("a value is read", BOUND, async || cache.get::<String>(&key).await.ok().flatten()).await;
        assert_eq!(value, key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_go_astray_are_the_value_of_no_other_key() {
    nobody_gets_what_is_not_theirs(Server::redis(), OnOutage::Fail).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_go_astray_on_valkey_are_the_value_of_no_other_key() {
    nobody_gets_what_is_not_theirs(Server::valkey(), OnOutage::Miss).await;
}
