//! Concurrent enqueues of one queue share broker calls: whatever arrives while a call is in flight
//! goes into the next one.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::broker::{Broker, Enqueued, NewJob};
use crate::error::Error;
use crate::job::QueueName;

use super::send::{Batch, NO_ANSWER, Sending, given_up};

/// Most jobs of one client that wait for their call; further callers wait for room.
const MAX_PENDING: usize = 16 * 1024;

type Reply = oneshot::Sender<Result<Enqueued, Error>>;

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
            Ok(answer) => answer,
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
    deadline: Instant,
    /// Until it is answered.
    reply: Option<Reply>,
    _room: OwnedSemaphorePermit,
}

impl Caller {
    fn answer(&mut self, answer: Result<Enqueued, Error>) {
        if let Some(reply) = self.reply.take() {
            // A caller that is gone does not ask.
            let _ = reply.send(answer);
        }
    }
}

/// Jobs that are sent together, and their callers in the same order.
struct Call {
    batch: Batch,
    callers: Vec<Caller>,
}

impl Call {
    fn answer(mut self, answer: Result<Vec<Enqueued>, Error>) {
        match answer {
            Ok(answers) => self.callers.iter_mut().zip(answers).for_each(|(caller, answer)| caller.answer(Ok(answer))),
            Err(error) => self.callers.iter_mut().for_each(|caller| caller.answer(Err(error.clone()))),
        }
    }

    /// Tells those whose time is over, and takes them out: what was told to have failed must not be sent again.
    fn drop_late(&mut self, now: Instant, error: impl Fn() -> Error) {
        tell_late(&mut self.callers, now, error);
        self.batch.retain(|at| self.callers[at].deadline > now);
        self.callers.retain(|caller| caller.deadline > now);
    }
}

/// Tells those whose time is over.
fn tell_late(callers: &mut [Caller], now: Instant, error: impl Fn() -> Error) {
    let late = callers.iter_mut().filter(|caller| caller.deadline <= now);
    late.for_each(|caller| caller.answer(Err(error())));
}

impl Flush {
    async fn run(mut self) {
        while let Some(call) = self.next() {
            self.carry_out(call).await;
        }
    }

    /// Sends a call until it is answered, or the time of its last caller is over; each is told when its own is.
    async fn carry_out(&self, mut call: Call) {
        let mut sending = Sending::default();
        while let Some(deadline) = call.callers.iter().map(|caller| caller.deadline).max() {
            if let Some(answer) = self.send_once(&mut sending, &mut call, deadline).await {
                return call.answer(answer);
            }
            let again = Instant::now() + sending.pause();
            loop {
                let now = Instant::now();
                self.give_up(now);
                call.drop_late(now, || sending.given_up());
                if again <= now || call.callers.is_empty() {
                    break;
                }
                sleep_until(self.next_due(&call.callers).min(again)).await;
            }
        }
    }

    async fn send_once(
        &self,
        sending: &mut Sending,
        Call { batch, callers }: &mut Call,
        deadline: Instant,
    ) -> Option<Result<Vec<Enqueued>, Error>> {
        let mut once = pin!(sending.once(&*self.of.broker, &self.queue, batch.jobs(), deadline));
        loop {
            tokio::select! {
                biased;
                answer = &mut once => return answer,
                () = sleep_until(self.next_due(callers)) => {}
            }
            let now = Instant::now();
            self.give_up(now);
            tell_late(callers, now, || given_up(true, NO_ANSWER.into()));
        }
    }

    /// The next call; none when the queue is flushed.
    fn next(&mut self) -> Option<Call> {
        self.give_up(Instant::now());
        let mut call = Call { batch: Batch::default(), callers: vec![] };
        let mut queues = self.of.lock();
        let pending = queues.get_mut(&self.queue)?;
        while pending.front().is_some_and(|next| call.batch.takes(&next.job)) {
            let Some(next) = pending.pop_front() else { break };
            if next.reply.is_closed() {
                continue;
            }
            call.batch.push(next.job);
            call.callers.push(Caller { deadline: next.deadline, reply: Some(next.reply), _room: next.room });
        }
        if call.callers.is_empty() {
            // Nothing is left: a job is never passed over by an empty batch.
            queues.remove(&self.queue);
            self.finished = true;
            return None;
        }
        Some(call)
    }

    /// When the time of the next one is over, of these or of those that wait for a call.
    fn next_due(&self, callers: &[Caller]) -> Instant {
        let waits = self.of.lock().get(&self.queue).and_then(|pending| pending.front().map(|first| first.deadline));
        let untold = callers.iter().filter(|caller| caller.reply.is_some()).map(|caller| caller.deadline);
        // Whoever comes meanwhile has all its time before it.
        untold.chain(waits).min().unwrap_or_else(|| Instant::now() + self.of.deadline)
    }

    /// Answers those whose time is over before their call.
    fn give_up(&self, now: Instant) {
        let mut queues = self.of.lock();
        let Some(pending) = queues.get_mut(&self.queue) else { return };
        while pending.front().is_some_and(|first| first.deadline <= now) {
            let Some(late) = pending.pop_front() else { break };
            let reason = "the broker did not answer the calls before it in time".into();
            let _ = late.reply.send(Err(given_up(false, reason)));
        }
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
            let _ = pending.reply.send(Err(given_up(false, reason)));
        }
    }
}
