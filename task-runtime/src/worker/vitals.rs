//! What a worker shows of itself, measured where it consumes: on its turns, its runtime, its jobs.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::MAX_WAKE_WAIT;
use crate::job::QueueName;

use super::readiness::{NotReady, Readiness};

/// A queue whose turns were not carried out for so long is not consumed. A queue without work takes
/// a turn every 5 s, and one turn is given up after about 2.
const UNANSWERED: Duration = Duration::from_secs(12);
/// What asked for nothing for so long may have been the look of a queue without work, in milliseconds.
const LOOK_MS: u64 = MAX_WAKE_WAIT.as_millis() as u64;
/// A runtime that did not move for so long is reported.
pub(super) const STALLED: Duration = Duration::from_secs(5);
/// How often the runtime shows that it moves.
const SHOW: Duration = Duration::from_secs(1);
/// Stands for what never was.
const NEVER: u64 = u64::MAX;

/// What a worker shows of itself.
#[derive(Debug)]
pub(super) struct Vitals {
    start: Instant,
    running: AtomicBool,
    /// When the runtime last moved, in milliseconds since `start`.
    moved_ms: AtomicU64,
    stuck: AtomicUsize,
    concurrency: usize,
    lanes: Vec<Consuming>,
}

/// What one lane shows of itself.
#[derive(Debug)]
struct Consuming {
    queue: QueueName,
    /// When a turn was last carried out, in milliseconds since `start`.
    done_ms: AtomicU64,
    /// When one was that asked for jobs, likewise.
    claimed_ms: AtomicU64,
    /// What the last turn said, if it failed.
    error: Mutex<Option<String>>,
    /// The policy by which its server throws jobs away, if it does.
    evicts: Mutex<Option<String>>,
}

impl Vitals {
    pub(super) fn new<'a>(queues: impl Iterator<Item = &'a QueueName>, concurrency: usize) -> Self {
        let lane = |queue: &QueueName| Consuming {
            queue: queue.clone(),
            done_ms: AtomicU64::new(NEVER),
            claimed_ms: AtomicU64::new(NEVER),
            error: Mutex::default(),
            evicts: Mutex::default(),
        };
        Self {
            start: Instant::now(),
            running: AtomicBool::new(false),
            moved_ms: AtomicU64::new(0),
            stuck: AtomicUsize::new(0),
            concurrency,
            lanes: queues.map(lane).collect(),
        }
    }

    /// Tells the worker from others of the process.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Says that the worker runs, until the answer is dropped.
    pub(super) fn run(self: &Arc<Self>) -> impl Drop + use<> {
        struct Runs(Arc<Vitals>);
        impl Drop for Runs {
            fn drop(&mut self) {
                self.0.running.store(false, Ordering::SeqCst);
            }
        }
        self.moved_ms.store(self.elapsed_ms(), Ordering::Relaxed);
        self.running.store(true, Ordering::SeqCst);
        Runs(Arc::clone(self))
    }

    /// Moves as long as the runtime that it runs on.
    pub(super) fn movement(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let of = Arc::clone(self);
        async move {
            loop {
                of.moved_ms.store(of.elapsed_ms(), Ordering::Relaxed);
                tokio::time::sleep(SHOW).await;
            }
        }
    }

    /// How long the runtime has not moved.
    pub(super) fn still(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.moved_ms.load(Ordering::Relaxed)))
    }

    /// A turn of lane `at` was carried out, which `asked` for jobs or not.
    pub(super) fn done(&self, at: usize, asked: bool) {
        let (lane, now) = (&self.lanes[at], self.elapsed_ms());
        lane.done_ms.store(now, Ordering::Relaxed);
        if asked {
            lane.claimed_ms.store(now, Ordering::Relaxed);
        }
    }

    /// A turn of lane `at` failed.
    pub(super) fn failed(&self, at: usize, error: String) {
        *self.lanes[at].error() = Some(error);
    }

    /// Claims of lane `at` fail, and nothing else does.
    pub(super) fn claims_fail(&self, at: usize) {
        self.lanes[at].claims_fail(self.elapsed_ms());
    }

    /// Turns of lane `at` are carried out again.
    pub(super) fn answered_again(&self, at: usize) {
        *self.lanes[at].error() = None;
    }

    /// By which policy the server of lane `at` throws jobs away, if it does; answers what it was.
    pub(super) fn evicts(&self, at: usize, policy: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.lanes[at].evicts(), policy)
    }

    /// A job goes on although its time is up.
    pub(super) fn stick(&self) {
        self.stuck.fetch_add(1, Ordering::Relaxed);
    }

    /// How many jobs go on although their time is up.
    pub(super) fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Such a job ended at last.
    pub(super) fn unstick(&self) {
        self.stuck.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn readiness(&self, stopping: bool) -> Readiness {
        let stuck = self.stuck();
        let mut reasons = Vec::new();
        if !self.running.load(Ordering::SeqCst) {
            reasons.push(NotReady::NotRunning);
        } else if stopping {
            reasons.push(NotReady::Stopping);
        } else {
            let still = self.still();
            if still >= STALLED {
                reasons.push(NotReady::RuntimeStalled { seconds: still.as_secs() });
            }
            if stuck * 2 >= self.concurrency && stuck > 0 {
                reasons.push(NotReady::Stuck { jobs: stuck, of: self.concurrency });
            }
            let now = self.elapsed_ms();
            reasons.extend(self.lanes.iter().filter_map(|lane| lane.not_ready(now)));
            reasons.extend(self.lanes.iter().filter_map(Consuming::loses));
        }
        Readiness { reasons, stuck, concurrency: self.concurrency }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }
}

