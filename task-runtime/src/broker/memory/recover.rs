//! What becomes of the jobs of a worker that vanished: workers, condemn, settle for it.

use std::time::Duration;

use std::collections::BTreeSet;

use super::queue::{Again, Queue};
use crate::broker::bounds::check_recovered;
use crate::broker::{Claim, Condemned, Incarnation, Lease, MAX_RECOVER, MAX_TURN_BYTES, Recovered};
use crate::error::Error;
use crate::job::{JobId, PutBack};

/// The lease of one that is condemned.
const CONDEMNED: i64 = 0;

impl Queue {
    pub(super) fn leases(&self, now: i64) -> Vec<Lease> {
        let lease = |(incarnation, ends_ms): (&Incarnation, &i64)| Lease {
            incarnation: incarnation.clone(),
            ends_ms: *ends_ms,
            left: Duration::from_millis(u64::try_from(*ends_ms - now).unwrap_or(0)),
        };
        self.workers.iter().map(lease).collect()
    }

    /// Irrevocable: without its step the incarnation never makes a turn again, and whoever sweeps
    /// next goes on where a recoverer died.
    pub(super) fn condemn(&mut self, lease: &Lease, stale: bool, now: i64) -> Option<Condemned> {
        let Lease { incarnation, ends_ms, .. } = lease;
        let unchanged = self.workers.get(incarnation) == Some(ends_ms);
        if !unchanged || !(*ends_ms == CONDEMNED || *ends_ms <= now || stale) {
            return None;
        }
        self.end_steps(incarnation);
        self.workers.insert(incarnation.clone(), CONDEMNED);
        let left = self.running.get(incarnation).map_or(0, BTreeSet::len);
        // Counted once: the last of many that are recovered in parts did not crash alone.
        let on_board = *self.on_board.entry(incarnation.clone()).or_insert(left);
        if left == 0 {
            self.workers.remove(incarnation);
            self.on_board.remove(incarnation);
        }
        if self.timer.as_ref().is_some_and(|(_, holder)| holder == incarnation) {
            // Someone else has to wake for the job that it was to wake for.
            self.timer = None;
            self.push_tokens(usize::from(self.next_due().is_some()));
        }
        let running = self.running.get(incarnation);
        let claim = |id: &JobId| Claim {
            id: id.clone(),
            envelope: self.jobs.get(id).cloned().unwrap_or_default(),
            state: self.state_of(id),
            token: 0,
        };
        let mut bytes = 0;
        // The first one in any case, and then as many as one answer may carry.
        let fits = |(at, claim): &(usize, Claim)| {
            bytes += claim.envelope.len();
            *at == 0 || bytes <= MAX_TURN_BYTES
        };
        let jobs = running.into_iter().flatten().take(MAX_RECOVER).map(claim).enumerate().take_while(fits);
        let jobs = jobs.map(|(_, claim)| claim).collect();
        Some(Condemned { on_board, jobs })
    }

    pub(super) fn settle_for(
        &mut self,
        incarnation: &Incarnation,
        recovered: &[Recovered],
        now: i64,
    ) -> Result<(), Error> {
        check_recovered(recovered)?;
        if self.workers.get(incarnation) != Some(&CONDEMNED) {
            return Ok(());
        }
        let mut tokens = 0;
        for job in recovered {
            let (Recovered::Few { id, state } | Recovered::Alone { id, state } | Recovered::Dead { id, state }) = job;
            let held = self.running.get_mut(incarnation).is_some_and(|running| running.remove(id));
            if !held {
                continue;
            }
            self.states.insert(id.clone(), state.clone());
            tokens += match job {
                Recovered::Few { .. } => usize::from(self.requeue(id, Again::PutBack(PutBack::Few), None, now)),
                Recovered::Alone { .. } => usize::from(self.requeue(id, Again::PutBack(PutBack::Alone), None, now)),
                Recovered::Dead { .. } => {
                    self.bury(id, now);
                    0
                }
            };
        }
        self.push_tokens(tokens);
        if self.running.get(incarnation).is_none_or(BTreeSet::is_empty) {
            self.running.remove(incarnation);
            self.workers.remove(incarnation);
            self.on_board.remove(incarnation);
        }
        Ok(())
    }
}
