//! Whether the server of a queue may throw jobs away to make room, looked at before the first turn and from then on, and
//! whether they outlive it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::broker::{Broker, WhenFull};
use crate::error::Error;
use crate::job::QueueName;

use super::pause::Pause;
use super::permits::Permits;
use super::shutdown::{Stage, WorkerHandle};

/// How often a server is looked at again: it can be told another policy while it runs.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// The look at the server of one queue.
#[derive(Clone)]
pub(super) struct Eviction {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) queue: QueueName,
    /// The place of the queue among those of the worker.
    pub(super) at: usize,
    pub(super) permits: Arc<Permits>,
    /// Whether the worker was told to run all the same.
    pub(super) allowed: bool,
    pub(super) handle: WorkerHandle,
    /// Whether the worker has told that jobs do not outlive their server.
    pub(super) told: Arc<AtomicBool>,
}

impl Eviction {
    /// Waits until the server says what it does when it is full; answers whether the queue may be
    /// served, which it may not when the worker was told to stop meanwhile.
    ///
    /// # Errors
    /// When it throws keys away and that is not allowed.
    pub(super) async fn admit(&self) -> Result<bool, Error> {
        let mut stages = self.handle.stages();
        let mut pause = Pause::default();
        let answer = loop {
            let look = async {
                pause.over().await;
                self.broker.storage(&self.queue).await
            };
            tokio::select! {
                biased;
                _ = stages.wait_for(|stage| *stage != Stage::Running) => return Ok(false),
                answer = look => match answer {
                    Ok(answer) => break answer,
                    Err(error) => {
                        if pause.after_failure().is_power_of_two() {
                            tracing::warn!(queue = %self.queue, %error, "no answer from the broker, trying again");
                        }
                        self.handle.vitals().failed(self.at, error.to_string());
                        // The other queues of this worker may be on another server, and need not wait for this one.
                        self.permits.set_hungry(self.at, false);
                    }
                },
            }
        };
        if answer.append_only == Some(false) && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                queue = %self.queue,
                "the server has no append-only file: when it dies, so do all jobs since its last snapshot; set `appendonly yes`"
            );
        }
        match answer.when_full {
            WhenFull::Refuses => {}
            WhenFull::Evicts { policy } if self.allowed => tracing::warn!(
                queue = %self.queue, policy, "the server throws keys away when it is full, and jobs with them; it was allowed to"
            ),
            WhenFull::Evicts { policy } => return Err(refused(&self.queue, &policy)),
            // As long as it has no bound it throws nothing away, and many a small server is set up like that.
            WhenFull::WouldEvict { policy } => tracing::warn!(
                queue = %self.queue, policy,
                "the server would throw keys away, and jobs with them, if it had a `maxmemory`: set `maxmemory-policy noeviction`"
            ),
            WhenFull::NotKnown { reason } => tracing::warn!(
                queue = %self.queue, reason,
                "the server does not say whether it throws keys away when it is full: see to it that its \
                 `maxmemory-policy` is `noeviction`"
            ),
        }
        Ok(true)
    }

    /// Looks again and again, and has the worker say that it is not ready while jobs may be thrown away.
    pub(super) async fn watch(&self) {
        let vitals = self.handle.vitals();
        fail_point!("eviction");
        loop {
            sleep(LOOK_AGAIN).await;
            let Ok(storage) = self.broker.storage(&self.queue).await else { continue };
            let policy = match storage.when_full {
                WhenFull::Evicts { policy } if !self.allowed => Some(policy),
                WhenFull::NotKnown { .. } => continue,
                _ => None,
            };
            let before = vitals.evicts(self.at, policy.clone());
            match (before, policy) {
                (None, Some(policy)) => {
                    tracing::error!(
                        queue = %self.queue, policy,
                        "the server throws keys away when it is full, and jobs with them: set `maxmemory-policy noeviction`"
                    );
                }
                (Some(_), None) => tracing::info!(queue = %self.queue, "the server keeps what it has again"),
                _ => {}
            }
        }
    }
}

fn refused(queue: &QueueName, policy: &str) -> Error {
    let fault = format!(
        "the server of queue `{queue}` throws keys away when it is full, and jobs with them: its `maxmemory-policy` is \
         `{policy}`; set it to `noeviction` (`CONFIG SET maxmemory-policy noeviction`, and in its configuration), or \
         run all the same with `allow_eviction` of the builder or `--allow-eviction`"
    );
    Error::WorkerSetup { faults: vec![fault] }
}
