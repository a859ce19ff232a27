//! The wait for a wake token, which goes on while its lane does something else.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::broker::{Broker, MAX_WAKE_WAIT};
use crate::error::Error;
use crate::job::QueueName;

use super::pause::Pause;

/// First pause after a wait that failed; the turn that comes in any case finds out what is wrong.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// At most one wait for a token at a time.
pub(super) struct Wake {
    broker: Arc<dyn Broker>,
    queue: QueueName,
    waiting: Option<BoxFuture<'static, Result<bool, Error>>>,
    pause: Pause,
}

impl Wake {
    pub(super) fn new(broker: Arc<dyn Broker>, queue: QueueName) -> Self {
        Self { broker, queue, waiting: None, pause: Pause::beginning_with(AFTER_FAILURE) }
    }

    /// Whether a wait is under way, and so may have taken a token already.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// After an outage another request found the server: a wait that is to come begins now.
    pub(super) fn answered_again(&mut self) {
        // In its pause it has asked for nothing yet.
        if !self.pause.is_over() {
            self.waiting = None;
        }
        self.pause.success();
    }

    /// Goes on with the wait that is under way, else begins one; answers whether a token came.
    ///
    /// # Cancel safety
    /// The wait is kept for the next call.
    pub(super) async fn next(&mut self) -> bool {
        let waiting = self.waiting.get_or_insert_with(|| {
            let (broker, queue, pause) = (Arc::clone(&self.broker), self.queue.clone(), self.pause.clone());
            Box::pin(async move {
                pause.over().await;
                broker.wake(&queue, MAX_WAKE_WAIT).await
            })
        });
        let came = waiting.await;
        self.waiting = None;
        match came {
            Ok(woken) => {
                self.pause.success();
                woken
            }
            Err(error) => {
                tracing::debug!(queue = %self.queue, %error, "the wait for a wake token failed");
                self.pause.after_failure();
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::broker::memory::MemoryBroker;
    use crate::broker::{Due, NewJob};
    use crate::job::JobId;

    #[tokio::test(start_paused = true)]
    async fn the_pause_of_a_wait_ends_when_another_request_was_answered() {
        let (broker, queue) = (Arc::new(MemoryBroker::default()), QueueName::new("wake").unwrap());
        let mut wake = Wake::new(broker.clone(), queue.clone());
        wake.pause.after_failure();
        let job = NewJob { id: JobId::random(), priority: 5, due: Due::Now, envelope: b"{}".to_vec() };
        broker.enqueue(&queue, &[job], None).await.unwrap();
        let start = Instant::now();
        let paused = tokio::time::timeout(AFTER_FAILURE / 4, wake.next()).await;
        assert!(paused.is_err() && wake.is_waiting());
        wake.answered_again();
        assert!(!wake.is_waiting());
        assert!(wake.next().await);
        assert!(start.elapsed() < AFTER_FAILURE / 2, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_may_have_taken_a_token_goes_on() {
        let (broker, queue) = (Arc::new(MemoryBroker::default()), QueueName::new("wake").unwrap());
        let mut wake = Wake::new(broker, queue);
        assert!(tokio::time::timeout(MAX_WAKE_WAIT / 2, wake.next()).await.is_err());
        wake.answered_again();
        assert!(wake.is_waiting());
    }
}
