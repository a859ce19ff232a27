//! How jobs end, and what their callers learn of it.

use std::time::Duration;

use task_runtime::broker::Cancelled;
use task_runtime::client::{JobError, JobStatus};

use crate::fixture::*;

pub(crate) async fn a_job_runs_and_its_value_comes_back_typed(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = Add::new(40_u64, 2_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 42);
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    worker.stop().await;
}

pub(crate) async fn a_failure_is_tried_again_and_then_dead_with_its_reason(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = Fail::new("no paper").options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err();
    assert!(matches!(&error, JobError::Failed { message, attempts: 2 } if message == "no paper"), "{error}");
    worker.stop().await;
}

pub(crate) async fn a_panic_is_a_failure_with_its_message_and_place(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = PanicWith::new("no such row").options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err().to_string();
    assert!(error.contains("panicked at") && error.contains("fixture.rs:") && error.contains("no such row"), "{error}");
    let job = Add::new(1_u64, 1_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 2);
    worker.stop().await;
}

pub(crate) async fn a_panic_on_the_blocking_pool_is_a_failure_with_its_place(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = PanicBlocking::new("sync").options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err().to_string();
    assert!(error.contains("fixture.rs:") && error.contains("sync"), "{error}");
    worker.stop().await;
}

pub(crate) async fn an_attempt_over_its_time_is_dropped(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = TooSlow::new().options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err().to_string();
    assert!(error.contains("timed out after 50ms"), "{error}");
    worker.stop().await;
}

pub(crate) async fn a_wrong_argument_is_dead_at_once_and_names_the_task(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = bench.enqueue_bytes("wrong", b"{\"v\":1,\"task\":\"add\"}\n{\"a\":\"x\",\"b\":1}").await;
    let error = job.result_within(BOUND).await.unwrap_err().to_string();
    assert!(error.contains("task `add` cannot read its arguments") && error.contains("after 1 attempt:"), "{error}");
    worker.stop().await;
}

pub(crate) async fn an_unknown_task_is_parked_with_the_reason(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = bench.enqueue_bytes("lost", b"{\"v\":1,\"task\":\"nobody\"}\n{}").await;
    let parked = bench.status_is(&job, "parked", |status| matches!(status, JobStatus::Parked { .. })).await;
    assert!(matches!(&parked, JobStatus::Parked { reason: Some(reason) } if reason.contains("`nobody`")), "{parked:?}");
    let job = Add::new(1_u64, 1_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 2);
    worker.stop().await;
}

pub(crate) async fn a_newer_envelope_is_parked_under_its_version(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = bench.enqueue_bytes("newer", b"{\"v\":2,\"task\":\"add\"}\n\xff").await;
    let parked = bench.status_is(&job, "parked", |status| matches!(status, JobStatus::Parked { .. })).await;
    assert!(
        matches!(&parked, JobStatus::Parked { reason: Some(reason) } if reason.contains("version 2")),
        "{parked:?}"
    );
    worker.stop().await;
}

pub(crate) async fn a_broken_envelope_is_dead_with_the_reason(bench: Bench) {
    let worker = bench.start(bench.worker());
    for (id, bytes) in [("one", &b"\xff\xfe"[..]), ("two", b""), ("three", b"{\"v\":1,\"task\":\"a\\u0000b\"}\n{}")] {
        let job = bench.enqueue_bytes(id, bytes).await;
        let dead = bench.status_is(&job, "dead", |status| matches!(status, JobStatus::Dead { .. })).await;
        let JobStatus::Dead { error, .. } = dead else { unreachable!() };
        assert!(error.contains("broken envelope") || error.contains("task name"), "{error}");
    }
    worker.stop().await;
}

pub(crate) async fn a_former_name_still_finds_its_task(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = bench.enqueue_bytes("old", b"{\"v\":1,\"task\":\"old_name\"}\n{}").await;
    bench.status_is(&job, "completed", |status| matches!(status, JobStatus::Completed { .. })).await;
    worker.stop().await;
}

pub(crate) async fn a_delayed_job_runs_when_it_is_due(bench: Bench) {
    let worker = bench.start(bench.worker());
    let delay = Duration::from_millis(300);
    let start = std::time::Instant::now();
    let job = Note::new("late").options().delay(delay).enqueue_on(&bench.client).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    let took = start.elapsed();
    // The worker sleeps until the due time: the idle turn would come after five seconds.
    assert!(took >= delay && took < Duration::from_secs(3), "{took:?}");
    worker.stop().await;
}

pub(crate) async fn a_running_job_that_is_cancelled_sees_its_token(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = WaitForCancel::new().options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("waiting").await;
    assert_eq!(job.cancel().await.unwrap(), Cancelled::Asked);
    // By the next turn of a worker that runs jobs, not by its heartbeat.
    let soon = Duration::from_secs(4);
    assert!(matches!(job.result_within(soon).await, Err(JobError::Cancelled)));
    assert_eq!(bench.notes.all(), ["waiting", "cancelled"]);
    worker.stop().await;
}

pub(crate) async fn a_running_job_that_ignores_its_cancel_may_finish(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin a").await;
    assert_eq!(job.cancel().await.unwrap(), Cancelled::Asked);
    bench.notes.add("go");
    job.result_within(BOUND).await.unwrap();
    worker.stop().await;
}

pub(crate) async fn a_thousand_jobs_run_once_each(bench: Bench) {
    let worker = bench.start(bench.worker().concurrency(32));
    let texts: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    let jobs = bench.client.enqueue_all(texts.iter().map(Note::new)).await.unwrap();
    for job in &jobs {
        job.result_within(BOUND).await.unwrap();
    }
    let (mut noted, mut expected) = (bench.notes.all(), texts);
    noted.sort();
    expected.sort();
    assert_eq!(noted, expected);
    worker.stop().await;
}
