//! One broker under test: a queue, a clock that stands still, and workers that count their steps.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::servers::Raw;
use task_runtime::broker::{
    Broker, Clock, Condemned, Due, Enqueued, Incarnation, Lease, NewJob, Retention, Status, Turn, TurnAnswer, TurnDone,
};
use task_runtime::job::{EndRecord, JobId, PutBack, QueueName, Settlement};

/// The time at which every test begins, in milliseconds since 1970.
pub(crate) const START_MS: i64 = 1_700_000_000_000;
/// How long a lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// The priorities from the highest on.
pub(crate) const DOWNWARDS: [u8; 10] = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

/// Where a broker without jobs comes from, with a given clock; and the way to its keys, if it has keys.
pub(crate) trait Fixture {
    async fn broker(clock: Clock) -> (Arc<dyn Broker>, Option<Raw>);
}

/// A broker, a queue of its own, and the clock that both go by.
pub(crate) struct Bench {
    pub(crate) broker: Arc<dyn Broker>,
    raw: Option<Raw>,
    pub(crate) clock: Clock,
    pub(crate) queue: QueueName,
}

/// One incarnation and the number of its last turn.
pub(crate) struct Worker {
    pub(crate) incarnation: Incarnation,
    pub(crate) step: Cell<u64>,
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn id(text: &str) -> JobId {
    JobId::new(text).expect("the id of a test is valid")
}

pub(crate) fn envelope(text: &str) -> Vec<u8> {
    format!("{{\"v\":1,\"task\":\"of_{text}\"}}\n{{}}").into_bytes()
}

pub(crate) fn job(text: &str, priority: u8, due: Due) -> NewJob {
    NewJob { id: id(text), priority, due, envelope: envelope(text) }
}

pub(crate) fn names(claims: &[task_runtime::broker::Claim]) -> Vec<String> {
    claims.iter().map(|claim| claim.id.to_string()).collect()
}

pub(crate) fn finish(text: &str) -> (JobId, Settlement) {
    (id(text), Settlement::Finish { record: br#"{"end":"completed"}"#.to_vec(), keep: None })
}

/// An end with a result, which is kept for its own time.
pub(crate) fn kept(keep: Duration) -> Settlement {
    Settlement::Finish { record: br#"{"end":"completed","result":7}"#.to_vec(), keep: Some(keep) }
}

pub(crate) fn retry(text: &str, delay: Duration) -> (JobId, Settlement) {
    (id(text), Settlement::Retry { state: state(1), delay, priority: 5 })
}

pub(crate) fn release(text: &str) -> (JobId, Settlement) {
    (id(text), Settlement::Release { to: PutBack::Ready(5) })
}

pub(crate) fn park(text: &str, task: &str) -> (JobId, Settlement) {
    (id(text), Settlement::Park { task: task.into(), priority: 5, state: state(0) })
}

pub(crate) fn dead(text: &str) -> (JobId, Settlement) {
    (id(text), Settlement::Dead { state: state(5) })
}

pub(crate) fn state(attempts: u32) -> Vec<u8> {
    format!("{{\"attempts\":{attempts},\"crashes\":0}}").into_bytes()
}

pub(crate) fn cancelled() -> Status {
    Status::Ended { record: EndRecord::CANCELLED.to_vec() }
}

impl Worker {
    /// The next turn of this worker, for `want` jobs.
    pub(crate) fn next(&self, want: usize) -> Turn {
        Turn {
            incarnation: self.incarnation.clone(),
            step: self.step.get() + 1,
            lease: LEASE,
            settlements: Vec::new(),
            want,
            few_room: 0,
            empty: false,
            order: DOWNWARDS,
            take: Vec::new(),
            retention: Retention::default(),
            on_loan: None,
        }
    }
}

impl Bench {
    pub(crate) async fn new<F: Fixture>() -> Self {
        let clock = Clock::given(START_MS);
        let queue = QueueName::new("conformance").expect("the name is valid");
        let (broker, raw) = F::broker(clock.clone()).await;
        Self { broker, raw, clock, queue }
    }

    /// The keys behind a broker on a server.
    pub(crate) fn raw(&self) -> &Raw {
        self.raw.as_ref().expect("the broker is on a server")
    }

    /// A registered worker.
    pub(crate) async fn worker(&self) -> Worker {
        let incarnation = Incarnation::random();
        let step = self.broker.begin(&self.queue, &incarnation, LEASE).await.expect("it is registered");
        Worker { incarnation, step: Cell::new(step) }
    }

    /// Enqueues one job and tells what became of it.
    pub(crate) async fn enqueue(&self, job: NewJob) -> Enqueued {
        self.enqueue_all(&[job], None).await[0]
    }

    pub(crate) async fn enqueue_all(&self, jobs: &[NewJob], again: Option<Duration>) -> Vec<Enqueued> {
        self.broker.enqueue(&self.queue, jobs, again).await.expect("the jobs are within the limits")
    }

    /// New jobs that are ready now.
    pub(crate) async fn ready(&self, texts: &[&str]) {
        let jobs: Vec<_> = texts.iter().map(|text| job(text, 5, Due::Now)).collect();
        let answers = self.enqueue_all(&jobs, None).await;
        assert!(answers.iter().all(|answer| *answer == Enqueued::New), "{answers:?}");
    }

    pub(crate) async fn exchange(&self, turn: &Turn) -> TurnAnswer {
        self.broker.turn(&self.queue, turn).await.expect("the turn is within the limits")
    }

    /// Makes `turn` the next one of `worker`; it must be carried out.
    pub(crate) async fn make(&self, worker: &Worker, turn: Turn) -> TurnDone {
        match self.exchange(&turn).await {
            TurnAnswer::Done(done) => {
                worker.step.set(turn.step);
                done
            }
            other => panic!("the turn was not carried out: {other:?}"),
        }
    }

    pub(crate) async fn claim(&self, worker: &Worker, want: usize) -> Vec<String> {
        names(&self.make(worker, worker.next(want)).await.claims)
    }

    pub(crate) async fn settle(&self, worker: &Worker, settlements: Vec<(JobId, Settlement)>) -> TurnDone {
        self.make(worker, Turn { settlements, ..worker.next(0) }).await
    }

    /// A new job that a new worker runs.
    pub(crate) async fn running(&self, text: &str) -> Worker {
        let worker = self.worker().await;
        self.ready(&[text]).await;
        assert_eq!(self.claim(&worker, 1).await, [text]);
        worker
    }

    pub(crate) async fn status(&self, text: &str) -> Status {
        self.broker.status(&self.queue, &id(text)).await.expect("a status is always told")
    }

    pub(crate) async fn cancel(&self, text: &str) -> task_runtime::broker::Cancelled {
        self.broker.cancel(&self.queue, &id(text)).await.expect("a cancel is always answered")
    }

    pub(crate) async fn sweep(&self, unknown_grace: Duration) {
        let kept = Retention::default();
        self.broker.sweep(&self.queue, &kept, unknown_grace).await.expect("a sweep is always made");
    }

    /// Whether a wake token is there now; takes it.
    pub(crate) async fn token(&self) -> bool {
        // Long enough for a server to answer, and over at once when there is a token.
        self.broker.wake(&self.queue, Duration::from_millis(20)).await.expect("a wait is always answered")
    }

    /// Takes all wake tokens.
    pub(crate) async fn tokens(&self) -> usize {
        let mut count = 0;
        while self.token().await {
            count += 1;
        }
        count
    }

    pub(crate) async fn lease_of(&self, worker: &Worker) -> Option<Lease> {
        let leases = self.broker.workers(&self.queue).await.expect("the leases are always told");
        leases.into_iter().find(|lease| lease.incarnation == worker.incarnation)
    }

    /// Condemns a worker as it stands.
    pub(crate) async fn condemn(&self, worker: &Worker) -> Condemned {
        let lease = self.lease_of(worker).await.expect("the worker is registered");
        let condemned = self.broker.condemn(&self.queue, &lease, true).await;
        condemned.expect("a condemn is always answered").expect("the lease is as it was seen")
    }
}
