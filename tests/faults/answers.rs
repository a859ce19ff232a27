//! What a server may answer instead of doing what it is asked.

use std::time::{Duration, Instant};

use support::{Fault, On, Server, When, goes_on_for};
use task_runtime::prelude::*;
use task_runtime::{Error, JobStatus};

use crate::BOUND;
use crate::fixture::{Bench, Mark, Told, pass, queue, runs_a_job};

/// What a server says while it serves nobody, and will again by itself.
const PASSING: [&str; 7] = [
    "-LOADING Redis is loading the dataset in memory",
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "-CLUSTERDOWN The cluster is down",
    "-TRYAGAIN Multiple keys request during rehashing of slot",
    "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_passing_answer_is_waited_out_by_workers_and_callers() {
    let bench = Bench::new(Server::redis()).await;
    let (worker, producer) = (bench.start().await, bench.beyond().await);
    let load = bench.load(&producer, 2);
    let each = goes_on_for(Duration::from_millis(600), Duration::from_secs(5));
    for answer in PASSING {
        let faults = [On::AnyScript, On::Command("BLPOP"), On::Command("SADD")]
            .map(|on| bench.proxy.inject(on, When::Always, Fault::Answer(answer.into())));
        let before = bench.ledger.ended();
        pass(each).await;
        // Who has only just begun comes no further than the list of queues, and to no script.
        let met = async || faults.iter().any(|fault| fault.hits() > 0).then_some(());
        support::eventually("someone meets it", BOUND, met).await;
        faults.iter().for_each(support::Injected::lift);
        // At once: a passing answer costs a short pause, and no job has waited for longer.
        bench.runs_a_job(fastrand::u64(1 << 32..)).await;
        // What waits in the producer has gone before the next answer is there, in whose pauses it would get old.
        runs_a_job(&producer, fastrand::u64(1 << 32..)).await;
        assert!(bench.ledger.ended() > before, "nothing ran after {answer}");
    }
    let told = load.stop().await;
    if each < Duration::from_secs(1) {
        assert_eq!((told.unknown.len(), told.refused.len()), (0, 0), "{:?}", told.refused.first_key_value());
    }
    // Who has nothing to do meets the answer where it waits for a job.
    for answer in PASSING {
        bench.is_idle(1).await;
        let waits = bench.proxy.inject(On::Command("BLPOP"), When::Always, Fault::Answer(answer.into()));
        bench.runs_a_job(fastrand::u64(1 << 32..)).await;
        waits.wait(1, BOUND);
        pass(each).await;
        assert!(waits.hits() <= 2 + each.as_secs(), "{} waits in {each:?} of {answer}", waits.hits());
        waits.lift();
        bench.runs_a_job(fastrand::u64(1 << 32..)).await;
    }
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixture_of_passing_answers_loses_and_doubles_nothing() {
    let bench = Bench::new(Server::redis()).await;
    let (worker, producer) = (bench.start().await, bench.beyond().await);
    for answer in PASSING {
        bench.proxy.inject(On::Any, When::Chance(0.05), Fault::Answer(answer.into()));
    }
    let load = bench.load(&producer, 2);
    let until = Instant::now() + goes_on_for(Duration::from_secs(3), Duration::from_secs(30));
    let mut refused = 0;
    while Instant::now() < until {
        // Without the repetitions that hide it from the load.
        if let Err(error) = producer.broker().promote(&queue()).await {
            assert!(!error.outcome_unknown(), "nothing happened, and this says that it may have: {error}");
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused} requests were refused");
    bench.proxy.heal();
    bench.runs_a_job(1 << 32).await;
    let told = load.stop().await;
    assert!(told.unknown.is_empty(), "each of these answers says that nothing happened: {:?}", told.unknown);
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_forgotten_are_told_again_without_anyone_noticing() {
    let bench = Bench::new(Server::redis()).await;
    let (worker, producer) = (bench.start().await, Client::connect(&bench.server.url()).await.unwrap());
    let load = bench.load(&producer, 2);
    let until = Instant::now() + goes_on_for(Duration::from_secs(3), Duration::from_secs(30));
    while Instant::now() < until {
        bench.server.command(&["SCRIPT", "FLUSH"]);
        pass(Duration::from_millis(100)).await;
    }
    let told = load.stop().await;
    assert_eq!((told.unknown.len(), told.refused.len()), (0, 0), "{:?}", told.refused.first_key_value());
    bench.ends_well(&told, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_replicas_are_told_by_name_at_once_and_waited_out_by_workers() {
    let bench = Bench::new(Server::redis()).await;
    let worker = bench.start().await;
    let job = Mark::new(1_u64, 300_u64).options().enqueue_on(&bench.client).await.unwrap();
    support::eventually("it runs", BOUND, async || (bench.ledger.of(1).begun == 1).then_some(())).await;
    bench.server.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let start = Instant::now();
    let error = Mark::new(2_u64, 0_u64).options().enqueue_on(&bench.client).await.unwrap_err();
    assert!(error.to_string().contains("NOREPLICAS") && !error.outcome_unknown(), "{error}");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    pass(goes_on_for(Duration::from_secs(1), Duration::from_secs(30))).await;
    bench.server.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    bench.runs_a_job(3).await;
    bench.ends_well(&Told { acknowledged: vec![job], ..Told::default() }, 1).await;
    assert_eq!(bench.ledger.of(2).begun, 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_whose_answer_is_lost_is_repeated_and_never_in_doubt() {
    let bench = Bench::new(Server::redis()).await;
    let producer = bench.beyond().await;
    let job = Mark::new(1, 0).options().enqueue_on(&producer).await.unwrap();
    for (script, fault) in [("status", Fault::Cut), ("counts", Fault::Refuse), ("status", Fault::DropReply)] {
        let lost = bench.proxy.inject(On::Script(script), When::Nth(1), fault);
        if script == "counts" {
            assert_eq!(producer.counts(&queue()).await.unwrap().ready, 1);
        } else {
            // Answers that went astray are noticed at the next one.
            let (one, other) = tokio::join!(job.status(), job.status());
            assert_eq!((one.unwrap(), other.unwrap()), (JobStatus::Ready, JobStatus::Ready));
        }
        lost.wait(1, BOUND);
    }
    bench.proxy.inject(On::Script("status"), When::Always, Fault::Cut);
    let error = job.status().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "nothing can have happened: {error}");
}
