//! One call of `enqueue`: what fits into it, and how it is repeated when its answer does not come.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::broker::{Broker, Enqueued, MAX_ENQUEUE, MAX_ENQUEUE_BYTES, MAX_ENQUEUE_LATER, NewJob};
use crate::error::Error;
use crate::job::{JobId, QueueName};

/// First pause before a call is repeated; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause before a call is repeated.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Why it is not known what became of a job that was sent.
pub(super) const NO_ANSWER: &str = "no answer came before the client's deadline";

/// Jobs with distinct ids that fit into one call.
#[derive(Default)]
pub(super) struct Batch {
    jobs: Vec<NewJob>,
    ids: HashSet<JobId, RandomState>,
    bytes: usize,
    /// How many of them are due later.
    later: usize,
}

impl Batch {
    /// Whether `job` still fits; the first one always does.
    pub(super) fn takes(&self, job: &NewJob) -> bool {
        self.jobs.is_empty()
            || (self.jobs.len() < MAX_ENQUEUE
                && self.bytes + size(job) <= MAX_ENQUEUE_BYTES
                && self.later + usize::from(job.due.is_later()) <= MAX_ENQUEUE_LATER
                && !self.ids.contains(&job.id))
    }

    /// Adds a job that fits.
    pub(super) fn push(&mut self, job: NewJob) {
        self.bytes += size(&job);
        self.later += usize::from(job.due.is_later());
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

    /// Without the jobs of which `keep` says so, by their places.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let jobs = std::mem::take(self).jobs.into_iter().enumerate();
        jobs.filter(|(at, _)| keep(*at)).for_each(|(_, job)| self.push(job));
    }
}

fn size(job: &NewJob) -> usize {
    job.id.as_str().len() + job.envelope.len()
}

/// Sends `jobs`, and again while it is not known whether they arrived, until `deadline`.
pub(super) async fn send(
    broker: &dyn Broker,
    queue: &QueueName,
    jobs: &[NewJob],
    deadline: Instant,
) -> Result<Vec<Enqueued>, Error> {
    let mut sending = Sending::default();
    while Instant::now() < deadline {
        if let Some(answer) = sending.once(broker, queue, jobs, deadline).await {
            return answer;
        }
        sleep_until(deadline.min(Instant::now() + sending.pause())).await;
    }
    Err(sending.given_up())
}

/// A call that is sent again and again.
///
/// Every send carries the same ids and the time since the first one that may have arrived, so
/// that the broker can tell whether it would still remember it.
pub(super) struct Sending {
    /// When it was first sent so that it may have arrived.
    first: Option<Instant>,
    pause: Duration,
    /// Why there is no answer yet.
    reason: String,
}

impl Default for Sending {
    fn default() -> Self {
        let reason = "it waited too long for its turn to be sent".into();
        Self { first: None, pause: FIRST_PAUSE, reason }
    }
}

impl Sending {
    /// Sends it once, and waits for the answer until `deadline`; none when it is to be sent again.
    pub(super) async fn once(
        &mut self,
        broker: &dyn Broker,
        queue: &QueueName,
        jobs: &[NewJob],
        deadline: Instant,
    ) -> Option<Result<Vec<Enqueued>, Error>> {
        let now = Instant::now();
        let again = self.first.map(|first| now - first);
        match timeout_at(deadline, broker.enqueue(queue, jobs, again)).await {
            Ok(Ok(answers)) if answers.len() == jobs.len() => return Some(Ok(answers)),
            Ok(Ok(answers)) => {
                let reason = format!("{} answers came for {} jobs", answers.len(), jobs.len());
                return Some(Err(Error::Indeterminate { reason }));
            }
            Ok(Err(Error::Unavailable { reason })) => self.reason = reason,
            Ok(Err(Error::Indeterminate { reason })) => {
                self.first.get_or_insert(now);
                self.reason = reason;
            }
            Ok(Err(error)) if self.first.is_some() => return Some(Err(given_up(true, error.to_string()))),
            Ok(Err(error @ (Error::QueueFull | Error::WrongKind { .. } | Error::Rejected { .. }))) => {
                return Some(Err(error));
            }
            Ok(Err(error)) => return Some(Err(given_up(false, error.to_string()))),
            Err(_) => {
                self.first.get_or_insert(now);
                self.reason = NO_ANSWER.into();
            }
        }
        None
    }

    /// How long to wait before it is sent again.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = jittered(self.pause);
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        pause
    }

    /// What a caller is told whose time is over between two sends.
    pub(super) fn given_up(&self) -> Error {
        given_up(self.first.is_some(), self.reason.clone())
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
    fn a_batch_takes_fewer_jobs_that_are_due_later_and_ready_ones_beside_them() {
        let later = |n: usize| NewJob { due: Due::At(1), ..job(&n.to_string(), 0) };
        let mut batch = Batch::default();
        for n in 0..MAX_ENQUEUE_LATER {
            assert!(batch.takes(&later(n)));
            batch.push(later(n));
        }
        assert!(!batch.takes(&later(MAX_ENQUEUE_LATER)));
        assert!(batch.takes(&job("ready", 0)));
        batch.retain(|at| at > 0);
        assert!(batch.takes(&later(MAX_ENQUEUE_LATER)));
    }

    #[test]
    fn one_large_job_fits_alone_and_no_id_comes_twice() {
        let mut batch = Batch::default();
        assert!(batch.takes(&job("a", 2 * MAX_ENQUEUE_BYTES)));
        batch.push(job("a", 1));
        assert!(!batch.takes(&job("a", 1)));
    }
}
