//! From a claim to its settlement: one attempt of one job.

use std::borrow::Cow;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::poll_immediate;
use tokio::runtime::Handle;
use tracing::{Instrument as _, Span, error_span};

use crate::broker::Claim;
use crate::handler::{
    Arguments, Context, DataMap, Facts, LeftBehind, Registry, Stop, TaskDef, Why, catch_in, take_left_behind,
};
use crate::job::{
    Attempt, Backoff, DEFAULT_MAX_ATTEMPTS, DEFAULT_PRIORITY, DEFAULT_RESULT_TTL, Envelope, EnvelopeError, Header,
    JobId, Outcome, PutBack, QueueName, Settlement, State, TaskName, settle, shorten,
};

use super::board::OnLoan;
use super::busy::in_sight;
use super::inbox::Inbox;
use super::permits::Permit;
use super::readiness::Vitals;

/// How long a task that was asked to stop may go on before it is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// How long a task may go on after its time is up or its cancel came, before its attempt is told as
/// stuck.
pub(super) const STUCK_GRACE: Duration = Duration::from_secs(10);

/// A claim that has a permit to run, and is yet to begin.
pub(super) struct Arrived {
    pub(super) claim: Claim,
    /// The record beside it, read.
    pub(super) state: State,
    pub(super) permit: Permit,
}

/// Runs the jobs of one queue.
pub(super) struct Executor {
    pub(super) registry: Arc<Registry>,
    pub(super) data: Arc<DataMap>,
    pub(super) queue: QueueName,
    pub(super) inbox: Arc<Inbox>,
    pub(super) vitals: Arc<Vitals>,
    /// Number of the last claim.
    pub(super) last: u64,
}

impl Executor {
    /// Begins an attempt. How it ends is told to the inbox; the permit goes back then.
    pub(super) fn begin(&mut self, arrived: Arrived) -> (JobId, OnLoan) {
        let Arrived { claim, state, permit } = arrived;
        self.last += 1;
        let number = self.last;
        let (stop, id) = (Stop::default(), claim.id);
        let opened = open(&self.registry, claim.envelope);
        let header =
            opened.as_ref().map_or_else(|refused| refused.header.as_deref(), |(_, envelope)| Some(&envelope.header));
        let attempt = terms(header, opened.as_ref().ok().map(|(task, _)| *task), state);
        let back = attempt.back;
        let task = opened.as_ref().map_or_else(|refused| refused.task.clone(), |(task, _)| task.name.into());
        let ending = Arc::new(Ending {
            task,
            id: id.clone(),
            number,
            number_of_attempt: attempt.state.attempts.saturating_add(1),
            start: Instant::now(),
            attempt: Mutex::new(Some(attempt)),
            stuck: AtomicBool::new(false),
            inbox: Arc::clone(&self.inbox),
            vitals: Arc::clone(&self.vitals),
        });
        let place = Place { ending: Arc::clone(&ending), permit: Some(permit), body: None };
        let (attempt, late) = match opened {
            Ok((task, envelope)) => {
                let timeout = envelope.header.options.timeout(&task.options);
                let late = Late { by: ending.start + timeout + STUCK_GRACE, timeout, ending };
                (Some(self.spawn(task, envelope, timeout, claim.token, &stop, place)), Some(late))
            }
            Err(refused) => {
                ending.span().in_scope(|| ending.tell(refused.outcome));
                (None, None)
            }
        };
        (id, OnLoan { number, back, stop, attempt, late })
    }

    fn spawn(
        &self,
        task: &'static TaskDef,
        envelope: Envelope,
        timeout: Duration,
        token: u64,
        stop: &Stop,
        mut place: Place,
    ) -> tokio::task::AbortHandle {
        let ending = &place.ending;
        let span = ending.span();
        let ctx = Context::new(Facts {
            job: ending.id.clone(),
            task: task.name,
            queue: self.queue.clone(),
            attempt: ending.number_of_attempt,
            fencing_token: token,
            traceparent: envelope.header.traceparent.clone(),
            stop: stop.clone(),
            data: Arc::clone(&self.data),
        });
        let stop = stop.clone();
        let run = async move {
            take_left_behind();
            let start = place.ending.start;
            let outcome = run(task, ctx, envelope.args, start, timeout, &stop).await;
            place.body = take_left_behind();
            if place.body.is_some() && tokio::time::timeout(STUCK_GRACE, place.ended()).await.is_err() {
                place.ending.stick(outcome);
                place.ended().await;
            } else {
                place.ending.tell(outcome);
            }
            // Only now the permit goes back, so that the turn which claims the next job also
            // settles this one. It rings.
            drop(place);
        };
        tokio::spawn(in_sight(self.vitals.address(), task.name, run.instrument(span))).abort_handle()
    }
}

