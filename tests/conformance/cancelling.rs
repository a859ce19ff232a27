//! Rules of cancel.

use task_runtime::broker::{Cancelled, Due, Enqueued, Heartbeat, Recovered, Retention, Status, Turn};
use task_runtime::job::PutBack;

use crate::fixture::{Bench, LEASE, cancelled, dead, finish, id, job, park, release, retry, seconds, state};

pub(crate) async fn a_cancelled_ready_job_never_runs(at: Bench) {
    at.ready(&["a", "b"]).await;
    assert_eq!(at.cancel("a").await, Cancelled::Cancelled);
    assert_eq!(at.status("a").await, cancelled());
    assert_eq!(at.cancel("a").await, Cancelled::Ended);
    let worker = at.worker().await;
    assert_eq!(at.claim(&worker, 5).await, ["b"]);
}

pub(crate) async fn a_cancelled_ready_job_is_dropped_when_popped_and_its_mark_with_it(at: Bench) {
    let worker = at.worker().await;
    let retention = Retention { finished: 0, ..Retention::default() };
    at.ready(&["a"]).await;
    at.cancel("a").await;
    // Past every age, so that only the mark is left of it.
    at.clock.advance(seconds(2 * 24 * 60 * 60));
    at.sweep(seconds(1)).await;
    assert_eq!(at.status("a").await, cancelled());
    assert_eq!(at.enqueue(job("a", 5, Due::Now)).await, Enqueued::Ended);
    assert_eq!(at.cancel("a").await, Cancelled::Cancelled);
    let done = at.make(&worker, Turn { retention, ..worker.next(1) }).await;
    assert!(done.claims.is_empty(), "{done:?}");
    assert_eq!(at.enqueue(job("a", 5, Due::Now)).await, Enqueued::New);
    assert_eq!(at.claim(&worker, 5).await, ["a"]);
}

pub(crate) async fn a_run_of_cancelled_jobs_does_not_look_like_an_empty_queue(at: Bench) {
    let texts: Vec<_> = (0..6).map(|n| format!("j{n}")).collect();
    at.ready(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for text in &texts[..5] {
        at.cancel(text).await;
    }
    let worker = at.worker().await;
    let done = at.make(&worker, worker.next(1)).await;
    assert!(done.claims.is_empty() && done.more, "{done:?}");
    assert_eq!(at.claim(&worker, 1).await, ["j5"]);
}

pub(crate) async fn a_cancelled_scheduled_job_never_becomes_due(at: Bench) {
    at.enqueue(job("a", 5, Due::After(seconds(1)))).await;
    assert_eq!(at.cancel("a").await, Cancelled::Cancelled);
    at.clock.advance(seconds(1));
    let worker = at.worker().await;
    assert!(at.claim(&worker, 5).await.is_empty());
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn a_cancelled_parked_job_is_not_taken(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![park("a", "mail")]).await;
    assert_eq!(at.cancel("a").await, Cancelled::Cancelled);
    let take = vec!["mail".to_owned()];
    let done = at.make(&worker, Turn { take, ..worker.next(5) }).await;
    assert!(done.claims.is_empty(), "{done:?}");
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn a_running_job_is_asked_to_stop(at: Bench) {
    let worker = at.running("a").await;
    assert_eq!(at.cancel("a").await, Cancelled::Asked);
    assert_eq!(at.status("a").await, Status::Running);
    let heartbeat = at.broker.heartbeat(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    assert_eq!(heartbeat, Heartbeat::Alive { step: 1, asked: vec![id("a")] });
    assert_eq!(at.make(&worker, worker.next(0)).await.asked, [id("a")]);
    let other = at.worker().await;
    assert!(at.make(&other, other.next(0)).await.asked.is_empty());
}

pub(crate) async fn an_asked_job_may_still_finish(at: Bench) {
    let worker = at.running("a").await;
    at.cancel("a").await;
    let done = at.settle(&worker, vec![finish("a")]).await;
    assert!(done.asked.is_empty(), "{done:?}");
    assert_eq!(at.status("a").await, Status::Ended { record: br#"{"end":"completed"}"#.to_vec() });
}

pub(crate) async fn asked_beats_a_retry(at: Bench) {
    for (text, delay) in [("now", 0), ("later", 9)] {
        let worker = at.running(text).await;
        at.cancel(text).await;
        at.settle(&worker, vec![retry(text, seconds(delay))]).await;
        assert_eq!(at.status(text).await, cancelled());
    }
}

pub(crate) async fn asked_beats_a_release(at: Bench) {
    let worker = at.running("a").await;
    at.cancel("a").await;
    at.settle(&worker, vec![release("a")]).await;
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn asked_beats_parking(at: Bench) {
    let worker = at.running("a").await;
    at.cancel("a").await;
    let done = at.settle(&worker, vec![park("a", "mail")]).await;
    assert!(done.parked.is_empty(), "{done:?}");
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn asked_beats_leaving(at: Bench) {
    let worker = at.running("a").await;
    at.cancel("a").await;
    assert!(at.broker.leave(&at.queue, &worker.incarnation, &[(id("a"), PutBack::Ready(5))]).await.unwrap());
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn asked_beats_recovery(at: Bench) {
    let worker = at.running("a").await;
    at.cancel("a").await;
    at.condemn(&worker).await;
    let few = [Recovered::Few { id: id("a"), state: state(0) }];
    at.broker.settle_for(&at.queue, &worker.incarnation, &few).await.unwrap();
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn what_has_ended_or_died_or_never_was_cannot_be_cancelled(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    assert_eq!(at.cancel("a").await, Cancelled::Ended);
    let worker = at.running("b").await;
    at.settle(&worker, vec![dead("b")]).await;
    assert_eq!(at.cancel("b").await, Cancelled::Dead);
    assert_eq!(at.cancel("c").await, Cancelled::NotFound);
}
