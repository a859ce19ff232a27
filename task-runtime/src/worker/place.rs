//! What an attempt holds until it ends: its place among those that may run, and the right to tell how it ended.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tracing::{Span, error_span};

use crate::handler::{LeftBehind, current_panic, take_left_behind};
use crate::job::{Attempt, JobId, Outcome, Settlement, settle, shorten};

use super::inbox::Inbox;
use super::permits::Permit;
use super::vitals::Vitals;

/// How long a task may go on after its time is up or its cancel came, before its attempt is told as
/// stuck.
const STUCK_GRACE: Duration = Duration::from_secs(10);

/// When an attempt is stuck that has not been told of.
pub(super) struct Late {
    pub(super) by: Instant,
    timeout: Duration,
    ending: Arc<Ending>,
}

impl Late {
    pub(super) fn new(timeout: Duration, ending: Arc<Ending>) -> Self {
        Self { by: ending.start + timeout + STUCK_GRACE, timeout, ending }
    }

    /// Tells it as timed out; what blocks its thread cannot do so itself.
    pub(super) fn tell(&self) {
        self.ending.span().in_scope(|| self.ending.stick(timed_out(self.timeout)));
    }
}

pub(super) fn timed_out(timeout: Duration) -> Outcome {
    Outcome::Failed(format!("timed out after {timeout:?}"))
}

/// What is needed to tell how a claim ended.
pub(super) struct Ending {
    task: Cow<'static, str>,
    pub(super) id: JobId,
    number: u64,
    pub(super) number_of_attempt: u32,
    pub(super) start: Instant,
    /// Until it is told.
    attempt: Mutex<Option<Attempt>>,
    /// Whether it was told while it goes on.
    stuck: AtomicBool,
    inbox: Arc<Inbox>,
    vitals: Arc<Vitals>,
}

impl Ending {
    /// Of the claim with this `number` here, which begins now.
    pub(super) fn new(
        task: Cow<'static, str>,
        id: JobId,
        number: u64,
        attempt: Attempt,
        inbox: &Arc<Inbox>,
        vitals: &Arc<Vitals>,
    ) -> Arc<Self> {
        Arc::new(Self {
            task,
            id,
            number,
            number_of_attempt: attempt.state.attempts.saturating_add(1),
            start: Instant::now(),
            attempt: Mutex::new(Some(attempt)),
            stuck: AtomicBool::new(false),
            inbox: Arc::clone(inbox),
            vitals: Arc::clone(vitals),
        })
    }

    /// What tells of which job a line of the log is, whatever level is logged.
    pub(super) fn span(&self) -> Span {
        error_span!("job", task = %self.task, id = %self.id, attempt = self.number_of_attempt)
    }

    /// Tells the outcome, unless one was told.
    pub(super) fn tell(&self, outcome: Outcome) {
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
pub(super) struct Place {
    ending: Arc<Ending>,
    permit: Option<Permit>,
    /// What the attempt left behind on the blocking pool, until it ends.
    body: Option<LeftBehind>,
}

impl Place {
    pub(super) fn new(ending: &Arc<Ending>, permit: Permit) -> Self {
        Self { ending: Arc::clone(ending), permit: Some(permit), body: None }
    }

    pub(super) fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Tells the outcome of the attempt that just ended in this task, and returns when nothing of it goes on.
    ///
    /// # Cancel safety
    /// What goes on holds the place.
    pub(super) async fn tell(&mut self, outcome: Outcome) {
        self.body = take_left_behind();
        if self.body.is_some() && tokio::time::timeout(STUCK_GRACE, self.ended()).await.is_err() {
            self.ending.stick(outcome);
            self.ended().await;
        } else {
            self.ending.tell(outcome);
        }
    }

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
            let panic = current_panic().message;
            self.ending.tell(Outcome::Failed(format!("{panic} (while it was dropped, after it was stopped)")));
        }
        let body = self.body.take().or_else(take_left_behind);
        if let (Some(body), Ok(runtime)) = (body, Handle::try_current()) {
            let rest = Self { ending: Arc::clone(&self.ending), permit: self.permit.take(), body: None };
            runtime.spawn(rest.outlast(body));
            return;
        }
        drop(self.ending.lock());
        if self.ending.stuck.load(Ordering::SeqCst) {
            self.ending.vitals.unstick();
        }
    }
}
