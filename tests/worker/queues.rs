//! Which queue's jobs run next, and how many at a time.

use std::time::Duration;

use support::eventually;
use task_runtime::job::QueueName;

use crate::fixture::*;

async fn enqueue(bench: &Bench, queue: &str, count: usize) {
    let jobs = (0..count).map(|_| Note::new(queue).options().queue(queue));
    bench.client.enqueue_all(jobs).await.unwrap();
}

pub(crate) async fn a_queue_of_higher_order_goes_first(bench: Bench) {
    enqueue(&bench, "low", 20).await;
    enqueue(&bench, "high", 20).await;
    let worker = bench.bare_worker().queue("high").queue("low").concurrency(1).burst(true);
    bench.start(worker).ended().await;
    let notes = bench.notes.all();
    assert_eq!(notes.len(), 40);
    assert!(notes[..20].iter().all(|note| note == "high"), "{notes:?}");
}

pub(crate) async fn weights_share_the_permits(bench: Bench) {
    for queue in ["one", "three"] {
        let jobs = (0..20).map(|_| WaitForGo::new(queue).options().queue(queue));
        bench.client.enqueue_all(jobs).await.unwrap();
    }
    let worker = bench.bare_worker().weighted_queue("three", 3).weighted_queue("one", 1).concurrency(8).burst(true);
    let worker = bench.start(worker);
    let begun = |queue| bench.notes.all().iter().filter(|note| **note == format!("begin {queue}")).count();
    eventually("all permits are taken", BOUND, async || (begun("three") + begun("one") == 8).then_some(())).await;
    assert_eq!((begun("three"), begun("one")), (6, 2));
    bench.notes.add("go");
    worker.ended().await;
    assert_eq!((begun("three"), begun("one")), (20, 20));
}

pub(crate) async fn no_more_jobs_run_at_a_time_than_there_are_permits(bench: Bench) {
    bench.client.enqueue_all((0..200).map(|_| CountCompany::new())).await.unwrap();
    bench.start(bench.worker().concurrency(3).burst(true)).ended().await;
    let (mut now, mut most) = (0, 0);
    for note in bench.notes.all() {
        now += if note == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!((now, most), (0, 3));
}

pub(crate) async fn a_paused_queue_waits_and_resumes(bench: Bench) {
    let broker = bench.client.broker();
    broker.pause(&queue(), true).await.unwrap();
    let worker = bench.start(bench.worker());
    let job = Note::new("x").options().enqueue_on(&bench.client).await.unwrap();
    job.result_within(Duration::from_millis(300)).await.unwrap_err();
    broker.pause(&queue(), false).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    worker.stop().await;
}

pub(crate) async fn a_burst_ends_when_nothing_is_left(bench: Bench) {
    enqueue(&bench, "q", 50).await;
    let late = Note::new("late").options().delay(Duration::from_secs(3600)).enqueue_on(&bench.client).await.unwrap();
    bench.start(bench.worker().burst(true)).ended().await;
    assert_eq!(bench.notes.all().len(), 50);
    assert_eq!(late.status().await.unwrap().to_string(), "scheduled");
    let counts = bench.client.broker().counts(&queue()).await.unwrap();
    assert_eq!((counts.workers, counts.running, counts.ready), (0, 0, 0));
}

pub(crate) async fn a_burst_sees_jobs_that_its_last_job_enqueued(bench: Bench) {
    PassOn::new("passed").options().enqueue_on(&bench.client).await.unwrap();
    let worker = bench.bare_worker().weighted_queue("q", 1).weighted_queue("other", 1).burst(true);
    bench.start(worker).ended().await;
    assert_eq!(bench.notes.all(), ["passed"]);
    let other = QueueName::new("other").unwrap();
    assert_eq!(bench.client.broker().counts(&other).await.unwrap().ready, 0);
}
