//! The broker that keeps its jobs in this process: for tests, and for work that may be lost with it.
//!
//! It follows the scripts of the Redis broker rule for rule. Each queue is one lock, held for one
//! verb and never across an await.

mod queue;
mod scores;

mod claim;
mod fsck;
mod producer;
mod recover;
mod retention;
mod turn;

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, timeout_at};

use super::{
    Answer, Broker, Cancelled, Claim, Clock, Condemned, Counts, Endings, Enqueued, Heartbeat, Incarnation, Inspect,
    Lease, NewJob, Recovered, Repair, Report, Retention, Status, Storage, Turn, TurnAnswer, Watched, WhenFull,
};
use crate::error::Error;
use crate::job::{JobId, PutBack, QueueName};

use queue::Queue;

/// Most endings that a listener may be behind; one that is further behind has to watch anew.
const MAX_ENDINGS: usize = 1024;

/// Jobs held in the memory of this process, and lost with it.
///
/// ```
/// use task_runtime::broker::{Clock, memory::MemoryBroker};
///
/// let broker = MemoryBroker::new(Clock::default());
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryBroker {
    clock: Clock,
    queues: Arc<Mutex<BTreeMap<QueueName, Arc<Cell>>>>,
}

/// One queue with those who wait for something to happen in it.
#[derive(Debug)]
struct Cell {
    queue: Mutex<Queue>,
    woken: Notify,
    ended: broadcast::Sender<JobId>,
}

impl Default for Cell {
    fn default() -> Self {
        let ended = broadcast::Sender::new(MAX_ENDINGS);
        Self { queue: Mutex::default(), woken: Notify::new(), ended }
    }
}

impl MemoryBroker {
    /// A broker without jobs, whose time is that of `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, queues: Arc::default() }
    }

    fn cell(&self, queue: &QueueName) -> Arc<Cell> {
        Arc::clone(lock(&self.queues).entry(queue.clone()).or_default())
    }

    /// Carries out one verb, then tells those who wait.
    fn with<T>(&self, queue: &QueueName, verb: impl FnOnce(&mut Queue, i64) -> T) -> T {
        let cell = self.cell(queue);
        let (answer, ended, tokens) = {
            let mut queue = lock(&cell.queue);
            let answer = verb(&mut queue, self.clock.now_ms());
            (answer, queue.take_ended(), queue.tokens())
        };
        for id in ended {
            // An error says that nobody listens, and then nobody is told.
            let _ = cell.ended.send(id);
        }
        if tokens > 0 {
            cell.woken.notify_waiters();
        }
        answer
    }
}

/// A verb that panicked is a bug, but it must not take the other jobs of the queue along.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer that is there already.
fn now<'a, T: Send + 'a>(answer: Result<T, Error>) -> Answer<'a, T> {
    Box::pin(ready(answer))
}

impl Broker for MemoryBroker {
    fn apart(&self) -> Arc<dyn Broker> {
        Arc::new(self.clone())
    }

