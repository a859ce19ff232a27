//! What a worker is told before it starts, and everything that keeps it from starting.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Retention;
use crate::client::Client;
use crate::error::Error;
use crate::handler::{DataMap, Registry, RegistryFault};
use crate::job::QueueName;

use super::Worker;
use super::permits::Sharing;
use super::shutdown::WorkerHandle;
use super::vitals::Vitals;

/// Jobs that a worker runs at a time, unless it is told else.
pub const DEFAULT_CONCURRENCY: usize = 64;
/// Most jobs that a worker runs at a time.
pub const MAX_CONCURRENCY: usize = 10_000;
/// How long a lease lasts, unless the worker is told else.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);
/// How long running jobs may go on when the worker stops, unless it is told else.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(25);
/// How long a job waits for a worker that knows its task before it is dead.
pub const DEFAULT_UNKNOWN_GRACE: Duration = Duration::from_secs(10 * 60);
/// The largest weight of a queue.
pub const MAX_WEIGHT: u32 = 1_000;
/// Most queues of one worker.
pub const MAX_QUEUES: usize = 64;

const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// A worker that is described and not yet started.
///
/// Its queues are either all in strict order ([`queue`](Self::queue)) or all weighted
/// ([`weighted_queue`](Self::weighted_queue)). Without any, it serves every queue that the
/// registered tasks name, with equal weights.
///
/// ```no_run
/// # use std::time::Duration;
/// # use task_runtime::{Client, Worker};
/// # struct Db;
/// # async fn example() -> Result<(), task_runtime::Error> {
/// let client = Client::connect("redis://127.0.0.1/").await?;
/// let worker = Worker::builder(client)
///     .queue("mail")
///     .queue("default")
///     .concurrency(64)
///     .grace(Duration::from_secs(25))
///     .data(Db)
///     .build()?;
/// worker.run().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a worker does nothing until it is built and run"]
#[derive(Clone)]
pub struct WorkerBuilder {
    client: Client,
    /// Other tasks than those that are linked.
    registry: Option<Registry>,
    strict: Vec<String>,
    weighted: Vec<(String, u32)>,
    concurrency: usize,
    data: DataMap,
    grace: Duration,
    lease: Duration,
    retention: Retention,
    unknown_grace: Duration,
    burst: bool,
    allow_eviction: bool,
}

