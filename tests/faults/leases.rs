//! Leases and claims on a bad line: kept while the worker lives, given back when it stops.

use std::time::{Duration, Instant};

use support::{Line, On, Server, Way, eventually, goes_on_for};
use task_runtime::client::JobStatus;
use task_runtime::{Error, Worker};

use crate::BOUND;
use crate::fixture::{Bench, Mark, Running, Told, pass, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_job_keeps_its_lease_through_blips_that_are_shorter() {
    const LEASE: Duration = Duration::from_secs(3);
    let bench = Bench::new(Server::redis()).await;
    let worker = Running::start(bench.worker().await.lease(LEASE));
    let long = goes_on_for(Duration::from_secs(12), Duration::from_secs(600));
    let job = Mark::new(1_u64, long.as_millis() as u64).options().timeout(2 * long).max_attempts(1);
    let job = job.enqueue_on(&bench.client).await.unwrap();
    eventually("the job begins", BOUND, async || (bench.ledger.of(1).begun == 1).then_some(())).await;
    // It sees the lease whatever the line is like, and would take the job over.
    let other = Worker::builder(bench.client.clone()).queue("q").data(bench.ledger.clone()).lease(LEASE);
    let other = Running::start(other);
    let (start, mut blips) = (Instant::now(), 0);
    while bench.ledger.of(1).ended == 0 {
        pass(Duration::from_millis(fastrand::u64(300..900))).await;
        match blips % 3 {
            0 => [Way::Requests, Way::Replies].map(|way| bench.proxy.set(way, Line::Hold)),
            1 => [Way::Requests, Way::Replies].map(|way| bench.proxy.set(way, Line::Vanish)),
            _ => [(); 2].map(|()| bench.proxy.reset_all()),
        };
        pass(Duration::from_millis(fastrand::u64(200..800))).await;
        bench.proxy.heal();
        blips += 1;
        assert_eq!(bench.ledger.of(1).begun, 1, "after {blips} blips in {:?}", start.elapsed());
        assert!(start.elapsed() < long + BOUND, "the job does not end");
    }
    let renewals = bench.proxy.seen(On::Script("heartbeat"));
    println!("{blips} blips and {renewals} renewals in {:?}", start.elapsed());
    assert!(renewals as f64 > start.elapsed().as_secs_f64() / LEASE.as_secs_f64(), "{renewals} renewals");
    assert!(matches!(job.result_within(BOUND).await, Ok(1)));
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    bench.ends_well(&Told { acknowledged: vec![job], ..Told::default() }, 1).await;
    worker.stop().await;
    other.stop().await;
}

#[derive(Debug)]
struct Stops {
    /// How often all jobs were given back.
    in_time: usize,
    /// How often they were left to the lease.
    too_late: usize,
}

/// Stops workers, each while the answer to its claim is on its way, which takes so long; answers what became of
/// their jobs.
async fn stops_while_a_claim_is_answered(late: u64, now: bool) -> Stops {
    const JOBS: u64 = 3;
    let late = Duration::from_millis(late);
    let bench = Bench::new(Server::redis()).await;
    let worker = async || bench.worker().await.lease(Duration::from_secs(1));
    let until = Instant::now() + goes_on_for(Duration::from_secs(10), Duration::from_secs(120));
    let (mut told, mut rounds, mut in_time, mut too_late) = (Told::default(), 0, 0, 0);
    while Instant::now() < until || rounds < 2 {
        let waits = bench.proxy.seen(On::Command("BLPOP"));
        let stopping = Running::start(worker().await);
        let idle = async || (bench.proxy.seen(On::Command("BLPOP")) > waits).then_some(());
        eventually("the worker waits", BOUND, idle).await;
        bench.proxy.set(Way::Replies, Line::delay(late));
        let ended = bench.ledger.ended();
        let jobs = (rounds * JOBS..).take(JOBS as usize).map(|number| Mark::new(number, 0_u64));
        let jobs = bench.client.enqueue_all(jobs).await.unwrap();
        let on_loan = async || (bench.client.counts(&queue()).await.unwrap().running > 0).then_some(());
        eventually("the claim is carried out", BOUND, on_loan).await;
        if now {
            stopping.handle.stop_now()
        } else {
            stopping.handle.stop()
        }
        let result = stopping.ended().await;
        bench.proxy.heal();
        let counts = bench.client.counts(&queue()).await.unwrap();
        match result {
            Ok(()) => {
                assert_eq!((counts.running, counts.workers), (0, 0), "{counts:?}");
                in_time += usize::from(counts.ready == JOBS as usize);
            }
            Err(Error::Unavailable { .. }) => too_late += 1,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(bench.ledger.ended() - ended + counts.ready + counts.running, JOBS as usize, "{counts:?}");
        // The next one runs what was given back; what was not is freed when the lease ends.
        let next = Running::start(worker().await);
        for job in &jobs {
            job.result_within(BOUND).await.unwrap();
        }
        next.stop().await;
        told.acknowledged.extend(jobs);
        rounds += 1;
    }
    bench.ends_well(&told, 1).await;
    println!("{late:?}, now: {now}: {rounds} rounds, {in_time} given back, {too_late} left to the lease");
    Stops { in_time, too_late }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_on_its_way_when_its_worker_stops_is_given_back() {
    let counts = tokio::join!(stops_while_a_claim_is_answered(80, false), stops_while_a_claim_is_answered(80, true));
    for stops in <[_; 2]>::from(counts) {
        assert!(stops.in_time >= 5 && stops.too_late == 0, "{stops:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_its_worker_does_not_wait_for_when_it_stops_is_not_lost() {
    let (waits, ends, gives_up, ends_before) = tokio::join!(
        stops_while_a_claim_is_answered(600, false),
        stops_while_a_claim_is_answered(600, true),
        // Later than any answer is waited for.
        stops_while_a_claim_is_answered(2_000, false),
        stops_while_a_claim_is_answered(2_000, true)
    );
    assert!(waits.in_time >= 2, "{waits:?}");
    for late in [ends, gives_up, ends_before] {
        assert!(late.too_late >= 2, "{late:?}");
    }
}