    fn enqueue<'a>(
        &'a self,
        queue: &'a QueueName,
        jobs: &'a [NewJob],
        again: Option<Duration>,
    ) -> Answer<'a, Vec<Enqueued>> {
        now(self.with(queue, |queue, now| queue.enqueue(jobs, again, now)))
    }

    fn begin<'a>(&'a self, queue: &'a QueueName, incarnation: &'a Incarnation, lease: Duration) -> Answer<'a, u64> {
        now(self.with(queue, |queue, now| queue.begin(incarnation, lease, now)))
    }

    fn turn<'a>(&'a self, queue: &'a QueueName, turn: &'a Turn) -> Answer<'a, TurnAnswer> {
        now(self.with(queue, |queue, now| queue.turn(turn, now)))
    }

    fn adopt<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        ids: &'a [JobId],
    ) -> Answer<'a, Vec<Claim>> {
        now(Ok(self.with(queue, |queue, now| queue.adopt(incarnation, ids, now))))
    }

    fn heartbeat<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        lease: Duration,
    ) -> Answer<'a, Heartbeat> {
        now(Ok(self.with(queue, |queue, now| queue.heartbeat(incarnation, lease, now))))
    }

    fn leave<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        jobs: &'a [(JobId, PutBack)],
    ) -> Answer<'a, bool> {
        now(Ok(self.with(queue, |queue, now| queue.leave(incarnation, jobs, now))))
    }

    fn promote<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, usize> {
        now(Ok(self.with(queue, |queue, now| {
            let promoted = queue.promote(super::MAX_PROMOTE, now);
            queue.push_tokens(promoted);
            promoted
        })))
    }

    fn workers<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Vec<Lease>> {
        now(Ok(self.with(queue, |queue, now| queue.leases(now))))
    }

    fn condemn<'a>(&'a self, queue: &'a QueueName, lease: &'a Lease, stale: bool) -> Answer<'a, Option<Condemned>> {
        now(Ok(self.with(queue, |queue, now| queue.condemn(lease, stale, now))))
    }

    fn settle_for<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        recovered: &'a [Recovered],
    ) -> Answer<'a, ()> {
        now(self.with(queue, |queue, now| queue.settle_for(incarnation, recovered, now)))
    }

    fn cancel<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Cancelled> {
        now(Ok(self.with(queue, |queue, now| queue.cancel(id, now))))
    }

    fn status<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Status> {
        now(Ok(self.with(queue, |queue, _| queue.status(id))))
    }

    fn watch<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Watched> {
        now(Ok(self.with(queue, |queue, _| queue.watch(id))))
    }

    fn ended<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Endings> {
        let listener = self.cell(queue).ended.subscribe();
        // One that fell too far behind ends, as a lost connection would: its owner watches anew.
        let endings =
            stream::unfold(listener, |mut listener| async { listener.recv().await.ok().map(|id| (Ok(id), listener)) });
        now(Ok(Box::pin(endings) as Endings))
    }

    fn wake<'a>(&'a self, queue: &'a QueueName, limit: Duration) -> Answer<'a, bool> {
        Box::pin(async move {
            let cell = self.cell(queue);
            let deadline = Instant::now() + limit;
            loop {
                // Made before the look, so that a token pushed in between is not missed.
                let woken = cell.woken.notified();
                if lock(&cell.queue).take_token() {
                    return Ok(true);
                }
                if timeout_at(deadline, woken).await.is_err() {
                    return Ok(false);
                }
            }
        })
    }

    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> Answer<'a, ()> {
        self.with(queue, |queue, _| queue.pause(paused));
        now(Ok(()))
    }

    fn sweep<'a>(&'a self, queue: &'a QueueName, retention: &'a Retention, unknown_grace: Duration) -> Answer<'a, ()> {
        self.with(queue, |queue, now| queue.sweep(retention, unknown_grace, now));
        now(Ok(()))
    }

    fn fsck<'a>(&'a self, queue: &'a QueueName, repair: Repair) -> Answer<'a, Report> {
        now(Ok(self.with(queue, |queue, now| queue.fsck(repair == Repair::Yes, now))))
    }
}

impl Inspect for MemoryBroker {
    fn queues(&self) -> Answer<'_, Vec<QueueName>> {
        let queues = lock(&self.queues);
        let used = queues.iter().filter(|(_, cell)| lock(&cell.queue).is_used());
        now(Ok(used.map(|(name, _)| name.clone()).collect()))
    }

    fn counts<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Counts> {
        now(Ok(self.with(queue, |queue, _| queue.counts())))
    }

    /// Nothing is ever thrown away; the process ends first.
    fn storage<'a>(&'a self, _: &'a QueueName) -> Answer<'a, Storage> {
        now(Ok(Storage { when_full: WhenFull::Refuses, append_only: None }))
    }
}
