//! Rules of the wake tokens and of the timer.

use std::time::Duration;

use task_runtime::broker::{Due, MAX_WAKE, Recovered, Turn};
use task_runtime::job::PutBack;

use crate::fixture::{Bench, LEASE, Worker, finish, id, job, names, release, retry, seconds, state};

pub(crate) async fn each_new_ready_job_leaves_a_token_up_to_the_cap(at: Bench) {
    assert_eq!(at.tokens().await, 0);
    at.ready(&["a", "b"]).await;
    assert_eq!(at.tokens().await, 2);
    let texts: Vec<_> = (0..20).map(|n| format!("j{n}")).collect();
    at.ready(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(at.tokens().await, MAX_WAKE);
}

pub(crate) async fn a_token_wakes_one_that_waits(at: Bench) {
    let waiter = async { at.broker.wake(&at.queue, seconds(5)).await.unwrap() };
    let (woken, ()) = tokio::join!(waiter, at.ready(&["a"]));
    assert!(woken);
}

pub(crate) async fn only_an_earlier_due_time_leaves_a_token(at: Bench) {
    at.enqueue(job("a", 5, Due::After(seconds(60)))).await;
    assert_eq!(at.tokens().await, 1);
    at.enqueue(job("b", 5, Due::After(seconds(90)))).await;
    assert_eq!(at.tokens().await, 0);
    at.enqueue(job("c", 5, Due::After(seconds(30)))).await;
    assert_eq!(at.tokens().await, 1);
}

pub(crate) async fn a_paused_queue_leaves_no_tokens_and_resume_does(at: Bench) {
    at.broker.pause(&at.queue, true).await.unwrap();
    at.ready(&["a"]).await;
    assert_eq!(at.tokens().await, 0);
    at.broker.pause(&at.queue, false).await.unwrap();
    assert!(at.token().await);
}

pub(crate) async fn a_turn_that_leaves_jobs_behind_passes_the_wake_on(at: Bench) {
    at.ready(&["a", "b"]).await;
    at.tokens().await;
    let worker = at.worker().await;
    at.claim(&worker, 0).await;
    assert_eq!(at.tokens().await, 1);
    at.claim(&worker, 1).await;
    assert_eq!(at.tokens().await, 1);
    at.claim(&worker, 1).await;
    assert_eq!(at.tokens().await, 0);
}

pub(crate) async fn a_turn_that_got_less_than_it_wanted_keeps_the_wake(at: Bench) {
    let texts: Vec<_> = (0..6).map(|n| format!("j{n}")).collect();
    at.ready(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for text in &texts[..5] {
        at.cancel(text).await;
    }
    at.tokens().await;
    let worker = at.worker().await;
    let done = at.make(&worker, worker.next(1)).await;
    assert!(done.claims.is_empty() && done.more, "{done:?}");
    assert_eq!(at.tokens().await, 0);
}

pub(crate) async fn a_worker_that_takes_a_last_chance_passes_the_wake_on(at: Bench) {
    let crashed = at.running("a").await;
    at.condemn(&crashed).await;
    let alone = [Recovered::Alone { id: id("a"), state: state(0) }];
    at.broker.settle_for(&at.queue, &crashed.incarnation, &alone).await.unwrap();
    at.ready(&["b"]).await;
    at.tokens().await;
    let worker = at.worker().await;
    let done = at.make(&worker, Turn { empty: true, ..worker.next(5) }).await;
    assert_eq!((names(&done.claims), done.more), (vec!["a".into()], true));
    assert_eq!(at.tokens().await, 1);
}

pub(crate) async fn a_turn_leaves_no_more_tokens_than_ready_jobs(at: Bench) {
    let delayed: Vec<_> = (0..4).map(|n| job(&format!("j{n}"), n, Due::After(seconds(1)))).collect();
    at.enqueue_all(&delayed, None).await;
    let worker = at.worker().await;
    at.clock.advance(seconds(1));
    at.tokens().await;
    // Four become ready, of which two are claimed at once.
    assert_eq!(at.claim(&worker, 2).await, ["j3", "j2"]);
    assert_eq!(at.tokens().await, 2);
    let settlements = vec![retry("j3", seconds(0)), release("j2")];
    let done = at.make(&worker, Turn { settlements, ..worker.next(2) }).await;
    assert_eq!(names(&done.claims), ["j1", "j0"]);
    assert_eq!(at.tokens().await, 2);
}

pub(crate) async fn a_turn_that_claims_all_it_promoted_leaves_no_token(at: Bench) {
    at.enqueue(job("a", 5, Due::After(seconds(1)))).await;
    let worker = at.worker().await;
    at.clock.advance(seconds(1));
    at.tokens().await;
    assert_eq!(at.claim(&worker, 1).await, ["a"]);
    assert_eq!(at.tokens().await, 0);
}

pub(crate) async fn a_retry_for_later_leaves_no_token(at: Bench) {
    let worker = at.running("a").await;
    at.tokens().await;
    // Whoever makes the turn is the one who is told when the job is due.
    let done = at.settle(&worker, vec![retry("a", seconds(9))]).await;
    assert_eq!((done.next_due, at.tokens().await), (Some(seconds(9)), 0));
}

pub(crate) async fn one_that_leaves_or_is_recovered_leaves_a_token(at: Bench) {
    let worker = at.worker().await;
    at.broker.leave(&at.queue, &worker.incarnation, &[]).await.unwrap();
    assert_eq!(at.tokens().await, 1);
    let worker = at.running("a").await;
    at.tokens().await;
    at.broker.leave(&at.queue, &worker.incarnation, &[(id("a"), PutBack::Ready(5))]).await.unwrap();
    assert_eq!(at.tokens().await, 2);
    let worker = at.worker().await;
    assert_eq!(at.claim(&worker, 1).await, ["a"]);
    at.condemn(&worker).await;
    assert_eq!(at.tokens().await, 0);
    let few = [Recovered::Few { id: id("a"), state: state(0) }];
    at.broker.settle_for(&at.queue, &worker.incarnation, &few).await.unwrap();
    assert_eq!(at.tokens().await, 1);
}

pub(crate) async fn a_job_that_goes_back_to_ready_leaves_a_token(at: Bench) {
    let worker = at.running("a").await;
    at.tokens().await;
    at.settle(&worker, vec![release("a")]).await;
    assert!(at.token().await);
}

pub(crate) async fn a_promoted_job_leaves_a_token(at: Bench) {
    at.enqueue(job("a", 5, Due::After(seconds(1)))).await;
    at.tokens().await;
    at.clock.advance(seconds(1));
    at.broker.promote(&at.queue).await.unwrap();
    assert!(at.token().await);
}

pub(crate) async fn the_next_due_time_is_held_by_one_worker(at: Bench) {
    at.enqueue(job("a", 5, Due::After(seconds(60)))).await;
    let (holder, other) = (at.worker().await, at.worker().await);
    assert_eq!(at.make(&holder, holder.next(1)).await.next_due, Some(seconds(60)));
    assert_eq!(at.make(&other, other.next(1)).await.next_due, None);
    at.clock.advance(seconds(20));
    assert_eq!(at.make(&holder, holder.next(1)).await.next_due, Some(seconds(40)));
    at.enqueue(job("b", 5, Due::After(seconds(10)))).await;
    assert_eq!(at.make(&other, other.next(1)).await.next_due, Some(seconds(10)));
}

/// One that holds the due time of `a`, in 10 s; `b` is due in 60 s. And another worker.
async fn holder(at: &Bench) -> (Worker, Worker) {
    at.enqueue(job("a", 5, Due::After(seconds(10)))).await;
    at.enqueue(job("b", 5, Due::After(seconds(60)))).await;
    let (holder, other) = (at.worker().await, at.worker().await);
    assert_eq!(next_due(at, &holder).await, Some(seconds(10)));
    assert_eq!(next_due(at, &other).await, None);
    at.tokens().await;
    (holder, other)
}

async fn next_due(at: &Bench, worker: &Worker) -> Option<Duration> {
    at.make(worker, worker.next(0)).await.next_due
}

pub(crate) async fn a_due_time_is_taken_from_a_holder_that_is_late(at: Bench) {
    // More jobs than one turn without room promotes: the due time stays after it has passed.
    let jobs: Vec<_> = (0..50).map(|n| job(&format!("j{n}"), 5, Due::After(seconds(10)))).collect();
    at.enqueue_all(&jobs, None).await;
    let (holder, other) = (at.worker().await, at.worker().await);
    assert_eq!(next_due(&at, &holder).await, Some(seconds(10)));
    at.clock.advance(seconds(11));
    assert_eq!(next_due(&at, &other).await, None);
    at.clock.advance(Duration::from_millis(1));
    assert_eq!(next_due(&at, &other).await, Some(seconds(0)));
}

pub(crate) async fn a_due_time_is_taken_when_its_job_is_gone(at: Bench) {
    let (holder, other) = holder(&at).await;
    at.cancel("a").await;
    assert_eq!(next_due(&at, &other).await, None);
    // The holder wakes at the time that it was told.
    at.clock.advance(seconds(10));
    assert_eq!(next_due(&at, &other).await, None);
    at.clock.advance(Duration::from_millis(1));
    assert_eq!(next_due(&at, &other).await, Some(Duration::from_millis(49_999)));
    assert_eq!(next_due(&at, &holder).await, None);
}

pub(crate) async fn a_due_time_is_taken_from_a_holder_whose_lease_ended(at: Bench) {
    at.enqueue(job("a", 5, Due::After(seconds(60)))).await;
    let holder = at.worker().await;
    assert_eq!(next_due(&at, &holder).await, Some(seconds(60)));
    at.clock.advance(LEASE - seconds(1));
    let other = at.worker().await;
    assert_eq!(next_due(&at, &other).await, None);
    at.clock.advance(seconds(1));
    assert_eq!(next_due(&at, &other).await, Some(seconds(30)));
}

pub(crate) async fn the_due_time_of_one_that_left_goes_to_another(at: Bench) {
    let (holder, other) = holder(&at).await;
    at.broker.leave(&at.queue, &holder.incarnation, &[]).await.unwrap();
    // The token has one that waits make a turn.
    assert!(at.token().await);
    assert_eq!(next_due(&at, &other).await, Some(seconds(10)));
}

pub(crate) async fn the_due_time_of_one_that_was_condemned_goes_to_another(at: Bench) {
    let (holder, other) = holder(&at).await;
    at.condemn(&holder).await;
    assert_eq!(at.tokens().await, 1);
    assert_eq!(next_due(&at, &other).await, Some(seconds(10)));
    // Who holds nothing leaves nothing to be taken over.
    let bystander = at.worker().await;
    at.condemn(&bystander).await;
    assert_eq!(at.tokens().await, 0);
}

pub(crate) async fn a_due_time_without_jobs_is_held_by_nobody(at: Bench) {
    let (holder, other) = holder(&at).await;
    at.cancel("a").await;
    at.cancel("b").await;
    // It is told nothing, and so would not wake for the next job.
    assert_eq!(next_due(&at, &holder).await, None);
    at.enqueue(job("c", 5, Due::After(seconds(20)))).await;
    assert_eq!(next_due(&at, &other).await, Some(seconds(20)));
}

pub(crate) async fn a_worker_with_nothing_left_to_wake_for_gets_no_due_time(at: Bench) {
    let worker = at.running("a").await;
    let settlements = vec![finish("a")];
    let done = at.make(&worker, Turn { settlements, ..worker.next(1) }).await;
    assert_eq!((done.next_due, done.more), (None, false));
}
