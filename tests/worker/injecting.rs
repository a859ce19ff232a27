//! What a task is given beside its arguments.

use task_runtime::prelude::*;

use crate::fixture::*;

pub(crate) async fn state_and_context_reach_the_task(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = Tell::new().options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), ("q".to_owned(), 1, true));
    assert_eq!(bench.notes.all(), ["told"]);
    worker.stop().await;
}

pub(crate) async fn a_worker_without_the_state_does_not_start(bench: Bench) {
    let error = Worker::builder(bench.client).queue("q").queue("no such{queue").concurrency(0).build().err().unwrap();
    let text = error.to_string();
    for part in ["task \"note\"", "fixture.rs:", "Notes", "task \"pass_on\"", "concurrency is 0", "queue name"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}
