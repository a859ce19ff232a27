//! Runs jobs: claims them from the broker, calls their tasks, tells how they ended.

mod board;
mod builder;
mod busy;
mod deaths;
mod eviction;
mod executor;
mod heartbeat;
mod help;
mod inbox;
mod lane;
mod leave;
mod pause;
mod permits;
mod place;
mod readiness;
mod recovery;
mod shutdown;
mod signals;
mod turn;
mod vitals;
mod wake;

pub use builder::{
    DEFAULT_CONCURRENCY, DEFAULT_GRACE, DEFAULT_LEASE, DEFAULT_UNKNOWN_GRACE, MAX_CONCURRENCY, MAX_QUEUES, MAX_WEIGHT,
    WorkerBuilder,
};
pub use readiness::{NotReady, Readiness};
pub use shutdown::WorkerHandle;
#[cfg(feature = "cli")]
pub(crate) use signals::Signals;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::broker::{MAX_TURN, Retention};
use crate::client::Client;
use crate::error::Error;
use crate::handler::{DataMap, Registry, note_places};
use crate::job::QueueName;

use deaths::Deaths;
use eviction::Eviction;
use executor::Executor;
use heartbeat::Heartbeats;
use help::{Departures, Help, Part};
use inbox::Inbox;
use lane::{Lane, Shared};
use permits::{Permits, Seat, Sharing};
use recovery::Recovery;

/// Claims jobs of some queues and runs them, several at a time.
///
/// What it promises: a job that it claims ends, or goes back to the queue. If the process
/// vanishes, another worker frees the jobs when the lease has ended, within 45 s at the default
/// lease; that may run a job again.
pub struct Worker {
    client: Client,
    registry: Arc<Registry>,
    data: Arc<DataMap>,
    queues: Vec<(QueueName, u32)>,
    sharing: Sharing,
    concurrency: usize,
    grace: Duration,
    lease: Duration,
    retention: Retention,
    unknown_grace: Duration,
    burst: bool,
    allow_eviction: bool,
    handle: WorkerHandle,
}

impl Worker {
    /// A worker of the jobs of `client`, to be described.
    pub fn builder(client: Client) -> WorkerBuilder {
        WorkerBuilder::new(client)
    }

