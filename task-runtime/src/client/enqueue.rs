//! One enqueue: the job, what this call overrides, and its way to the broker.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::broker::{Due, Enqueued, NewJob};
use crate::error::Error;
use crate::job::{
    Backoff, DEFAULT_PRIORITY, Envelope, Header, JobId, JobOptions, MAX_ATTEMPTS, MAX_BACKOFF, MAX_CRASHES, MAX_DELAY,
    MAX_PRIORITY, MAX_RESULT_TTL, MAX_TIMEOUT, QueueName, TaskName, TaskOptions,
};
#[cfg(feature = "cli")]
use crate::task::check_encoded;
use crate::task::{Task, encode_args};

use super::{Client, JobHandle, default_client};

/// Most pauses in a list of pauses.
const MAX_PAUSES: usize = 64;
const MILLISECOND: Duration = Duration::from_millis(1);

/// A job on its way, with the options of this one call.
///
/// What is not said here is taken from the task's attribute, and what that does not say from the
/// framework's defaults. A value that is not allowed is reported when the job is enqueued.
///
/// ```
/// # use std::time::Duration;
/// # use task_runtime::{Error, Task, client::{Client, Enqueue}, job::TaskOptions};
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
/// let email = SendEmail { to: "a@b.c".into() };
/// let handle = Enqueue::new(email)
///     .id("welcome-42")
///     .delay(Duration::from_secs(5))
///     .priority(7)
///     .enqueue_on(&client)
///     .await?;
/// assert!(handle.is_new());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens until `enqueue` or `enqueue_on` is called and awaited"]
#[derive(Debug)]
pub struct Enqueue<T> {
    job: T,
    queue: Option<QueueName>,
    options: JobOptions,
    priority: Option<u8>,
    max_crashes: Option<u32>,
    due: Due,
    id: Option<JobId>,
    traceparent: Option<String>,
    /// The first mistake of the call.
    fault: Option<Error>,
}

impl<T> Enqueue<T> {
    /// An enqueue of `job` that overrides nothing.
    pub fn new(job: T) -> Self {
        Self {
            job,
            queue: None,
            options: JobOptions::default(),
            priority: None,
            max_crashes: None,
            due: Due::Now,
            id: None,
            traceparent: None,
            fault: None,
        }
    }

    /// Puts the job into this queue: `[A-Za-z0-9_.-]{1,64}`.
    pub fn queue(mut self, name: impl AsRef<str>) -> Self {
        self.queue = self.checked(QueueName::new(name));
        self
    }

    /// Stops an attempt that runs longer: 1 ms to 30 days.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = self.checked(within("timeout", timeout, MILLISECOND..=MAX_TIMEOUT));
        self
    }

    /// Attempts in all, the first one counted: 1 to 1,000.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = self.checked(within("max_attempts", attempts, 1..=MAX_ATTEMPTS));
        self
    }

    /// The pauses between attempts: each at most 7 days, a list of 1 to 64.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = self.checked(checked_backoff(backoff));
        self
    }

    /// 0 to 9; jobs of priority 9 are claimed first.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = self.checked(within("priority", priority, 0..=MAX_PRIORITY));
        self
    }

    /// How long the result is kept: at most 30 days.
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.options.result_ttl = self.checked(within("result_ttl", ttl, Duration::ZERO..=MAX_RESULT_TTL));
        self
    }

    /// Worker crashes after which the job is dead: 1 to 100.
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.max_crashes = self.checked(within("max_crashes", crashes, 1..=MAX_CRASHES));
        self
    }

    /// Makes the job ready this long after the broker gets it, by the broker's clock: at most ten
    /// years. Replaces an [`at`](Self::at) before it.
    pub fn delay(mut self, delay: Duration) -> Self {
        let delay = self.checked(within("delay", delay, Duration::ZERO..=MAX_DELAY));
        self.due = delay.filter(|delay| !delay.is_zero()).map_or(Due::Now, Due::After);
        self
    }

    /// Makes the job ready at this time by the broker's clock, to the millisecond; a time that has
    /// passed means now. At most ten years ahead. Replaces a [`delay`](Self::delay) before it.
    pub fn at(mut self, time: SystemTime) -> Self {
        let ahead = time.duration_since(SystemTime::now()).unwrap_or_default();
        self.checked(within("at", ahead, Duration::ZERO..=MAX_DELAY));
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.due = Due::At(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// Chooses the id: 1 to 64 bytes of printable ASCII without spaces.
    ///
    /// A chosen id makes the enqueue repeatable: while a job of this id is known in the queue,
    /// nothing changes and the handle is one to the job that is there.
    pub fn id(mut self, id: impl AsRef<str>) -> Self {
        self.id = self.checked(JobId::new(id));
        self
    }

    /// The W3C `traceparent` of the caller's span, for the worker to go on with; a task reads it from
    /// [`Context::traceparent`](crate::Context::traceparent).
    ///
    /// Source: W3C Trace Context, <https://www.w3.org/TR/trace-context/#traceparent-header>.
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        let traceparent = traceparent.into();
        self.traceparent = self.checked(checked_traceparent(traceparent));
        self
    }

    /// Keeps the first mistake for later.
    fn checked<V>(&mut self, value: Result<V, Error>) -> Option<V> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault.get_or_insert(error);
                None
            }
        }
    }

    /// What is stored of a job of the task `name`, whose arguments are `args`.
    fn store(self, name: &str, task: &TaskOptions, args: Vec<u8>) -> Result<(QueueName, NewJob), Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        TaskName::new(name)?;
        let queue = self.queue.map_or_else(|| QueueName::new(task.queue), Ok)?;
        let priority = self.priority.or(task.priority).unwrap_or(DEFAULT_PRIORITY);
        within("priority", priority, 0..=MAX_PRIORITY)?;
        let id = self.id.unwrap_or_else(JobId::random);
        let header = Header {
            created_ms: id.created_ms().is_none().then(now_ms),
            priority: (priority != DEFAULT_PRIORITY).then_some(priority),
            max_crashes: self.max_crashes.or(task.max_crashes),
            options: self.options,
            traceparent: self.traceparent,
            ..Header::new(name)
        };
        let envelope = Envelope { header, args }.encode();
        Ok((queue, NewJob { id, priority, due: self.due, envelope }))
    }
}

