//! Whether a worker consumes, and if not, why.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A runtime that did not move for so long will not move again.
const HOPELESS: Duration = Duration::from_secs(60);

/// Whether a worker consumes its queues and their jobs are kept, and if not, why.
///
/// It is measured on the way that jobs take: by the turns with the server that were carried out, on
/// the connection that claims jobs. A ping over another connection would go on to be answered.
/// After a failure it is false within 15 s, and true again with the first turn that is carried out; where
/// claims alone failed, with the first one that has room to claim.
///
/// ```no_run
/// # fn example(handle: &task_runtime::WorkerHandle) {
/// let readiness = handle.readiness();
/// if !readiness.is_ready() {
///     // "not ready: queue `mail`: no turn was carried out for 14 s (…)"
///     eprintln!("{readiness}");
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    pub(super) reasons: Vec<NotReady>,
    /// Jobs that run on although their time is up, and hold their places.
    pub(super) stuck: usize,
    /// Places in all.
    pub(super) concurrency: usize,
}

/// Why a worker does not consume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotReady {
    /// It does not run yet, or no longer.
    NotRunning,
    /// It was told to stop, and claims no more.
    Stopping,
    /// Turns of one queue are not carried out: its server is away, refuses, or is not reached; or
    /// the loop of the queue stands still.
    Unanswered {
        /// Which queue.
        queue: String,
        /// For how long, in seconds; none when no turn ever was.
        seconds: Option<u64>,
        /// What the last turn that failed since then said.
        error: Option<String>,
    },
    /// The server of a queue throws keys away when it is full, and jobs with them.
    Evicts {
        /// Which queue.
        queue: String,
        /// Its `maxmemory-policy`.
        policy: String,
    },
    /// The runtime does not move: tasks block all its threads.
    RuntimeStalled {
        /// For how long, in seconds.
        seconds: u64,
    },
    /// Half of the places or more are held by jobs that go on although their time is up.
    Stuck {
        /// How many.
        jobs: usize,
        /// How many places there are.
        of: usize,
    },
}

impl Readiness {
    /// Whether every queue of the worker is consumed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Why it is not ready; empty when it is.
    #[must_use]
    pub fn reasons(&self) -> &[NotReady] {
        &self.reasons
    }

    /// Jobs that go on although their time is up, and hold their places until they end.
    #[must_use]
    pub fn stuck(&self) -> usize {
        self.stuck
    }

    /// Whether only a restart of the process helps: the runtime has not moved for a minute, or
    /// stuck jobs hold every place. An outage of the server is no reason for one.
    #[must_use]
    pub fn needs_restart(&self) -> bool {
        self.stuck >= self.concurrency
            || self
                .reasons
                .iter()
                .any(|reason| matches!(reason, NotReady::RuntimeStalled { seconds } if *seconds >= HOPELESS.as_secs()))
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ready() { "ready" } else { "not ready" })?;
        for (at, reason) in self.reasons.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { "; " })?;
            reason.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => f.write_str("the worker does not run"),
            Self::Stopping => f.write_str("the worker stops"),
            Self::Unanswered { queue, seconds, error } => {
                match seconds {
                    Some(seconds) => write!(f, "queue `{queue}`: no turn was carried out for {seconds} s")?,
                    None => write!(f, "queue `{queue}`: no turn was carried out yet")?,
                }
                error.as_ref().map_or(Ok(()), |error| write!(f, " ({error})"))
            }
            Self::Evicts { queue, policy } => {
                write!(f, "queue `{queue}`: the server throws jobs away when it is full (maxmemory-policy `{policy}`)")
            }
            Self::RuntimeStalled { seconds } => {
                write!(f, "the runtime has not moved for {seconds} s: tasks block its threads")
            }
            Self::Stuck { jobs, of } => {
                write!(f, "{jobs} of {of} places are held by jobs that go on although their time is up")
            }
        }
    }
}
