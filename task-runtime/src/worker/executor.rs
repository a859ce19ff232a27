//! From a claim to its settlement: one attempt of one job.

use std::borrow::Cow;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::poll_immediate;
use tracing::Instrument as _;

use crate::broker::Claim;
use crate::handler::{Arguments, Context, DataMap, Facts, Registry, Stop, TaskDef, Why, catch_in, take_left_behind};
use crate::job::{
    Attempt, Backoff, DEFAULT_MAX_ATTEMPTS, DEFAULT_PRIORITY, DEFAULT_RESULT_TTL, Envelope, EnvelopeError, Header,
    JobId, Outcome, PutBack, QueueName, State, TaskName,
};

use super::board::OnLoan;
use super::busy::in_sight;
use super::inbox::Inbox;
use super::permits::Permit;
use super::place::{Ending, Late, Place, timed_out};
use super::vitals::Vitals;

/// How long a task that was asked to stop may go on before it is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

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
        let ending = Ending::new(task, id.clone(), number, attempt, &self.inbox, &self.vitals);
        let place = Place::new(&ending, permit);
        let (attempt, late) = match opened {
            Ok((task, envelope)) => {
                let timeout = envelope.header.options.timeout(&task.options);
                let late = Late::new(timeout, ending);
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
        let ending = place.ending();
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
            let start = place.ending().start;
            let outcome = run(task, ctx, envelope.args, start, timeout, &stop).await;
            place.tell(outcome).await;
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
