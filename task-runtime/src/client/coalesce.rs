//! Concurrent enqueues of one queue share broker calls: whatever arrives while a call is in flight
//! goes into the next one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::broker::{Broker, Enqueued, NewJob};
use crate::error::Error;
use crate::job::QueueName;

use super::send::{Batch, Refusal, send};

/// Most jobs of one client that wait for their call; further callers wait for room.
const MAX_PENDING: usize = 16 * 1024;

type Reply = oneshot::Sender<Result<Enqueued, Refusal>>;

/// A job that waits for its call.
struct Pending {
    job: NewJob,
    deadline: Instant,
    reply: Reply,
    room: OwnedSemaphorePermit,
}

/// The jobs of a client that wait to be sent, by queue.
pub(super) struct Coalescer {
    broker: Arc<dyn Broker>,
    deadline: Duration,
    room: Arc<Semaphore>,
    /// A queue is listed exactly while a task flushes it.
    pending: Mutex<HashMap<QueueName, VecDeque<Pending>>>,
}

impl Coalescer {
    pub(super) fn new(broker: Arc<dyn Broker>, deadline: Duration) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(MAX_PENDING));
        Arc::new(Self { broker, deadline, room, pending: Mutex::default() })
    }

    /// Sends `job` with whatever else is to be sent, and returns when its call was acknowledged.
    pub(super) async fn enqueue(self: &Arc<Self>, queue: &QueueName, job: NewJob) -> Result<Enqueued, Error> {
        let deadline = Instant::now() + self.deadline;
        let Ok(room) = timeout_at(deadline, Arc::clone(&self.room).acquire_owned()).await else {
            let reason = format!("{MAX_PENDING} jobs of this client wait to be sent");
            return Err(Error::Rejected { reason });
        };
        let room = room.expect("the semaphore is never closed");
        let (reply, answer) = oneshot::channel();
        self.push(queue, Pending { job, deadline, reply, room });
        match answer.await {
            Ok(answer) => answer.map_err(Error::from),
            Err(_) => {
                let reason = "the runtime that sent it was shut down".into();
                Err(Error::Indeterminate { reason })
            }
        }
    }

    fn push(self: &Arc<Self>, queue: &QueueName, pending: Pending) {
        let mut queues = self.lock();
        if let Some(others) = queues.get_mut(queue) {
            others.push_back(pending);
            return;
        }
        queues.insert(queue.clone(), VecDeque::from([pending]));
        drop(queues);
        // A task of its own, so that a caller that is dropped leaves nobody waiting.
        let flush = Flush { of: Arc::clone(self), queue: queue.clone(), finished: false };
        tokio::spawn(flush.run());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, VecDeque<Pending>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the jobs of one queue, call by call, until none waits.
struct Flush {
    of: Arc<Coalescer>,
    queue: QueueName,
    finished: bool,
}

/// Who waits for a job that is being sent.
struct Caller {
    reply: Reply,
    _room: OwnedSemaphorePermit,
}

impl Flush {
    async fn run(mut self) {
        while let Some((batch, callers, deadline)) = self.next() {
            match send(&*self.of.broker, &self.queue, batch.jobs(), deadline).await {
                Ok(answers) => callers.into_iter().zip(answers).for_each(|(caller, answer)| {
                    // A caller that is gone does not ask.
                    let _ = caller.reply.send(Ok(answer));
                }),
                Err(refusal) => callers.into_iter().for_each(|caller| {
                    let _ = caller.reply.send(Err(refusal.clone()));
                }),
            }
        }
    }

    /// The next call with its deadline, that of its youngest job; none when the queue is flushed.
    fn next(&mut self) -> Option<(Batch, Vec<Caller>, Instant)> {
        let now = Instant::now();
        let (mut batch, mut callers, mut deadline) = (Batch::default(), vec![], now);
        let mut queues = self.of.lock();
        let pending = queues.get_mut(&self.queue)?;
        while pending.front().is_some_and(|next| batch.takes(&next.job)) {
            let Some(next) = pending.pop_front() else { break };
            if next.reply.is_closed() {
                continue;
            }
            if next.deadline <= now {
                let reason = "the broker did not answer the calls before it in time".into();
                let _ = next.reply.send(Err(Refusal::Rejected(reason)));
                continue;
            }
            deadline = deadline.max(next.deadline);
            batch.push(next.job);
            callers.push(Caller { reply: next.reply, _room: next.room });
        }
        if callers.is_empty() {
            // Nothing is left: a job is never passed over by an empty batch.
            queues.remove(&self.queue);
            self.finished = true;
            return None;
        }
        Some((batch, callers, deadline))
    }
}

impl Drop for Flush {
    /// Answers those who still wait when the runtime stops in the middle.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let left = self.of.lock().remove(&self.queue).unwrap_or_default();
        for pending in left {
            let reason = "the runtime that was to send it was shut down".into();
            let _ = pending.reply.send(Err(Refusal::Rejected(reason)));
        }
    }
}
