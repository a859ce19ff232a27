//! What becomes of a job when an attempt ends: from outcome to settlement, and after a crash.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;

use super::retry::millis::to_ms;
use super::{Backoff, DEFAULT_MAX_CRASHES, DEFAULT_PRIORITY, Header, MAX_ERROR_BYTES};

/// What the record beside an unfinished or dead job says; absent until something goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Attempts that ended by themselves.
    pub attempts: u32,
    /// Worker crashes that the job was on board of, since an attempt last ended by itself.
    pub crashes: u32,
    /// Why the last attempt failed, or why the job is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl State {
    /// Reads a stored record. One that cannot be read counts as absent: it must never keep a job
    /// from being recovered.
    #[must_use]
    pub fn decode(bytes: Option<&[u8]>) -> Self {
        bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    }

    /// The stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a state holds only numbers and text")
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The task returned a value.
    Completed,
    /// It was cancelled.
    Cancelled,
}

/// What is kept of a job that has ended, with its result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndRecord {
    /// How it ended.
    pub end: Ended,
    /// Attempts that it took.
    #[serde(default)]
    pub attempts: u32,
    /// How long the last attempt ran, in milliseconds.
    #[serde(rename = "ms", default)]
    pub duration_ms: u64,
    /// What the task returned, as JSON; absent for `()`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
}

impl EndRecord {
    /// The record of a job that was cancelled before or between its attempts.
    pub const CANCELLED: &'static [u8] = br#"{"end":"cancelled"}"#;

    /// Reads a stored record.
    ///
    /// # Errors
    /// [`Error::Rejected`] when it is none; asking again does not help.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes)
            .map_err(|fault| Error::Rejected { reason: format!("the end record cannot be read: {fault}") })
    }

    /// The stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an end record holds only numbers, text and valid JSON")
    }
}

/// What the handler reported.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It returned a value, encoded as JSON.
    Completed(Box<RawValue>),
    /// It returned an error, panicked, or ran out of time.
    Failed(String),
    /// It can never succeed: its arguments or its envelope cannot be read, or what it returned cannot
    /// be kept.
    Hopeless(String),
    /// It stopped because a cancel was asked.
    Cancelled,
    /// It did not finish before its worker stopped.
    Stopped,
    /// No task of this name, or no envelope of this version, is known here.
    Unknown {
        /// Under which name it is parked.
        park_as: String,
        /// Why.
        reason: String,
    },
}

/// What is known of the attempt that ended.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The record beside the job when it was claimed.
    pub state: State,
    /// Priority to which it goes back.
    pub priority: u8,
    /// Attempts in all.
    pub max_attempts: u32,
    /// Where it goes when it is given back.
    pub back: PutBack,
    /// Pause between attempts.
    pub backoff: Backoff,
    /// How long a result is kept.
    pub result_ttl: Duration,
    /// How long this attempt ran.
    pub duration: Duration,
}

/// What the broker is told of a job on loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The job has ended: `record` is kept for `keep`, or with the finished ones when that is none.
    Finish {
        /// The end record.
        record: Vec<u8>,
        /// How long a result is kept; none when there is no result.
        keep: Option<Duration>,
    },
    /// The job is dead; it stays, with `state`, until someone looks.
    Dead {
        /// The record beside it.
        state: Vec<u8>,
    },
    /// The job runs again after `delay`.
    Retry {
        /// The record beside it.
        state: Vec<u8>,
        /// From now, by the broker's clock; zero means at once.
        delay: Duration,
        /// Where it is put.
        priority: u8,
    },
    /// The job goes back to where it was, a ready one to the front, as if it had not been claimed.
    Release {
        /// Where it is put.
        to: PutBack,
    },
    /// The job waits, in sight, for a worker that knows `task`.
    Park {
        /// The name that such a worker knows.
        task: String,
        /// Where it is put afterwards.
        priority: u8,
        /// The record beside it.
        state: Vec<u8>,
    },
}

