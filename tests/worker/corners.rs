//! What happens seldom: each of these once left a job, a queue or a worker behind.

use std::time::{Duration, Instant};

use support::eventually;
use task_runtime::broker::{Broker, Due, Incarnation, NewJob, Recovered, Retention, Turn};
use task_runtime::client::JobStatus;
use task_runtime::job::{JobId, Settlement};

use crate::fixture::*;

const LEASE: Duration = Duration::from_secs(60);

/// A worker that the test makes turn by turn.
fn turn(incarnation: &Incarnation, step: u64) -> Turn {
    Turn {
        incarnation: incarnation.clone(),
        step,
        lease: LEASE,
        settlements: Vec::new(),
        want: 0,
        few_room: 0,
        empty: false,
        order: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
        take: Vec::new(),
        retention: Retention::default(),
        on_loan: None,
    }
}

async fn claim_by_hand(broker: &dyn Broker, id: &JobId, envelope: &[u8]) -> Incarnation {
    let job = NewJob { id: id.clone(), priority: 5, due: Due::Now, envelope: envelope.to_vec() };
    broker.enqueue(&queue(), &[job], None).await.unwrap();
    let incarnation = Incarnation::random();
    let begun = broker.begin(&queue(), &incarnation, LEASE).await.unwrap();
    broker.turn(&queue(), &Turn { want: 1, ..turn(&incarnation, begun + 1) }).await.unwrap();
    incarnation
}

/// Puts a job where a recovery puts those that were on board of a crash.
async fn recover_by_hand(bench: &Bench, id: &JobId, recovered: Recovered) {
    let broker = &**bench.client.broker();
    let incarnation = claim_by_hand(broker, id, b"{\"v\":1,\"task\":\"note\"}\n{\"text\":\"recovered\"}").await;
    let leases = broker.workers(&queue()).await.unwrap();
    let lease = leases.into_iter().find(|lease| lease.incarnation == incarnation).unwrap();
    broker.condemn(&queue(), &lease, true).await.unwrap().unwrap();
    broker.settle_for(&queue(), &incarnation, &[recovered]).await.unwrap();
}

fn id(text: &str) -> JobId {
    JobId::new(text).unwrap()
}

pub(crate) async fn a_panic_while_an_attempt_is_dropped_is_a_failure(bench: Bench) {
    let worker = bench.start(bench.worker());
    let job = PanicWhenDropped::new().options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err().to_string();
    let told =
        ["panicked at tests/worker/fixture.rs:", ": the lock is poisoned (while it was dropped, after it was stopped)"];
    assert!(told.iter().all(|part| error.contains(part)), "{error}");
    worker.stop().await;
}

pub(crate) async fn a_burst_waits_for_a_long_job_without_asking_all_the_time(bench: Bench) {
    WaitForGo::new("long").options().queue("a").enqueue_on(&bench.client).await.unwrap();
    Note::new("go on").options().queue("b").enqueue_on(&bench.client).await.unwrap();
    let worker = bench.bare_worker().queue("a").queue("b").concurrency(1).burst(true);
    let worker = bench.start(worker);
    bench.notes.wait_for("begin long").await;
    let step = async |queue: &str| {
        // Every turn moves the step, and the step is told to whoever is out of it.
        let queue = task_runtime::job::QueueName::new(queue).unwrap();
        let broker = bench.client.broker();
        let begun = async || broker.workers(&queue).await.unwrap().pop();
        let lease = eventually("the worker has begun with the queue", BOUND, begun).await;
        match broker.turn(&queue, &turn(&lease.incarnation, 0)).await.unwrap() {
            task_runtime::broker::TurnAnswer::OutOfStep { last, .. } => last,
            other => panic!("{other:?}"),
        }
    };
    let before = step("b").await;
    let _ = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
    let turns = step("b").await - before;
    assert!(turns <= 5, "{turns} turns within a second");
    bench.notes.add("go");
    worker.ended().await;
    assert!(bench.notes.all().contains(&"go on".to_owned()));
}

pub(crate) async fn a_queue_is_listened_to_again_when_another_gives_its_permit_back(bench: Bench) {
    let worker = bench.start(bench.bare_worker().queue("a").queue("b").concurrency(1));
    let long = WaitForGo::new("long").options().queue("a").enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin long").await;
    // Long enough for the second queue to have looked, and found no room to listen.
    let _ = tokio::time::timeout(Duration::from_millis(5_500), std::future::pending::<()>()).await;
    bench.notes.add("go");
    long.result_within(BOUND).await.unwrap();
    let start = Instant::now();
    let job = Note::new("x").options().queue("b").enqueue_on(&bench.client).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    worker.stop().await;
}

pub(crate) async fn a_paused_queue_keeps_its_parked_jobs(bench: Bench) {
    let broker = &**bench.client.broker();
    let parked = id("parked");
    let incarnation = claim_by_hand(broker, &parked, b"{\"v\":1,\"task\":\"note\"}\n{\"text\":\"x\"}").await;
    let park = Settlement::Park { task: "note".into(), priority: 5, state: b"{}".to_vec() };
    let settle = Turn { settlements: vec![(parked.clone(), park)], ..turn(&incarnation, 2) };
    broker.turn(&queue(), &settle).await.unwrap();
    bench.client.pause(&queue()).await.unwrap();
    let worker = bench.start(bench.worker());
    // Longer than the grace and than the longest wait of an idle worker.
    let _ = tokio::time::timeout(Duration::from_secs(7), std::future::pending::<()>()).await;
    broker.sweep(&queue(), &Retention::default(), Duration::from_secs(6)).await.unwrap();
    let job = bench.client.handle::<()>(queue(), parked);
    assert!(matches!(job.status().await.unwrap(), JobStatus::Parked { .. }));
    bench.client.resume(&queue()).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    worker.stop().await;
}

