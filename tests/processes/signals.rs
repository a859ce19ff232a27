//! A signal to stop is obeyed in good order.

use std::time::{Duration, Instant};

use task_runtime::client::JobStatus;

use crate::tasks::Work;
use crate::{BOUND, Bench, queue};

const HOUR: u64 = 3_600_000;

#[tokio::test]
async fn sigterm_finishes_what_fits_into_the_grace_and_gives_back_the_rest() {
    let bench = Bench::new().await;
    let mut worker = bench.worker(&["work", "--grace", "4s"]);
    // Longer than what a cancelled job has left after the grace.
    let short = Work::new(1_u64, 2_500_u64).options().enqueue_on(&bench.client).await.unwrap();
    let long = Work::new(2_u64, HOUR).options().enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("begin 2", BOUND);
    worker.signal(libc::SIGTERM);
    worker.wait_for_line("SIGTERM", BOUND);
    let late = Work::new(3_u64, 1_u64).options().enqueue_on(&bench.client).await.unwrap();
    let start = Instant::now();
    let status = worker.wait(BOUND);
    assert_eq!(status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(matches!(short.status().await.unwrap(), JobStatus::Completed { .. }));
    assert_eq!([long.status().await.unwrap(), late.status().await.unwrap()], [JobStatus::Ready, JobStatus::Ready]);
    let counts = bench.client.counts(&queue("work")).await.unwrap();
    assert_eq!((counts.workers, counts.running, counts.ready), (0, 0, 2));
}

#[tokio::test]
async fn a_second_signal_gives_back_at_once() {
    let bench = Bench::new().await;
    let mut worker = bench.worker(&["work"]);
    let jobs = bench.client.enqueue_all((0..10).map(|n| Work::new(n, HOUR))).await.unwrap();
    for _ in 0..10 {
        worker.wait_for_line("begin ", BOUND);
    }
    worker.signal(libc::SIGTERM);
    worker.wait_for_line("SIGTERM", BOUND);
    worker.signal(libc::SIGINT);
    let start = Instant::now();
    assert_eq!(worker.wait(BOUND).code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    for job in jobs {
        assert_eq!(job.status().await.unwrap(), JobStatus::Ready);
    }
}

#[tokio::test]
async fn what_was_given_back_runs_on_another_worker_at_once() {
    let bench = Bench::new().await;
    let mut first = bench.worker(&["work", "--grace", "0s"]);
    let job = Work::new(1_u64, 300_u64).options().enqueue_on(&bench.client).await.unwrap();
    let long = Work::new(2_u64, 1_500_u64).options().enqueue_on(&bench.client).await.unwrap();
    first.wait_for_line("begin 2", BOUND);
    let mut second = bench.worker(&["work"]);
    first.signal(libc::SIGTERM);
    let start = Instant::now();
    assert_eq!(first.wait(BOUND).code(), Some(0));
    second.wait_for_line("begin 2", BOUND);
    // Not after the lease: it was given back, and the second worker was woken.
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!((job.result_within(BOUND).await.unwrap(), long.result_within(BOUND).await.unwrap()), (1, 2));
    assert!(matches!(long.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
}
