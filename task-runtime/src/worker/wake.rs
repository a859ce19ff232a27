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
