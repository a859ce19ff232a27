//! For those who look after the queues: what there is, and whether it may run.

use crate::broker::Counts;
use crate::error::Error;
use crate::job::QueueName;

use super::Client;

impl Client {
    /// Every queue that was used in this namespace, sorted by name.
    ///
    /// # Errors
    /// What the broker answers: [`Error::Unavailable`] and [`Error::Indeterminate`] pass.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn queues(&self) -> Result<Vec<QueueName>, Error> {
        self.broker().queues().await
    }

    /// How many jobs of a queue are where. The numbers are taken one after the other while jobs
    /// move, so that their sum may be off by those that moved.
    ///
    /// # Errors
    /// As for [`queues`](Self::queues).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn counts(&self, queue: &QueueName) -> Result<Counts, Error> {
        self.broker().counts(queue).await
    }

    /// Keeps workers from claiming jobs of a queue until [`resume`](Self::resume). What runs goes
    /// on, and jobs can be enqueued.
    ///
    /// # Errors
    /// As for [`queues`](Self::queues); after [`Error::Indeterminate`], pausing again is safe.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have paused the queue.
    pub async fn pause(&self, queue: &QueueName) -> Result<(), Error> {
        self.broker().pause(queue, true).await
    }

    /// Lets workers claim jobs of a queue again, at once.
    ///
    /// # Errors
    /// As for [`pause`](Self::pause).
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have resumed the queue.
    pub async fn resume(&self, queue: &QueueName) -> Result<(), Error> {
        self.broker().pause(queue, false).await
    }
}
