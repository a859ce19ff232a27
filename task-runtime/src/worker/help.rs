//! The second incarnation on one queue, which helps when there are more jobs than one turn carries.

use std::sync::Arc;

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
        idle && !self.in_doubt && !self.wants_jobs() && !self.must_turn && self.turn_by <= Instant::now()
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