impl WorkerBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            registry: None,
            strict: Vec::new(),
            weighted: Vec::new(),
            concurrency: DEFAULT_CONCURRENCY,
            data: DataMap::default(),
            grace: DEFAULT_GRACE,
            lease: DEFAULT_LEASE,
            retention: Retention::default(),
            unknown_grace: DEFAULT_UNKNOWN_GRACE,
            burst: false,
            allow_eviction: false,
        }
    }

    /// Serves this queue, after those that were named before it: while one of them has jobs to
    /// claim, this one waits.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.strict.push(name.into());
        self
    }

    /// Serves this queue with a weight of 1 to 1,000: of the jobs that may run at a time, each queue
    /// that has jobs to claim gets its part.
    pub fn weighted_queue(mut self, name: impl Into<String>, weight: u32) -> Self {
        self.weighted.push((name.into(), weight));
        self
    }

    /// How many jobs run at a time, over all queues: 1 to 10,000, [`DEFAULT_CONCURRENCY`] unless
    /// this says else.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs;
        self
    }

    /// State for tasks that ask for `#[inject] Data<T>`; one value a type.
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    #[cfg(feature = "cli")]
    pub(crate) fn data_map(mut self, data: DataMap) -> Self {
        self.data = data;
        self
    }

    /// Runs these tasks instead of those that are linked into the program.
    #[cfg(feature = "cli")]
    pub(crate) fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// How long running jobs may go on after the first signal to stop: at most 24 hours,
    /// [`DEFAULT_GRACE`] unless this says else. Then they are cancelled, and a second later given
    /// back.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long others wait before they take the jobs of this worker if it vanishes: 1 second to 1
    /// hour, [`DEFAULT_LEASE`] unless this says else. A heartbeat moves it on three times in that
    /// time, and at least every 10 s, however long the jobs run.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How many ended and dead jobs are kept in the queues of this worker, and how long.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// How long a job waits, at least, for a worker that knows its task before it is dead, counted
    /// from the last job that was parked under that name: [`DEFAULT_UNKNOWN_GRACE`] unless this says else.
    pub fn unknown_grace(mut self, grace: Duration) -> Self {
        self.unknown_grace = grace;
        self
    }

    /// Whether the worker stops by itself as soon as no queue has a job that is ready and none
    /// runs. Jobs that are due later are not waited for.
    pub fn burst(mut self, burst: bool) -> Self {
        self.burst = burst;
        self
    }

    /// Whether the worker also serves queues whose server throws keys away when it is full, and jobs
    /// with them. Without it such a server keeps it from starting; one that is told to do so later makes
    /// it [not ready](super::Readiness).
    pub fn allow_eviction(mut self, allow: bool) -> Self {
        self.allow_eviction = allow;
        self
    }

    /// Checks everything at once.
    ///
    /// # Errors
    /// [`Error::WorkerSetup`] with every fault: options outside what is allowed, names that cannot
    /// be used, two tasks of one name, state that a task needs and the worker was not given, no
    /// task at all. Whoever wrote the program can act.
    pub fn build(self) -> Result<Worker, Error> {
        let (registry, mut of_tasks) = self.registry.clone().map_or_else(Registry::linked, |given| (given, Vec::new()));
        of_tasks.extend(registry.missing(&self.data));
        if registry.is_empty() {
            of_tasks.push(RegistryFault::Empty);
        }
        let mut faults: Vec<String> = of_tasks.iter().map(ToString::to_string).collect();
        let queues = self.queues(&registry, &mut faults);
        if !(1..=MAX_CONCURRENCY).contains(&self.concurrency) {
            faults.push(format!("concurrency is {}, expected 1 to {MAX_CONCURRENCY} jobs", self.concurrency));
        }
        if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&self.lease) {
            faults.push(format!("lease is {:?}, expected {SHORTEST_LEASE:?} to {LONGEST_LEASE:?}", self.lease));
        }
        if self.grace > LONGEST_GRACE {
            faults.push(format!("grace is {:?}, expected at most {LONGEST_GRACE:?}", self.grace));
        }
        if !faults.is_empty() {
            return Err(Error::WorkerSetup { faults });
        }
        let sharing = if self.strict.is_empty() { Sharing::Weighted } else { Sharing::Strict };
        let vitals = Vitals::new(queues.iter().map(|(queue, _)| queue), self.concurrency);
        Ok(Worker {
            client: self.client,
            registry: Arc::new(registry),
            data: Arc::new(self.data),
            queues,
            sharing,
            concurrency: self.concurrency,
            grace: self.grace,
            lease: self.lease,
            retention: self.retention,
            unknown_grace: self.unknown_grace,
            burst: self.burst,
            allow_eviction: self.allow_eviction,
            handle: WorkerHandle::new(vitals),
        })
    }

    /// The queues with their weights; what is wrong with them is added to `faults`.
    fn queues(&self, registry: &Registry, faults: &mut Vec<String>) -> Vec<(QueueName, u32)> {
        if !self.strict.is_empty() && !self.weighted.is_empty() {
            faults.push("some queues have a weight and some do not: give all of them one, or none".into());
        }
        let mut named: Vec<(String, u32)> = self.strict.iter().map(|name| (name.clone(), 1)).collect();
        named.extend(self.weighted.iter().cloned());
        if named.is_empty() {
            named.extend(registry.tasks().map(|task| (task.options.queue.to_owned(), 1)));
            named.sort();
            named.dedup();
        }
        let mut queues: Vec<(QueueName, u32)> = Vec::new();
        for (name, weight) in named {
            match QueueName::new(&name) {
                Ok(queue) if queues.iter().any(|(other, _)| *other == queue) => {
                    faults.push(format!("queue `{queue}` is named twice"));
                }
                Ok(queue) => queues.push((queue, weight)),
                Err(error) => faults.push(error.to_string()),
            }
            if !(1..=MAX_WEIGHT).contains(&weight) {
                faults.push(format!("queue `{}` has weight {weight}, expected 1 to {MAX_WEIGHT}", name.escape_debug()));
            }
        }
        if queues.len() > MAX_QUEUES {
            faults.push(format!("{} queues are named, at most {MAX_QUEUES} are allowed", queues.len()));
        }
        queues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No task is linked into the unit tests.
    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let worker = Worker::builder(Client::in_memory()).queue("mail").queue("mail").weighted_queue("x", 0);
        let worker = worker.concurrency(MAX_CONCURRENCY + 1).lease(Duration::ZERO).grace(Duration::MAX);
        let text = worker.build().err().expect("it is wrong").to_string();
        for part in [
            "no task is registered: annotate a function with `#[task]`",
            "queue `mail` is named twice",
            "some queues have a weight and some do not",
            "queue `x` has weight 0, expected 1 to 1000",
            "concurrency is 10001, expected 1 to 10000 jobs",
            "lease is 0ns, expected 1s to 3600s",
            "expected at most 86400s",
        ] {
            assert!(text.contains(part), "{part:?} is missing in: {text}");
        }
        assert_eq!(text.lines().count(), 8);
    }
}