pub(crate) async fn a_job_on_its_last_chance_runs_and_the_queue_goes_on(bench: Bench) {
    recover_by_hand(&bench, &id("last"), Recovered::Alone { id: id("last"), state: b"{\"crashes\":2}".to_vec() }).await;
    let worker = bench.start(bench.worker());
    bench.notes.wait_for("recovered").await;
    let jobs = bench.client.enqueue_all((0..20).map(|n| Note::new(n.to_string()))).await.unwrap();
    for job in jobs {
        job.result_within(BOUND).await.unwrap();
    }
    worker.stop().await;
}

pub(crate) async fn a_paused_queue_with_a_last_chance_stops_no_other(bench: Bench) {
    recover_by_hand(&bench, &id("last"), Recovered::Alone { id: id("last"), state: b"{\"crashes\":2}".to_vec() }).await;
    bench.client.pause(&queue()).await.unwrap();
    let worker = bench.start(bench.bare_worker().weighted_queue("q", 1).weighted_queue("other", 1));
    for n in 0..20 {
        let job = Note::new(n.to_string()).options().queue("other").enqueue_on(&bench.client).await.unwrap();
        job.result_within(Duration::from_secs(5)).await.unwrap();
    }
    assert!(!bench.notes.all().contains(&"recovered".to_owned()));
    worker.stop().await;
}

pub(crate) async fn a_record_with_impossible_numbers_stops_nobody(bench: Bench) {
    let state = b"{\"attempts\":4294967295}".to_vec();
    recover_by_hand(&bench, &id("odd"), Recovered::Few { id: id("odd"), state }).await;
    let worker = bench.start(bench.worker());
    bench.notes.wait_for("recovered").await;
    worker.stop().await;
}

pub(crate) async fn hostile_numbers_in_an_envelope_stop_nobody(bench: Bench) {
    let worker = bench.start(bench.worker());
    let fields = [
        "\"priority\":200",
        "\"max_attempts\":0",
        "\"timeout_ms\":0",
        "\"result_ttl_ms\":18446744073709551615",
        "\"timeout_ms\":18446744073709551615",
        "\"max_crashes\":0",
    ];
    for (n, field) in fields.iter().enumerate() {
        let envelope = format!("{{\"v\":1,\"task\":\"add\",{field}}}\n{{\"a\":1,\"b\":1}}");
        let job = bench.enqueue_bytes(&format!("hostile-{n}"), envelope.as_bytes()).await;
        bench.status_is(&job, "ended", JobStatus::has_ended).await;
    }
    worker.stop().await;
}

pub(crate) async fn what_ended_before_a_stop_is_recorded(bench: Bench) {
    bench.client.enqueue_all((0..400).map(|n| Note::new(n.to_string()))).await.unwrap();
    let worker = bench.start(bench.worker().concurrency(4));
    bench.notes.wait_for("50").await;
    worker.handle.stop_now();
    worker.ended().await;
    let counts = bench.client.counts(&queue()).await.unwrap();
    assert_eq!(bench.notes.all().len(), counts.finished, "{counts:?}");
    assert_eq!((counts.finished + counts.ready, counts.running), (400, 0), "{counts:?}");
}

/// A begin of it arrives a second time, after it was condemned and its jobs were freed.
pub(crate) async fn an_incarnation_that_is_registered_again_gets_no_job(bench: Bench) {
    let worker = bench.start(bench.worker().lease(LEASE));
    let job = WaitForGo::new("a").options().enqueue_on(&bench.client).await.unwrap();
    bench.notes.wait_for("begin a").await;
    let broker = &**bench.client.broker();
    let old = broker.workers(&queue()).await.unwrap().remove(0);
    let who = &old.incarnation;
    // Nobody wakes it between the steps.
    broker.pause(&queue(), true).await.unwrap();
    // It moves its lease on every now and then.
    eventually("it is condemned", BOUND, async || {
        let lease = broker.workers(&queue()).await.unwrap().into_iter().find(|lease| lease.incarnation == *who)?;
        broker.condemn(&queue(), &lease, true).await.unwrap()
    })
    .await;
    let recovered = Recovered::Few { id: job.id().clone(), state: b"{\"crashes\":1}".to_vec() };
    broker.settle_for(&queue(), who, &[recovered]).await.unwrap();
    broker.begin(&queue(), who, LEASE).await.unwrap();
    broker.pause(&queue(), false).await.unwrap();
    eventually("the job begins again", BOUND, async || {
        (bench.notes.all().iter().filter(|note| *note == "begin a").count() == 2).then_some(())
    })
    .await;
    let leases = broker.workers(&queue()).await.unwrap();
    assert!(leases.iter().any(|lease| lease.incarnation != *who), "{leases:?}");
    if let Some(again) = leases.into_iter().find(|lease| lease.incarnation == *who) {
        let condemned = broker.condemn(&queue(), &again, true).await.unwrap().expect("nobody moves that lease on");
        assert_eq!((condemned.on_board, condemned.jobs), (0, Vec::new()));
    }
    bench.notes.add("go");
    job.result_within(BOUND).await.unwrap();
    worker.stop().await;
    assert_eq!(bench.notes.all(), ["begin a", "begin a", "go", "end a"]);
    let counts = bench.client.counts(&queue()).await.unwrap();
    assert_eq!((counts.workers, counts.running), (0, 0), "{counts:?}");
}
