//! One call of `enqueue`: what fits into it, and how it is repeated when its answer does not come.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::broker::{Broker, Enqueued, MAX_ENQUEUE, MAX_ENQUEUE_BYTES, NewJob};
use crate::error::Error;
use crate::job::{JobId, QueueName};

/// First pause before a call is repeated; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause before a call is repeated.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Jobs with distinct ids that fit into one call.
#[derive(Default)]
pub(super) struct Batch {
    jobs: Vec<NewJob>,
    ids: HashSet<JobId, RandomState>,
    bytes: usize,
}

impl Batch {
    /// Whether `job` still fits; the first one always does.
    pub(super) fn takes(&self, job: &NewJob) -> bool {
        self.jobs.is_empty()
            || (self.jobs.len() < MAX_ENQUEUE
                && self.bytes + size(job) <= MAX_ENQUEUE_BYTES
                && !self.ids.contains(&job.id))
    }

    /// Adds a job that fits.
    pub(super) fn push(&mut self, job: NewJob) {
        self.bytes += size(&job);
        self.ids.insert(job.id.clone());
        self.jobs.push(job);
    }

    /// Of all its ids and envelopes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn jobs(&self) -> &[NewJob] {
        &self.jobs
    }
}

fn size(job: &NewJob) -> usize {
    job.id.as_str().len() + job.envelope.len()
}

/// Sends `jobs`, and again while it is not known whether they arrived, until `deadline`. Meanwhile `in_doubt` says
/// whether they may have.
///
/// Every send carries the same ids and the time since the first one that may have arrived, so
/// that the broker can tell whether it would still remember it.
pub(super) async fn send(
    broker: &dyn Broker,
    queue: &QueueName,
    jobs: &[NewJob],
    deadline: Instant,
    in_doubt: &AtomicBool,
) -> Result<Vec<Enqueued>, Error> {
    let mut first: Option<Instant> = None;
    let mut pause = FIRST_PAUSE;
    let mut reason = "it waited too long for its turn to be sent".to_owned();
    loop {
        let now = Instant::now();
        if now >= deadline {
            return Err(given_up(first.is_some(), reason));
        }
        let again = first.map(|first| now - first);
        in_doubt.store(true, Ordering::Relaxed);
        let answer = timeout_at(deadline, broker.enqueue(queue, jobs, again)).await;
        match answer {
            Ok(Ok(answers)) if answers.len() == jobs.len() => return Ok(answers),
            Ok(Ok(answers)) => {
                let reason = format!("{} answers came for {} jobs", answers.len(), jobs.len());
                return Err(Error::Indeterminate { reason });
            }
            Ok(Err(Error::Unavailable { reason: fault })) => reason = fault,
            Ok(Err(Error::Indeterminate { reason: fault })) => {
                first.get_or_insert(now);
                reason = fault;
            }
            Ok(Err(error)) if first.is_some() => return Err(given_up(true, error.to_string())),
            Ok(Err(error @ (Error::QueueFull | Error::WrongKind { .. } | Error::Rejected { .. }))) => {
                return Err(error);
            }
            Ok(Err(error)) => return Err(given_up(false, error.to_string())),
            Err(_) => {
                first.get_or_insert(now);
                reason = "no answer came before the client's deadline".into();
            }
        }
        in_doubt.store(first.is_some(), Ordering::Relaxed);
        sleep_until(deadline.min(Instant::now() + jittered(pause))).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// What a caller is told whose time is over.
pub(super) fn given_up(in_doubt: bool, reason: String) -> Error {
    if in_doubt { Error::Indeterminate { reason } } else { Error::Rejected { reason } }
}

/// Between half of `pause` and the whole, so that clients that failed together come back apart.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Due;

    fn job(id: &str, bytes: usize) -> NewJob {
        let id = JobId::new(id).unwrap();
        NewJob { id, priority: 5, due: Due::Now, envelope: vec![b'x'; bytes] }
    }

    #[test]
    fn a_batch_is_full_to_the_byte_and_to_the_job() {
        let mut batch = Batch::default();
        batch.push(job("a", MAX_ENQUEUE_BYTES - 3));
        assert!(batch.takes(&job("b", 1)));
        assert!(!batch.takes(&job("b", 2)));
        let mut batch = Batch::default();
        for n in 0..MAX_ENQUEUE {
            assert!(batch.takes(&job(&n.to_string(), 0)));
            batch.push(job(&n.to_string(), 0));
        }
        assert!(!batch.takes(&job("more", 0)));
    }

    #[test]
    fn one_large_job_fits_alone_and_no_id_comes_twice() {
        let mut batch = Batch::default();
        assert!(batch.takes(&job("a", 2 * MAX_ENQUEUE_BYTES)));
        batch.push(job("a", 1));
        assert!(!batch.takes(&job("a", 1)));
    }
}
