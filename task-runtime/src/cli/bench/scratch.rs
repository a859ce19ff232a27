//! The namespace that a bench makes up, works in and removes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::broker::Clock;
use crate::broker::redis::{RedisBroker, ServerKind};
use crate::cli::Exit;
use crate::cli::target::reach;
use crate::client::Client;
use crate::error::Error;
use crate::job::{JobId, Namespace, QueueName};
use crate::worker::{Worker, WorkerBuilder, WorkerHandle};

use super::meter::counts_anew;
use super::noop;

/// For how long it is tried to remove what was stopped, and how often without finding anything.
const REMOVED_WITHIN: Duration = Duration::from_secs(10);
const LOOKS_IN_VAIN: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// How long the server is watched for what others have it do, and the commands of that look itself.
const OTHERS_FOR: Duration = Duration::from_secs(1);
const OWN_COMMANDS: u64 = 2;
/// How much of the end of an id is enough chance for a namespace.
const CHANCE: usize = 12;

/// A worker that runs until it is stopped or dropped.
pub(super) struct Running {
    handle: WorkerHandle,
    task: JoinSet<Result<(), Error>>,
}

impl Running {
    /// Has it end in good order.
    pub(super) async fn stop(mut self) -> Result<(), Exit> {
        self.handle.stop();
        while let Some(ended) = self.task.join_next().await {
            ended.map_err(|error| Exit::new(Exit::FAILURE, error.to_string()))??;
        }
        Ok(())
    }
}

/// A namespace with nothing in it, and the ways to it.
pub(super) struct Scratch {
    namespace: Namespace,
    broker: Arc<RedisBroker>,
    client: Client,
    number: AtomicU64,
    /// The queues that were used and are not yet removed.
    used: Mutex<Vec<QueueName>>,
}

impl Scratch {
    /// A namespace that begins like `beside`, so that whoever may use only keys like that may bench.
    pub(super) async fn open(url: &str, beside: &Namespace) -> Result<Self, Exit> {
        let id = JobId::random();
        let chance = &id.as_str()[id.as_str().len() - CHANCE..];
        let namespace = Namespace::new(format!("{beside}-bench-{chance}"))?;
        let broker = Arc::new(RedisBroker::new(url, namespace.clone(), Clock::default())?);
        reach(&broker).await?;
        let client = Client::from_broker(broker.clone());
        Ok(Self { namespace, broker, client, number: AtomicU64::new(0), used: Mutex::default() })
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn broker(&self) -> &RedisBroker {
        &self.broker
    }

    /// A queue that was not used before.
    pub(super) fn queue(&self) -> QueueName {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let queue = QueueName::new(format!("q{number}")).expect("a letter and digits are a name");
        self.used().push(queue.clone());
        queue
    }

    /// A worker of `queue` that knows the tasks of the bench and no other.
    pub(super) fn worker(&self, queue: &QueueName) -> WorkerBuilder {
        // Nothing is lost with jobs that do nothing.
        let builder = Worker::builder(self.client.clone()).allow_eviction(true);
        builder.registry(noop::registry()).queue(queue.as_str())
    }

    /// Starts a worker, which ends with what is returned.
    pub(super) fn start(&self, worker: Worker) -> Running {
        let handle = worker.handle();
        let mut task = JoinSet::new();
        task.spawn(worker.run_until(std::future::pending()));
        Running { handle, task }
    }

    /// What kind of a server it is.
    pub(super) async fn server(&self) -> Result<ServerKind, Exit> {
        Ok(self.broker.server_kind(&self.queue()).await?)
    }

    /// How many commands in a second others have the server carry out.
    pub(super) async fn others(&self) -> Result<f64, Exit> {
        let queue = self.queue();
        let before = self.broker.usage(&queue).await?;
        tokio::time::sleep(OTHERS_FOR).await;
        let done = self.broker.usage(&queue).await?.since(&before).ok_or_else(counts_anew)?;
        Ok(done.commands.saturating_sub(OWN_COMMANDS) as f64 / OTHERS_FOR.as_secs_f64())
    }

    /// Refuses to fill the server, or its machine.
    pub(super) async fn has_room_for(&self, bytes: u64) -> Result<(), Exit> {
        let queue = self.queue();
        let (kind, usage) = (self.broker.server_kind(&queue).await?, self.broker.usage(&queue).await?);
        let (bound, of_what) = match kind.max_memory {
            0 => (kind.machine_memory, "the memory of its machine"),
            bound => (bound, "its maxmemory"),
        };
        let free = bound.saturating_sub(usage.memory);
        // A server that tells neither is asked to do what it is told.
        if bound > 0 && bytes > free / 2 {
            let message = format!(
                "the jobs take about {} MB at a time, and the server has {} MB left of {of_what}, of which a bench \
                 takes at most half; give smaller --jobs and --backlog, or fewer parts with --only",
                bytes / 1_000_000,
                free / 1_000_000
            );
            return Err(Exit::new(Exit::USAGE, message));
        }
        Ok(())
    }

    /// Removes what a measurement has left that was stopped in the middle. Requests that were under way may still
    /// write, so it is looked again until nothing new is there; a server that is away is waited for.
    pub(super) async fn erase_stopped(&self) -> Result<(), Exit> {
        let (used, until) = (self.used().clone(), Instant::now() + REMOVED_WITHIN);
        let mut in_vain = 0;
        while in_vain < LOOKS_IN_VAIN {
            let looked = self.erase_all(&used).await;
            in_vain = if matches!(looked, Ok(0)) { in_vain + 1 } else { 0 };
            if Instant::now() >= until {
                let why = looked.map_or_else(|error| error.to_string(), |_| "something still writes there".into());
                let left = format!("keys of the namespace {} may be left behind: {why}", self.namespace);
                return Err(Exit::new(Exit::FAILURE, left));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }

    /// Removes what a measurement has left, so that the next one finds an empty server. Whoever drops it in the middle
    /// can [go on](Self::erase_stopped).
    pub(super) async fn erase(&self) -> Result<(), Exit> {
        let used = self.used().clone();
        self.erase_all(&used).await?;
        self.used().retain(|queue| !used.contains(queue));
        Ok(())
    }

    /// How many keys there were.
    async fn erase_all(&self, queues: &[QueueName]) -> Result<u64, Error> {
        let mut found = 0;
        for queue in queues {
            found += self.broker.erase(queue).await?;
        }
        Ok(found)
    }

    fn used(&self) -> MutexGuard<'_, Vec<QueueName>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
