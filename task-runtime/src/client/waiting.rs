//! Waiting for the ends of jobs: one subscription per queue and client, shared by all who wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::broker::{Broker, Watched};
use crate::error::Error;
use crate::job::{JobId, QueueName};

use super::send::jittered;

/// How long the first look at a job waits for the subscription.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(1);
/// A job is looked at again at least this often, because what was told may have been lost.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A subscription is kept this long after the last one who needed it.
const LINGER: Duration = Duration::from_secs(10);
/// First pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Who waits for what, by queue.
pub(super) struct Waiters {
    broker: Arc<dyn Broker>,
    queues: Mutex<HashMap<QueueName, Waiting>>,
}

/// Those who wait for jobs of one queue.
struct Waiting {
    jobs: HashMap<JobId, Vec<Arc<Notify>>>,
    /// Grows with each subscription: what ended before it was not told.
    rounds: watch::Sender<u64>,
    /// Told when the last one leaves.
    deserted: Arc<Notify>,
    /// Whether a task listens for this queue.
    listening: bool,
}

impl Waiters {
    pub(super) fn new(broker: Arc<dyn Broker>) -> Arc<Self> {
        Arc::new(Self { broker, queues: Mutex::default() })
    }

    /// Waits, at most `limit`, until a job has ended, is dead, or is not known. None when `limit`
    /// passed first.
    pub(super) async fn end(
        self: &Arc<Self>,
        queue: &QueueName,
        id: &JobId,
        limit: Duration,
    ) -> Result<Option<Watched>, Error> {
        let mut waiter = self.join(queue, id);
        let deadline = Instant::now() + limit;
        let mut fault = None;
        let end = timeout_at(deadline, waiter.end(&mut fault)).await;
        match (end, fault) {
            (Ok(end), _) => end.map(Some),
            (Err(_), Some(fault)) => Err(fault),
            (Err(_), None) => Ok(None),
        }
    }

    fn join(self: &Arc<Self>, queue: &QueueName, id: &JobId) -> Waiter {
        let told = Arc::new(Notify::new());
        let mut queues = self.lock();
        let waiting = queues.entry(queue.clone()).or_insert_with(|| Waiting {
            jobs: HashMap::new(),
            rounds: watch::Sender::new(0),
            deserted: Arc::default(),
            listening: false,
        });
        waiting.jobs.entry(id.clone()).or_default().push(Arc::clone(&told));
        let rounds = waiting.rounds.subscribe();
        Waiter { of: Arc::clone(self), queue: queue.clone(), id: id.clone(), told, rounds }
    }

    /// Starts a task that listens for `queue`, unless there is one.
    fn listen(self: &Arc<Self>, queue: &QueueName) {
        let mut queues = self.lock();
        let Some(waiting) = queues.get_mut(queue).filter(|waiting| !waiting.listening) else { return };
        waiting.listening = true;
        let deserted = Arc::clone(&waiting.deserted);
        drop(queues);
        let listener = Listener { of: Arc::clone(self), queue: queue.clone(), deserted };
        tokio::spawn(listener.run());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Waiting>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for one job; dropping it leaves.
struct Waiter {
    of: Arc<Waiters>,
    queue: QueueName,
    id: JobId,
    told: Arc<Notify>,
    rounds: watch::Receiver<u64>,
}

impl Waiter {
    /// Looks at the job whenever something may have happened to it. `fault` is why the last look
    /// failed, when it did.
    async fn end(&mut self, fault: &mut Option<Error>) -> Result<Watched, Error> {
        self.of.listen(&self.queue);
        // Subscribe first, then look: an end in between is told. When the subscription does not
        // come, looking again from time to time must do.
        let _ = timeout(SUBSCRIBE_WAIT, self.rounds.wait_for(|round| *round > 0)).await;
        let mut pause = FIRST_PAUSE;
        loop {
            self.rounds.mark_unchanged();
            match self.of.broker.watch(&self.queue, &self.id).await {
                Ok(Watched::Waiting) => {
                    *fault = None;
                    pause = FIRST_PAUSE;
                    tokio::select! {
                        () = self.told.notified() => {}
                        _ = self.rounds.changed() => {}
                        () = sleep(jittered(LOOK_AGAIN)) => {}
                    }
                }
                Ok(end) => return Ok(end),
                Err(error @ (Error::Unavailable { .. } | Error::Indeterminate { .. })) => {
                    *fault = Some(error);
                    sleep(jittered(pause)).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                Err(error) => return Err(error),
            }
            // The runtime on which the listener ran may be gone.
            self.of.listen(&self.queue);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut queues = self.of.lock();
        let Some(waiting) = queues.get_mut(&self.queue) else { return };
        if let Some(others) = waiting.jobs.get_mut(&self.id) {
            others.retain(|other| !Arc::ptr_eq(other, &self.told));
            if others.is_empty() {
                waiting.jobs.remove(&self.id);
            }
        }
        if waiting.jobs.is_empty() {
            waiting.deserted.notify_one();
            if !waiting.listening {
                queues.remove(&self.queue);
            }
        }
    }
}

/// The task that holds the subscription of one queue.
struct Listener {
    of: Arc<Waiters>,
    queue: QueueName,
    deserted: Arc<Notify>,
}

impl Listener {
    async fn run(self) {
        tokio::select! {
            () = self.forward() => {}
            () = self.until_deserted() => {}
        }
    }

    /// Tells each end to those who wait for it, through one subscription after the other.
    async fn forward(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let since = Instant::now();
            if let Ok(mut endings) = self.of.broker.ended(&self.queue).await {
                self.with(|waiting| waiting.rounds.send_modify(|round| *round += 1));
                while let Some(Ok(id)) = endings.next().await {
                    self.with(|waiting| {
                        waiting.jobs.get(&id).into_iter().flatten().for_each(|told| told.notify_one());
                    });
                }
            }
            if since.elapsed() > LOOK_AGAIN {
                pause = FIRST_PAUSE;
            }
            sleep(jittered(pause)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Returns when nobody has waited for a while, and the queue is no longer listed.
    async fn until_deserted(&self) {
        loop {
            self.deserted.notified().await;
            sleep(LINGER).await;
            let mut queues = self.of.lock();
            if queues.get(&self.queue).is_none_or(|waiting| waiting.jobs.is_empty()) {
                queues.remove(&self.queue);
                return;
            }
        }
    }

    fn with(&self, act: impl FnOnce(&mut Waiting)) {
        if let Some(waiting) = self.of.lock().get_mut(&self.queue) {
            act(waiting);
        }
    }
}

impl Drop for Listener {
    /// When the runtime stops in the middle, those on other runtimes begin anew.
    fn drop(&mut self) {
        let mut queues = self.of.lock();
        let Some(waiting) = queues.get_mut(&self.queue) else { return };
        if !Arc::ptr_eq(&waiting.deserted, &self.deserted) {
            return;
        }
        waiting.listening = false;
        waiting.rounds.send_modify(|round| *round += 1);
        if waiting.jobs.is_empty() {
            queues.remove(&self.queue);
        }
    }
}
