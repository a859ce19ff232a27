//! Why an attempt is to stop, beside the token that tells it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

const ASKED: u8 = 1;
const WORKER_STOPS: u8 = 2;

/// The means to stop one attempt. The first reason counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    why: AtomicU8,
    token: CancellationToken,
}

/// Why an attempt was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Someone cancelled the job.
    Asked,
    /// The worker stops, or lost the job.
    WorkerStops,
}

impl Stop {
    /// Someone cancelled the job.
    pub(crate) fn ask(&self) {
        self.set(ASKED);
    }

    /// The worker stops, or lost the job.
    pub(crate) fn worker_stops(&self) {
        self.set(WORKER_STOPS);
    }

    fn set(&self, why: u8) {
        // An error says that there is a reason already.
        let _ = self.0.why.compare_exchange(0, why, Ordering::SeqCst, Ordering::SeqCst);
        self.0.token.cancel();
    }

    /// Why it was stopped, if it was.
    pub(crate) fn why(&self) -> Option<Why> {
        match self.0.why.load(Ordering::SeqCst) {
            ASKED => Some(Why::Asked),
            WORKER_STOPS => Some(Why::WorkerStops),
            _ => None,
        }
    }

    /// What the task sees.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.0.token
    }
}