impl<T: Task> Enqueue<T> {
    /// Enqueues the job on the client given to [`set_default_client`](super::set_default_client).
    ///
    /// # Errors
    /// Those of [`enqueue_on`](Self::enqueue_on), and [`Error::NoClient`] when there is none.
    ///
    /// # Cancel safety
    /// As for [`enqueue_on`](Self::enqueue_on).
    pub async fn enqueue(self) -> Result<JobHandle<T::Output>, Error> {
        let client = default_client()?;
        self.enqueue_on(&client).await
    }

    /// Enqueues the job and returns when the broker has acknowledged it.
    ///
    /// A call whose answer does not come is repeated with the same id, which changes nothing when
    /// the first one arrived, until the client's deadline.
    ///
    /// # Errors
    /// - [`Error::InvalidName`], [`Error::InvalidOption`], [`Error::Limit`], [`Error::Encode`]: the
    ///   call is wrong, and nothing was sent.
    /// - [`Error::Rejected`], [`Error::QueueFull`]: nothing happened; try again later.
    /// - [`Error::WrongKind`]: nothing happened, and nothing will until someone looks at the server.
    /// - [`Error::Indeterminate`]: the job may be there or not. To enqueue again is safe only with
    ///   the same [`id`](Self::id).
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have enqueued the job; it never keeps another call
    /// from its answer.
    ///
    /// # Panics
    /// Outside a Tokio runtime with timers.
    pub async fn enqueue_on(self, client: &Client) -> Result<JobHandle<T::Output>, Error> {
        let (queue, job) = self.prepare()?;
        send(client, queue, job).await
    }

    /// Checks and encodes everything; what comes after this fails only at the broker.
    pub(super) fn prepare(self) -> Result<(QueueName, NewJob), Error> {
        let args = encode_args(&self.job)?;
        self.store(T::NAME, &T::OPTIONS, args)
    }
}

/// A job whose type is not known to the compiler: a task of the registry, and encoded arguments.
#[cfg(feature = "cli")]
pub(crate) struct Encoded {
    pub(crate) task: &'static str,
    pub(crate) options: &'static TaskOptions,
    pub(crate) args: Vec<u8>,
}

#[cfg(feature = "cli")]
impl Enqueue<Encoded> {
    /// Enqueues the job as [`Enqueue::enqueue_on`] does; its value comes back as JSON.
    pub(crate) async fn send_on(self, client: &Client) -> Result<JobHandle<Box<serde_json::value::RawValue>>, Error> {
        let Encoded { task, options, ref args } = self.job;
        check_encoded(task, args)?;
        let args = args.clone();
        let (queue, job) = self.store(task, options, args)?;
        send(client, queue, job).await
    }
}

impl<T: Task> From<T> for Enqueue<T> {
    fn from(job: T) -> Self {
        Self::new(job)
    }
}

async fn send<V>(client: &Client, queue: QueueName, job: NewJob) -> Result<JobHandle<V>, Error> {
    let id = job.id.clone();
    match client.coalescer().enqueue(&queue, job).await? {
        Enqueued::Unknown => Err(forgotten()),
        became => Ok(JobHandle::new(client.clone(), queue, id, became == Enqueued::New)),
    }
}

/// The error of a job whose id the broker may have forgotten since the first send.
pub(super) fn forgotten() -> Error {
    let reason = "an earlier send may have arrived, and what became of it is no longer kept".into();
    Error::Indeterminate { reason }
}

fn within<V: PartialOrd + Debug>(option: &'static str, value: V, allowed: RangeInclusive<V>) -> Result<V, Error> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    let expected = format!("{:?} to {:?}", allowed.start(), allowed.end());
    Err(Error::InvalidOption { option, given: format!("{value:?}"), expected })
}

fn checked_backoff(backoff: Backoff) -> Result<Backoff, Error> {
    let longest = match &backoff {
        Backoff::Constant { delay, .. } => *delay,
        Backoff::Linear { step, cap, .. } => *step.max(cap),
        Backoff::Exponential { base, cap, .. } => *base.max(cap),
        Backoff::List { delays, .. } if delays.is_empty() || delays.len() > MAX_PAUSES => {
            let (given, expected) = (format!("{} pauses", delays.len()), format!("1 to {MAX_PAUSES}"));
            return Err(Error::InvalidOption { option: "backoff", given, expected });
        }
        Backoff::List { delays, .. } => delays.iter().max().copied().unwrap_or_default(),
    };
    within("backoff", longest, Duration::ZERO..=MAX_BACKOFF)?;
    Ok(backoff)
}

/// The form of every version: two digits, 32, 16 and two, all hexadecimal, with hyphens between.
fn checked_traceparent(text: String) -> Result<String, Error> {
    let parts: Vec<_> = text.split('-').collect();
    let hexadecimal = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    if lengths == [2, 32, 16, 2] && parts.iter().all(hexadecimal) && parts[0] != "ff" {
        return Ok(text);
    }
    let given = format!("`{}`", text.escape_debug().take(80).collect::<String>());
    let expected = "a W3C traceparent such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
    Err(Error::InvalidOption { option: "traceparent", given, expected })
}

fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
