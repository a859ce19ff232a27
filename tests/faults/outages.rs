//! Servers that end, come back, are killed or hand over: workers and callers find them again by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Proxy, Server, ServerOptions, eventually, goes_on_for};
use task_runtime::broker::Clock;
use task_runtime::broker::redis::RedisBroker;
use task_runtime::job::Namespace;
use task_runtime::prelude::*;
use task_runtime::{Error, WorkerBuilder};

use crate::fixture::{Bench, Mark, Running, Told, pass, queue, runs_a_job};
use crate::{BOUND, RESUMED};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_consumes_again_whenever_its_server_was_restarted() {
    let mut bench = Bench::new(Server::redis().config("appendonly yes").config("appendfsync no")).await;
    let worker = bench.start().await;
    // A long run is to come to a hundred rounds.
    let until = Instant::now() + goes_on_for(Duration::from_secs(6), Duration::from_secs(600));
    let mut rounds = 0;
    while Instant::now() < until || rounds < 2 {
        bench.is_idle(1).await;
        match rounds % 2 {
            0 => bench.server.kill9(),
            _ => bench.server.terminate(),
        }
        pass(Duration::from_millis(fastrand::u64(0..3_000))).await;
        bench.server.restart();
        let back = Instant::now();
        bench.runs_a_job(rounds).await;
        is_ready_again(&worker, back).await;
        rounds += 1;
    }
    println!("{rounds} rounds");
    bench.ends_well(&Told::default(), 1).await;
    assert_eq!(bench.ledger.ended() as u64, rounds);
    worker.stop().await;
}

