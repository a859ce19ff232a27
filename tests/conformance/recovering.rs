//! Rules of condemn and settle_for, of poison and of unknown tasks.

use std::time::Duration;

use task_runtime::broker::{Due, Heartbeat, Lease, Recovered, Status, Turn, TurnAnswer};
use task_runtime::job::{PutBack, Settlement};

use crate::fixture::{Bench, LEASE, START_MS, envelope, finish, id, job, names, park, seconds, state};

fn few(text: &str) -> Recovered {
    Recovered::Few { id: id(text), state: state(0) }
}

fn alone(text: &str) -> Recovered {
    Recovered::Alone { id: id(text), state: state(0) }
}

/// Lets a worker vanish with `texts` on board, and decides about them.
async fn crash(at: &Bench, texts: &[&str], recovered: &[Recovered]) {
    let worker = at.worker().await;
    at.ready(texts).await;
    assert_eq!(at.claim(&worker, texts.len()).await, texts);
    at.condemn(&worker).await;
    at.broker.settle_for(&at.queue, &worker.incarnation, recovered).await.unwrap();
    assert_eq!(at.lease_of(&worker).await, None);
}

pub(crate) async fn a_lease_that_lasts_is_not_condemned(at: Bench) {
    let worker = at.running("a").await;
    let lease = at.lease_of(&worker).await.unwrap();
    assert_eq!(at.broker.condemn(&at.queue, &lease, false).await.unwrap(), None);
    assert!(at.claim(&worker, 1).await.is_empty());
}

