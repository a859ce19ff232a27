//! The namespace that a bench makes up, works in and removes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::broker::redis::{RedisBroker, ServerKind};
use crate::broker::{Clock, Inspect as _};
use crate::cli::Exit;
use crate::client::Client;
use crate::error::Error;
use crate::job::{JobId, Namespace, QueueName};
use crate::worker::{Worker, WorkerBuilder, WorkerHandle};

use super::noop;

/// About what a waiting job takes of the server's memory, with its arguments, in bytes.
const BYTES_A_JOB: u64 = 400;
/// How often what was stopped is looked for, at most, and how often without finding anything.
const MOST_LOOKS: usize = 40;
const LOOKS_IN_VAIN: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

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
    pub(super) async fn open(url: &str) -> Result<Self, Exit> {
        let namespace = Namespace::new(format!("bench-{}", JobId::random()))?;
        let broker = Arc::new(RedisBroker::new(url, namespace.clone(), Clock::default())?);
        broker.queues().await?;
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
        self.used.lock().unwrap_or_else(PoisonError::into_inner).push(queue.clone());
        queue
    }

    /// A worker of `queue` that knows the tasks of the bench and no other.
    pub(super) fn worker(&self, queue: &QueueName) -> WorkerBuilder {
        Worker::builder(self.client.clone()).registry(noop::registry()).queue(queue.as_str())
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

    /// Refuses to fill a server that has a bound.
    pub(super) async fn has_room_for(&self, jobs: u64) -> Result<(), Exit> {
        let queue = self.queue();
        let (kind, usage) = (self.broker.server_kind(&queue).await?, self.broker.usage(&queue).await?);
        let needed = jobs * BYTES_A_JOB;
        let free = kind.max_memory.saturating_sub(usage.memory);
        if kind.max_memory > 0 && needed > free / 2 {
            let message = format!(
                "{jobs} jobs take about {} MB, and the server has {} MB left of its maxmemory, of which a bench \
                 takes at most half; give smaller --jobs and --backlog",
                needed / 1_000_000,
                free / 1_000_000
            );
            return Err(Exit::new(Exit::USAGE, message));
        }
        Ok(())
    }

    /// Removes what a measurement has left that was stopped in the middle. Requests that were under way may still
    /// write, so it is looked again until nothing new is there.
    pub(super) async fn erase_stopped(&self) -> Result<(), Exit> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let mut in_vain = 0;
        for _ in 0..MOST_LOOKS {
            let mut found = 0;
            for queue in &used {
                found += self.broker.erase(queue).await?;
            }
            in_vain = if found == 0 { in_vain + 1 } else { 0 };
            if in_vain == LOOKS_IN_VAIN {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }

    /// Removes what a measurement has left, so that the next one finds an empty server.
    pub(super) async fn erase(&self) -> Result<(), Exit> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for queue in used {
            self.broker.erase(&queue).await?;
        }
        Ok(())
    }
}