/// A job that no task here can run.
struct Refused {
    outcome: Outcome,
    /// What its header says, for the log.
    task: Cow<'static, str>,
    header: Option<Box<Header>>,
}

/// Finds the task of a job.
fn open(registry: &Registry, envelope: Vec<u8>) -> Result<(&'static TaskDef, Envelope), Refused> {
    let (header, park_as, reason) = match Envelope::open(envelope) {
        Ok(envelope) => match registry.get(&envelope.header.task) {
            Some(task) => return Ok((task, envelope)),
            None => {
                let name = envelope.header.task.clone();
                let reason = format!("no worker that came by knows a task named `{}`", name.escape_debug());
                (Box::new(envelope.header), name, reason)
            }
        },
        Err(EnvelopeError::Newer { header }) => {
            // No task has a name with a space, so only a worker that knows the version takes it.
            let park_as = format!("v{} {}", header.v, header.task);
            let reason = EnvelopeError::Newer { header: header.clone() }.to_string();
            (header, park_as, reason)
        }
        Err(broken) => {
            return Err(Refused { outcome: Outcome::Hopeless(broken.to_string()), task: "?".into(), header: None });
        }
    };
    let task = header.task.clone();
    let outcome = match TaskName::new(&task) {
        Ok(_) => Outcome::Unknown { park_as, reason },
        Err(error) => Outcome::Hopeless(error.to_string()),
    };
    Err(Refused { outcome, task: task.into(), header: Some(header) })
}

/// What counts for this attempt: what the job says, else the task, else the defaults.
fn terms(header: Option<&Header>, task: Option<&TaskDef>, state: State) -> Attempt {
    let priority = header.map_or(DEFAULT_PRIORITY, Header::priority);
    let known = header.zip(task).map(|(header, task)| (&header.options, &task.options));
    Attempt {
        back: PutBack::of(header, &state),
        state,
        priority,
        max_attempts: known.map_or(DEFAULT_MAX_ATTEMPTS, |(job, task)| job.max_attempts(task)),
        backoff: known.map_or(Backoff::DEFAULT, |(job, task)| job.backoff(task).clone()),
        result_ttl: known.map_or(DEFAULT_RESULT_TTL, |(job, task)| job.result_ttl(task)),
        duration: Duration::ZERO,
    }
}

/// Runs the task within its time limit, and until it is stopped.
async fn run(
    task: &'static TaskDef,
    ctx: Context,
    args: Arguments,
    start: Instant,
    timeout: Duration,
    stop: &Stop,
) -> Outcome {
    let mut body = pin!(catch_in(task.run(ctx, args)));
    let result = match poll_immediate(&mut body).await {
        Some(result) => result,
        // What does not end at once gets a timer, in a box: most of the future's size is in here, and
        // a job that ends at once never pays for it.
        None => match Box::pin(within(body, start + timeout, stop)).await {
            Ok(result) => result,
            Err(Overrun::Time) => return timed_out(timeout),
            Err(Overrun::Cancel) => return Outcome::Cancelled,
        },
    };
    match (result, stop.why()) {
        (Ok(value), _) => Outcome::Completed(value),
        (Err(_), Some(Why::Asked)) => Outcome::Cancelled,
        (Err(_), Some(Why::WorkerStops)) => Outcome::Stopped,
        (Err(failure), None) if failure.hopeless => Outcome::Hopeless(failure.message),
        (Err(failure), None) => Outcome::Failed(failure.message),
    }
}

/// Why a task is dropped before it ends.
enum Overrun {
    /// Its time limit has passed.
    Time,
    /// A cancel was asked, too long ago.
    Cancel,
}

async fn within<T>(body: impl Future<Output = T>, limit: Instant, stop: &Stop) -> Result<T, Overrun> {
    tokio::select! {
        biased;
        result = body => Ok(result),
        () = tokio::time::sleep_until(limit.into()) => {
            // A body on the blocking pool goes on until it looks at its token.
            stop.token().cancel();
            Err(Overrun::Time)
        }
        () = overdue(stop) => Err(Overrun::Cancel),
    }
}

/// Returns when a cancel was asked and the task has not ended for too long since.
async fn overdue(stop: &Stop) {
    stop.token().cancelled().await;
    match stop.why() {
        Some(Why::Asked) => tokio::time::sleep(CANCEL_GRACE).await,
        // Whoever stops the worker also decides when its jobs are dropped.
        _ => pending().await,
    }
}

/// When an attempt is stuck that has not been told of.
pub(super) struct Late {
    pub(super) by: Instant,
    timeout: Duration,
    ending: Arc<Ending>,
}

impl Late {
    /// Tells it as timed out; what blocks its thread cannot do so itself.
    pub(super) fn tell(&self) {
        self.ending.span().in_scope(|| self.ending.stick(timed_out(self.timeout)));
    }
}

