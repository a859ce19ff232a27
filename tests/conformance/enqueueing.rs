//! Rules of enqueue and promote.

use task_runtime::Error;
use task_runtime::broker::{Due, Enqueued, MAX_ENQUEUE, Retention, Status, Turn};

use crate::fixture::{Bench, START_MS, finish, id, job, seconds};

pub(crate) async fn a_new_job_is_ready_and_keeps_its_envelope(at: Bench) {
    at.ready(&["a"]).await;
    assert_eq!(at.status("a").await, Status::Ready);
    let worker = at.worker().await;
    let done = at.make(&worker, worker.next(1)).await;
    let claim = &done.claims[0];
    assert_eq!((&claim.id, &claim.envelope, &claim.state), (&id("a"), &job("a", 5, Due::Now).envelope, &None));
}

pub(crate) async fn a_job_that_is_there_is_not_enqueued_again(at: Bench) {
    at.ready(&["a"]).await;
    assert_eq!(at.enqueue(job("a", 9, Due::Now)).await, Enqueued::Existing);
    let worker = at.worker().await;
    assert_eq!(at.claim(&worker, 5).await, ["a"]);
    assert_eq!(at.enqueue(job("a", 5, Due::Now)).await, Enqueued::Existing);
}

pub(crate) async fn the_same_job_twice_in_one_call_is_one_job(at: Bench) {
    let twice = [job("a", 5, Due::Now), job("a", 5, Due::Now)];
    // A broker may refuse the call, but never make two entries of one job.
    if let Ok(answers) = at.broker.enqueue(&at.queue, &twice, None).await {
        assert_eq!(answers, [Enqueued::New, Enqueued::Existing]);
        let worker = at.worker().await;
        assert_eq!(at.claim(&worker, 5).await, ["a"]);
    }
}

pub(crate) async fn a_job_that_has_ended_is_not_enqueued_again(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    assert_eq!(at.enqueue(job("a", 5, Due::Now)).await, Enqueued::Ended);
    assert!(at.claim(&worker, 5).await.is_empty());
}

pub(crate) async fn a_repeated_enqueue_is_unknown_when_its_record_may_be_forgotten(at: Bench) {
    let worker = at.running("a").await;
    let retention = Retention { finished: 0, ..Retention::default() };
    at.make(&worker, Turn { settlements: vec![finish("a")], retention, ..worker.next(0) }).await;
    at.clock.advance(seconds(5));
    let again = |wait| Some(seconds(wait));
    assert_eq!(at.enqueue_all(&[job("a", 5, Due::Now)], again(10)).await, [Enqueued::Unknown]);
    assert_eq!(at.status("a").await, Status::Unknown);
    assert_eq!(at.enqueue_all(&[job("b", 5, Due::Now)], again(1)).await, [Enqueued::New]);
    assert_eq!(at.enqueue_all(&[job("c", 5, Due::Now)], None).await, [Enqueued::New]);
}

pub(crate) async fn a_repeated_enqueue_of_a_job_that_never_arrived_is_new(at: Bench) {
    let answers = at.enqueue_all(&[job("a", 5, Due::Now)], Some(seconds(10))).await;
    assert_eq!(answers, [Enqueued::New]);
}

pub(crate) async fn too_many_jobs_in_one_call_are_refused_and_none_is_enqueued(at: Bench) {
    let jobs: Vec<_> = (0..=MAX_ENQUEUE).map(|n| job(&format!("j{n}"), 5, Due::Now)).collect();
    let refused = at.broker.enqueue(&at.queue, &jobs, None).await;
    assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
    assert_eq!(at.status("j0").await, Status::Unknown);
}

pub(crate) async fn a_delayed_job_waits_until_it_is_due(at: Bench) {
    assert_eq!(at.enqueue(job("a", 5, Due::After(seconds(60)))).await, Enqueued::New);
    assert_eq!(at.status("a").await, Status::Scheduled { due_ms: START_MS + 60_000, state: None });
    let worker = at.worker().await;
    assert!(at.claim(&worker, 5).await.is_empty());
    at.clock.advance(seconds(60));
    assert_eq!(at.claim(&worker, 5).await, ["a"]);
}

pub(crate) async fn a_job_due_in_the_past_is_ready_at_once(at: Bench) {
    at.enqueue(job("a", 5, Due::At(START_MS - 1))).await;
    assert_eq!(at.status("a").await, Status::Ready);
}

pub(crate) async fn due_jobs_become_ready_in_their_own_priority(at: Bench) {
    at.enqueue(job("low", 2, Due::After(seconds(1)))).await;
    at.enqueue(job("high", 8, Due::After(seconds(1)))).await;
    at.clock.advance(seconds(1));
    assert_eq!(at.broker.promote(&at.queue).await.unwrap(), 2);
    assert_eq!(at.broker.promote(&at.queue).await.unwrap(), 0);
    assert_eq!(at.status("low").await, Status::Ready);
    let worker = at.worker().await;
    assert_eq!(at.claim(&worker, 5).await, ["high", "low"]);
}

pub(crate) async fn promote_moves_a_hundred_jobs_at_most(at: Bench) {
    let jobs: Vec<_> = (0..120).map(|n| job(&format!("j{n}"), 5, Due::After(seconds(1)))).collect();
    at.enqueue_all(&jobs, None).await;
    at.clock.advance(seconds(1));
    assert_eq!(at.broker.promote(&at.queue).await.unwrap(), 100);
    assert_eq!(at.broker.promote(&at.queue).await.unwrap(), 20);
}
