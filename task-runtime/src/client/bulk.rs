//! Many jobs at once: all are checked before the first is sent, then they go in large calls.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::time::Instant;

use crate::broker::{Enqueued, MAX_ENQUEUE_BYTES, NewJob};
use crate::error::Error;
use crate::job::QueueName;

use super::Client;
use super::send::{Batch, Refusal, send};

/// Most calls of one bulk enqueue that are under way at a time, and most of their bytes unless one call has more: what a
/// narrow line does not carry within the client's deadline is refused.
pub(super) const MAX_UNDER_WAY: usize = 8;
const MAX_BYTES_UNDER_WAY: usize = 2 * MAX_ENQUEUE_BYTES;

/// Some of the jobs, for one call.
struct Part {
    queue: QueueName,
    batch: Batch,
    /// Where its jobs stand among all.
    positions: Vec<usize>,
}

/// Cuts `jobs` into calls, each for one queue, in order within their queue.
fn cut(jobs: impl IntoIterator<Item = (QueueName, NewJob)>) -> Vec<Part> {
    let mut parts: Vec<Part> = vec![];
    let mut open: HashMap<QueueName, usize> = HashMap::new();
    for (position, (queue, job)) in jobs.into_iter().enumerate() {
        // Most calls are for one queue.
        let last = parts.last().filter(|part| part.queue == queue).map(|_| parts.len() - 1);
        let fits = last.or_else(|| open.get(&queue).copied()).filter(|at| parts[*at].batch.takes(&job));
        let at = fits.unwrap_or_else(|| {
            open.insert(queue.clone(), parts.len());
            parts.push(Part { queue, batch: Batch::default(), positions: vec![] });
            parts.len() - 1
        });
        parts[at].batch.push(job);
        parts[at].positions.push(position);
    }
    parts
}

/// Enqueues `jobs` in order; what became of each.
pub(super) async fn enqueue_all(client: &Client, jobs: Vec<(QueueName, NewJob)>) -> Result<Vec<Enqueued>, Error> {
    let total = jobs.len();
    let mut parts = cut(jobs).into_iter().peekable();
    let (mut under_way, mut bytes) = (FuturesOrdered::new(), 0);
    let mut became = vec![Enqueued::Unknown; total];
    let mut failure: Option<Refusal> = None;
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
            Err(unknown @ Refusal::Unknown(_)) => failure = Some(unknown),
            Err(refusal) => failure = failure.or(Some(refusal)),
        }
    }
    let enqueued = became.iter().filter(|answer| **answer != Enqueued::Unknown).count();
    let source = match failure {
        Some(refusal) => Error::from(refusal),
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

async fn send_part(client: &Client, part: Part) -> (Part, Result<Vec<Enqueued>, Refusal>) {
    let deadline = Instant::now() + client.deadline();
    let answers = send(&**client.broker(), &part.queue, part.batch.jobs(), deadline).await;
    (part, answers)
}