impl Consuming {
    fn not_ready(&self, now: u64) -> Option<NotReady> {
        let done = self.done_ms.load(Ordering::Relaxed);
        let since = (done != NEVER).then(|| Duration::from_millis(now.saturating_sub(done)));
        if since.is_some_and(|since| since < UNANSWERED) {
            return None;
        }
        let (queue, seconds) = (self.queue.to_string(), since.map(|since| since.as_secs()));
        Some(NotReady::Unanswered { queue, seconds, error: self.error().clone() })
    }

    /// What was carried out since the last claim, for the length of one look, does not count; nothing does when no claim
    /// ever was.
    fn claims_fail(&self, now: u64) {
        let (done, claimed) = (self.done_ms.load(Ordering::Relaxed), self.claimed_ms.load(Ordering::Relaxed));
        let counts = if claimed == NEVER { NEVER } else { done.min(claimed.max(now.saturating_sub(LOOK_MS))) };
        self.done_ms.store(counts, Ordering::Relaxed);
    }

    fn loses(&self) -> Option<NotReady> {
        let policy = self.evicts().clone()?;
        Some(NotReady::Evicts { queue: self.queue.to_string(), policy })
    }

    fn evicts(&self) -> MutexGuard<'_, Option<String>> {
        self.evicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self) -> MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(names: &[&str]) -> Arc<Vitals> {
        let queues: Vec<_> = names.iter().map(|name| QueueName::new(*name).unwrap()).collect();
        Arc::new(Vitals::new(queues.iter(), 4))
    }

    #[test]
    fn only_a_turn_that_was_carried_out_makes_a_queue_ready() {
        let vitals = vitals(&["mail", "sums"]);
        assert_eq!(vitals.readiness(false).reasons(), [NotReady::NotRunning]);
        let runs = vitals.run();
        vitals.done(0, true);
        vitals.failed(1, "refused".into());
        let readiness = vitals.readiness(false);
        assert_eq!(readiness.to_string(), "not ready: queue `sums`: no turn was carried out yet (refused)");
        vitals.done(1, true);
        assert_eq!(vitals.readiness(false).to_string(), "ready");
        assert_eq!(vitals.readiness(true).reasons(), [NotReady::Stopping]);
        drop(runs);
        assert_eq!(vitals.readiness(false).reasons(), [NotReady::NotRunning]);
    }

    #[test]
    fn a_turn_long_ago_is_none() {
        let lane = &vitals(&["mail"]).lanes[0];
        lane.done_ms.store(1_000, Ordering::Relaxed);
        assert_eq!(lane.not_ready(12_999), None);
        let queue = "mail".to_owned();
        assert_eq!(lane.not_ready(13_000), Some(NotReady::Unanswered { queue, seconds: Some(12), error: None }));
    }

    #[test]
    fn what_asked_for_nothing_does_not_count_when_claims_fail() {
        let lane = &vitals(&["mail"]).lanes[0];
        let now = 10 * LOOK_MS;
        for (claimed, counts) in [(LOOK_MS, now - LOOK_MS), (now - 3, now - 3), (now - 1, now - 2), (NEVER, NEVER)] {
            lane.claimed_ms.store(claimed, Ordering::Relaxed);
            lane.done_ms.store(now - 2, Ordering::Relaxed);
            lane.claims_fail(now);
            assert_eq!(lane.done_ms.load(Ordering::Relaxed), counts);
        }
    }

    #[test]
    fn stuck_jobs_count_from_half_of_the_places_on_and_all_of_them_need_a_restart() {
        let vitals = vitals(&["mail"]);
        let _runs = vitals.run();
        vitals.done(0, true);
        vitals.stick();
        assert!(vitals.readiness(false).is_ready());
        vitals.stick();
        let readiness = vitals.readiness(false);
        assert_eq!(readiness.reasons(), [NotReady::Stuck { jobs: 2, of: 4 }]);
        assert!(!readiness.needs_restart());
        vitals.stick();
        vitals.stick();
        assert!(vitals.readiness(false).needs_restart());
        vitals.unstick();
        assert_eq!(vitals.readiness(false).stuck(), 3);
    }
}
