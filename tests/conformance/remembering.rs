//! Rules of retention, of waiters, and of what is told about jobs.

use std::time::Duration;

use futures_util::StreamExt;
use task_runtime::broker::{Due, Enqueued, Retention, Status, Turn, Watched, WhenFull};
use task_runtime::job::{EndRecord, JobId, Settlement};

use crate::fixture::{Bench, dead, finish, id, job, kept, seconds, state};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn watch(at: &Bench, text: &str) -> Watched {
    at.broker.watch(&at.queue, &id(text)).await.unwrap()
}

fn with_result(text: &str, keep: Duration) -> (JobId, Settlement) {
    (id(text), kept(keep))
}

pub(crate) async fn nothing_is_forgotten_before_the_floor(at: Bench) {
    let worker = at.running("a").await;
    let retention = Retention { finished: 1, age: seconds(1), ..Retention::default() };
    at.make(&worker, Turn { settlements: vec![finish("a")], retention, ..worker.next(0) }).await;
    at.clock.advance(seconds(59));
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
    at.clock.advance(seconds(1));
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert_eq!(at.status("a").await, Status::Unknown);
}

pub(crate) async fn a_dead_job_is_not_forgotten_before_the_floor(at: Bench) {
    let worker = at.running("a").await;
    let retention = Retention { dead: 0, dead_age: seconds(1), ..Retention::default() };
    at.make(&worker, Turn { settlements: vec![dead("a")], retention, ..worker.next(0) }).await;
    at.clock.advance(seconds(59));
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert_eq!(at.enqueue(job("a", 5, Due::Now)).await, Enqueued::Existing);
    at.clock.advance(seconds(1));
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert_eq!(at.status("a").await, Status::Unknown);
}

pub(crate) async fn the_oldest_ends_beyond_their_number_are_forgotten(at: Bench) {
    let worker = at.worker().await;
    for text in ["a", "b", "c"] {
        at.ready(&[text]).await;
        at.claim(&worker, 1).await;
        at.settle(&worker, vec![finish(text)]).await;
        at.clock.advance(seconds(61));
    }
    let retention = Retention { finished: 1, ..Retention::default() };
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert_eq!((at.status("a").await, at.status("b").await), (Status::Unknown, Status::Unknown));
    assert!(matches!(at.status("c").await, Status::Ended { .. }));
}

pub(crate) async fn whoever_finishes_forgets_what_is_too_old(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    at.clock.advance(2 * DAY);
    at.ready(&["b"]).await;
    at.claim(&worker, 1).await;
    at.settle(&worker, vec![finish("b")]).await;
    assert_eq!(at.status("a").await, Status::Unknown);
}

pub(crate) async fn a_result_is_kept_for_its_own_time(at: Bench) {
    let worker = at.running("a").await;
    let retention = Retention { finished: 0, age: seconds(1), ..Retention::default() };
    let settlements = vec![with_result("a", seconds(600))];
    at.make(&worker, Turn { settlements, retention, ..worker.next(0) }).await;
    at.clock.advance(seconds(599));
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
    at.clock.advance(seconds(1));
    at.broker.sweep(&at.queue, &retention, DAY).await.unwrap();
    assert_eq!(at.status("a").await, Status::Unknown);
}

pub(crate) async fn without_retention_an_end_is_not_kept_at_all(at: Bench) {
    at.running("another's").await;
    let worker = at.running("a").await;
    at.ready(&["b", "c", "d", "e"]).await;
    at.claim(&worker, 4).await;
    let retention = Retention { finished: 0, ..Retention::default() };
    let settlements = vec![dead("b"), finish("another's"), finish("a"), with_result("c", seconds(600)), finish("d")];
    at.make(&worker, Turn { settlements, retention, ..worker.next(0) }).await;
    for gone in ["a", "d"] {
        assert_eq!(at.status(gone).await, Status::Unknown);
    }
    for running in ["another's", "e"] {
        assert_eq!(at.status(running).await, Status::Running);
    }
    assert!(matches!(at.status("b").await, Status::Dead { .. }));
    assert!(matches!(at.status("c").await, Status::Ended { record } if record != b""));
}

pub(crate) async fn dead_jobs_are_kept_for_their_own_time(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![dead("a")]).await;
    at.clock.advance(29 * DAY);
    at.sweep(DAY).await;
    assert!(matches!(at.status("a").await, Status::Dead { .. }));
    at.clock.advance(DAY);
    at.sweep(DAY).await;
    assert_eq!(at.status("a").await, Status::Unknown);
}

pub(crate) async fn the_end_of_a_watched_job_is_told_once(at: Bench) {
    let mut endings = at.broker.ended(&at.queue).await.unwrap();
    at.ready(&["a", "b", "c"]).await;
    let worker = at.worker().await;
    at.claim(&worker, 3).await;
    assert_eq!(watch(&at, "a").await, Watched::Waiting);
    assert_eq!(watch(&at, "a").await, Watched::Waiting);
    assert_eq!(watch(&at, "c").await, Watched::Waiting);
    at.settle(&worker, vec![finish("b"), finish("a")]).await;
    at.settle(&worker, vec![finish("c")]).await;
    assert_eq!(endings.next().await.unwrap().unwrap(), id("a"));
    assert_eq!(endings.next().await.unwrap().unwrap(), id("c"));
}

pub(crate) async fn a_death_is_told_to_those_who_wait(at: Bench) {
    let mut endings = at.broker.ended(&at.queue).await.unwrap();
    let worker = at.running("a").await;
    assert_eq!(watch(&at, "a").await, Watched::Waiting);
    at.settle(&worker, vec![dead("a")]).await;
    assert_eq!(endings.next().await.unwrap().unwrap(), id("a"));
    assert_eq!(watch(&at, "a").await, Watched::Dead { state: Some(state(5)) });
}

pub(crate) async fn a_cancel_is_told_to_those_who_wait(at: Bench) {
    let mut endings = at.broker.ended(&at.queue).await.unwrap();
    at.ready(&["a"]).await;
    assert_eq!(watch(&at, "a").await, Watched::Waiting);
    at.cancel("a").await;
    assert_eq!(endings.next().await.unwrap().unwrap(), id("a"));
}

pub(crate) async fn a_watch_that_comes_late_gets_the_end(at: Bench) {
    at.ready(&["a"]).await;
    at.cancel("a").await;
    assert_eq!(watch(&at, "a").await, Watched::Ended { record: EndRecord::CANCELLED.to_vec() });
    assert_eq!(watch(&at, "b").await, Watched::Unknown);
}

pub(crate) async fn every_job_is_counted_where_it_is(at: Bench) {
    let worker = at.running("running").await;
    at.ready(&["dead", "finished"]).await;
    at.claim(&worker, 2).await;
    at.settle(&worker, vec![dead("dead"), finish("finished")]).await;
    at.ready(&["ready"]).await;
    at.enqueue(job("scheduled", 5, Due::After(seconds(9)))).await;
    let counts = at.broker.counts(&at.queue).await.unwrap();
    let jobs = [counts.scheduled, counts.ready, counts.running, counts.parked, counts.dead, counts.finished];
    assert_eq!((jobs, counts.workers, counts.paused), ([1, 1, 1, 0, 1, 1], 1, false));
    assert_eq!(at.broker.queues().await.unwrap(), std::slice::from_ref(&at.queue));
}

pub(crate) async fn a_broker_that_never_evicts_says_so(at: Bench) {
    assert_eq!(at.broker.storage(&at.queue).await.unwrap().when_full, WhenFull::Refuses);
}
