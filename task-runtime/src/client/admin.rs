//! For those who look after the queues: what there is, and whether it may run.

use crate::broker::{Counts, Repair, Report};
use crate::error::Error;
use crate::job::QueueName;

use super::Client;

impl Client {
    /// Every queue that was used in this namespace, sorted by name.
    ///
    /// # Errors
    /// What the broker answers: [`Error::Unavailable`] passes, [`Error::Rejected`] says what the server has against it;
    /// [`Error::WrongKind`] does not pass: someone has put something else in the place of the list.
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
    /// What the broker answers: [`Error::Unavailable`] passes, [`Error::Rejected`] says what the server has against it.
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
    /// As for [`counts`](Self::counts); after [`Error::Indeterminate`], pausing again is safe.
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

    /// Checks the stored data of a queue: each job in the one index that its state says, every key
    /// one that is known. What is found was wrong at the moment at which it was looked at, also while
    /// jobs are enqueued and run.
    ///
    /// With [`Repair::Yes`] it puts right what it finds, as [`Flaw`](crate::broker::Flaw) says of
    /// each. No job is lost by it: in doubt one is put back, to run again. Repairing twice changes
    /// nothing more. What is not known is never touched.
    ///
    /// What it could not decide, because jobs moved or there was too much of it, it tells: such a queue is
    /// not said to be sound, and another check decides it.
    ///
    /// On a server, which must be a primary, it reads the whole queue in small steps, about 100 entries each, and keeps about
    /// 20 bytes for each job that waits or has ended, at most some 50 MB. In the memory of the
    /// process it takes one look, during which the queue stands still.
    ///
    /// ```
    /// # use task_runtime::{Client, Error, broker::Repair, job::QueueName};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// let client = Client::in_memory();
    /// let report = client.fsck(&QueueName::new("mail")?, Repair::No).await?;
    /// assert!(report.is_sound());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`counts`](Self::counts), and [`Error::Indeterminate`]; the check can be made again.
    ///
    /// # Cancel safety
    /// A call that is dropped may have repaired a part.
    pub async fn fsck(&self, queue: &QueueName, repair: Repair) -> Result<Report, Error> {
        self.broker().fsck(queue, repair).await
    }
}
