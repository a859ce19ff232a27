//! A process that vanishes, or stands still, loses nothing.

use std::time::{Duration, Instant};

use task_runtime::client::{JobError, JobStatus};

use crate::tasks::{Hog, Work};
use crate::{BOUND, Bench, queue};

/// How long after a crash all its jobs have ended, at the default lease of 30 s.
const RECOVERED: Duration = Duration::from_secs(45);

#[tokio::test]
async fn every_job_of_a_killed_worker_completes_once_within_45_seconds() {
    let bench = Bench::new().await;
    let jobs = bench.client.enqueue_all((0..500).map(|n| Work::new(n, 20_u64))).await.unwrap();
    let mut first = bench.worker(&["work", "--concurrency", "16"]);
    let _second = bench.worker(&["work", "--concurrency", "16"]);
    for _ in 0..100 {
        first.wait_for_line("end ", BOUND);
    }
    first.kill9();
    let killed = Instant::now();
    for (n, job) in jobs.iter().enumerate() {
        let left = RECOVERED.saturating_sub(killed.elapsed());
        assert_eq!(job.result_within(left).await.unwrap(), n as u64, "job {n}, {:?} after the kill", killed.elapsed());
        assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    }
    let counts = bench.client.counts(&queue("work")).await.unwrap();
    assert_eq!((counts.finished, counts.running, counts.ready, counts.dead), (500, 0, 0, 0), "{counts:?}");
}

#[tokio::test]
async fn a_task_that_blocks_the_runtime_keeps_its_lease_and_is_reported() {
    let bench = Bench::new().await;
    // The only thread of a small runtime that runs tasks is blocked for many times the lease.
    let mut worker = bench
        .program(&["worker", "work", "--lease", "1s", "--concurrency", "2"])
        .env("TOKIO_WORKER_THREADS", "1")
        .start();
    worker.wait_for_line("worker started", BOUND);
    let job = Hog::new(7_000_u64).options().max_attempts(1).enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("hog", BOUND);
    let blocked = Instant::now();
    let other = bench.worker(&["work", "--lease", "1s"]);
    let line = worker.wait_for_line("a task has blocked its thread", BOUND);
    assert!(line.contains("hog"), "{line}");
    // After one second, which is looked for once a second.
    assert!(blocked.elapsed() < Duration::from_secs(4), "told after {:?}", blocked.elapsed());
    worker.wait_for_line("the runtime does not move", BOUND);
    let result = job.result_within(BOUND).await;
    assert!(matches!(result, Ok(())), "{result:?}");
    let begun = [worker.lines(), other.lines()].concat().iter().filter(|line| *line == "hog").count();
    assert_eq!(begun, 1);
}

#[tokio::test]
async fn a_frozen_worker_that_lost_its_jobs_settles_nothing_and_works_again() {
    let bench = Bench::new().await;
    let mut frozen = bench.worker(&["work", "--lease", "1s"]);
    let job = Work::new(1_u64, 1_500_u64).options().enqueue_on(&bench.client).await.unwrap();
    frozen.wait_for_line("begin 1", BOUND);
    frozen.freeze();
    let mut other = bench.worker(&["work", "--lease", "1s"]);
    other.wait_for_line("begin 1", BOUND);
    frozen.thaw();
    frozen.wait_for_line("the lease was lost", BOUND);
    assert_eq!(job.result_within(BOUND).await.unwrap(), 1);
    other.kill9();
    let next = Work::new(2_u64, 1_u64).options().enqueue_on(&bench.client).await.unwrap();
    frozen.wait_for_line("end 2", BOUND);
    assert!(!matches!(next.result_within(BOUND).await, Err(JobError::NotKept { .. })));
}