/// Decides what becomes of a job whose handler reported `outcome`. `draw` in `0.0..=1.0` is the
/// random number of the back-off.
#[must_use]
pub fn settle(outcome: Outcome, attempt: &Attempt, draw: f64) -> Settlement {
    let attempts = attempt.state.attempts.saturating_add(1);
    let failed = |error: String| State { attempts, crashes: 0, error: Some(shorten(&error).into_owned()) };
    match outcome {
        Outcome::Completed(value) => {
            let result = (value.get() != "null").then_some(value);
            let keep = result.is_some().then_some(attempt.result_ttl);
            let duration_ms = to_ms(&attempt.duration);
            let end = EndRecord { end: Ended::Completed, attempts, duration_ms, result };
            Settlement::Finish { record: end.encode(), keep }
        }
        Outcome::Cancelled => Settlement::Finish { record: EndRecord::CANCELLED.to_vec(), keep: None },
        Outcome::Failed(error) if attempts < attempt.max_attempts => Settlement::Retry {
            state: failed(error).encode(),
            delay: attempt.backoff.delay(attempts, draw),
            priority: attempt.priority,
        },
        Outcome::Failed(error) | Outcome::Hopeless(error) => Settlement::Dead { state: failed(error).encode() },
        Outcome::Stopped => Settlement::Release { to: attempt.back },
        Outcome::Unknown { park_as, reason } => {
            let state = State { error: Some(reason), crashes: 0, ..attempt.state.clone() };
            Settlement::Park { task: park_as, priority: attempt.priority, state: state.encode() }
        }
    }
}

/// Where a job goes whose worker vanished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Claimed again, a few at a time.
    Few(State),
    /// Claimed again by a worker that runs nothing else: its last chance.
    Alone(State),
    /// It crashed its worker too often.
    Dead(State),
}

/// Decides about a job that was on loan to a worker that vanished, `company` jobs on board in all.
///
/// In company a count never passes `max_crashes - 1`, or 1: only a crash alone is a verdict, so that a
/// job which kills its process does not take its neighbours along. It is never 0 after a crash, by which
/// a job on its last chance is told from one that nobody suspects.
#[must_use]
pub fn after_crash(mut state: State, company: usize, max_crashes: u32) -> Verdict {
    let last = max_crashes.saturating_sub(1);
    let alone = company <= 1;
    let counted = state.crashes.saturating_add(1);
    state.crashes = if alone { counted } else { counted.min(last.max(1)) };
    if alone && state.crashes >= max_crashes {
        let crashes = state.crashes;
        state.error = Some(format!("crashed its worker: {crashes} workers vanished while it ran"));
        Verdict::Dead(state)
    } else if state.crashes >= last {
        Verdict::Alone(state)
    } else {
        Verdict::Few(state)
    }
}

/// Where a job goes that is to run and that no worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// Ready, at this priority.
    Ready(u8),
    /// Claimed again, a few at a time.
    Few,
    /// Claimed again by a worker that runs nothing else.
    Alone,
}

impl PutBack {
    /// Where one belongs with this record: what was on board of a crash is claimed with care until an attempt ends.
    #[must_use]
    pub fn of(header: Option<&Header>, state: &State) -> Self {
        let max_crashes = header.map_or(DEFAULT_MAX_CRASHES, Header::max_crashes);
        match state.crashes {
            0 => Self::Ready(header.map_or(DEFAULT_PRIORITY, Header::priority)),
            crashes if crashes.saturating_add(1) >= max_crashes => Self::Alone,
            _ => Self::Few,
        }
    }
}

/// Decides about a job that no index holds any more, because someone deleted a key; none when it had failed for good.
/// That is only one whose record says so; what is in doubt runs once more, and ends as its worker finds.
#[must_use]
pub fn after_loss(header: Option<&Header>, state: &State) -> Option<PutBack> {
    let max_crashes = header.map_or(DEFAULT_MAX_CRASHES, Header::max_crashes);
    // The task's own number of attempts does not travel with the job.
    let attempts_used = header.and_then(|header| header.options.max_attempts).is_some_and(|max| state.attempts >= max);
    let failed = attempts_used || (state.crashes > 0 && state.crashes >= max_crashes);
    (!failed).then(|| PutBack::of(header, state))
}

