//! The caller's side: enqueue jobs, and follow them.

mod admin;
mod bulk;
mod coalesce;
#[cfg(feature = "redis")]
mod connect;
mod enqueue;
mod handle;
mod send;
mod status;
mod waiting;

#[cfg(test)]
mod tests;

#[cfg(feature = "cli")]
pub(crate) use enqueue::Encoded;
pub use enqueue::Enqueue;
pub use handle::{JobHandle, RESULT_WAIT};
pub use status::{JobError, JobStatus};

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::broker::memory::MemoryBroker;
use crate::broker::{Broker, Enqueued, FLOOR};
use crate::error::Error;
use crate::job::{JobId, QueueName};
use crate::task::Task;

use coalesce::Coalescer;
use waiting::Waiters;

/// How long an enqueue is repeated while its outcome is not known, unless the client says else.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);

static DEFAULT: RwLock<Option<Client>> = RwLock::new(None);

/// Makes `client` the one that `enqueue()` without a client uses, in the whole process; the last
/// one set counts.
///
/// ```
/// # use task_runtime::client::{Client, default_client, set_default_client};
/// set_default_client(Client::in_memory());
/// assert!(default_client().is_ok());
/// ```
pub fn set_default_client(client: Client) {
    *DEFAULT.write().unwrap_or_else(PoisonError::into_inner) = Some(client);
}

/// The client that was given to [`set_default_client`].
///
/// # Errors
/// [`Error::NoClient`] when none was: set one when the program starts.
pub fn default_client() -> Result<Client, Error> {
    DEFAULT.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::NoClient)
}

/// Enqueues jobs and follows them. Cheap to clone: all clones share one connection, the calls that
/// go over it and the subscriptions for results.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    broker: Arc<dyn Broker>,
    deadline: Duration,
    coalescer: Arc<Coalescer>,
    waiters: Arc<Waiters>,
}

impl Client {
    /// A client of a new broker inside this process, for tests and for programs that need no
    /// server: its jobs are gone when the process ends.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::from_broker(Arc::new(MemoryBroker::default()))
    }

    /// A client of a broker that is there.
    #[doc(hidden)]
    #[must_use]
    pub fn from_broker(broker: Arc<dyn Broker>) -> Self {
        Self::build(broker, DEFAULT_DEADLINE)
    }

    fn build(broker: Arc<dyn Broker>, deadline: Duration) -> Self {
        let coalescer = Coalescer::new(Arc::clone(&broker), deadline);
        let waiters = Waiters::new(Arc::clone(&broker));
        Self(Arc::new(Inner { broker, deadline, coalescer, waiters }))
    }

    /// A client of the same broker that repeats an enqueue for at most `deadline` while its
    /// outcome is not known; 2 s unless this says else.
    ///
    /// An enqueue returns within the deadline, also while calls before it get no answer; of many jobs at once each
    /// call has it for itself.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless `deadline` is at least 1 ms and less than 60 s, the time
    /// for which the broker surely remembers an id.
    pub fn with_deadline(&self, deadline: Duration) -> Result<Self, Error> {
        if deadline < Duration::from_millis(1) || deadline >= FLOOR {
            let (given, expected) = (format!("{deadline:?}"), format!("1ms or more and less than {FLOOR:?}"));
            return Err(Error::InvalidOption { option: "deadline", given, expected });
        }
        Ok(Self::build(Arc::clone(&self.0.broker), deadline))
    }

    /// Enqueues many jobs of one task, in large calls, in order within each queue; gives their
    /// handles in the order of `jobs`. Each may be a job, or an [`Enqueue`] with options.
    ///
    /// All jobs are checked and encoded before the first is sent; other tasks of the thread run in between.
    ///
    /// ```
    /// # use task_runtime::{Error, Task, client::Client, job::TaskOptions};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct SendEmail { to: String }
    /// # impl Task for SendEmail {
    /// #     const NAME: &'static str = "send_email";
    /// #     const OPTIONS: TaskOptions = TaskOptions::DEFAULT;
    /// #     type Output = usize;
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// let client = Client::in_memory();
    /// let emails = ["a@b.c", "d@e.f"].map(|to| SendEmail { to: to.into() });
    /// let handles = client.enqueue_all(emails).await?;
    /// assert_eq!(handles.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Enqueue::enqueue_on`] when no job is known to be enqueued, else
    /// [`Error::Partial`] with the first of them. To enqueue all again is safe only with ids of
    /// your own ([`Enqueue::id`]).
    ///
    /// # Cancel safety
    /// A call that is dropped may have enqueued any of the jobs.
    ///
    /// # Panics
    /// Outside a Tokio runtime with timers.
    pub async fn enqueue_all<T: Task, E: Into<Enqueue<T>>>(
        &self,
        jobs: impl IntoIterator<Item = E>,
    ) -> Result<Vec<JobHandle<T::Output>>, Error> {
        let jobs = bulk::prepare(jobs.into_iter().collect()).await?;
        let names: Vec<_> = jobs.iter().map(|(queue, job)| (queue.clone(), job.id.clone())).collect();
        let became = bulk::enqueue_all(self, jobs).await?;
        let handles = names.into_iter().zip(became);
        Ok(handles
            .map(|((queue, id), became)| JobHandle::new(self.clone(), queue, id, became == Enqueued::New))
            .collect())
    }

    /// A handle to a job that was enqueued before, here or in another process; `T` is what its
    /// task returns. Nothing is asked of the broker.
    #[must_use]
    pub fn handle<T>(&self, queue: QueueName, id: JobId) -> JobHandle<T> {
        JobHandle::new(self.clone(), queue, id, false)
    }

    /// The broker, for workers of the same connection.
    #[doc(hidden)]
    #[must_use]
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.0.broker
    }

    fn deadline(&self) -> Duration {
        self.0.deadline
    }

    fn coalescer(&self) -> &Arc<Coalescer> {
        &self.0.coalescer
    }

    fn waiters(&self) -> &Arc<Waiters> {
        &self.0.waiters
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("deadline", &self.0.deadline).finish_non_exhaustive()
    }
}
