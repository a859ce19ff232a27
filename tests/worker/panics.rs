//! Whatever panics in a task, and wherever: the job is told of it, and all others go on.

use task_runtime::client::{JobError, JobStatus};

use crate::fixture::*;

pub(crate) async fn whatever_panics_in_a_task_its_neighbours_go_on(bench: Bench) {
    let worker = bench.start(bench.worker());
    let neighbour = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin a").await;
    let incarnations = async || {
        let leases = bench.client.broker().workers(&queue()).await.unwrap();
        leases.into_iter().map(|lease| lease.incarnation).collect::<Vec<_>>()
    };
    let before = incarnations().await;
    let falls = [
        ("itself", "panicked at tests/worker/fixture.rs:", "the task fell"),
        ("drop", "panicked at tests/worker/fixture.rs:", "the lock is poisoned"),
        ("child", "panicked at tests/worker/fixture.rs:", "JoinError::Panic"),
        ("told child", "task ", "panicked with message \"the child fell\""),
        ("thread", "the thread fell", ""),
    ];
    for (place, begin, part) in falls {
        let job = PanicSomewhere::new(place).options().enqueue_on(&bench.client).await.unwrap();
        match job.result_within(BOUND).await {
            Err(JobError::Failed { message, attempts: 1 }) => {
                assert!(message.starts_with(begin) && message.contains(part), "{place}: {message}");
            }
            other => panic!("{place}: {other:?}"),
        }
    }
    // What a task leaves behind is its own affair.
    let job = PanicSomewhere::new("left child").options().enqueue_on(&bench.client).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    bench.notes.wait_for("the child falls").await;
    let sum = Add::new(40_u64, 2_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(sum.result_within(BOUND).await.unwrap(), 42);
    bench.notes.add("go");
    neighbour.result_within(BOUND).await.unwrap();
    assert!(matches!(neighbour.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    let begun = bench.notes.all().iter().filter(|note| *note == "begin a").count();
    assert_eq!((begun, incarnations().await), (1, before));
    worker.stop().await;
}
