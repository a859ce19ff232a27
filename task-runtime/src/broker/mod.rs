//! The seam between the framework and whatever holds the jobs.

mod bounds;
mod clock;
mod fsck;
mod storage;
mod verbs;

pub mod memory;
#[cfg(feature = "redis")]
pub mod redis;

pub use clock::Clock;
pub use fsck::{Finding, Flaw, MAX_EXAMPLES, Repair, Report};
pub use storage::{Storage, WhenFull};
pub use verbs::*;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::job::{JobId, PutBack, QueueName};

/// The answer of a verb, under way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The verbs on jobs. Each is atomic, checks everything before it moves anything, and may be
/// repeated after an answer that never came.
///
/// # Cancel safety
/// Dropping an answer does not take the request back: it may still be carried out.
pub trait Broker: Inspect {
    /// The same jobs over connections of its own, for a runtime of its own: what keeps a lease
    /// alive must not wait behind what the jobs do.
    fn apart(&self) -> Arc<dyn Broker>;

    /// New jobs, to ready or scheduled. `again` is the time since the first send of the same
    /// jobs, when this is not the first. At most [`MAX_ENQUEUE`] jobs with distinct ids, of which at most
    /// [`MAX_ENQUEUE_LATER`] have a delay or a time.
    fn enqueue<'a>(
        &'a self,
        queue: &'a QueueName,
        jobs: &'a [NewJob],
        again: Option<Duration>,
    ) -> Answer<'a, Vec<Enqueued>>;

    /// Registers an incarnation; nothing else does. Repeating it changes nothing. Answers the number of its last
    /// turn, which for a new one is beyond all that those can have made that are gone.
    fn begin<'a>(&'a self, queue: &'a QueueName, incarnation: &'a Incarnation, lease: Duration) -> Answer<'a, u64>;

    /// Settles what is finished and claims what there is room for.
    fn turn<'a>(&'a self, queue: &'a QueueName, turn: &'a Turn) -> Answer<'a, TurnAnswer>;

    /// The claims of `incarnation` among `ids`, for one that learned that it holds jobs of which
    /// it never heard.
    fn adopt<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        ids: &'a [JobId],
    ) -> Answer<'a, Vec<Claim>>;

    /// Moves the lease on and tells what was asked of its jobs.
    fn heartbeat<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        lease: Duration,
    ) -> Answer<'a, Heartbeat>;

    /// Gives back at most [`MAX_RECOVER`] jobs of an incarnation; answers whether it is gone.
    fn leave<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        jobs: &'a [(JobId, PutBack)],
    ) -> Answer<'a, bool>;

    /// Moves at most [`MAX_PROMOTE`] due jobs to ready; answers how many.
    fn promote<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, usize>;

    /// The incarnations of a queue and the ends of their leases.
    fn workers<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Vec<Lease>>;

    /// Ends an incarnation for good if its lease is still as `lease` says and has ended, or if
    /// `stale`; answers at most [`MAX_RECOVER`] of its jobs, or nothing when it lives.
    fn condemn<'a>(&'a self, queue: &'a QueueName, lease: &'a Lease, stale: bool) -> Answer<'a, Option<Condemned>>;

    /// Moves jobs of a condemned incarnation as decided.
    fn settle_for<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        recovered: &'a [Recovered],
    ) -> Answer<'a, ()>;

    /// Cancels a job that has not started; asks one that runs to stop.
    fn cancel<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Cancelled>;

    /// Where a job is.
    fn status<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Status>;

    /// Asks that the end of a job be told, or gives it when it has ended.
    fn watch<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Watched>;

    /// Ids of watched jobs that end from now on.
    fn ended<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Endings>;

    /// Waits for a wake token of the queue, at most `limit`; answers whether one came.
    fn wake<'a>(&'a self, queue: &'a QueueName, limit: Duration) -> Answer<'a, bool>;

    /// Stops or resumes claiming from a queue.
    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> Answer<'a, ()>;

    /// For queues where nothing ends: forgets what retention no longer keeps, and buries parked jobs that waited longer than
    /// `unknown_grace`; bounded work, repeated by whoever sweeps.
    fn sweep<'a>(&'a self, queue: &'a QueueName, retention: &'a Retention, unknown_grace: Duration) -> Answer<'a, ()>;

    /// Checks that each job is in the one index that its state says and that nothing else is left,
    /// beside whatever goes on; with [`Repair::Yes`] puts right what loses no job. Not atomic as a
    /// whole: many bounded steps, each of which finds and mends what is wrong at its moment.
    fn fsck<'a>(&'a self, queue: &'a QueueName, repair: Repair) -> Answer<'a, Report>;
}

/// A look at what is there; none of it changes anything.
pub trait Inspect: Send + Sync + 'static {
    /// Every queue that was used.
    fn queues(&self) -> Answer<'_, Vec<QueueName>>;

    /// How many jobs are where.
    fn counts<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Counts>;

    /// How the jobs of a queue are kept.
    fn storage<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Storage>;
}