/// A worker says that it consumes within the promised time after its server was back.
async fn is_ready_again(worker: &Running, back: Instant) {
    eventually("the worker is ready", RESUMED.saturating_sub(back.elapsed()), async || {
        worker.readiness().is_ready().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_an_append_only_file_that_is_killed_under_load_loses_nothing() {
    // With `everysec`, the default, it puts writes off while the disk is busy.
    is_killed_under_load(Server::redis().config("appendonly yes").config("appendfsync no")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valkey_with_an_append_only_file_that_is_killed_under_load_loses_nothing() {
    is_killed_under_load(Server::valkey().config("appendonly yes").config("appendfsync always")).await;
}

async fn is_killed_under_load(server: ServerOptions) {
    let mut bench = Bench::new(server).await;
    let (worker, other) = (bench.start().await, bench.start().await);
    let load = bench.load(&bench.client, 5);
    let until = Instant::now() + goes_on_for(Duration::from_secs(6), Duration::from_secs(120));
    while Instant::now() < until {
        pass(Duration::from_millis(1_500)).await;
        bench.server.restart();
    }
    pass(Duration::from_secs(1)).await;
    let told = load.stop().await;
    bench.ends_well(&told, 1).await;
    worker.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_killed_each_second_loses_and_doubles_nothing() {
    let bench = Bench::new(Server::redis()).await;
    let (worker, producer) = (bench.start().await, bench.beyond().await);
    let load = bench.load(&producer, 5);
    let until = Instant::now() + goes_on_for(Duration::from_secs(5), Duration::from_secs(60));
    let mut killed = 0;
    while Instant::now() < until {
        pass(Duration::from_secs(1)).await;
        for kind in ["normal", "pubsub"] {
            let count = bench.server.command(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
            killed += u64::from_redis_value(count).expect("a number of clients");
        }
    }
    assert!(killed > 10, "{killed} connections were killed");
    let told = load.stop().await;
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_becomes_a_replica_is_left_for_its_successor_within_a_second() {
    let mut bench = Bench::new(Server::redis()).await;
    let mut second = Server::redis().start();
    let worker = bench.start().await;
    let producer = bench.beyond().await;
    let load = bench.load(&producer, 5);
    let until = Instant::now() + goes_on_for(Duration::ZERO, Duration::from_secs(120));
    let mut rounds = 0;
    while rounds < 2 || Instant::now() < until {
        rounds += 1;
        // Never two primaries, and the successor has everything.
        let (first, port) = (&bench.server, bench.server.port().to_string());
        second.command(&["REPLICAOF", "127.0.0.1", &port]);
        eventually("the replica is in step", BOUND, async || {
            let info = String::from_redis_value(second.command(&["INFO", "replication"])).unwrap();
            info.contains("master_link_status:up").then_some(())
        })
        .await;
        first.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        in_step(first, &second).await;
        second.command(&["REPLICAOF", "NO", "ONE"]);
        bench.proxy.retarget(second.port());
        first.command(&["REPLICAOF", "127.0.0.1", &second.port().to_string()]);
        let before = bench.proxy.accepted();
        first.command(&["CLIENT", "UNPAUSE"]);
        let start = Instant::now();
        let number = fastrand::u64(1 << 32..1 << 33);
        Mark::new(number, 0_u64).options().enqueue_on(&producer).await.unwrap();
        let reconnected = async || (bench.proxy.accepted() >= before + 2).then_some(());
        eventually("the producer and the worker are there", Duration::from_secs(1), reconnected).await;
        assert!(start.elapsed() < Duration::from_secs(1), "enqueued after {:?}", start.elapsed());
        // Behind those of the load that waited meanwhile.
        eventually("the worker consumes from the successor", Duration::from_secs(1), async || {
            (bench.ledger.of(number).ended == 1).then_some(())
        })
        .await;
        std::mem::swap(&mut bench.server, &mut second);
        bench.client = Client::connect(&bench.server.url()).await.unwrap();
        pass(Duration::from_millis(500)).await;
    }
    let told = load.stop().await;
    // The handles of the load ask by way of the proxy, and so of the last primary.
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

/// The replica has everything that its primary was told.
async fn in_step(primary: &Server, replica: &Server) {
    let offset = |server: &Server, field: &str| {
        let info = String::from_redis_value(server.command(&["INFO", "replication"])).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix(field)).expect("INFO tells offsets");
        line.trim().parse::<u64>().unwrap()
    };
    eventually("the replica has everything", BOUND, async || {
        (offset(primary, "master_repl_offset:") == offset(replica, "slave_repl_offset:")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_for_long_is_asked_less_than_once_a_second() {
    let bench = Bench::new(Server::redis()).await;
    let queues = ["a", "b", "c", "d"];
    let worker = Running::start(queues.into_iter().fold(bench.worker().await, WorkerBuilder::queue));
    bench.is_idle(1 + queues.len()).await;
    let away = goes_on_for(Duration::from_secs(12), Duration::from_secs(130));
    bench.proxy.retarget(1);
    bench.proxy.reset_all();
    // The first pauses are short.
    pass(Duration::from_secs(3)).await;
    let before = bench.proxy.accepted();
    pass(away).await;
    let tries = bench.proxy.accepted() - before;
    println!("{tries} connections in {away:?}");
    assert!(tries > 0 && (tries as f64) < away.as_secs_f64(), "{tries} connections in {away:?}");
    assert!(!worker.readiness().is_ready(), "{}", worker.readiness());
    bench.proxy.retarget(bench.server.port());
    let back = Instant::now();
    bench.runs_a_job(1).await;
    is_ready_again(&worker, back).await;
    bench.ends_well(&Told::default(), 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_without_a_server_fails_in_two_seconds_and_says_that_nothing_happened() {
    let mut bench = Bench::new(Server::redis()).await;
    bench.server.kill9();
    let until = Instant::now() + goes_on_for(Duration::from_secs(5), Duration::from_secs(60));
    while Instant::now() < until {
        let start = Instant::now();
        let error = Mark::new(1_u64, 0_u64).options().enqueue_on(&bench.client).await.unwrap_err();
        assert!(matches!(error, Error::Rejected { .. } | Error::Unavailable { .. }), "{error:?}");
        assert!(start.elapsed() < Duration::from_millis(2_300), "{:?}", start.elapsed());
    }
    bench.server.restart();
    let worker = bench.start().await;
    bench.runs_a_job(2).await;
    bench.ends_well(&Told::default(), 1).await;
    assert_eq!(bench.ledger.of(1).begun, 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_starts_before_its_server_waits_for_it() {
    let server = Server::redis().start();
    let proxy = Proxy::to(server.port());
    let client = Client::connect(&proxy.url()).await.unwrap();
    let ledger = support::Ledger::default();
    proxy.retarget(1);
    proxy.reset_all();
    let worker = Worker::builder(client.clone()).queue("q").data(ledger.clone());
    let worker = Running::start(worker);
    pass(goes_on_for(Duration::from_secs(2), Duration::from_secs(60))).await;
    proxy.retarget(server.port());
    runs_a_job(&client, 1).await;
    assert_eq!(client.counts(&queue()).await.unwrap().finished, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_server_has_no_address_says_so_and_stops_in_good_order() {
    // A name of which it is certain that it has none. The client is not asked to connect first, as after a restart.
    let broker = RedisBroker::new("redis://no-such-host.invalid/", Namespace::new("task").unwrap(), Clock::default());
    let client = Client::from_broker(Arc::new(broker.unwrap()));
    let worker = Running::start(Worker::builder(client).queue("q").data(support::Ledger::default()));
    pass(goes_on_for(Duration::from_secs(2), Duration::from_secs(60))).await;
    let readiness = worker.readiness().to_string();
    assert!(readiness.contains("no turn was carried out yet") && readiness.contains("address"), "{readiness}");
    worker.stop().await;
}
