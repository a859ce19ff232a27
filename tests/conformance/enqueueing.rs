//! Rules of enqueue and promote.

use std::time::Duration;

use task_runtime::Error;
use task_runtime::broker::{
    Counts, Due, Enqueued, FLOOR, MAX_ENQUEUE, MAX_ENQUEUE_LATER, NewJob, Retention, Status, Turn, Watched,
};
use task_runtime::job::{MAX_DELAY, MAX_NAME_BYTES, Settlement};

use crate::fixture::{Bench, START_MS, finish, id, job, names, park, release, retry, seconds};

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
    let first = job("a", 5, Due::Now);
    let second = NewJob { envelope: b"another".to_vec(), ..first.clone() };
    // A broker may refuse the call, but never make two entries of one job, nor take the second for the first.
    if let Ok(answers) = at.broker.enqueue(&at.queue, &[first.clone(), job("b", 5, Due::Now), second], None).await {
        assert_eq!(answers, [Enqueued::New, Enqueued::New, Enqueued::Existing]);
        let worker = at.worker().await;
        let claims = at.make(&worker, worker.next(5)).await.claims;
        assert_eq!(claims.iter().map(|claim| claim.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(claims[0].envelope, first.envelope);
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
    let due = |n| if n < MAX_ENQUEUE_LATER { Due::After(seconds(n as u64)) } else { Due::At(START_MS) };
    let later: Vec<_> = (0..=MAX_ENQUEUE_LATER).map(|n| job(&format!("j{n}"), 5, due(n))).collect();
    for jobs in [jobs, later] {
        let refused = at.broker.enqueue(&at.queue, &jobs, None).await;
        assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
        assert_eq!(at.status("j0").await, Status::Unknown);
    }
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
    for jobs in jobs.chunks(MAX_ENQUEUE_LATER) {
        at.enqueue_all(jobs, None).await;
    }
    at.clock.advance(seconds(1));
    assert_eq!(at.broker.promote(&at.queue).await.unwrap(), 100);
    assert_eq!(at.broker.promote(&at.queue).await.unwrap(), 20);
}

pub(crate) async fn a_due_time_is_kept_to_the_millisecond(at: Bench) {
    let ten_years = MAX_DELAY.as_millis() as i64;
    for (n, ahead) in [1, 999, 86_400_001, ten_years - 1, ten_years].into_iter().enumerate() {
        for priority in [0, 9] {
            let (by_time, by_delay) = (format!("at-{n}-{priority}"), format!("after-{n}-{priority}"));
            at.enqueue(job(&by_time, priority, Due::At(START_MS + ahead))).await;
            at.enqueue(job(&by_delay, priority, Due::After(Duration::from_millis(ahead.unsigned_abs())))).await;
            for text in [by_time, by_delay] {
                assert_eq!(at.status(&text).await, Status::Scheduled { due_ms: START_MS + ahead, state: None });
            }
        }
    }
}

/// Ids that a pattern, a list with separators, a number or a key could take for something else.
const ODD_IDS: [&str; 12] =
    ["%d", "%", "[%w]+", "(.*)$", "=", "0", "1e400", "-1", "{x}:running", "\"\\\"", "cancelled", "parked"];

pub(crate) async fn an_id_of_any_characters_goes_every_way(at: Bench) {
    let worker = at.worker().await;
    let all: String = ('!'..='~').collect();
    let longest = [&all[..MAX_NAME_BYTES], &all[all.len() - MAX_NAME_BYTES..]];
    for text in ODD_IDS.into_iter().chain(longest) {
        let claim = async |want: Turn| assert_eq!(names(&at.make(&worker, want).await.claims), [text]);
        assert_eq!(at.enqueue(job(text, 5, Due::After(seconds(1)))).await, Enqueued::New);
        at.clock.advance(seconds(1));
        claim(worker.next(5)).await;
        at.settle(&worker, vec![park(text, "later")]).await;
        claim(Turn { take: vec!["later".into()], ..worker.next(5) }).await;
        at.settle(&worker, vec![retry(text, seconds(1))]).await;
        at.clock.advance(seconds(1));
        claim(worker.next(5)).await;
        at.settle(&worker, vec![release(text)]).await;
        assert_eq!(at.broker.watch(&at.queue, &id(text)).await.unwrap(), Watched::Waiting);
        claim(worker.next(5)).await;
        let keep = Some(FLOOR);
        at.settle(&worker, vec![(id(text), Settlement::Finish { record: b"{}".to_vec(), keep })]).await;
        assert_eq!(at.status(text).await, Status::Ended { record: b"{}".to_vec() });
        assert_eq!(at.enqueue(job(text, 5, Due::Now)).await, Enqueued::Ended);
        // Its result is forgotten, and nothing else of it is left.
        at.clock.advance(FLOOR);
        at.sweep(seconds(600)).await;
        assert_eq!(at.status(text).await, Status::Unknown);
        at.ready(&[text]).await;
        at.cancel(text).await;
        assert!(at.claim(&worker, 5).await.is_empty());
        at.clock.advance(Retention::default().age);
        at.sweep(seconds(600)).await;
        assert_eq!(at.status(text).await, Status::Unknown);
    }
    assert_eq!(at.broker.counts(&at.queue).await.unwrap(), Counts { workers: 1, ..Counts::default() });
}
