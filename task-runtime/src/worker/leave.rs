//! How a lane ends: what has ended is told, and what has not is given back.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::broker::{Claim, MAX_RECOVER, Turn, TurnAnswer};
use crate::error::Error;
use crate::job::{DEFAULT_PRIORITY, JobId, PutBack, State};

use super::lane::Lane;
use super::shutdown::Stage;
use super::turn::{MAX_ADOPT, back};

/// Longest time that giving back takes when a worker stops.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// How long a task that was dropped may take to reach its next `await`.
const LAST_STEP: Duration = Duration::from_millis(300);

impl Lane {
    /// Tells what has ended, gives back what has not, and ends the incarnation.
    ///
    /// # Errors
    /// When that does not succeed in time; what is left is recovered when the lease ends.
    pub(super) async fn leave(&mut self) -> Result<(), Error> {
        timeout(LEAVE_LIMIT, self.give_back()).await.unwrap_or_else(|_| {
            let reason = format!("queue `{}` could not be left within {LEAVE_LIMIT:?}", self.queue);
            Err(Error::Unavailable { reason })
        })
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        self.reserved.clear();
        // What has ended by now is told. One that is in the middle of a step may still end with it.
        self.board.stop_now();
        let deadline = Instant::now() + LAST_STEP;
        while self.board.is_running() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.read_inbox();
        let mut left = self.board.give_up();
        if !left.is_empty() {
            tracing::info!(queue = %self.queue, jobs = left.len(), "given back, the worker stops");
        }
        while self.registered && self.board.has_unsent() {
            self.pause.over().await;
            self.turn(Stage::Leaving).await;
        }
        while self.registered {
            let some = &left[..left.len().min(MAX_RECOVER)];
            match self.shared.broker.leave(&self.queue, &self.incarnation, some).await {
                Ok(true) => break,
                Ok(false) => {
                    left.drain(..some.len());
                    if left.is_empty() {
                        left = self.unknown().await;
                    }
                    if left.is_empty() {
                        self.pause.after_failure();
                        self.pause.over().await;
                    }
                }
                Err(error) => {
                    tracing::warn!(queue = %self.queue, %error, "not given back yet");
                    self.pause.after_failure();
                    self.pause.over().await;
                }
            }
        }
        self.beat.stop();
        Ok(())
    }

    /// What is on loan to this incarnation beyond what is known here, and where it goes back to.
    async fn unknown(&mut self) -> Vec<(JobId, PutBack)> {
        // No turn has this number, so that the answer is what runs, and nothing changes.
        let never = Turn { step: 0, ..self.empty_turn() };
        let Ok(TurnAnswer::OutOfStep { running, .. }) = self.shared.broker.turn(&self.queue, &never).await else {
            return Vec::new();
        };
        let mut found = Vec::with_capacity(running.len());
        for some in running.chunks(MAX_ADOPT) {
            // What is not answered is asked for once more, by whoever asks for what is left.
            let Ok(claims) = self.shared.broker.adopt(&self.queue, &self.incarnation, some).await else { continue };
            let to = |claim: &Claim| back(&claim.envelope, &State::decode(claim.state.as_deref()));
            let known = |id: &JobId| claims.iter().find(|claim| claim.id == *id).map(to);
            found.extend(some.iter().map(|id| (id.clone(), known(id).unwrap_or(PutBack::Ready(DEFAULT_PRIORITY)))));
        }
        found
    }
}
