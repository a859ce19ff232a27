//! A server that has no memory left: what is there runs and ends, what is new is refused, and it passes by itself.

use std::time::{Duration, Instant};

use support::{Server, ServerOptions, eventually};
use task_runtime::Error;
use task_runtime::broker::{Cancelled, Heartbeat, Incarnation, Retention};
use task_runtime::job::QueueName;
use task_runtime::prelude::*;

use crate::BOUND;
use crate::fixture::{Bench, Mark, Running, Told, queue};

/// Blocks of a mebibyte that fill the server to beyond its bound.
const BLOCKS: usize = 64;
const BOUND_OF_SERVER: &str = "maxmemory 48mb";
/// A short lease, so that one that is not moved on is soon recovered.
const LEASE: Duration = Duration::from_secs(2);
/// How long the jobs take that must keep it.
const LONG: u64 = 6_000;
/// Jobs that only have to run.
const QUICK: u64 = 1_000;

/// Fails, every time.
#[task(queue = "bad", max_attempts = 2, backoff = constant("10ms"))]
async fn fail(number: u64) -> Result<(), String> {
    Err(format!("{number} fails"))
}

fn fill(server: &Server) {
    server.command(&["DEBUG", "POPULATE", &BLOCKS.to_string(), "ballast", "1048576"]);
}

fn empty(server: &Server) {
    for block in 0..BLOCKS {
        server.command(&["DEL", &format!("ballast:{block}")]);
    }
}

async fn a_full_server_finishes_what_it_has(options: ServerOptions) {
    let bench = Bench::new(options.config(BOUND_OF_SERVER).config("maxmemory-policy noeviction")).await;
    let bad = QueueName::new("bad").unwrap();
    let mut jobs = bench.client.enqueue_all((0..20).map(|number| Mark::new(number, LONG))).await.unwrap();
    jobs.extend(bench.client.enqueue_all((20..QUICK).map(|number| Mark::new(number, 1_u64))).await.unwrap());
    bench.client.enqueue_all((0..5_u64).map(Fail::new)).await.unwrap();
    let later = Mark::new(QUICK, 0_u64).options().delay(Duration::from_secs(3600));
    let later = later.enqueue_on(&bench.client).await.unwrap();
    fill(&bench.server);
    let full = Instant::now();

    // Workers that start now, with connections that know nothing of this server.
    let worker = async || Running::start(bench.worker().await.queue("bad").concurrency(20).lease(LEASE));
    let workers = [worker().await, worker().await];
    for _ in 0..3 {
        let refused = Mark::new(1 << 33, 0_u64).options().enqueue_on(&bench.client).await.unwrap_err();
        assert!(matches!(refused, Error::QueueFull) && !refused.outcome_unknown(), "{refused:?}");
        assert!(refused.to_string().contains("`maxmemory`"), "{refused}");
    }
    let refused = bench.client.enqueue_all((0..3_u64).map(|number| Mark::new((1 << 33) + number, 0_u64))).await;
    assert!(matches!(refused, Err(Error::QueueFull)), "{refused:?}");
    // Each of these moves something, and nothing new into the queue.
    let (broker, one) = (bench.client.broker(), Incarnation::random());
    let begun = broker.begin(&queue(), &one, LEASE).await.unwrap();
    let beat = broker.heartbeat(&queue(), &one, LEASE).await.unwrap();
    assert!(matches!(beat, Heartbeat::Alive { step, .. } if step == begun), "{beat:?}");
    assert!(broker.leave(&queue(), &one, &[]).await.unwrap());
    broker.promote(&queue()).await.unwrap();
    broker.sweep(&queue(), &Retention::default(), BOUND).await.unwrap();
    broker.pause(&queue(), false).await.unwrap();
    // Whoever waits is told, and what is due later can be cancelled.
    assert_eq!(jobs[500].result_within(BOUND).await.unwrap(), 500);
    assert_eq!(later.cancel().await.unwrap(), Cancelled::Cancelled);
    eventually("all has run", BOUND, async || (bench.ledger.ended() as u64 == QUICK).then_some(())).await;
    eventually("what fails is dead", BOUND, async || {
        (bench.client.counts(&bad).await.unwrap().dead == 5).then_some(())
    })
    .await;
    assert!(full.elapsed() > 2 * LEASE, "no lease had to be moved on");
    let refused = Mark::new(1 << 33, 0_u64).options().enqueue_on(&bench.client).await;
    assert!(matches!(refused, Err(Error::QueueFull)), "it was full all the time: {refused:?}");

    empty(&bench.server);
    bench.runs_a_job(QUICK + 1).await;
    bench.ends_well(&Told { acknowledged: jobs, ..Told::default() }, 1).await;
    assert_eq!(bench.ledger.of(1 << 33).begun + bench.ledger.of(QUICK).begun, 0);
    assert_eq!(bench.client.counts(&queue()).await.unwrap().running, 0);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_new_jobs_and_finishes_those_it_has() {
    a_full_server_finishes_what_it_has(Server::redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_valkey_refuses_new_jobs_and_finishes_those_it_has() {
    a_full_server_finishes_what_it_has(Server::valkey()).await;
}
