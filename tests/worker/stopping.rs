//! An orderly stop loses nothing and counts nothing.

use std::time::{Duration, Instant};

use support::eventually;
use task_runtime::client::JobStatus;
use task_runtime::worker::NotReady;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::fixture::*;

pub(crate) async fn a_stopping_worker_finishes_what_runs(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin a").await;
    worker.handle.stop();
    let next = Note::new("too late").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.add("go");
    worker.ended().await;
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { .. }));
    assert_eq!(next.status().await.unwrap(), JobStatus::Ready);
}

pub(crate) async fn what_outlasts_the_grace_is_cancelled_and_given_back(bench: Bench) {
    let worker = bench.start(bench.worker().grace(Duration::from_millis(100)));
    let polite = WaitForCancel::new().options().enqueue_on(&bench.client).await.unwrap();
    let deaf = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("waiting").await;
    bench.notes.wait_for("begin a").await;
    worker.stop().await;
    assert!(bench.notes.all().iter().any(|note| note == "cancelled"));
    for status in [polite.status().await.unwrap(), deaf.status().await.unwrap()] {
        assert_eq!(status, JobStatus::Ready);
    }
    // Neither attempt counted.
    bench.notes.add("go");
    let worker = bench.start(bench.worker());
    deaf.result_within(BOUND).await.unwrap();
    assert!(matches!(deaf.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    worker.handle.stop_now();
    worker.ended().await;
}

pub(crate) async fn stop_now_gives_back_at_once_without_an_attempt(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin a").await;
    let start = Instant::now();
    worker.handle.stop_now();
    worker.ended().await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(job.status().await.unwrap(), JobStatus::Ready);
    let counts = bench.client.broker().counts(&queue()).await.unwrap();
    assert_eq!((counts.workers, counts.running, counts.ready), (0, 0, 1));
}

pub(crate) async fn a_worker_whose_runtime_is_dropped_leaves_its_jobs_to_others(bench: Bench) {
    // Dropping a runtime waits for its threads, which no async code may do.
    let drops = async |runtime, _| tokio::task::spawn_blocking(move || drop::<Runtime>(runtime)).await.unwrap();
    leaves_its_jobs_to_others(bench, drops).await;
}

pub(crate) async fn a_worker_whose_future_is_dropped_leaves_its_jobs_to_others(bench: Bench) {
    let drops = async |runtime: Runtime, running: JoinHandle<_>| {
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        // It goes on, as that of a program does which does other things too.
        std::mem::forget(runtime);
    };
    leaves_its_jobs_to_others(bench, drops).await;
}

/// A worker in a runtime of its own ends without a stop, as `drops` says.
async fn leaves_its_jobs_to_others(
    bench: Bench,
    drops: impl AsyncFnOnce(Runtime, JoinHandle<Result<(), task_runtime::Error>>),
) {
    let lease = Duration::from_secs(1);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let worker = bench.worker().lease(lease).build().unwrap();
    let handle = worker.handle();
    let running = runtime.spawn(worker.run_until(std::future::pending()));
    let job = WaitForGo::new("a").options().max_attempts(1).enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin a").await;
    drops(runtime, running).await;
    assert_eq!(handle.readiness().reasons(), [NotReady::NotRunning]);
    handle.stop();
    // A connection that was opened in that runtime ends with it, and whoever uses it next is told so.
    eventually("the job still counts as running", BOUND, async || {
        matches!(job.status().await, Ok(JobStatus::Running)).then_some(())
    })
    .await;
    let other = bench.start(bench.worker().lease(lease));
    eventually("another worker begins the job", BOUND, async || {
        (bench.notes.all().iter().filter(|note| *note == "begin a").count() == 2).then_some(())
    })
    .await;
    bench.notes.add("go");
    job.result_within(BOUND).await.unwrap();
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    other.stop().await;
    // The first attempt was dropped where it was.
    assert_eq!(bench.notes.all(), ["begin a", "begin a", "go", "end a"]);
    let counts = bench.client.counts(&queue()).await.unwrap();
    assert_eq!((counts.workers, counts.running), (0, 0), "{counts:?}");
}
