//! Rules of how much one call carries, whatever others stored.

use task_runtime::broker::{Claim, Status, Watched};
use task_runtime::job::{JobId, MAX_STATE_BYTES, Settlement};

use crate::fixture::{Bench, id, seconds};

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
