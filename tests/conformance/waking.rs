//! Rules of the wake tokens and of the timer.

use task_runtime::broker::{Due, MAX_WAKE, Turn};

use crate::fixture::{Bench, finish, job, release, seconds};

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

pub(crate) async fn a_worker_with_nothing_left_to_wake_for_gets_no_due_time(at: Bench) {
    let worker = at.running("a").await;
    let settlements = vec![finish("a")];
    let done = at.make(&worker, Turn { settlements, ..worker.next(1) }).await;
    assert_eq!((done.next_due, done.more), (None, false));
}
