//! What a caller is told of a job: where it is, and why it gave no value.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::broker::{MAX_KEPT, Status};
use crate::error::Error;
use crate::job::{EndRecord, Ended, JobId, State};

/// Where a job is, when the broker was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStatus {
    /// It becomes ready later.
    Scheduled {
        /// When, by the broker's clock.
        due: SystemTime,
        /// Attempts that it has had; more than none means that it is tried again.
        attempts: u32,
        /// Why the last of them failed.
        error: Option<String>,
    },
    /// It waits to be claimed.
    Ready,
    /// A worker runs it.
    Running,
    /// It waits for a worker that knows its task.
    Parked {
        /// Why.
        reason: Option<String>,
    },
    /// It returned a value.
    Completed {
        /// Attempts that it took.
        attempts: u32,
        /// How long the last of them ran.
        duration: Duration,
    },
    /// It was cancelled.
    Cancelled,
    /// It failed for good.
    Dead {
        /// Attempts that it had.
        attempts: u32,
        /// Why the last of them failed.
        error: String,
    },
    /// No such job is known: it never was, or it is no longer kept.
    Unknown,
}

impl JobStatus {
    pub(super) fn from_broker(status: Status) -> Result<Self, Error> {
        let state = |state: Option<Vec<u8>>| State::decode(state.as_deref());
        Ok(match status {
            Status::Scheduled { due_ms, state: record } => {
                let State { attempts, error, .. } = state(record);
                let due = UNIX_EPOCH + Duration::from_millis(due_ms.max(0).unsigned_abs());
                Self::Scheduled { due, attempts, error }
            }
            Status::Ready => Self::Ready,
            Status::Running => Self::Running,
            Status::Parked { state: record } => Self::Parked { reason: state(record).error },
            Status::Ended { record } => {
                let record = EndRecord::decode(&record)?;
                match record.end {
                    Ended::Completed => Self::Completed {
                        attempts: record.attempts,
                        duration: Duration::from_millis(record.duration_ms),
                    },
                    Ended::Cancelled => Self::Cancelled,
                }
            }
            Status::Dead { state: record } => {
                let (attempts, error) = death(record.as_deref());
                Self::Dead { attempts, error }
            }
            Status::Unknown => Self::Unknown,
        })
    }

    /// Whether the job will not run again by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Cancelled | Self::Dead { .. })
    }
}

impl fmt::Display for JobStatus {
    /// The state in one word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheduled { .. } => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Parked { .. } => "parked",
            Self::Completed { .. } => "completed",
            Self::Cancelled => "cancelled",
            Self::Dead { .. } => "dead",
            Self::Unknown => "unknown",
        })
    }
}

/// Why a job gave no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The job failed for good. It stays with the dead jobs until someone looks.
    #[error("the job failed after {attempts} attempt{}: {message}", if *attempts == 1 { "" } else { "s" })]
    Failed {
        /// What the last attempt said.
        message: String,
        /// Attempts that it had.
        attempts: u32,
    },
    /// The job was cancelled.
    #[error("the job was cancelled")]
    Cancelled,
    /// No such job is known: it ended and its result is no longer kept, or it never was.
    #[error(
        "job {id} is not known: its result is no longer kept, or it never was there; keep results longer with \
         `result_ttl` (a queue keeps at most {MAX_KEPT})"
    )]
    NotKept {
        /// Which.
        id: JobId,
    },
    /// The result is not of the type of this handle: another version of the program wrote it.
    #[error("the result of job {id} cannot be read: {fault}")]
    Decode {
        /// Which.
        id: JobId,
        /// What is wrong, and where.
        fault: String,
    },
    /// The job had not ended in time. It goes on; ask again to wait longer.
    #[error("the job had not ended after {waited:?}")]
    Timeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The broker could not tell. The job is not touched by it.
    #[error("the broker did not tell how the job ended: {0}")]
    Broker(#[from] Error),
}

/// Attempts and last error of a dead job.
pub(super) fn death(state: Option<&[u8]>) -> (u32, String) {
    let state = State::decode(state);
    (state.attempts, state.error.unwrap_or_else(|| "no reason was kept".into()))
}
