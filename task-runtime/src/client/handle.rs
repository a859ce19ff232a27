//! The caller's view of one job.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::broker::{Cancelled, Watched};
use crate::error::Error;
use crate::job::{EndRecord, Ended, JobId, QueueName};

use super::status::death;
use super::{Client, JobError, JobStatus};

/// The longest that a handle waits for a result (24 hours).
pub const RESULT_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A job that was enqueued, and the value of type `T` that it will give.
///
/// A handle holds nothing but the names: dropping it does not touch the job, and
/// [`Client::handle`] makes another one from the queue and the id.
///
/// ```no_run
/// # use std::time::Duration;
/// # use task_runtime::client::{JobError, JobHandle};
/// # async fn example(handle: JobHandle<usize>) -> Result<(), JobError> {
/// match handle.result_within(Duration::from_secs(5)).await {
///     Ok(sent) => println!("{sent} bytes sent"),
///     Err(JobError::Timeout { .. }) => println!("{} is {}", handle.id(), handle.status().await?),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
pub struct JobHandle<T> {
    client: Client,
    queue: QueueName,
    id: JobId,
    is_new: bool,
    value: PhantomData<fn() -> T>,
}

impl<T> JobHandle<T> {
    pub(super) fn new(client: Client, queue: QueueName, id: JobId, is_new: bool) -> Self {
        Self { client, queue, id, is_new, value: PhantomData }
    }

    /// The job.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Its queue.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// Whether this enqueue is known to have made the job. False when a job of the same id was
    /// there, which includes one of an earlier send of this same enqueue whose answer was lost.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Where the job is now.
    ///
    /// # Errors
    /// What the broker answers: [`Error::Unavailable`] passes, [`Error::Rejected`] says what the server has against it.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn status(&self) -> Result<JobStatus, Error> {
        JobStatus::from_broker(self.client.broker().status(&self.queue, &self.id).await?)
    }

    /// Cancels the job if it has not started, else asks it to stop.
    ///
    /// # Errors
    /// What the broker answers. After [`Error::Indeterminate`] it may be cancelled; to ask again
    /// is safe.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have cancelled the job.
    pub async fn cancel(&self) -> Result<Cancelled, Error> {
        self.client.broker().cancel(&self.queue, &self.id).await
    }
}

impl<T: DeserializeOwned> JobHandle<T> {
    /// Waits until the job has ended, at most [`RESULT_WAIT`], and gives its value.
    ///
    /// All waiting handles of one queue and client share one subscription.
    ///
    /// # Errors
    /// [`JobError`] says how the job ended instead, or why that is not known.
    ///
    /// # Cancel safety
    /// Safe: the job goes on, and the next call waits anew.
    ///
    /// # Panics
    /// Outside a Tokio runtime with timers.
    pub async fn result(&self) -> Result<T, JobError> {
        self.result_within(RESULT_WAIT).await
    }

    /// Waits until the job has ended, at most `limit` and at most [`RESULT_WAIT`], and gives its
    /// value.
    ///
    /// # Errors
    /// [`JobError::Timeout`] when it had not ended by then, else as for [`result`](Self::result).
    ///
    /// # Cancel safety
    /// Safe: the job goes on, and the next call waits anew.
    ///
    /// # Panics
    /// Outside a Tokio runtime with timers.
    pub async fn result_within(&self, limit: Duration) -> Result<T, JobError> {
        let limit = limit.min(RESULT_WAIT);
        match self.client.waiters().end(&self.queue, &self.id, limit).await? {
            Some(Watched::Ended { record }) => self.value(&record),
            Some(Watched::Dead { state }) => {
                let (attempts, message) = death(state.as_deref());
                Err(JobError::Failed { message, attempts })
            }
            Some(Watched::Unknown) => Err(JobError::NotKept { id: self.id.clone() }),
            Some(Watched::Waiting) | None => Err(JobError::Timeout { waited: limit }),
        }
    }

    fn value(&self, record: &[u8]) -> Result<T, JobError> {
        let fault = |fault: serde_json::Error| JobError::Decode { id: self.id.clone(), fault: fault.to_string() };
        let record: EndRecord = serde_json::from_slice(record).map_err(fault)?;
        match record.end {
            Ended::Cancelled => Err(JobError::Cancelled),
            // The value of a task that returns nothing is not stored.
            Ended::Completed => {
                serde_json::from_str(record.result.as_ref().map_or("null", |value| value.get())).map_err(fault)
            }
        }
    }
}

impl<T> Clone for JobHandle<T> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), self.queue.clone(), self.id.clone(), self.is_new)
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("queue", &self.queue)
            .field("id", &self.id)
            .field("is_new", &self.is_new)
            .finish_non_exhaustive()
    }
}
