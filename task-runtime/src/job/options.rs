//! What the attribute says of a task, and what one call overrides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::retry::millis_option;
use super::{Backoff, DEFAULT_MAX_ATTEMPTS, DEFAULT_RESULT_TTL, DEFAULT_TIMEOUT};

/// What `#[task(…)]` says, known at compile time. `None` means the framework's default.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOptions {
    /// The queue of its jobs.
    pub queue: &'static str,
    /// Time limit of one attempt.
    pub timeout: Option<Duration>,
    /// Attempts in all, the first one counted.
    pub max_attempts: Option<u32>,
    /// Pause between attempts.
    pub backoff: Option<Backoff>,
    /// 0 to 9; 9 is claimed first.
    pub priority: Option<u8>,
    /// How long the result is kept.
    pub result_ttl: Option<Duration>,
    /// Worker crashes that a job may be on board of.
    pub max_crashes: Option<u32>,
}

impl TaskOptions {
    /// A task whose attribute says nothing: queue `default`, all else the framework's defaults.
    pub const DEFAULT: Self = Self {
        queue: "default",
        timeout: None,
        max_attempts: None,
        backoff: None,
        priority: None,
        result_ttl: None,
        max_crashes: None,
    };
}

/// What one job carries in its envelope: the overrides of its call.
///
/// What is absent is taken from the task as the *worker* knows it, so that a deploy that changes
/// a time limit also changes it for the jobs that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOptions {
    /// Time limit of one attempt.
    #[serde(rename = "timeout_ms", with = "millis_option")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Attempts in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Pause between attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// How long the result is kept.
    #[serde(rename = "result_ttl_ms", with = "millis_option")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_ttl: Option<Duration>,
}

impl JobOptions {
    /// The time limit of one attempt: the job's, else the task's, else the default.
    #[must_use]
    pub fn timeout(&self, task: &TaskOptions) -> Duration {
        self.timeout.or(task.timeout).unwrap_or(DEFAULT_TIMEOUT)
    }

    /// The attempts in all: the job's, else the task's, else the default.
    #[must_use]
    pub fn max_attempts(&self, task: &TaskOptions) -> u32 {
        self.max_attempts.or(task.max_attempts).unwrap_or(DEFAULT_MAX_ATTEMPTS)
    }

    /// The pause between attempts: the job's, else the task's, else the default.
    #[must_use]
    pub fn backoff<'a>(&'a self, task: &'a TaskOptions) -> &'a Backoff {
        self.backoff.as_ref().or(task.backoff.as_ref()).unwrap_or(&Backoff::DEFAULT)
    }

    /// How long the result is kept: the job's, else the task's, else the default.
    #[must_use]
    pub fn result_ttl(&self, task: &TaskOptions) -> Duration {
        self.result_ttl.or(task.result_ttl).unwrap_or(DEFAULT_RESULT_TTL)
    }
}