    /// The means to stop it from elsewhere in the program.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        self.handle.clone()
    }

    /// Runs until SIGTERM or SIGINT (Ctrl-C), or until its [handle](Self::handle) stops it.
    ///
    /// The first signal has it claim nothing more and finish what runs within the grace; what has
    /// not finished is then cancelled, and given back without counting an attempt. The second
    /// signal gives back at once. From the first call on, these signals no longer end the process
    /// by themselves; and a body on the blocking pool that does not look at its token keeps a Tokio
    /// runtime from ending, unless the program ends it with `Runtime::shutdown_timeout`, as
    /// `App::main` does.
    ///
    /// # Errors
    /// [`Error::WorkerSetup`] when the server of a queue throws jobs away to make room, and that was not
    /// [allowed](WorkerBuilder::allow_eviction); [`Error::Rejected`] when the system gives no thread for heartbeats;
    /// [`Error::Unavailable`] when jobs could not be given back at the end: they run again after
    /// the lease; [`Error::WorkerDied`] when parts of it died again and again. No outage of the
    /// broker ends it.
    ///
    /// # Cancel safety
    /// When the future is dropped, or the runtime that it runs on, what runs is dropped too, and
    /// runs again after the lease. A program that has time stops the worker before, by its
    /// [handle](Self::handle): then jobs finish or are given back.
    ///
    /// # Panics
    /// Outside a Tokio runtime with timers and I/O.
    pub async fn run(self) -> Result<(), Error> {
        let handle = self.handle();
        self.run_beside(async move { handle.obey_signals().await }).await
    }

    /// Runs until `stop` completes, or its [handle](Self::handle) stops it; signals are left alone.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    /// Outside a Tokio runtime with timers and I/O.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let handle = self.handle();
        let stopping = async move {
            stop.await;
            handle.stop();
            std::future::pending().await
        };
        self.run_beside(stopping).await
    }

    async fn run_beside(self, stopping: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        note_places();
        let broker = self.client.broker();
        let vitals = self.handle.vitals();
        let deaths = Deaths::new(self.handle.clone());
        let beats = Heartbeats::start(broker.apart(), self.lease, vitals, Arc::clone(&deaths))?;
        let weights: Vec<_> = self.queues.iter().map(|(_, weight)| *weight).collect();
        let leads: Vec<_> = self.queues.iter().map(|_| Inbox::new()).collect();
        let helps: Vec<_> = leads.iter().filter(|_| self.concurrency > MAX_TURN).map(|_| Inbox::new()).collect();
        let seats = leads.iter().enumerate().map(|(at, inbox)| Seat::leads(at, Arc::clone(inbox)));
        let seats = seats.chain(helps.iter().enumerate().map(|(at, inbox)| Seat::helps(at, Arc::clone(inbox))));
        let shared = Arc::new(Shared {
            broker: Arc::clone(broker),
            permits: Permits::new(self.concurrency, self.sharing, self.burst, &weights, seats.collect()),
            handle: self.handle.clone(),
            deaths: Arc::clone(&deaths),
            lease: self.lease,
            retention: self.retention,
            burst: self.burst,
            in_company: self.queues.len() > 1 || !helps.is_empty(),
            departures: Departures::default(),
        });
        let told = Arc::default();
        let mut running = JoinSet::new();
        // What goes on beside the lanes ends with them.
        let mut beside = JoinSet::new();
        for (at, (queue, _)) in self.queues.iter().enumerate() {
            let lane = |at: usize, part: Part, inbox: &Arc<Inbox>| {
                let executor = Executor {
                    registry: Arc::clone(&self.registry),
                    data: Arc::clone(&self.data),
                    queue: queue.clone(),
                    inbox: Arc::clone(inbox),
                    vitals: Arc::clone(vitals),
                    last: 0,
                };
                let beat = beats.lane(queue.clone(), Arc::clone(inbox));
                Lane::new(Arc::clone(&shared), queue.clone(), at, part, Arc::clone(inbox), executor, beat)
            };
            let (place, inbox) = (leads.len() + at, helps.get(at));
            let help = inbox.map(|inbox| Help { inbox: Arc::clone(inbox), at: place, called: false });
            let leading = lane(at, Part::Leads { queue: at, help }, &leads[at]);
            let eviction = Eviction {
                broker: Arc::clone(broker),
                queue: queue.clone(),
                at,
                permits: Arc::clone(&shared.permits),
                allowed: self.allow_eviction,
                handle: self.handle.clone(),
                told: Arc::clone(&told),
            };
            let (look, deaths) = (eviction.clone(), Arc::clone(&deaths));
            beside.spawn(async move { deaths.outlive("the look at the server of a queue", || look.watch()).await });
            let (admitted, admission) = oneshot::channel();
            running.spawn(async move {
                if eviction.admit().await? {
                    // Nobody listens where there is no help.
                    let _ = admitted.send(());
                    leading.run().await
                } else {
                    Ok(())
                }
            });
            if let Some(inbox) = inbox {
                let helping = lane(place, Part::Helps { queue: at }, inbox);
                running.spawn(async move { if admission.await.is_ok() { helping.run().await } else { Ok(()) } });
            }
            let recovery = Recovery {
                shared: Arc::clone(&shared),
                queue: queue.clone(),
                own: beats.own(),
                unknown_grace: self.unknown_grace,
            };
            beside.spawn(recovery.run());
        }
        let (handle, grace) = (self.handle.clone(), self.grace);
        beside.spawn(async move { handle.count_down(grace).await });
        beside.spawn(async move { deaths.survive("what waits for the stop", stopping).await });
        beside.spawn(vitals.movement());
        let runs = vitals.run();
        self.report_start();
        let mut result = Ok(());
        while let Some(ended) = running.join_next().await {
            let ended = ended.unwrap_or_else(|error| {
                let reason = format!("the loop of a queue ended: {error}");
                Err(Error::WorkerDied { reason })
            });
            if matches!(ended, Err(Error::WorkerSetup { .. } | Error::WorkerDied { .. })) {
                // A worker serves all of its queues or none.
                self.handle.stop();
            }
            result = result.and(ended);
        }
        drop(runs);
        tracing::info!("worker stopped");
        shared.deaths.verdict().and(result)
    }

    fn report_start(&self) {
        let strict = self.sharing == Sharing::Strict;
        let name =
            |(queue, weight): &(QueueName, u32)| if strict { queue.to_string() } else { format!("{queue}:{weight}") };
        let queues = self.queues.iter().map(name).collect::<Vec<_>>().join(" ");
        let tasks = self.registry.tasks().count();
        tracing::info!(queues, concurrency = self.concurrency, tasks, lease = ?self.lease, "worker started");
    }
}
