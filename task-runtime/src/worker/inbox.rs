//! What happened for a queue while its loop did something else: told here, with one bell.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::broker::Incarnation;
use crate::job::{JobId, Settlement};

/// What attempts and the heartbeat tell the loop of their queue.
pub(super) struct Inbox {
    news: Mutex<News>,
    bell: Notify,
}

/// Everything since the last look.
#[derive(Default)]
pub(super) struct News {
    /// Attempts that ended: the job, the number of its claim, what becomes of it.
    pub(super) ended: Vec<(JobId, u64, Settlement)>,
    /// Jobs that are asked to stop.
    pub(super) asked: Vec<JobId>,
    /// An incarnation that is gone.
    pub(super) lost: Option<Incarnation>,
    /// Whether the broker has carried out a turn of which the loop may not know.
    pub(super) behind: bool,
    /// Whether the lane that leads the queue left jobs that it could have claimed in a longer turn.
    pub(super) more: Option<bool>,
}

impl Inbox {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { news: Mutex::default(), bell: Notify::new() })
    }

    /// Tells something, and rings.
    pub(super) fn tell(&self, add: impl FnOnce(&mut News)) {
        self.put(add);
        self.ring();
    }

    /// Tells something, before a ring for something else.
    pub(super) fn put(&self, add: impl FnOnce(&mut News)) {
        add(&mut self.lock());
    }

    /// Has the loop look again.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Returns at the next ring, or at once when it rang since the last time.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes everything that was told.
    pub(super) fn take(&self) -> News {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
