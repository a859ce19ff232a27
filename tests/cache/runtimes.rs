//! A cache outlives the runtime of its first calls, and leaves nothing on the last one.

use support::{Server, eventually};
use task_runtime::cache::{Cache, OnOutage};
use tokio::runtime::{Builder, Runtime};

use crate::fixture::BOUND;
use crate::outages::{is_back, server, store};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a test can start threads")
}

fn cache(server: &Server) -> Cache {
    Cache::builder().url(server.url()).on_outage(OnOutage::Miss).build().expect("the settings of a test are allowed")
}

/// The first call waits in vain, and the breaker is open.
fn opens(runtime: &Runtime, cache: &Cache) {
    assert_eq!(runtime.block_on(cache.get::<String>("kept")).unwrap(), None);
    assert!(cache.stats().away);
}

#[test]
fn a_breaker_closes_after_its_runtime_ended() {
    let mut server = server();
    let (first, second) = (runtime(), runtime());
    // One is connected when the server begins to hang, and one is just being connected when the runtime ends.
    let caches = [cache(&server), cache(&server)];
    first.block_on(store(&caches[0]));
    server.freeze();
    caches.iter().for_each(|cache| opens(&first, cache));
    drop(first);
    for cache in &caches {
        assert_eq!(second.block_on(cache.get::<String>("kept")).unwrap(), None);
    }
    server.thaw();
    for cache in &caches {
        second.block_on(is_back(cache));
    }
}

#[test]
fn a_breaker_closes_while_its_runtime_stands_still() {
    let mut server = server();
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    let cache = cache(&server);
    first.block_on(store(&cache));
    server.freeze();
    opens(&first, &cache);
    server.thaw();
    // Nobody drives the first from here on, so that its tasks neither go on nor end.
    runtime().block_on(eventually("the value is there again", BOUND, async || {
        cache.get::<String>("kept").await.expect("an outage is no error")
    }));
    drop(first);
}

#[test]
fn a_breaker_closes_where_calls_alone_drive_the_runtime() {
    let mut server = server();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let cache = cache(&server);
    runtime.block_on(store(&cache));
    server.freeze();
    opens(&runtime, &cache);
    server.thaw();
    support::eventually_blocking("the value is there again", BOUND, || {
        runtime.block_on(cache.get::<String>("kept")).expect("an outage is no error")
    });
}

#[test]
fn a_connection_that_ended_with_its_runtime_is_made_anew() {
    let server = server();
    let failing = Cache::builder().url(server.url()).build().unwrap();
    for cache in [failing, cache(&server)] {
        let first = runtime();
        first.block_on(store(&cache));
        drop(first);
        runtime().block_on(is_back(&cache));
    }
}

#[test]
fn a_cache_that_is_dropped_while_its_server_is_away_leaves_no_task() {
    let mut server = server();
    let runtime = runtime();
    let tasks = || runtime.metrics().num_alive_tasks();
    for hangs in [true, false] {
        let caches = [cache(&server), cache(&server)];
        runtime.block_on(store(&caches[0]));
        if hangs {
            server.freeze()
        } else {
            server.kill9()
        }
        caches.iter().for_each(|cache| opens(&runtime, cache));
        assert!(tasks() > 0);
        drop(caches);
        runtime.block_on(eventually("no task is left", BOUND, async || (tasks() == 0).then_some(())));
        if hangs { server.thaw() } else { server.restart() }
    }
}
