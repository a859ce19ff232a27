//! A worker as the rules want it: it knows what it was told, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::value::RawValue;
use task_runtime::broker::{Claim, Incarnation};
use task_runtime::job::{Attempt, Backoff, JobId, Outcome, PutBack, Settlement, State, settle};

use crate::operation::How;

/// Most jobs that one worker runs.
pub(crate) const PERMITS: usize = 3;
/// Attempts that a job has.
pub(crate) const MAX_ATTEMPTS: u32 = 4;

/// An attempt, also one that goes on although its lease was lost.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) id: JobId,
    pub(crate) incarnation: Incarnation,
    /// Which claim of the history began it.
    pub(crate) claim: u64,
    pub(crate) state: State,
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
    /// Highest number of a turn that the incarnation can have made.
    pub(crate) sent: u64,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) to_adopt: Vec<JobId>,
    /// Names under which jobs are parked.
    pub(crate) take: Vec<String>,
    /// Whether its last turn left jobs that could be claimed; none while a turn is due whatever else there is.
    pub(crate) more: Option<bool>,
}

impl Worker {
    /// The one under which it works, a new one if need be.
    pub(crate) fn incarnation(&mut self) -> Incarnation {
        let incarnation = self.incarnation.get_or_insert_with(|| {
            self.registered = false;
            Incarnation::random()
        });
        incarnation.clone()
    }

    /// It is registered.
    pub(crate) fn begun(&mut self, last: u64) {
        (self.registered, self.step, self.sent) = (true, last, last);
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

    /// Whether an attempt of its own goes on.
    pub(crate) fn runs(&self) -> bool {
        self.own().any(|one| one.outcome.is_none())
    }

    /// Whether it makes a turn by itself, soon.
    pub(crate) fn is_awake(&self) -> bool {
        let registered = self.incarnation.is_some() && self.registered;
        let unsent = self.own().any(|one| one.outcome.is_some());
        let may_claim = self.more == Some(true) && self.room() > 0;
        !registered || unsent || !self.to_adopt.is_empty() || self.more.is_none() || may_claim
    }

    /// Whether it waits for a token: one without room waits for the end of a job.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_awake() && self.room() > 0
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
        self.more = None;
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
        let outcome = match how {
            _ if self.asked => Outcome::Cancelled,
            How::Done => Outcome::Completed(json("null")),
            How::Result => Outcome::Completed(json("7")),
            How::Retry(_) => Outcome::Failed("no".into()),
            How::Dead => Outcome::Hopeless("never".into()),
            How::Released => Outcome::Stopped,
            How::Parked(task) => Outcome::Unknown { park_as: format!("task{task}"), reason: "unknown".into() },
        };
        let pause = if let How::Retry(seconds) = how { seconds } else { 0 };
        let attempt = Attempt {
            state: self.state.clone(),
            priority: 5,
            max_attempts: MAX_ATTEMPTS,
            back: PutBack::of(None, &self.state),
            backoff: Backoff::list([Duration::from_secs(pause.into())]),
            result_ttl: Duration::from_secs(120),
            duration: Duration::ZERO,
        };
        settle(outcome, &attempt, 0.5)
    }
}

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).expect("the text is JSON")
}
