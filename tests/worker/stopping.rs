//! An orderly stop loses nothing and counts nothing.

use std::time::{Duration, Instant};

use task_runtime::client::JobStatus;

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
