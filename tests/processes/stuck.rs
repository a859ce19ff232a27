//! A task that goes on although its time is up is told of, holds its place, and stops nothing else.

use std::time::{Duration, Instant};

use support::{Health, shared_redis};
use task_runtime::client::{JobError, JobHandle, JobStatus};

use crate::tasks::{Deaf, Hog, Work};
use crate::{BOUND, Bench};

/// What a stuck task has: a second, and as long again as it may be late, and some.
const TOLD: Duration = Duration::from_secs(20);

async fn is_dead_as_stuck(job: &JobHandle<()>) {
    let Err(JobError::Failed { message, .. }) = job.result_within(TOLD).await else { panic!("it is not dead") };
    assert_eq!(message, "timed out after 1s, and goes on 10s later");
    assert!(matches!(job.status().await.unwrap(), JobStatus::Dead { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tasks_that_ignore_the_end_of_their_time_hold_their_places_and_stop_nothing_else() {
    let bench = Bench::new().await;
    let program = bench.program(&["worker", "work", "--concurrency", "4", "--health", "127.0.0.1:0"]);
    let mut worker = program.env("TOKIO_WORKER_THREADS", "4").start();
    let health = Health::of(&mut worker);
    let second = Duration::from_secs(1);
    let hog = Hog::new(25_000_u64).options().timeout(second).max_attempts(1).enqueue_on(&bench.client).await.unwrap();
    let deaf = Deaf::new(25_000_u64).options().timeout(second).max_attempts(1).enqueue_on(&bench.client).await.unwrap();
    is_dead_as_stuck(&hog).await;
    is_dead_as_stuck(&deaf).await;
    let text = health.wait_for(503, BOUND);
    assert!(text.contains("2 of 4 places are held by jobs that go on although their time is up"), "{text}");
    assert_eq!(health.get("/health/live").0, 200);
    // Two places are left for the others.
    let jobs = bench.client.enqueue_all((0..6).map(|n| Work::new(n, 500_u64))).await.unwrap();
    for job in jobs {
        job.result_within(BOUND).await.unwrap();
    }
    let (mut now, mut most) = (0, 0);
    for line in worker.lines() {
        now += i32::from(line.starts_with("begin ")) - i32::from(line.starts_with("end "));
        most = most.max(now);
    }
    assert_eq!((now, most), (0, 2), "{}", worker.lines().join("\n"));
    // They end at last, and their places are free again.
    health.wait_for(200, BOUND);
}

/// Has a job wait for a worker that runs nothing else, as after crashes.
async fn alone(bench: &Bench, number: u64) -> JobHandle<u64> {
    let job = Work::new(number, 10_u64).options().delay(Duration::from_secs(3_600));
    let job = job.enqueue_on(&bench.client).await.unwrap();
    let key = |name: &str| format!("{{{}:work}}:{name}", bench.namespace);
    let id = job.id().as_str();
    shared_redis().command(&["RPUSH", &key("alone"), id]);
    shared_redis().command(&["ZREM", &key("scheduled"), id]);
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_can_never_be_alone_because_of_a_stuck_task_goes_on_with_other_jobs() {
    let bench = Bench::new().await;
    let program = bench.program(&["worker", "work", "--concurrency", "4"]);
    let _worker = program.env("TOKIO_WORKER_THREADS", "4").start();
    let start = Instant::now();
    let deaf = Deaf::new(55_000_u64).options().timeout(Duration::from_secs(1)).max_attempts(1);
    is_dead_as_stuck(&deaf.enqueue_on(&bench.client).await.unwrap()).await;
    let waits = alone(&bench, 1_000).await;
    // For longer than a worker is patient before it claims nothing more, to become alone.
    for number in 0.. {
        let job = Work::new(number, 100_u64).options().enqueue_on(&bench.client).await.unwrap();
        job.result_within(Duration::from_secs(5)).await.unwrap();
        if start.elapsed() > Duration::from_secs(48) {
            break;
        }
    }
    assert_eq!(waits.status().await.unwrap(), JobStatus::Ready);
    // Once that ended it is alone.
    waits.result_within(BOUND).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_burst_does_not_wait_for_stuck_tasks() {
    let bench = Bench::new().await;
    let deaf = Deaf::new(120_000_u64).options().timeout(Duration::from_secs(1)).max_attempts(1);
    let deaf = deaf.enqueue_on(&bench.client).await.unwrap();
    let job = Work::new(1_u64, 10_u64).options().enqueue_on(&bench.client).await.unwrap();
    let mut worker = bench.program(&["worker", "work", "--burst"]).env("TOKIO_WORKER_THREADS", "4").start();
    assert_eq!(worker.wait(BOUND).code(), Some(0), "{}", worker.lines().join("\n"));
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { .. }));
    is_dead_as_stuck(&deaf).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_with_a_stuck_task_stops_in_time() {
    let bench = Bench::new().await;
    let mut worker = bench.program(&["worker", "work"]).env("TOKIO_WORKER_THREADS", "4").start();
    let stuck = Hog::new(3_600_000_u64).options().timeout(Duration::from_secs(1)).max_attempts(1);
    is_dead_as_stuck(&stuck.enqueue_on(&bench.client).await.unwrap()).await;
    Hog::new(3_600_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("hog", BOUND);
    worker.wait_for_line("hog", BOUND);
    worker.signal(libc::SIGTERM);
    worker.wait_for_line("SIGTERM", BOUND);
    worker.signal(libc::SIGTERM);
    let start = Instant::now();
    assert_eq!(worker.wait(BOUND).code(), Some(0), "{}", worker.lines().join("\n"));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
