//! What a running attempt knows of itself, and how injected parameters are made from it.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::job::{JobId, QueueName};

use super::data::{DataMap, Requirement};
use super::run::Failure;
use super::stop::Stop;

/// One attempt of one job: who it is, and the means to be stopped.
///
/// ```
/// use task_runtime::prelude::*;
///
/// #[task]
/// async fn rebuild(#[inject] ctx: Context) {
///     println!("attempt {} of job {}", ctx.attempt(), ctx.job_id());
/// }
/// ```
#[derive(Clone)]
pub struct Context(Arc<Facts>);

/// What a worker says of an attempt.
pub(crate) struct Facts {
    pub(crate) job: JobId,
    pub(crate) task: &'static str,
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    pub(crate) fencing_token: u64,
    pub(crate) traceparent: Option<String>,
    pub(crate) stop: Stop,
    pub(crate) data: Arc<DataMap>,
}

impl Context {
    #[cfg(feature = "worker")]
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// The id of the job.
    #[must_use]
    pub fn job_id(&self) -> &JobId {
        &self.0.job
    }

    /// The name of the task.
    #[must_use]
    pub fn task(&self) -> &'static str {
        self.0.task
    }

    /// The queue from which the job came.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.0.queue
    }

    /// Which attempt this is, the first being 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// A number that grows with every claim of this queue.
    ///
    /// Storage of your own that remembers the largest number it saw for a job, and refuses
    /// smaller ones, is safe from a worker that lost its lease without noticing (M. Kleppmann,
    /// "How to do distributed locking", 2016).
    #[must_use]
    pub fn fencing_token(&self) -> u64 {
        self.0.fencing_token
    }

    /// The W3C `traceparent` that the caller gave to the job.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.0.traceparent.as_deref()
    }

    /// Is cancelled when the job is to stop: someone cancelled it, its worker lost the lease, or
    /// the worker is stopping and its grace is over.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.stop.token()
    }

    pub(crate) fn data(&self) -> &DataMap {
        &self.0.data
    }
}

/// What can be injected into a task with `#[inject]`.
///
/// [`Data`](super::Data), [`Context`] and [`CancellationToken`] are there; write it for a type
/// of your own to have it made for each attempt:
///
/// ```
/// use task_runtime::prelude::*;
///
/// struct Tenant(String);
///
/// impl FromContext for Tenant {
///     async fn from_context(ctx: &Context) -> Result<Self, Failure> {
///         let queue = ctx.queue().as_str();
///         let tenant = queue.strip_prefix("tenant-").ok_or(Failure::new("not a tenant's queue"))?;
///         Ok(Tenant(tenant.to_owned()))
///     }
/// }
///
/// #[task(queue = "tenant-7")]
/// async fn bill(month: u8, #[inject] tenant: Tenant) {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be injected",
    label = "`FromContext` is not implemented for it",
    note = "for state of the worker write `Data<{Self}>`; for a type made per attempt implement `task_runtime::FromContext`; for an argument of the job drop `#[inject]`"
)]
pub trait FromContext: Sized + Send {
    /// Makes the value for one attempt.
    ///
    /// # Errors
    /// A [`Failure`] fails the attempt, as if the task had returned it.
    ///
    /// # Cancel safety
    /// The future is dropped at the time limit of the attempt, and when the attempt is cancelled.
    fn from_context(ctx: &Context) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// State that the worker must have been given; asked once, before the first job.
    #[must_use]
    fn requirement() -> Option<Requirement> {
        None
    }
}

impl FromContext for Context {
    async fn from_context(ctx: &Context) -> Result<Self, Failure> {
        Ok(ctx.clone())
    }
}

impl FromContext for CancellationToken {
    async fn from_context(ctx: &Context) -> Result<Self, Failure> {
        Ok(ctx.cancellation().clone())
    }
}
