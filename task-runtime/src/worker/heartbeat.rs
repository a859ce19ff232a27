//! Keeps the leases of a worker alive from a thread of its own, whatever the jobs do to the runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::broker::{Broker, Heartbeat, Incarnation};
use crate::error::Error;
use crate::job::QueueName;

use super::busy::Watch;
use super::deaths::Deaths;
use super::inbox::Inbox;
use super::vitals::{STALLED, Vitals};

/// Longest time between two heartbeats, however long the lease is: others tell by it that a worker
/// lives.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// How often the thread looks whether the runtime still moves.
const LOOK: Duration = Duration::from_secs(1);

/// A runtime that did not move for so long is nudged: the thread that a task blocks may be the one that
/// was to look at timers and connections, and another one takes that over only once it is woken.
const NUDGE: Duration = Duration::from_secs(2);

/// The leases of one worker.
pub(super) struct Heartbeats {
    of: Arc<Inner>,
    /// Dropping it ends the thread.
    _alive: watch::Sender<()>,
}

struct Inner {
    leases: Mutex<Vec<Held>>,
    vitals: Arc<Vitals>,
}

#[derive(Clone)]
struct Held {
    queue: QueueName,
    incarnation: Incarnation,
    step: Arc<AtomicU64>,
    inbox: Arc<Inbox>,
}

impl Heartbeats {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        broker: Arc<dyn Broker>,
        lease: Duration,
        vitals: &Arc<Vitals>,
        deaths: Arc<Deaths>,
    ) -> Result<Self, Error> {
        let of = Arc::new(Inner { leases: Mutex::default(), vitals: Arc::clone(vitals) });
        let (alive, mut dropped) = watch::channel(());
        let inner = Arc::clone(&of);
        let refused = |error: std::io::Error| Error::Rejected { reason: format!("no thread for heartbeats: {error}") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let beat = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = deaths.outlive("the heartbeat", || inner.beat(&*broker, lease)) => {}
                    _ = dropped.changed() => {}
                }
            });
        };
        std::thread::Builder::new().name("task-heartbeat".into()).spawn(beat).map_err(refused)?;
        Ok(Self { of, _alive: alive })
    }

    /// The incarnations of this worker.
    pub(super) fn own(&self) -> Own {
        Own(Arc::clone(&self.of))
    }

    /// The lease of one lane; none until it is started.
    pub(super) fn lane(&self, queue: QueueName, inbox: Arc<Inbox>) -> Beat {
        Beat { of: Arc::clone(&self.of), queue, inbox, step: Arc::default() }
    }
}

impl Inner {
    async fn beat(&self, broker: &dyn Broker, lease: Duration) {
        fail_point!("heartbeat");
        let interval = (lease / 3).min(LONGEST_INTERVAL);
        let (mut last, mut stalled) = (Instant::now(), false);
        let mut tasks = Watch::new(self.vitals.address());
        loop {
            tokio::time::sleep(LOOK.min(interval.saturating_sub(last.elapsed()))).await;
            for task in tasks.look(Instant::now()) {
                tracing::warn!(task, "a task has blocked its thread for a second: use `blocking`, or await more often");
            }
            let still = self.vitals.still();
            if still >= STALLED && !stalled {
                tracing::error!(
                    ?still,
                    "the runtime does not move: tasks block all its threads; use `blocking`, or await more often"
                );
            }
            stalled = still >= STALLED;
            if still >= NUDGE {
                self.leases().iter().for_each(|held| held.inbox.ring());
            }
            if last.elapsed() < interval {
                continue;
            }
            last = Instant::now();
            let leases = self.leases().clone();
            let beats = leases.iter().map(|held| held.beat(broker, lease));
            if futures_util::future::join_all(beats).await.contains(&false) {
                // Again soon: a lease must outlast some lost answers.
                last = Instant::now().checked_sub(interval.mul_f64(0.7)).unwrap_or(last);
            }
        }
    }

    fn leases(&self) -> MutexGuard<'_, Vec<Held>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Moves the lease on and tells the lane what it learned; answers whether the broker did.
    async fn beat(&self, broker: &dyn Broker, lease: Duration) -> bool {
        let before = self.step.load(Ordering::SeqCst);
        match broker.heartbeat(&self.queue, &self.incarnation, lease).await {
            Ok(Heartbeat::Alive { step, asked }) => {
                // One more may be a turn that is under way.
                let behind = step != before && step != self.step.load(Ordering::SeqCst);
                if behind || !asked.is_empty() {
                    self.inbox.tell(|news| {
                        news.behind |= behind;
                        news.asked.extend(asked);
                    });
                }
                true
            }
            Ok(Heartbeat::LeaseLost) => {
                self.inbox.tell(|news| news.lost = Some(self.incarnation.clone()));
                true
            }
            Err(error) => {
                tracing::warn!(queue = %self.queue, %error, "a heartbeat got no answer");
                false
            }
        }
    }
}

/// The lease of one lane. Dropping it lets the lease end.
pub(super) struct Beat {
    of: Arc<Inner>,
    queue: QueueName,
    inbox: Arc<Inbox>,
    step: Arc<AtomicU64>,
}

impl Beat {
    /// Keeps the lease of `incarnation` alive from now on.
    pub(super) fn start(&mut self, incarnation: Incarnation) {
        self.stop();
        self.step = Arc::default();
        let held = Held {
            queue: self.queue.clone(),
            incarnation,
            step: Arc::clone(&self.step),
            inbox: Arc::clone(&self.inbox),
        };
        self.of.leases().push(held);
    }

    /// Tells the number of the last turn.
    pub(super) fn set_step(&self, step: u64) {
        self.step.store(step, Ordering::SeqCst);
    }

    /// Keeps it alive no longer.
    pub(super) fn stop(&mut self) {
        self.of.leases().retain(|held| !Arc::ptr_eq(&held.step, &self.step));
    }
}

/// What the recovery of the same worker must never end.
pub(super) struct Own(Arc<Inner>);

impl Own {
    /// Whether the incarnation is one of this worker.
    pub(super) fn is(&self, incarnation: &Incarnation) -> bool {
        self.0.leases().iter().any(|held| held.incarnation == *incarnation)
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.stop();
    }
}
