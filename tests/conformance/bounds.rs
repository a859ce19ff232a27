//! Rules of how much one call carries, whatever others stored.

use task_runtime::broker::{
    Claim, Due, Enqueued, MAX_KEPT, MAX_TURN, NewJob, Recovered, Retention, Status, Turn, Watched,
};
use task_runtime::job::{JobId, MAX_STATE_BYTES, Settlement};

use crate::fixture::{Bench, Worker, id, job, seconds, state};

/// Jobs of which four fit into one answer.
const LARGE: usize = 250_000;
const FOUR: usize = 4;

/// What is told of a job whose record has so many bytes, by everyone who tells it.
async fn told(at: &Bench, text: &str, bytes: usize) -> [Option<usize>; 5] {
    let worker = at.running(text).await;
    let state = || vec![b'x'; bytes];
    let length = |claims: &[Claim]| claims[0].state.as_ref().map(Vec::len);
    let settle = async |settlement: Settlement| at.settle(&worker, vec![(id(text), settlement)]).await;
    settle(Settlement::Retry { state: state(), delay: seconds(0), priority: 5 }).await;
    let lent = length(&at.make(&worker, worker.next(1)).await.claims);
    let adopted = length(&at.broker.adopt(&at.queue, &worker.incarnation, &[id(text)]).await.unwrap());
    settle(Settlement::Dead { state: state() }).await;
    let Status::Dead { state: shown } = at.status(text).await else { panic!("it is not dead") };
    let Watched::Dead { state: watched } = at.broker.watch(&at.queue, &id(text)).await.unwrap() else { panic!() };
    let other = format!("{text}-2");
    let vanished = at.running(&other).await;
    let retry = Settlement::Retry { state: state(), delay: seconds(0), priority: 5 };
    at.settle(&vanished, vec![(JobId::new(&other).unwrap(), retry)]).await;
    at.make(&vanished, vanished.next(1)).await;
    let freed = length(&at.condemn(&vanished).await.jobs);
    [lent, adopted, shown.map(|state| state.len()), watched.map(|state| state.len()), freed]
}

pub(crate) async fn a_record_beside_a_job_that_is_too_long_counts_as_absent(at: Bench) {
    assert_eq!(told(&at, "fits", MAX_STATE_BYTES).await, [Some(MAX_STATE_BYTES); 5]);
    assert_eq!(told(&at, "over", MAX_STATE_BYTES + 1).await, [None; 5]);
}

/// Enqueues so many large jobs.
async fn large(at: &Bench, count: usize) -> Vec<JobId> {
    let ids: Vec<JobId> = (0..count).map(|n| id(&format!("large-{n}"))).collect();
    for one in &ids {
        let job = NewJob { envelope: vec![b'x'; LARGE], ..job(one.as_str(), 5, Due::Now) };
        assert_eq!(at.enqueue(job).await, Enqueued::New);
    }
    ids
}

/// Claims everything, and asserts how many jobs each turn lends.
async fn claims(at: &Bench, worker: &Worker, turn: impl Fn() -> Turn, all: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for left in (0..all).step_by(FOUR).rev() {
        let done = at.make(worker, turn()).await;
        assert_eq!(done.claims.len(), FOUR);
        assert!(left == 0 || done.more || !done.parked.is_empty(), "there are {left} more");
        ids.extend(done.claims.into_iter().map(|claim| claim.id));
    }
    ids
}

pub(crate) async fn one_turn_lends_about_a_megabyte(at: Bench) {
    let jobs = large(&at, 3 * FOUR).await;
    let worker = at.worker().await;
    assert_eq!(claims(&at, &worker, || worker.next(64), jobs.len()).await, jobs);
    let park = |id: &JobId| (id.clone(), Settlement::Park { task: "large".into(), priority: 5, state: state(0) });
    at.settle(&worker, jobs.iter().map(park).collect()).await;
    let take = || Turn { take: vec!["large".into()], ..worker.next(64) };
    assert_eq!(claims(&at, &worker, take, jobs.len()).await.len(), jobs.len());
    assert!(at.make(&worker, take()).await.claims.is_empty());
}

pub(crate) async fn one_call_of_recovery_tells_about_a_megabyte(at: Bench) {
    let jobs = large(&at, 2 * FOUR).await;
    let vanished = at.worker().await;
    claims(&at, &vanished, || vanished.next(64), jobs.len()).await;
    for _ in 0..2 {
        let condemned = at.condemn(&vanished).await;
        assert_eq!((condemned.on_board, condemned.jobs.len()), (jobs.len(), FOUR));
        let few: Vec<_> =
            condemned.jobs.into_iter().map(|claim| Recovered::Few { id: claim.id, state: state(0) }).collect();
        at.broker.settle_for(&at.queue, &vanished.incarnation, &few).await.unwrap();
    }
    assert_eq!(at.lease_of(&vanished).await, None);
    let worker = at.worker().await;
    claims(&at, &worker, || Turn { few_room: 64, ..worker.next(64) }, jobs.len()).await;
}

pub(crate) async fn no_more_ends_are_kept_than_the_hard_cap_and_that_is_told_to_who_asks_again(at: Bench) {
    let (worker, retention) = (at.worker().await, Retention { finished: 2 * MAX_KEPT, ..Retention::default() });
    let mut settlements = Vec::new();
    for call in 0..=MAX_KEPT.div_ceil(MAX_TURN) {
        let ids: Vec<JobId> = (0..MAX_TURN).map(|n| id(&format!("{call}-{n}"))).collect();
        let new = |id: &JobId| NewJob { id: id.clone(), priority: 5, due: Due::Now, envelope: vec![b'x'] };
        at.enqueue_all(&ids.iter().map(new).collect::<Vec<_>>(), None).await;
        let done = at.make(&worker, Turn { settlements, retention, ..worker.next(MAX_TURN) }).await;
        assert_eq!(done.claims.len(), MAX_TURN);
        settlements = ids.into_iter().map(|id| (id, Settlement::Finish { record: vec![b'x'], keep: None })).collect();
    }
    at.make(&worker, Turn { settlements, retention, ..worker.next(0) }).await;
    // All of them are younger than what is surely remembered.
    let finished = at.broker.counts(&at.queue).await.unwrap().finished;
    assert!((MAX_KEPT - 2 * MAX_TURN..=MAX_KEPT).contains(&finished), "{finished}");
    let again = [job("0-0", 5, Due::Now)];
    assert_eq!(at.enqueue_all(&again, Some(seconds(1))).await, [Enqueued::Unknown]);
}
