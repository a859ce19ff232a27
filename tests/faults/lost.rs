//! Requests and answers that are lost, late or slow on their way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use support::{Fault, Ledger, Line, On, Server, Way, When, eventually, goes_on_for};
use task_runtime::WorkerBuilder;
use task_runtime::client::JobStatus;
use task_runtime::prelude::*;

use crate::BOUND;
use crate::fixture::{Bench, Mark, Running, Stumble, Told, pass, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_whose_answer_is_lost_is_one_job() {
    let bench = Bench::new(Server::redis()).await;
    let (worker, producer) = (bench.start().await, bench.beyond().await);
    let lost = bench.proxy.inject(On::Script("enqueue"), When::Chance(0.5), Fault::Cut);
    let load = bench.load(&producer, 0);
    pass(goes_on_for(Duration::from_secs(3), Duration::from_secs(30))).await;
    lost.wait(20, BOUND);
    let told = load.stop().await;
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_whose_answer_is_lost_strands_no_claim_and_settles_once() {
    let bench = Bench::new(Server::redis()).await;
    let worker = bench.start().await;
    let lost = bench.proxy.inject(On::Script("turn"), When::Every(3), Fault::Cut);
    let load = bench.load(&bench.client, 2);
    pass(goes_on_for(Duration::from_secs(3), Duration::from_secs(30))).await;
    lost.wait(10, BOUND);
    let told = load.stop().await;
    bench.proxy.heal();
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

async fn is_idle(bench: &Bench) {
    eventually("the worker waits", BOUND, async || (bench.proxy.seen(On::Command("BLPOP")) > 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_is_lost_is_taken_over_by_its_worker_before_the_lease_ends() {
    let bench = Bench::new(Server::redis()).await;
    let worker = Running::start(bench.worker().await.lease(Duration::from_secs(60)));
    let mut told = Told::default();
    is_idle(&bench).await;
    for round in 0..goes_on_for(Duration::from_secs(4), Duration::from_secs(100)).as_secs() {
        let fault = if round % 2 == 0 { Fault::Cut } else { Fault::Mute };
        let lost = bench.proxy.inject(On::Script("turn"), When::First(1), fault);
        let numbers = (round * 10..).take(10);
        let jobs = bench.client.enqueue_all(numbers.map(|number| Mark::new(number, 0_u64))).await.unwrap();
        for job in &jobs {
            job.result_within(BOUND).await.unwrap();
        }
        assert_eq!(lost.hits(), 1);
        told.acknowledged.extend(jobs);
    }
    assert!(bench.proxy.seen(On::Script("adopt")) > 0, "the worker took nothing over");
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_which_no_worker_knows_is_freed_when_its_lease_ends() {
    let bench = Bench::new(Server::redis()).await;
    let short = |worker: WorkerBuilder| Running::start(worker.lease(Duration::from_secs(1)));
    let worker = short(bench.worker().await);
    is_idle(&bench).await;
    let lost = bench.proxy.inject(On::Script("turn"), When::Always, Fault::Mute);
    let jobs = bench.client.enqueue_all((0..10).map(|number| Mark::new(number, 0_u64))).await.unwrap();
    let counts = async || bench.client.counts(&queue()).await.unwrap();
    eventually("the jobs are on loan", BOUND, async || (counts().await.running == 10).then_some(())).await;
    worker.vanish().await;
    assert!(lost.hits() > 0 && bench.ledger.ended() == 0);
    bench.proxy.heal();
    let other = short(bench.worker().await);
    bench.ends_well(&Told { acknowledged: jobs, ..Told::default() }, 1).await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_an_attempt_is_carried_out_once_though_its_answer_is_lost() {
    let bench = Bench::new(Server::redis()).await;
    let worker = bench.start().await;
    let lost = bench.proxy.inject(On::Script("turn"), When::Chance(0.3), Fault::Cut);
    let load = bench.load(&bench.client, 2);
    let fails = (0..50).map(|number| Stumble::new((1 << 40) + number));
    let fails = bench.client.enqueue_all(fails).await.unwrap();
    pass(goes_on_for(Duration::from_secs(3), Duration::from_secs(30))).await;
    lost.wait(10, BOUND);
    let told = load.stop().await;
    // With each answer lost a worker is slower than its producers were.
    bench.proxy.heal();
    let counts = bench.ends_well(&told, 3).await;
    assert_eq!(counts.finished, told.acknowledged.len() + fails.len(), "{counts:?}");
    for job in fails {
        let status = job.status().await.unwrap();
        assert!(matches!(status, JobStatus::Completed { attempts: 3, .. }), "{status:?}");
    }
    let again = bench.ledger.begun_more_than(1);
    assert!(again.len() == 50 && again.iter().all(|(number, runs)| *number >= 1 << 40 && runs.begun == 3), "{again:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_is_carried_out_late_changes_nothing() {
    let bench = Bench::new(Server::redis()).await;
    let worker = bench.start().await;
    // Later than the worker waits, so that it has come again on another connection.
    let late = bench.proxy.inject(On::Script("turn"), When::Every(10), Fault::Late(Duration::from_millis(2_500)));
    let load = bench.load(&bench.client, 2);
    pass(goes_on_for(Duration::from_secs(6), Duration::from_secs(60))).await;
    let told = load.stop().await;
    assert!(late.hits() > 1, "{} turns were late", late.hits());
    bench.proxy.heal();
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_vanish_leave_callers_in_doubt_and_no_job_lost_or_doubled() {
    let bench = Bench::new(Server::redis()).await;
    let (worker, producer) = (bench.start().await, bench.beyond().await);
    let load = bench.load(&producer, 5);
    pass(Duration::from_millis(500)).await;
    bench.proxy.set(Way::Replies, Line::Vanish);
    pass(goes_on_for(Duration::from_secs(3), Duration::from_secs(10))).await;
    bench.proxy.heal();
    bench.runs_a_job(1 << 32).await;
    let told = load.stop().await;
    assert!(!told.unknown.is_empty(), "no enqueue was in doubt; refused: {:?}", told.refused.values().next());
    // Also those that waited for the call before theirs.
    assert!(told.slowest < Duration::from_millis(2_500), "{:?}", told.slowest);
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

/// Bears a text.
#[task(queue = "q")]
async fn carry(number: u64, text: String, #[inject] ledger: Data<Ledger>) {
    ledger.begin(number);
    drop(text);
    ledger.end(number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_of_large_jobs_passes_a_narrow_line() {
    let bench = Bench::new(Server::redis()).await;
    let producer = bench.beyond().await;
    // What one call of a bulk carries passes in a quarter of a second, and all of them in two and more.
    bench.proxy.set(Way::Requests, Line::Throttle { bytes_per_second: 4 << 20 });
    let jobs = (0..50).map(|number| Carry::new(number, "x".repeat(200 << 10)));
    let jobs = producer.enqueue_all(jobs).await.unwrap();
    let worker = bench.start().await;
    for job in &jobs {
        job.result_within(BOUND).await.unwrap();
    }
    assert_eq!(bench.ledger.ended(), 50);
    bench.ends_well(&Told::default(), 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_while_a_worker_waits_is_noticed_by_its_own_clock_and_loses_nothing() {
    let bench = Bench::new(Server::redis()).await;
    let worker = bench.start().await;
    bench.runs_a_job(0).await;
    eventually("the worker waits", BOUND, async || (bench.proxy.seen(On::Command("BLPOP")) > 0).then_some(())).await;
    bench.proxy.set(Way::Requests, Line::Hold);
    bench.proxy.set(Way::Replies, Line::Hold);
    let jobs = bench.client.enqueue_all((1..=50).map(|number| Mark::new(number, 5_u64))).await.unwrap();
    let noticed = Instant::now();
    // The longest wait is 5 s and that for a turn 1 s; a worker says so after 12 s without a turn.
    eventually("the worker says what it waited for in vain", Duration::from_secs(20), async || {
        worker.readiness().to_string().contains(" within ").then_some(())
    })
    .await;
    println!("noticed after {:?}", noticed.elapsed());
    pass(goes_on_for(Duration::from_secs(2), Duration::from_secs(20))).await;
    bench.proxy.heal();
    bench.runs_a_job(51).await;
    bench.ends_well(&Told { acknowledged: jobs, ..Told::default() }, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_never_answered_delays_a_job_by_seconds_only() {
    let bench = Bench::new(Server::redis()).await;
    bench.proxy.inject(On::Command("BLPOP"), When::Always, Fault::Mute);
    let worker = bench.start().await;
    eventually("the worker waits", BOUND, async || (bench.proxy.seen(On::Command("BLPOP")) > 0).then_some(())).await;
    let until = Instant::now() + goes_on_for(Duration::ZERO, Duration::from_secs(60));
    let mut number = 0;
    while number < 2 || Instant::now() < until {
        bench.runs_a_job(number).await;
        number += 1;
    }
    bench.ends_well(&Told::default(), 1).await;
    worker.stop().await;
}

/// Jobs that are held end when this one has.
const OVER: u64 = 1 << 35;

/// Goes on for as long as the test wants.
#[task(queue = "q", max_attempts = 1, timeout = 3_600)]
async fn hold(number: u64, #[inject] ledger: Data<Ledger>) {
    ledger.begin(number);
    while ledger.of(OVER).ended == 0 {
        pass(Duration::from_millis(10)).await;
    }
    ledger.end(number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_line_makes_work_slow_and_loses_no_lease() {
    // The usual one: until a line of 3 s is learned, nothing moves a lease on.
    const LEASE: Duration = Duration::from_secs(30);
    const NEAR: u64 = 1 << 33;
    const FAR: u64 = 1 << 34;
    let bench = Bench::new(Server::redis()).await;
    let start = |worker: WorkerBuilder| Running::start(worker.lease(LEASE));
    let holds = async |number| {
        let job = Hold::new(number).options().enqueue_on(&bench.client).await.unwrap();
        eventually("the job begins", BOUND, async || (bench.ledger.of(number).begun == 1).then_some(())).await;
        job
    };
    // It sees the leases whatever the line is like and would free the jobs of the other, but has no place for them.
    let near = Worker::builder(bench.client.clone()).queue("q").data(bench.ledger.clone()).concurrency(1);
    let near = start(near);
    let there = holds(NEAR).await;
    let worker = start(bench.worker().await);
    let long = holds(FAR).await;
    let leases = async || bench.client.broker().workers(&queue()).await.unwrap();
    let workers = async || leases().await.into_iter().map(|lease| lease.incarnation).collect::<BTreeSet<_>>();
    let before = workers().await;
    let jobs = bench.client.enqueue_all((0..60).map(|number| Mark::new(number, 50_u64))).await.unwrap();
    // One request in eight is lost, and is sent again later with all behind it.
    let again = bench.proxy.inject(On::Any, When::Every(8), Fault::Late(Duration::from_secs(1)));
    for (late, short, long) in [(600, Duration::ZERO, 30), (3_000, LEASE.mul_f64(1.2), 60)] {
        let least = Duration::from_millis(late);
        bench.proxy.set(Way::Replies, Line::Delay { least, most: least.mul_f64(1.1) });
        // A slow line has to be learned first: what was usual is waited for in vain.
        let start = Instant::now();
        let ended = bench.ledger.ended();
        let more = bench.client.enqueue_all((late..late + 5).map(|number| Mark::new(number, 50_u64))).await.unwrap();
        for job in more {
            assert!(
                job.result_within(2 * BOUND).await.is_ok(),
                "not ended {:?} after the line became slow",
                start.elapsed()
            );
        }
        let ran = bench.ledger.ended() - ended;
        println!("{late} ms: {ran} jobs in {:?}, {} requests lost so far", start.elapsed(), again.hits());
        let rest = goes_on_for(short, Duration::from_secs(long)).saturating_sub(start.elapsed());
        pass(rest).await;
    }
    assert!(again.hits() > 0, "no request was lost");
    assert_eq!(workers().await, before, "a worker lost its lease");
    assert_eq!((bench.ledger.of(FAR).begun, bench.ledger.of(FAR).ended), (1, 0));
    bench.proxy.heal();
    bench.runs_a_job(OVER).await;
    for job in [there, long] {
        job.result_within(BOUND).await.unwrap();
        assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    }
    bench.ends_well(&Told { acknowledged: jobs, ..Told::default() }, 1).await;
    worker.stop().await;
    near.stop().await;
}
