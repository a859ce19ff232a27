//! Rules of begin, turn, heartbeat, adopt and leave.

use std::cell::Cell;

use futures_util::future::join_all;
use task_runtime::Error;
use task_runtime::broker::{
    Claim, Due, Enqueued, Heartbeat, Incarnation, MAX_WORKERS, NewJob, Status, Turn, TurnAnswer,
};
use task_runtime::job::{MAX_ENVELOPE_BYTES, PutBack};

use crate::fixture::{
    Bench, LEASE, START_MS, Worker, dead, finish, id, job, names, park, release, retry, seconds, state,
};

pub(crate) async fn only_begin_registers_an_incarnation(at: Bench) {
    at.ready(&["a"]).await;
    let stranger = Worker { incarnation: Incarnation::random(), step: Cell::new(0) };
    assert_eq!(at.exchange(&stranger.next(1)).await, TurnAnswer::LeaseLost);
    let heartbeat = at.broker.heartbeat(&at.queue, &stranger.incarnation, LEASE).await.unwrap();
    assert_eq!(heartbeat, Heartbeat::LeaseLost);
    assert_eq!(at.lease_of(&stranger).await, None);
    assert_eq!(at.status("a").await, Status::Ready);
}

pub(crate) async fn a_repeated_begin_changes_nothing(at: Bench) {
    let worker = at.running("a").await;
    at.broker.begin(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    at.ready(&["b"]).await;
    assert_eq!(at.claim(&worker, 1).await, ["b"]);
}

pub(crate) async fn a_queue_takes_no_more_workers_than_its_limit(at: Bench) {
    let all: Vec<_> = (0..=MAX_WORKERS).map(|_| Incarnation::random()).collect();
    let (last, others) = all.split_last().unwrap();
    let begin = |one| at.broker.begin(&at.queue, one, LEASE);
    for answer in join_all(others.iter().map(begin)).await {
        answer.unwrap();
    }
    let refused = begin(last).await;
    assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
    let stranger = Worker { incarnation: last.clone(), step: Cell::new(0) };
    assert_eq!(at.exchange(&stranger.next(1)).await, TurnAnswer::LeaseLost);
    // Who is there already is not refused, and one that leaves makes room.
    begin(&others[0]).await.unwrap();
    at.broker.leave(&at.queue, &others[0], &[]).await.unwrap();
    begin(last).await.unwrap();
}

pub(crate) async fn a_turn_out_of_step_changes_nothing_and_tells_what_runs(at: Bench) {
    let worker = at.running("a").await;
    at.ready(&["b"]).await;
    at.clock.advance(seconds(1));
    let lease = at.lease_of(&worker).await;
    for step in [0, 1, 3] {
        let turn = Turn { step, settlements: vec![finish("a")], ..worker.next(1) };
        assert_eq!(at.exchange(&turn).await, TurnAnswer::OutOfStep { last: 1, running: vec![id("a")] });
    }
    assert_eq!(at.lease_of(&worker).await, lease);
    assert_eq!(at.status("a").await, Status::Running);
    assert_eq!(at.status("b").await, Status::Ready);
}

pub(crate) async fn a_turn_and_a_heartbeat_move_the_lease(at: Bench) {
    let worker = at.worker().await;
    at.clock.advance(seconds(10));
    at.claim(&worker, 1).await;
    assert_eq!(at.lease_of(&worker).await.unwrap().ends_ms, START_MS + 40_000);
    at.clock.advance(seconds(10));
    let alive = at.broker.heartbeat(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    assert_eq!(alive, Heartbeat::Alive { step: 1, asked: Vec::new() });
    assert_eq!(at.lease_of(&worker).await.unwrap().ends_ms, START_MS + 50_000);
}

pub(crate) async fn jobs_are_claimed_in_the_order_that_the_turn_gives(at: Bench) {
    for (text, priority) in [("low", 0), ("middle", 5), ("high", 9), ("middle-2", 5)] {
        at.enqueue(job(text, priority, Due::Now)).await;
    }
    let worker = at.worker().await;
    let mut turn = worker.next(2);
    turn.order = [0, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    assert_eq!(names(&at.make(&worker, turn).await.claims), ["low", "high"]);
    assert_eq!(at.claim(&worker, 2).await, ["middle", "middle-2"]);
}

pub(crate) async fn a_turn_claims_no_more_than_it_wants_and_says_that_there_is_more(at: Bench) {
    at.ready(&["a", "b", "c"]).await;
    let worker = at.worker().await;
    let done = at.make(&worker, worker.next(2)).await;
    assert_eq!((names(&done.claims), done.more), (vec!["a".into(), "b".into()], true));
    let done = at.make(&worker, worker.next(2)).await;
    assert_eq!((names(&done.claims), done.more), (vec!["c".into()], false));
}

/// A program of others may have put it there: a worker must neither wait for all of it nor hold it.
pub(crate) async fn an_envelope_that_is_too_long_is_not_lent(at: Bench) {
    let of = |text, bytes| NewJob { envelope: vec![b'x'; bytes], ..job(text, 5, Due::Now) };
    for (text, bytes) in [("fits", MAX_ENVELOPE_BYTES), ("over", MAX_ENVELOPE_BYTES + 1), ("far_over", 20 << 20)] {
        assert_eq!(at.enqueue(of(text, bytes)).await, Enqueued::New);
    }
    let worker = at.worker().await;
    let claims = at.make(&worker, worker.next(3)).await.claims;
    let lengths = |claims: &[Claim]| claims.iter().map(|claim| claim.envelope.len()).collect::<Vec<_>>();
    assert_eq!(lengths(&claims), [MAX_ENVELOPE_BYTES, 0, 0]);
    let adopted = at.broker.adopt(&at.queue, &worker.incarnation, &[id("far_over")]).await.unwrap();
    assert_eq!(lengths(&adopted), [0]);
    assert_eq!(at.status("far_over").await, Status::Running);
}

pub(crate) async fn a_claimed_job_is_not_claimed_again(at: Bench) {
    at.running("a").await;
    let other = at.worker().await;
    assert!(at.claim(&other, 5).await.is_empty());
}

pub(crate) async fn fencing_tokens_grow_with_every_claim(at: Bench) {
    at.ready(&["a", "b", "c"]).await;
    let mut last = 0;
    let worker = at.worker().await;
    for want in [2, 1] {
        for claim in at.make(&worker, worker.next(want)).await.claims {
            assert!(claim.token > last, "{} after {last}", claim.token);
            last = claim.token;
        }
    }
}

pub(crate) async fn a_claim_stands_before_its_settlement(at: Bench) {
    let worker = at.running("a").await;
    let settlements = vec![retry("a", seconds(0))];
    let done = at.make(&worker, Turn { settlements, ..worker.next(5) }).await;
    assert!(done.claims.is_empty() && done.more, "{done:?}");
    assert_eq!(at.claim(&worker, 5).await, ["a"]);
}

pub(crate) async fn a_settlement_of_a_job_claimed_in_the_same_turn_is_ignored(at: Bench) {
    at.ready(&["a"]).await;
    let worker = at.worker().await;
    let settlements = vec![finish("a")];
    let done = at.make(&worker, Turn { settlements, ..worker.next(1) }).await;
    assert_eq!(names(&done.claims), ["a"]);
    assert_eq!(at.status("a").await, Status::Running);
}

pub(crate) async fn only_the_holder_can_settle(at: Bench) {
    at.running("a").await;
    let other = at.worker().await;
    at.settle(&other, vec![finish("a"), dead("a")]).await;
    assert_eq!(at.status("a").await, Status::Running);
}

pub(crate) async fn who_miscounts_what_it_holds_settles_no_more_than_that(at: Bench) {
    at.running("a").await;
    let other = at.running("b").await;
    for on_loan in [None, Some(0), Some(2)] {
        let settlements = vec![finish("a"), finish("b")];
        at.make(&other, Turn { settlements, on_loan, ..other.next(0) }).await;
        assert_eq!(at.status("a").await, Status::Running);
    }
}

pub(crate) async fn a_finished_job_leaves_its_record(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    assert_eq!(at.status("a").await, Status::Ended { record: br#"{"end":"completed"}"#.to_vec() });
}

pub(crate) async fn a_dead_job_stays_with_its_state(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![dead("a")]).await;
    assert_eq!(at.status("a").await, Status::Dead { state: Some(state(5)) });
    let existing = at.enqueue(job("a", 5, Due::Now)).await;
    assert_eq!(existing, task_runtime::broker::Enqueued::Existing);
}

pub(crate) async fn a_retry_at_once_goes_to_the_back_with_its_state(at: Bench) {
    let worker = at.running("a").await;
    at.ready(&["b"]).await;
    at.settle(&worker, vec![retry("a", seconds(0))]).await;
    let claims = at.make(&worker, worker.next(2)).await.claims;
    assert_eq!(names(&claims), ["b", "a"]);
    assert_eq!(claims[1].state, Some(state(1)));
}

pub(crate) async fn a_retry_with_a_delay_is_scheduled(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![retry("a", seconds(7))]).await;
    assert_eq!(at.status("a").await, Status::Scheduled { due_ms: START_MS + 7_000, state: Some(state(1)) });
    at.clock.advance(seconds(7));
    assert_eq!(at.claim(&worker, 1).await, ["a"]);
}

pub(crate) async fn a_released_job_goes_to_the_front_unchanged(at: Bench) {
    let worker = at.running("a").await;
    at.ready(&["b"]).await;
    at.settle(&worker, vec![release("a")]).await;
    let claims = at.make(&worker, worker.next(2)).await.claims;
    assert_eq!(names(&claims), ["a", "b"]);
    assert_eq!(claims[0].state, None);
}

pub(crate) async fn a_parked_job_waits_for_a_worker_that_takes_its_task(at: Bench) {
    let worker = at.running("a").await;
    at.ready(&["b"]).await;
    let done = at.settle(&worker, vec![park("a", "mail")]).await;
    assert_eq!(done.parked, ["mail"]);
    assert_eq!(at.status("a").await, Status::Parked { state: Some(state(0)) });
    assert_eq!(at.claim(&worker, 5).await, ["b"]);
    let take = vec!["mail".to_owned()];
    let done = at.make(&worker, Turn { take, ..worker.next(5) }).await;
    assert_eq!((names(&done.claims), done.parked), (vec!["a".into()], Vec::new()));
}

pub(crate) async fn adopt_gives_what_the_incarnation_holds_and_nothing_else(at: Bench) {
    let worker = at.running("a").await;
    let other = at.running("b").await;
    let ids = [id("a"), id("b"), id("c")];
    let claims = at.broker.adopt(&at.queue, &worker.incarnation, &ids).await.unwrap();
    assert_eq!(names(&claims), ["a"]);
    assert_eq!(claims[0].envelope, job("a", 5, Due::Now).envelope);
    let claims = at.broker.adopt(&at.queue, &other.incarnation, &ids).await.unwrap();
    assert_eq!(names(&claims), ["b"]);
}

pub(crate) async fn leave_gives_jobs_back_and_ends_the_incarnation(at: Bench) {
    at.ready(&["a", "b"]).await;
    let worker = at.worker().await;
    at.claim(&worker, 2).await;
    let leave = async |jobs: &[_]| at.broker.leave(&at.queue, &worker.incarnation, jobs).await.unwrap();
    assert!(!leave(&[(id("a"), PutBack::Ready(5))]).await);
    assert_eq!(at.status("a").await, Status::Ready);
    assert!(leave(&[(id("b"), PutBack::Ready(5))]).await);
    assert_eq!(at.lease_of(&worker).await, None);
    assert_eq!(at.exchange(&worker.next(1)).await, TurnAnswer::LeaseLost);
}

pub(crate) async fn leave_is_harmless_twice_and_from_a_stranger(at: Bench) {
    let worker = at.running("a").await;
    let stranger = Incarnation::random();
    assert!(at.broker.leave(&at.queue, &stranger, &[(id("a"), PutBack::Ready(5))]).await.unwrap());
    assert_eq!(at.status("a").await, Status::Running);
    assert!(at.broker.leave(&at.queue, &worker.incarnation, &[(id("a"), PutBack::Ready(5))]).await.unwrap());
    let other = at.worker().await;
    assert_eq!(at.claim(&other, 1).await, ["a"]);
    assert!(at.broker.leave(&at.queue, &worker.incarnation, &[(id("a"), PutBack::Ready(5))]).await.unwrap());
    assert_eq!(at.status("a").await, Status::Running);
    assert!(at.claim(&other, 1).await.is_empty());
    assert_eq!(at.broker.counts(&at.queue).await.unwrap().workers, 1);
}

pub(crate) async fn a_paused_queue_gives_no_jobs_but_takes_settlements(at: Bench) {
    let worker = at.running("a").await;
    at.ready(&["b"]).await;
    at.broker.pause(&at.queue, true).await.unwrap();
    let settlements = vec![finish("a")];
    let done = at.make(&worker, Turn { settlements, ..worker.next(5) }).await;
    assert!(done.claims.is_empty() && done.paused && !done.more, "{done:?}");
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
    at.broker.pause(&at.queue, false).await.unwrap();
    assert_eq!(at.claim(&worker, 5).await, ["b"]);
}
