//! The second incarnation on one queue, which helps when there are more jobs than one turn carries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::yield_now;
use tokio::time::Instant;

use super::inbox::Inbox;
use super::lane::Lane;

/// What a lane is for its queue.
pub(super) enum Part {
    /// It waits for jobs, and calls for help when there are more than a turn can carry.
    Leads {
        /// The place of its queue among those of the worker.
        queue: usize,
        help: Option<Help>,
    },
    /// It claims when it is called, so that the broker works on a turn of one while this process
    /// reads and writes those of the other. Otherwise it has no incarnation.
    Helps {
        /// As above.
        queue: usize,
    },
}

/// The lane that helps another.
pub(super) struct Help {
    pub(super) inbox: Arc<Inbox>,
    /// Its place among the lanes of the worker.
    pub(super) at: usize,
    /// Whether it was called.
    pub(super) called: bool,
}

/// Turns of a worker that are on their way to a connection.
///
/// Requests that reach a server together are answered together, when all of them are done. Then its lanes wait
/// for it together, and it for them, from turn to turn. So a lane lets what is being written go first, and
/// what it sends itself arrives while the server works.
#[derive(Default)]
pub(super) struct Departures(AtomicUsize);

impl Departures {
    /// Lets the turn of another lane go first that is about to be written.
    pub(super) async fn wait(&self) {
        if self.0.load(Ordering::Relaxed) > 0 {
            yield_now().await;
        }
    }

    /// Lets whatever writes a request to its connection do so.
    pub(super) async fn depart(&self) {
        struct Departing<'a>(&'a AtomicUsize);
        impl Drop for Departing<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let _departing = Departing(&self.0);
        yield_now().await;
    }
}

impl Lane {
    pub(super) fn leads(&self) -> bool {
        matches!(self.part, Part::Leads { .. })
    }

    /// The place of its queue among those of the worker.
    pub(super) fn queue_at(&self) -> usize {
        match self.part {
            Part::Leads { queue, .. } | Part::Helps { queue } => queue,
        }
    }

    /// Calls for help, or says that none is needed any more.
    pub(super) fn call_help(&mut self, needed: bool) {
        if let Part::Leads { help: Some(help), .. } = &mut self.part
            && (needed || help.called)
        {
            help.called = needed;
            // From now on, so that this lane does not take what the other is called for.
            self.shared.permits.set_hungry(help.at, needed);
            help.inbox.tell(|news| news.more = Some(needed));
        }
    }

    /// Whether it waits to be called, without an incarnation.
    pub(super) fn is_asleep(&self) -> bool {
        !self.leads() && !self.registered
    }

    /// Whether it was not called for so long that it gives up its incarnation.
    pub(super) fn wants_rest(&self) -> bool {
        let idle = !self.leads() && self.registered && self.has_nothing() && self.to_adopt.is_empty();
        idle && !self.wants_jobs() && !self.must_turn && self.turn_by <= Instant::now()
    }

    /// Ends the incarnation of a lane that helps. It leaves a token, so that the one that leads takes the
    /// timer.
    pub(super) async fn rest(&mut self) {
        match self.shared.broker.leave(&self.queue, &self.incarnation, &[]).await {
            Ok(true) => {
                self.pause.success();
                self.beat.stop();
                self.incarnation = self.shared.incarnation();
                self.registered = false;
                self.set_step(0);
            }
            // It has something after all.
            Ok(false) => self.must_turn = true,
            Err(error) => {
                tracing::debug!(queue = %self.queue, %error, "not left yet");
                self.pause.after_failure();
            }
        }
    }
}
