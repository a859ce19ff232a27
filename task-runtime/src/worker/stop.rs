//! Why an attempt is to stop, beside the token that tells it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

const ASKED: u8 = 1;
const WORKER_STOPS: u8 = 2;

/// The means to stop one attempt. The first reason counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    why: Arc<AtomicU8>,
    token: CancellationToken,
}

/// Why an attempt was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Someone cancelled the job.
    Asked,
    /// The worker stops, or lost the job.
    WorkerStops,
}

impl Stop {
    /// Someone cancelled the job.
    pub(super) fn ask(&self) {
        self.set(ASKED);
    }

    /// The worker stops, or lost the job.
    pub(super) fn worker_stops(&self) {
        self.set(WORKER_STOPS);
    }

    fn set(&self, why: u8) {
        // An error says that there is a reason already.
        let _ = self.why.compare_exchange(0, why, Ordering::SeqCst, Ordering::SeqCst);
        self.token.cancel();
    }

    /// Why it was stopped, if it was.
    pub(super) fn why(&self) -> Option<Why> {
        match self.why.load(Ordering::SeqCst) {
            ASKED => Some(Why::Asked),
            WORKER_STOPS => Some(Why::WorkerStops),
            _ => None,
        }
    }

    /// What the task sees.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }
}
