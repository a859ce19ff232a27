//! From stored arguments to a result: what the code written by `#[task]` calls.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::value::RawValue;

use crate::task::{Task, TaskReturn, encode_result, error_chain};

use super::context::{Context, FromContext};
use super::data::Requirement;
use super::panic::catch;

/// The encoded arguments of a job.
pub type Arguments = Vec<u8>;

/// One attempt under way.
pub type RunFuture = Pin<Box<dyn Future<Output = Result<Box<RawValue>, Failure>> + Send>>;

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) message: String,
    /// Whether every further attempt would fail alike.
    pub(crate) hopeless: bool,
}

impl Failure {
    /// A failure with this message; the job is tried again as its options say.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hopeless: false }
    }

    /// A failure that no further attempt can mend.
    pub(crate) fn hopeless(message: String) -> Self {
        Self { message, hopeless: true }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Decodes the job, runs `body`, encodes what it gives.
pub fn run<T, F, Fut>(ctx: Context, args: Arguments, body: F) -> RunFuture
where
    T: Task,
    F: FnOnce(T, Context) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T::Output, Failure>> + Send + 'static,
{
    Box::pin(async move {
        let job = decode::<T>(&args)?;
        // The encoded form is not needed for as long as the task runs.
        drop(args);
        let value = body(job, ctx).await?;
        // To do the work again would give the same.
        encode_result(&value).map_err(Failure::hopeless)
    })
}

/// Decodes arguments, or says which task cannot read them.
pub(crate) fn decode<T: Task>(args: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(args)
        .map_err(|error| Failure::hopeless(format!("task `{}` cannot read its arguments: {error}", T::NAME)))
}

/// What the task returned, its error told with all its causes.
///
/// # Errors
/// The task's own.
pub fn returned<R: TaskReturn>(value: R) -> Result<R::Value, Failure> {
    value.into_result().map_err(|error| Failure::new(error_chain(&*error)))
}

/// An injected parameter.
///
/// # Errors
/// Whatever made it impossible.
pub async fn inject<T: FromContext>(ctx: &Context) -> Result<T, Failure> {
    T::from_context(ctx).await
}

/// What an injected parameter needs of the worker.
#[must_use]
pub fn requires<T: FromContext>() -> Option<Requirement> {
    T::requirement()
}

/// The end of a body that goes on.
pub(crate) type LeftBehind = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// The body that this thread last left behind.
    static LEFT: RefCell<Option<LeftBehind>> = const { RefCell::new(None) };
}

/// The body on the blocking pool, if any, that goes on although this thread dropped the attempt
/// since the last call.
#[cfg_attr(not(feature = "worker"), allow(dead_code, reason = "only a worker runs tasks"))]
pub(crate) fn take_left_behind() -> Option<LeftBehind> {
    // A thread that ends itself has none.
    LEFT.try_with(|left| left.borrow_mut().take()).ok().flatten()
}

/// A body on the blocking pool. One that waits for a thread when this is dropped never begins; one
/// that runs goes on, and is left behind.
struct Blocking<T: Send + 'static>(Option<tokio::task::JoinHandle<T>>);

impl<T: Send + 'static> Drop for Blocking<T> {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_finished()) else { return };
        body.abort();
        // A thread that ends itself has no place for it, and nobody asks it any more.
        let _ = LEFT.try_with(|left| *left.borrow_mut() = Some(Box::pin(async { _ = body.await })));
    }
}

/// Runs a synchronous body on the blocking pool; its panic is a failure.
///
/// # Errors
/// What the body returned.
pub async fn blocking<T: Send + 'static>(
    body: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let mut running = Blocking(Some(tokio::task::spawn_blocking(|| catch(body))));
    let ended = running.0.as_mut().expect("it is taken only when it is dropped").await;
    ended.unwrap_or_else(|_| Err(Failure::new("the runtime shut down before the blocking task began")))
}