fn timed_out(timeout: Duration) -> Outcome {
    Outcome::Failed(format!("timed out after {timeout:?}"))
}

/// What is needed to tell how a claim ended.
struct Ending {
    task: Cow<'static, str>,
    id: JobId,
    number: u64,
    number_of_attempt: u32,
    start: Instant,
    /// Until it is told.
    attempt: Mutex<Option<Attempt>>,
    /// Whether it was told while it goes on.
    stuck: AtomicBool,
    inbox: Arc<Inbox>,
    vitals: Arc<Vitals>,
}

impl Ending {
    /// What tells of which job a line of the log is, whatever level is logged.
    fn span(&self) -> Span {
        error_span!("job", task = %self.task, id = %self.id, attempt = self.number_of_attempt)
    }

    /// Tells the outcome, unless one was told.
    fn tell(&self, outcome: Outcome) {
        let attempt = self.lock().take();
        if let Some(attempt) = attempt {
            self.settle(attempt, outcome);
        }
    }

    fn settle(&self, mut attempt: Attempt, outcome: Outcome) {
        attempt.duration = self.start.elapsed();
        let error = match &outcome {
            Outcome::Failed(error) | Outcome::Hopeless(error) | Outcome::Unknown { reason: error, .. } => {
                Some(shorten(error).into_owned())
            }
            Outcome::Completed(_) | Outcome::Cancelled | Outcome::Stopped => None,
        };
        let settlement = settle(outcome, &attempt, fastrand::f64());
        self.report(&attempt, &settlement, error.as_deref().unwrap_or_default());
        self.inbox.put(|news| news.ended.push((self.id.clone(), self.number, settlement)));
    }

    /// Tells the outcome of an attempt that goes on; it holds its place until it ends.
    fn stick(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Failed(error) => Outcome::Failed(format!("{error}, and goes on {STUCK_GRACE:?} later")),
            other => other,
        };
        let mut untold = self.lock();
        let Some(attempt) = untold.take() else { return };
        // Under the lock, so that it is seen by whoever gives the place back.
        self.hold();
        drop(untold);
        self.settle(attempt, outcome);
        self.inbox.ring();
    }

    /// It goes on for too long.
    fn hold(&self) {
        if !self.stuck.swap(true, Ordering::SeqCst) {
            self.vitals.stick();
            tracing::error!("stuck: it goes on although it was told to stop, and holds its place until it ends");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line for each attempt, at the level at which someone should look.
    fn report(&self, attempt: &Attempt, settlement: &Settlement, error: &str) {
        let Attempt { max_attempts: of, duration: ran, .. } = attempt;
        let number = self.number_of_attempt;
        match settlement {
            Settlement::Finish { .. } => tracing::debug!(?ran, "ended"),
            Settlement::Retry { delay, .. } => {
                tracing::warn!(error, ?ran, again_in = ?delay, "attempt {number} of {of} failed");
            }
            Settlement::Dead { .. } => tracing::error!(error, ?ran, "dead after attempt {number} of {of}"),
            Settlement::Release { .. } => tracing::info!(?ran, "given back, the worker stops"),
            Settlement::Park { .. } => tracing::warn!(reason = error, "parked for a worker that knows its task"),
        }
    }
}

/// The place that an attempt takes among those that may run, until it ends.
struct Place {
    ending: Arc<Ending>,
    permit: Option<Permit>,
    /// What the attempt left behind on the blocking pool, until it ends.
    body: Option<LeftBehind>,
}

impl Place {
    /// Waits for what was left behind.
    ///
    /// # Cancel safety
    /// It is waited for again the next time.
    async fn ended(&mut self) {
        if let Some(body) = &mut self.body {
            body.await;
            self.body = None;
        }
    }

    /// Holds the place of an attempt that was dropped for a body that goes on.
    async fn outlast(self, mut body: LeftBehind) {
        if tokio::time::timeout(STUCK_GRACE, &mut body).await.is_err() {
            self.ending.span().in_scope(|| self.ending.hold());
            self.ending.inbox.ring();
            body.await;
        }
    }
}

impl Drop for Place {
    /// What a task leaves behind is dropped outside of what catches its panics. A body on the blocking pool goes on when
    /// its attempt is dropped, and holds the place.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ending.tell(Outcome::Failed("panicked while it was dropped, after it was stopped".into()));
        }
        let body = self.body.take().or_else(take_left_behind);
        if let (Some(body), Ok(runtime)) = (body, Handle::try_current()) {
            let rest = Place { ending: Arc::clone(&self.ending), permit: self.permit.take(), body: None };
            runtime.spawn(rest.outlast(body));
            return;
        }
        drop(self.ending.lock());
        if self.ending.stuck.load(Ordering::SeqCst) {
            self.ending.vitals.unstick();
        }
    }
}
