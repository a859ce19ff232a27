//! Many jobs at once: all are checked before the first is sent, then they go in large calls.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::broker::{Enqueued, MAX_ENQUEUE_BYTES, NewJob};
use crate::error::Error;
use crate::job::QueueName;
use crate::task::Task;

use super::send::{Batch, send};
use super::{Client, Enqueue};

/// Most calls of one bulk enqueue that are under way at a time, and most of their bytes unless one call has more: what a
/// narrow line does not carry within the client's deadline is refused.
pub(super) const MAX_UNDER_WAY: usize = 8;
const MAX_BYTES_UNDER_WAY: usize = 2 * MAX_ENQUEUE_BYTES;
/// How many bytes of envelopes are made before others have the thread: of jobs with 100 bytes of arguments, 120 in about
/// a tenth of a millisecond.
pub(super) const AT_A_STRETCH: usize = 16 << 10;

/// Checks and encodes jobs, and lets others have the thread again and again: many jobs take long, and a connection whose
/// requests and answers wait for the thread keeps its server idle.
pub(super) async fn prepare<T: Task, E: Into<Enqueue<T>>>(jobs: Vec<E>) -> Result<Vec<(QueueName, NewJob)>, Error> {
    let (mut prepared, mut bytes) = (Vec::with_capacity(jobs.len()), 0);
    for job in jobs {
        let (queue, job) = job.into().prepare()?;
        bytes += job.envelope.len();
        prepared.push((queue, job));
        if bytes >= AT_A_STRETCH {
            bytes = 0;
            yield_now().await;
        }
    }
    Ok(prepared)
}

/// Some of the jobs, for one call.
struct Part {
    queue: QueueName,
    batch: Batch,
    /// Where its jobs stand among all.
    positions: Vec<usize>,
}

impl Part {
    fn of(queue: QueueName, position: usize, job: NewJob) -> Self {
        let mut part = Self { queue, batch: Batch::default(), positions: Vec::new() };
        part.push(position, job);
        part
    }

    fn push(&mut self, position: usize, job: NewJob) {
        self.batch.push(job);
        self.positions.push(position);
    }
}

/// Cuts jobs into calls, each for one queue, in order within their queue: the next one while others are under way.
struct Cut<I> {
    jobs: I,
    /// What may take more, by queue.
    open: BTreeMap<QueueName, Part>,
}

impl<I: Iterator<Item = (usize, (QueueName, NewJob))>> Iterator for Cut<I> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        for (position, (queue, job)) in self.jobs.by_ref() {
            match self.open.get_mut(&queue) {
                Some(part) if part.batch.takes(&job) => part.push(position, job),
                _ => {
                    let full = self.open.insert(queue.clone(), Part::of(queue, position, job));
                    if full.is_some() {
                        return full;
                    }
                }
            }
        }
        self.open.pop_first().map(|(_, part)| part)
    }
}

/// Enqueues `jobs` in order; what became of each.
pub(super) async fn enqueue_all(client: &Client, jobs: Vec<(QueueName, NewJob)>) -> Result<Vec<Enqueued>, Error> {
    let total = jobs.len();
    let mut parts = Cut { jobs: jobs.into_iter().enumerate(), open: BTreeMap::new() }.peekable();
    let (mut under_way, mut bytes) = (FuturesOrdered::new(), 0);
    let mut became = vec![Enqueued::Unknown; total];
    let mut failure: Option<Error> = None;
    loop {
        while failure.is_none()
            && let Some(part) = parts.next_if(|part| fits(part, under_way.len(), bytes))
        {
            bytes += part.batch.bytes();
            under_way.push_back(send_part(client, part));
        }
        let Some((part, answered)) = under_way.next().await else { break };
        bytes -= part.batch.bytes();
        match answered {
            Ok(answers) => {
                for (position, answer) in part.positions.into_iter().zip(answers) {
                    became[position] = answer;
                }
            }
            // That something may have happened weighs more than that something did not.
            Err(error) if error.outcome_unknown() => failure = Some(error),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let enqueued = became.iter().filter(|answer| **answer != Enqueued::Unknown).count();
    let source = match failure {
        Some(error) => error,
        None if enqueued < total => super::enqueue::forgotten(),
        None => return Ok(became),
    };
    if enqueued == 0 {
        return Err(source);
    }
    Err(Error::Partial { enqueued, total, source: Box::new(source) })
}

/// Whether a part may be sent beside so many calls with so many bytes.
fn fits(part: &Part, calls: usize, bytes: usize) -> bool {
    calls == 0 || calls < MAX_UNDER_WAY && bytes + part.batch.bytes() <= MAX_BYTES_UNDER_WAY
}

async fn send_part(client: &Client, part: Part) -> (Part, Result<Vec<Enqueued>, Error>) {
    let deadline = Instant::now() + client.deadline();
    let answers = send(&**client.broker(), &part.queue, part.batch.jobs(), deadline).await;
    (part, answers)
}
