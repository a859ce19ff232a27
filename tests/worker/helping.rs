//! Workers of more jobs than one turn carries: two incarnations share a long queue, and part again.

use support::eventually;
use task_runtime::broker::{Counts, MAX_TURN};
use task_runtime::client::JobStatus;

use crate::fixture::*;

/// Places of a worker that two full turns fill.
const PLACES: usize = 2 * MAX_TURN;
/// More than that.
const JOBS: usize = PLACES + 40;

/// Enqueues jobs that wait, and starts a worker that runs as many as it has places for.
async fn full_worker(bench: &Bench) -> Running {
    let jobs = (0..JOBS).map(|number| WaitForGo::new(number.to_string()));
    bench.client.enqueue_all(jobs).await.unwrap();
    let worker = bench.start(bench.worker().concurrency(PLACES));
    let full = counts_are(bench, |counts| counts.running == PLACES).await;
    assert_eq!(full.workers, 2);
    worker
}

async fn counts_are(bench: &Bench, are: impl Fn(&Counts) -> bool) -> Counts {
    eventually("the counts are as they should", BOUND, async || {
        let counts = bench.client.broker().counts(&queue()).await.unwrap();
        are(&counts).then_some(counts)
    })
    .await
}

pub(crate) async fn two_incarnations_share_a_long_queue_and_one_rests_when_it_is_empty(bench: Bench) {
    let worker = full_worker(&bench).await;
    bench.notes.add("go");
    counts_are(&bench, |counts| counts.finished == JOBS && counts.running == 0).await;
    let ends = bench.notes.all().into_iter().filter(|note| note.starts_with("end "));
    assert_eq!(ends.collect::<std::collections::HashSet<_>>().len(), JOBS);
    assert_eq!(bench.notes.all().len(), 2 * JOBS + 1, "a job ran twice");
    counts_are(&bench, |counts| counts.workers == 1).await;
    let job = Add::new(1, 2).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 3);
    worker.stop().await;
}

pub(crate) async fn both_incarnations_give_back_what_they_run(bench: Bench) {
    let worker = full_worker(&bench).await;
    worker.handle.stop_now();
    worker.ended().await;
    let counts = bench.client.broker().counts(&queue()).await.unwrap();
    assert_eq!((counts.workers, counts.running, counts.ready), (0, 0, JOBS));
}

pub(crate) async fn a_short_queue_has_one_incarnation(bench: Bench) {
    let worker = bench.start(bench.worker().concurrency(PLACES));
    let job = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.status_is(&job, "running", |status| *status == JobStatus::Running).await;
    let counts = bench.client.broker().counts(&queue()).await.unwrap();
    assert_eq!((counts.workers, counts.running), (1, 1));
    bench.notes.add("go");
    worker.stop().await;
}
