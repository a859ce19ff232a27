//! The stages in which a worker stops, and what moves it from one to the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::readiness::Readiness;
use super::signals::Signals;
use super::vitals::Vitals;

/// How long jobs have to react after their cancellation at the end of the grace.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// How far a worker has stopped; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It claims and runs jobs.
    Running,
    /// It claims nothing, and what runs may finish.
    Draining,
    /// The grace is over: what runs is asked to stop.
    Cancelling,
    /// What runs is dropped and given back.
    Leaving,
}

/// Stops a worker from elsewhere in the program, and tells whether it consumes. Cheap to clone, and
/// dropping it stops nothing. A worker whose future or runtime is dropped ends without a stop: its
/// handles say that it does not run, and its jobs run again after the lease.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # use task_runtime::{Client, Worker};
/// let worker = Worker::builder(Client::in_memory()).build()?;
/// let handle = worker.handle();
/// let running = tokio::spawn(worker.run());
/// handle.stop();
/// running.await??;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    stage: Arc<watch::Sender<Stage>>,
    vitals: Arc<Vitals>,
}

impl WorkerHandle {
    pub(super) fn new(vitals: Vitals) -> Self {
        Self { stage: Arc::new(watch::Sender::new(Stage::Running)), vitals: Arc::new(vitals) }
    }

    /// Whether the worker consumes its queues now, and if not, why. It looks at what is known and
    /// waits for nothing, so it also answers while the runtime of the worker does not move.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.vitals.readiness(*self.stage.borrow() > Stage::Running)
    }

    /// Has the worker claim nothing more, finish what runs within its grace, and give back the
    /// rest. The same as the first SIGTERM.
    pub fn stop(&self) {
        self.advance(Stage::Draining);
    }

    /// Has the worker drop what runs and give it back at once, without counting an attempt. The
    /// same as the second SIGTERM.
    pub fn stop_now(&self) {
        self.advance(Stage::Leaving);
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let later = to > *stage;
            if later {
                *stage = to;
            }
            later
        });
    }

    pub(super) fn stages(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(super) fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// Goes through the stages once the first stop was asked: draining for `grace`, then a last
    /// chance.
    pub(super) async fn count_down(&self, grace: Duration) {
        let mut stages = self.stages();
        // An error would say that the sender is gone, and it is in `self`.
        let _ = stages.wait_for(|stage| *stage >= Stage::Draining).await;
        tokio::time::sleep(grace).await;
        self.advance(Stage::Cancelling);
        tokio::time::sleep(LAST_CHANCE).await;
        self.advance(Stage::Leaving);
        std::future::pending().await
    }

    /// Has each SIGTERM or SIGINT (Ctrl-C) move the worker on: the first one to stop, the second
    /// one to stop now.
    pub(super) async fn obey_signals(&self) {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::warn!(%error, "signals cannot be listened to; the worker stops without giving jobs back");
                return std::future::pending().await;
            }
        };
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping: no new jobs, what runs may finish; once more to give it back at once");
        self.stop();
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping now: what runs is given back");
        self.stop_now();
        std::future::pending().await
    }
}