pub(crate) async fn a_lease_that_moved_on_is_not_condemned(at: Bench) {
    let worker = at.running("a").await;
    let seen = at.lease_of(&worker).await.unwrap();
    at.clock.advance(seconds(31));
    at.broker.heartbeat(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    for stale in [false, true] {
        assert_eq!(at.broker.condemn(&at.queue, &seen, stale).await.unwrap(), None);
    }
}

pub(crate) async fn a_heartbeat_changes_the_lease_when_the_clock_was_set_back(at: Bench) {
    let worker = at.running("a").await;
    let seen = at.lease_of(&worker).await.unwrap();
    at.clock.set(START_MS - 3_600_000);
    at.broker.heartbeat(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    let now = at.lease_of(&worker).await.unwrap();
    assert_eq!(now.ends_ms, START_MS - 3_570_000);
    // Whoever watched the old end has no evidence any more.
    assert_eq!(at.broker.condemn(&at.queue, &seen, true).await.unwrap(), None);
    assert!(at.claim(&worker, 1).await.is_empty());
}

pub(crate) async fn a_stale_lease_is_condemned_only_as_it_was_seen(at: Bench) {
    let worker = at.running("a").await;
    let lease = at.lease_of(&worker).await.unwrap();
    for off in [-1, 1] {
        let other = Lease { ends_ms: lease.ends_ms + off, ..lease.clone() };
        assert_eq!(at.broker.condemn(&at.queue, &other, true).await.unwrap(), None);
    }
    let condemned = at.broker.condemn(&at.queue, &lease, true).await.unwrap().unwrap();
    assert_eq!(names(&condemned.jobs), ["a"]);
    assert_eq!(at.exchange(&worker.next(1)).await, TurnAnswer::LeaseLost);
}

pub(crate) async fn a_lease_that_ended_is_condemned_and_tells_its_jobs(at: Bench) {
    let worker = at.running("a").await;
    assert_eq!(at.lease_of(&worker).await.unwrap().left, LEASE);
    at.clock.advance(seconds(30));
    let lease = at.lease_of(&worker).await.unwrap();
    assert!(lease.left.is_zero());
    let condemned = at.broker.condemn(&at.queue, &lease, false).await.unwrap().unwrap();
    assert_eq!((condemned.on_board, names(&condemned.jobs)), (1, vec!["a".into()]));
    assert!(condemned.jobs[0].envelope.starts_with(envelope("a").split(|b| *b == b'\n').next().unwrap()));
}

pub(crate) async fn a_condemned_incarnation_can_never_settle(at: Bench) {
    let worker = at.running("a").await;
    at.condemn(&worker).await;
    let turn = Turn { settlements: vec![finish("a")], ..worker.next(1) };
    assert_eq!(at.exchange(&turn).await, TurnAnswer::LeaseLost);
    let heartbeat = at.broker.heartbeat(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    assert_eq!(heartbeat, Heartbeat::LeaseLost);
    // Nor does a late begin bring it back.
    let _ = at.broker.begin(&at.queue, &worker.incarnation, LEASE).await;
    assert_eq!(at.exchange(&turn).await, TurnAnswer::LeaseLost);
    assert_eq!(at.status("a").await, Status::Running);
}

pub(crate) async fn a_begin_that_arrives_after_its_incarnation_was_recovered_brings_nothing_back(at: Bench) {
    let worker = at.running("a").await;
    let (first, under_way) = (Turn { step: 1, ..worker.next(1) }, worker.next(1));
    at.condemn(&worker).await;
    at.broker.settle_for(&at.queue, &worker.incarnation, &[few("a")]).await.unwrap();
    at.ready(&["b"]).await;
    let registered = at.broker.begin(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    // Its worker sees a number that it never sent.
    let nothing = TurnAnswer::OutOfStep { last: registered, running: Vec::new() };
    assert!(registered > under_way.step, "{registered}");
    for turn in [&first, &under_way] {
        assert_eq!(at.exchange(turn).await, nothing);
    }
    assert!(at.broker.adopt(&at.queue, &worker.incarnation, &[id("a")]).await.unwrap().is_empty());
    assert_eq!((at.status("a").await, at.status("b").await), (Status::Ready, Status::Ready));
    // Nobody moves that lease on, and then nothing is left of it.
    at.clock.advance(seconds(30));
    let lease = at.lease_of(&worker).await.unwrap();
    let condemned = at.broker.condemn(&at.queue, &lease, false).await.unwrap().unwrap();
    assert_eq!((condemned.on_board, condemned.jobs), (0, Vec::new()));
    assert_eq!(at.lease_of(&worker).await, None);
}

pub(crate) async fn a_begin_that_arrives_after_its_incarnation_left_brings_nothing_back(at: Bench) {
    let worker = at.worker().await;
    at.ready(&["a"]).await;
    let late = worker.next(1);
    assert!(at.broker.leave(&at.queue, &worker.incarnation, &[]).await.unwrap());
    let registered = at.broker.begin(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    assert_eq!(at.exchange(&late).await, TurnAnswer::OutOfStep { last: registered, running: Vec::new() });
    // The turns of others are numbered from there on too.
    let other = at.worker().await;
    assert_eq!(at.claim(&other, 1).await, ["a"]);
    assert_eq!(other.step.get(), registered + 1);
}

pub(crate) async fn a_condemned_incarnation_gives_nothing_back_by_itself(at: Bench) {
    let worker = at.running("a").await;
    at.condemn(&worker).await;
    at.broker.leave(&at.queue, &worker.incarnation, &[(id("a"), PutBack::Ready(5))]).await.unwrap();
    assert_eq!(at.condemn(&worker).await.on_board, 1);
    assert!(at.broker.adopt(&at.queue, &worker.incarnation, &[id("a")]).await.unwrap().is_empty());
}

pub(crate) async fn another_sweeper_goes_on_where_a_recoverer_died(at: Bench) {
    at.ready(&["a", "b"]).await;
    let worker = at.worker().await;
    at.claim(&worker, 2).await;
    at.condemn(&worker).await;
    at.broker.settle_for(&at.queue, &worker.incarnation, &[few("a")]).await.unwrap();
    let lease = at.lease_of(&worker).await.unwrap();
    assert_eq!(lease, Lease { incarnation: worker.incarnation.clone(), ends_ms: 0, left: Duration::ZERO });
    let rest = at.broker.condemn(&at.queue, &lease, false).await.unwrap().unwrap();
    assert_eq!(names(&rest.jobs), ["b"]);
    at.broker.settle_for(&at.queue, &worker.incarnation, &[few("b")]).await.unwrap();
    assert_eq!(at.lease_of(&worker).await, None);
}

pub(crate) async fn company_is_counted_once_not_as_it_shrinks(at: Bench) {
    at.ready(&["a", "b"]).await;
    let worker = at.worker().await;
    at.claim(&worker, 2).await;
    assert_eq!(at.condemn(&worker).await.on_board, 2);
    at.broker.settle_for(&at.queue, &worker.incarnation, &[few("a")]).await.unwrap();
    assert_eq!(at.condemn(&worker).await.on_board, 2);
}

pub(crate) async fn a_decision_twice_moves_a_job_once(at: Bench) {
    at.ready(&["a", "b"]).await;
    let worker = at.worker().await;
    at.claim(&worker, 2).await;
    at.condemn(&worker).await;
    for _ in 0..2 {
        at.broker.settle_for(&at.queue, &worker.incarnation, &[few("a")]).await.unwrap();
    }
    let other = at.worker().await;
    let done = at.make(&other, Turn { few_room: 5, ..other.next(5) }).await;
    assert_eq!(names(&done.claims), ["a"]);
}

pub(crate) async fn nobody_settles_for_one_that_lives(at: Bench) {
    let worker = at.running("a").await;
    at.broker.settle_for(&at.queue, &worker.incarnation, &[few("a")]).await.unwrap();
    assert_eq!(at.status("a").await, Status::Running);
    assert!(at.lease_of(&worker).await.is_some());
}

pub(crate) async fn a_condemned_incarnation_without_jobs_is_removed(at: Bench) {
    let worker = at.worker().await;
    assert_eq!(at.condemn(&worker).await.on_board, 0);
    assert_eq!(at.lease_of(&worker).await, None);
    at.broker.settle_for(&at.queue, &worker.incarnation, &[]).await.unwrap();
    assert_eq!(at.lease_of(&worker).await, None);
}

pub(crate) async fn survivors_of_a_crash_are_claimed_a_few_at_a_time(at: Bench) {
    crash(&at, &["a", "b"], &[few("a"), few("b")]).await;
    at.ready(&["c"]).await;
    let worker = at.worker().await;
    assert_eq!(at.claim(&worker, 5).await, ["c"]);
    let claim = Turn { few_room: 1, ..worker.next(5) };
    let done = at.make(&worker, claim).await;
    assert_eq!(names(&done.claims), ["a"]);
    assert_eq!(done.claims[0].state, Some(state(0)));
}

pub(crate) async fn a_last_chance_is_given_to_an_empty_worker_and_nothing_with_it(at: Bench) {
    crash(&at, &["a"], &[alone("a")]).await;
    at.ready(&["b"]).await;
    let busy = at.worker().await;
    let done = at.make(&busy, busy.next(0)).await;
    assert!(done.alone, "{done:?}");
    let empty = at.worker().await;
    let done = at.make(&empty, Turn { empty: true, few_room: 5, ..empty.next(5) }).await;
    assert_eq!((names(&done.claims), done.alone), (vec!["a".into()], false));
    assert_eq!(at.claim(&busy, 5).await, ["b"]);
}

pub(crate) async fn survivors_are_more_work_only_for_one_who_may_take_them(at: Bench) {
    crash(&at, &["a", "b", "c"], &[few("a"), few("b"), few("c")]).await;
    let worker = at.worker().await;
    let turn = |few_room, want| Turn { few_room, ..worker.next(want) };
    for (few_room, want, claims, more) in [(0, 5, 0, false), (1, 0, 0, true), (1, 5, 1, false), (2, 1, 1, true)] {
        let done = at.make(&worker, turn(few_room, want)).await;
        assert_eq!((done.claims.len(), done.more), (claims, more), "few_room {few_room}, want {want}");
    }
    at.broker.pause(&at.queue, true).await.unwrap();
    assert!(!at.make(&worker, turn(5, 5)).await.more);
}

pub(crate) async fn a_last_chance_is_more_work_only_for_an_empty_worker(at: Bench) {
    crash(&at, &["a", "b"], &[alone("a"), alone("b")]).await;
    let worker = at.worker().await;
    let turn = |empty, want| Turn { empty, few_room: 5, ..worker.next(want) };
    for (empty, want, claims, more) in [(false, 5, 0, false), (true, 0, 0, true), (true, 5, 1, false)] {
        let done = at.make(&worker, turn(empty, want)).await;
        assert_eq!((done.claims.len(), done.more, done.alone), (claims, more, true), "empty {empty}, want {want}");
    }
}

pub(crate) async fn a_job_that_crashed_too_often_is_dead(at: Bench) {
    crash(&at, &["a"], &[Recovered::Dead { id: id("a"), state: state(7) }]).await;
    assert_eq!(at.status("a").await, Status::Dead { state: Some(state(7)) });
}

pub(crate) async fn a_parked_job_is_dead_when_nobody_knows_its_task_for_too_long(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![park("a", "mail")]).await;
    at.clock.advance(seconds(10));
    at.sweep(seconds(60)).await;
    assert!(matches!(at.status("a").await, Status::Parked { .. }));
    at.clock.advance(seconds(51));
    at.sweep(seconds(60)).await;
    assert_eq!(at.status("a").await, Status::Dead { state: Some(state(0)) });
}

pub(crate) async fn a_parked_job_stays_while_a_worker_knows_its_task(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![park("a", "mail")]).await;
    at.clock.advance(seconds(50));
    // It knows the task but has no room.
    let take = vec!["mail".to_owned()];
    at.make(&worker, Turn { take, ..worker.next(0) }).await;
    at.clock.advance(seconds(50));
    at.sweep(seconds(60)).await;
    assert!(matches!(at.status("a").await, Status::Parked { .. }));
}

pub(crate) async fn a_job_recovered_from_a_worker_can_be_settled_by_the_next(at: Bench) {
    crash(&at, &["a"], &[few("a")]).await;
    let worker = at.worker().await;
    at.make(&worker, Turn { few_room: 1, ..worker.next(1) }).await;
    at.settle(&worker, vec![finish("a")]).await;
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
    let ended = at.enqueue(job("a", 5, Due::Now)).await;
    assert_eq!(ended, task_runtime::broker::Enqueued::Ended);
}

pub(crate) async fn what_was_on_board_of_a_crash_goes_back_to_where_it_was(at: Bench) {
    at.ready(&["a", "b", "c", "d"]).await;
    let worker = at.worker().await;
    at.claim(&worker, 4).await;
    let release = |text: &str, to| (id(text), Settlement::Release { to });
    at.settle(&worker, vec![release("a", PutBack::Few), release("b", PutBack::Alone)]).await;
    let left = [(id("c"), PutBack::Few), (id("d"), PutBack::Alone)];
    assert!(at.broker.leave(&at.queue, &worker.incarnation, &left).await.unwrap());
    let other = at.worker().await;
    assert!(at.claim(&other, 4).await.is_empty());
    let done = at.make(&other, Turn { few_room: 5, ..other.next(4) }).await;
    assert_eq!((names(&done.claims), done.alone), (vec!["a".into(), "c".into()], true));
    at.settle(&other, vec![finish("a"), finish("c")]).await;
    for last in ["b", "d"] {
        let done = at.make(&other, Turn { empty: true, few_room: 5, ..other.next(4) }).await;
        assert_eq!(names(&done.claims), [last]);
        at.settle(&other, vec![finish(last)]).await;
    }
}