/// An error text, cut at [`MAX_ERROR_BYTES`] and saying so.
#[must_use]
pub fn shorten(text: &str) -> Cow<'_, str> {
    const MARK: &str = " … (cut)";
    if text.len() <= MAX_ERROR_BYTES {
        return text.into();
    }
    let end = text.floor_char_boundary(MAX_ERROR_BYTES - MARK.len());
    format!("{}{MARK}", &text[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(attempts: u32) -> Attempt {
        Attempt {
            state: State { attempts, ..State::default() },
            priority: 5,
            max_attempts: 3,
            back: PutBack::Few,
            backoff: Backoff::constant(Duration::from_secs(9)),
            result_ttl: Duration::from_secs(60),
            duration: Duration::from_millis(12),
        }
    }

    fn value(json: &str) -> Outcome {
        Outcome::Completed(RawValue::from_string(json.into()).unwrap())
    }

    #[test]
    fn a_value_is_kept_for_its_time_and_no_value_with_the_finished() {
        let Settlement::Finish { record, keep } = settle(value("7"), &attempt(1), 0.0) else {
            panic!("not finished");
        };
        let text = r#"{"end":"completed","attempts":2,"ms":12,"result":7}"#;
        assert_eq!((std::str::from_utf8(&record).unwrap(), keep), (text, Some(Duration::from_secs(60))));
        let unit = settle(value("null"), &attempt(0), 0.0);
        assert!(matches!(unit, Settlement::Finish { keep: None, .. }), "{unit:?}");
    }

    #[test]
    fn a_failure_is_tried_again_until_the_attempts_are_used() {
        let again = settle(Outcome::Failed("no".into()), &attempt(1), 0.0);
        let state = br#"{"attempts":2,"crashes":0,"error":"no"}"#.to_vec();
        let delay = Duration::from_secs(9);
        assert_eq!(again, Settlement::Retry { state, delay, priority: 5 });
        let last = settle(Outcome::Failed("no".into()), &attempt(2), 0.0);
        assert!(matches!(last, Settlement::Dead { .. }), "{last:?}");
        let never = settle(Outcome::Hopeless("args".into()), &attempt(0), 0.0);
        assert!(matches!(never, Settlement::Dead { .. }), "{never:?}");
    }

    #[test]
    fn a_stopped_job_goes_back_without_an_attempt() {
        assert_eq!(settle(Outcome::Stopped, &attempt(1), 0.0), Settlement::Release { to: PutBack::Few });
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let text = "ü".repeat(MAX_ERROR_BYTES);
        let text = shorten(&text);
        assert!(text.len() <= MAX_ERROR_BYTES && text.ends_with("(cut)"));
    }

    #[test]
    fn a_lost_job_is_dead_only_if_its_record_says_so() {
        let state = |attempts, crashes| State { attempts, crashes, error: None };
        let mut header = Header { priority: Some(7), ..Header::new("t") };
        assert_eq!(after_loss(None, &state(0, 0)), Some(PutBack::Ready(DEFAULT_PRIORITY)));
        assert_eq!(after_loss(Some(&header), &state(5, 0)), Some(PutBack::Ready(7)));
        assert_eq!(after_loss(Some(&header), &state(0, 1)), Some(PutBack::Few));
        assert_eq!(after_loss(Some(&header), &state(0, 2)), Some(PutBack::Alone));
        assert_eq!(after_loss(Some(&header), &state(0, 3)), None);
        header.options.max_attempts = Some(5);
        assert_eq!(after_loss(Some(&header), &state(4, 0)), Some(PutBack::Ready(7)));
        assert_eq!(after_loss(Some(&header), &state(5, 0)), None);
    }

    #[test]
    fn only_a_crash_alone_is_a_verdict() {
        let state = |crashes| State { crashes, ..State::default() };
        assert_eq!(after_crash(state(0), 64, 3), Verdict::Few(state(1)));
        assert_eq!(after_crash(state(1), 64, 3), Verdict::Alone(state(2)));
        assert_eq!(after_crash(state(2), 64, 3), Verdict::Alone(state(2)));
        assert!(matches!(after_crash(state(2), 1, 3), Verdict::Dead(_)));
        assert!(matches!(after_crash(state(0), 1, 1), Verdict::Dead(_)));
        assert_eq!(after_crash(state(0), 64, 1), Verdict::Alone(state(1)));
        assert_eq!(after_crash(state(1), 64, 1), Verdict::Alone(state(1)));
    }
}
