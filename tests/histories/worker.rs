//! A worker as the rules want it: it knows what it was told, and nothing else.

use std::collections::BTreeSet;

use task_runtime::broker::{Claim, Incarnation};
use task_runtime::job::{EndRecord, JobId, Settlement, State};

use crate::operation::How;

/// Most jobs that one worker runs.
pub(crate) const PERMITS: usize = 3;

/// An attempt, also one that goes on although its lease was lost.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) id: JobId,
    pub(crate) incarnation: Incarnation,
    /// Which claim of the history began it.
    pub(crate) claim: u64,
    state: State,
    asked: bool,
    /// What is to be told, once it ended.
    pub(crate) outcome: Option<Settlement>,
}

/// One process with one incarnation at a time.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) registered: bool,
    pub(crate) step: u64,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) to_adopt: Vec<JobId>,
    /// Names under which jobs are parked.
    pub(crate) take: Vec<String>,
}

impl Worker {
    /// The one under which it works, a new one if need be.
    pub(crate) fn incarnation(&mut self) -> Incarnation {
        let incarnation = self.incarnation.get_or_insert_with(|| {
            (self.registered, self.step) = (false, 0);
            Incarnation::random()
        });
        incarnation.clone()
    }

    fn is_own(&self, handler: &Handler) -> bool {
        self.incarnation.as_ref() == Some(&handler.incarnation)
    }

    /// The attempts of the claims of this incarnation.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().filter(|handler| self.is_own(handler))
    }

    /// What is to be told, and of which claims.
    pub(crate) fn outcomes(&self) -> (Vec<(JobId, Settlement)>, Vec<u64>) {
        let ended = self.own().filter_map(|one| Some(((one.id.clone(), one.outcome.clone()?), one.claim)));
        ended.unzip()
    }

    pub(crate) fn room(&self) -> usize {
        PERMITS.saturating_sub(self.own().filter(|one| one.outcome.is_none()).count())
    }

    /// An attempt ends. One of an earlier incarnation has nobody to tell it.
    pub(crate) fn end(&mut self, which: u8, how: How) {
        let open: Vec<usize> = (0..self.handlers.len()).filter(|at| self.handlers[*at].outcome.is_none()).collect();
        let Some(at) = open.get(usize::from(which) % open.len().max(1)).copied() else { return };
        if self.is_own(&self.handlers[at]) {
            let outcome = self.handlers[at].settlement(how);
            self.handlers[at].outcome = Some(outcome);
        } else {
            self.handlers.remove(at);
        }
    }

    /// A turn was carried out.
    pub(crate) fn told(&mut self, step: u64, claims: &[u64]) {
        self.step = step;
        self.handlers.retain(|one| one.outcome.is_none() || !claims.contains(&one.claim));
    }

    /// Begins attempts; one id has one local claim.
    pub(crate) fn claimed(&mut self, claims: Vec<(Claim, u64)>) -> Result<(), String> {
        let incarnation = self.incarnation.clone().expect("who claims is registered");
        for (claim, number) in claims {
            if self.own().any(|one| one.id == claim.id) {
                return Err(format!("twice: {incarnation} runs {} already", claim.id));
            }
            self.handlers.push(Handler {
                id: claim.id,
                incarnation: incarnation.clone(),
                claim: number,
                state: State::decode(claim.state.as_deref()),
                asked: false,
                outcome: None,
            });
        }
        Ok(())
    }

    /// It is out of step: what does not run is forgotten, what it does not know is to be adopted.
    pub(crate) fn reconcile(&mut self, last: u64, running: &[JobId]) {
        self.step = last;
        let own = self.incarnation.clone();
        self.handlers.retain(|one| own.as_ref() != Some(&one.incarnation) || running.contains(&one.id));
        let known: BTreeSet<&JobId> = self.own().map(|one| &one.id).collect();
        let unknown = running.iter().filter(|id| !known.contains(id)).cloned().collect();
        self.to_adopt = unknown;
    }

    /// The incarnation is gone. Its attempts are told to stop, and here they all ignore it.
    pub(crate) fn lease_lost(&mut self) {
        self.incarnation = None;
        self.to_adopt.clear();
        self.handlers.retain(|one| one.outcome.is_none());
    }

    /// Its jobs `ids` are asked to stop.
    pub(crate) fn ask(&mut self, ids: &[JobId]) {
        let own = self.incarnation.clone();
        for one in self.handlers.iter_mut().filter(|one| own.as_ref() == Some(&one.incarnation)) {
            one.asked |= ids.contains(&one.id);
        }
    }
}

impl Handler {
    fn settlement(&self, how: How) -> Settlement {
        let state = State { attempts: self.state.attempts + 1, crashes: 0, error: None }.encode();
        let record = |text: &[u8], keep| Settlement::Finish { record: text.to_vec(), keep };
        let retry = |seconds: u8| Settlement::Retry {
            state: state.clone(),
            delay: std::time::Duration::from_secs(seconds.into()),
            priority: 5,
        };
        match how {
            _ if self.asked => record(EndRecord::CANCELLED, None),
            How::Done => record(COMPLETED, None),
            How::Result => record(COMPLETED, Some(std::time::Duration::from_secs(120))),
            How::Retry(seconds) => retry(seconds),
            How::Dead => Settlement::Dead { state },
            How::Released => Settlement::Release { priority: 5 },
            How::Parked(task) => Settlement::Park { task: format!("task{task}"), priority: 5, state },
        }
    }
}

/// The record of a job that returned nothing.
pub(crate) const COMPLETED: &[u8] = br#"{"end":"completed"}"#;
