//! What has become of each job so far, told from what was carried out; and what may not follow.

use std::collections::BTreeMap;
use std::time::Duration;

use task_runtime::broker::{Cancelled, Claim, Due, Enqueued, FLOOR, Status};
use task_runtime::job::{JobId, Settlement};

use crate::request::{Reply, Request};
use crate::worker::COMPLETED;
use support::View;

/// One job; its id may have another one when this is forgotten.
#[derive(Clone, Debug, Default)]
struct Life {
    /// The call that enqueued it.
    call: u32,
    /// The claim that holds it, by a number that no other claim of the history has.
    claim: u64,
    completed: u32,
    /// A cancel was acknowledged: it never runs again.
    cancelled: bool,
    ended_ms: Option<i64>,
}

/// All jobs. A copy of it goes with a replica.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    lives: BTreeMap<JobId, Life>,
    /// Ends: completed, cancelled, dead.
    ends: u64,
    enqueued: u64,
    forgotten_dead: u64,
}

/// A request that was carried out, between what was there before and after it.
pub(crate) struct Step<'a> {
    pub(crate) request: &'a Request,
    pub(crate) reply: &'a Reply,
    pub(crate) before: &'a View,
    pub(crate) after: &'a View,
    pub(crate) now_ms: i64,
}

impl Ledger {
    /// Takes down one request; `serial` numbers the claims. Answers the numbers of its claims.
    pub(crate) fn take_down(&mut self, step: &Step, serial: &mut u64) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        match (step.request, step.reply) {
            (Request::Enqueue { jobs, calls, .. }, Reply::Enqueued(answers)) => {
                for ((job, call), answer) in jobs.iter().zip(calls).zip(answers) {
                    if *answer == Enqueued::New {
                        self.enqueue(&job.id, *call, step)?;
                        match job.due {
                            Due::After(delay) => is_due_in(&job.id, delay, step)?,
                            Due::Now | Due::At(_) => {}
                        }
                    }
                }
            }
            (Request::Turn { turn, claims }, Reply::Turn(task_runtime::broker::TurnAnswer::Done(done))) => {
                for claim in &done.claims {
                    numbers.push(self.claim(claim, serial)?);
                }
                let who = turn.incarnation.as_str();
                for ((id, settlement), claim) in turn.settlements.iter().zip(claims) {
                    if step.before.runs_on(id, who) {
                        self.settle(id, settlement, *claim, step)?;
                    }
                }
            }
            (Request::Adopt { ids, .. }, Reply::Claims(claims)) => {
                numbers.extend(claims.iter().map(|claim| self.lives.get(&claim.id).map_or(0, |life| life.claim)));
                if claims.len() != ids.len() && claims.iter().any(|claim| !ids.contains(&claim.id)) {
                    return Err(format!("{claims:?} were adopted, asked for were {ids:?}"));
                }
            }
            (Request::Cancel { id }, Reply::Cancelled(Cancelled::Cancelled | Cancelled::Asked)) => {
                if let Some(life) = self.lives.get_mut(id) {
                    life.cancelled = true;
                }
            }
            _ => {}
        }
        self.compare(step)?;
        Ok(numbers)
    }

    fn enqueue(&mut self, id: &JobId, call: u32, step: &Step) -> Result<(), String> {
        let known = step.before.status(id) != Status::Unknown;
        let life = self.lives.get(id);
        if known || life.is_some_and(|life| life.call >= call) {
            return Err(format!("twice: job {id} was enqueued anew by call {call}, {life:?}"));
        }
        self.enqueued += 1;
        self.lives.insert(id.clone(), Life { call, ..Life::default() });
        Ok(())
    }

    fn claim(&mut self, claim: &Claim, serial: &mut u64) -> Result<u64, String> {
        let id = &claim.id;
        let life = self.lives.get_mut(id).ok_or_else(|| format!("lost: job {id} is claimed and was never there"))?;
        if life.cancelled {
            return Err(format!("cancel: job {id} is claimed after its cancel was acknowledged"));
        }
        if life.ended_ms.is_some() {
            return Err(format!("twice: job {id} is claimed after it ended"));
        }
        *serial += 1;
        life.claim = *serial;
        Ok(*serial)
    }

    fn settle(&mut self, id: &JobId, settlement: &Settlement, claim: u64, step: &Step) -> Result<(), String> {
        let life = self.lives.get_mut(id).ok_or_else(|| format!("lost: job {id} is settled and was never there"))?;
        if life.claim != claim {
            return Err(format!("stale: an outcome of claim {claim} of job {id} settled claim {}", life.claim));
        }
        match settlement {
            Settlement::Finish { record, .. } if record == COMPLETED => {
                life.completed += 1;
                if life.completed > 1 {
                    return Err(format!("twice: job {id} completed twice"));
                }
            }
            Settlement::Retry { delay, .. } if !delay.is_zero() && step.after.jobs.contains_key(id) => {
                is_due_in(id, *delay, step)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What came and went between the two looks, and whether it may.
    fn compare(&mut self, step: &Step) -> Result<(), String> {
        let (before, after) = (step.before, step.after);
        for id in before.jobs.keys().filter(|id| !after.jobs.contains_key(*id)) {
            let was_dead = before.dead.contains_key(id);
            if !step.request.may_end(id, before) {
                return Err(format!("lost: job {id} is gone after {:?}", step.request));
            }
            self.end(id, step.now_ms, was_dead)?;
        }
        for id in after.dead.keys().filter(|id| !before.dead.contains_key(*id)) {
            self.end(id, step.now_ms, false)?;
        }
        for id in after.jobs.keys().filter(|id| !before.jobs.contains_key(*id)) {
            if !matches!(step.request, Request::Enqueue { jobs, .. } if jobs.iter().any(|job| job.id == *id)) {
                return Err(format!("job {id} came out of nowhere after {:?}", step.request));
            }
        }
        for (id, score) in before.scheduled.iter().filter(|(id, _)| !after.scheduled.contains_key(*id)) {
            if after.jobs.contains_key(id) && score / 10 > step.now_ms {
                return Err(format!("due: job {id} became ready {} ms too early", score / 10 - step.now_ms));
            }
        }
        for id in before.finished.keys().filter(|id| !after.finished.contains_key(*id)) {
            self.may_be_forgotten(id, step)?;
        }
        Ok(())
    }

    fn end(&mut self, id: &JobId, now_ms: i64, was_dead: bool) -> Result<(), String> {
        let life = self.lives.get_mut(id).ok_or_else(|| format!("job {id} ended and was never there"))?;
        match (was_dead, life.ended_ms) {
            (true, Some(died_ms)) if now_ms - died_ms < FLOOR.as_millis() as i64 => {
                Err(format!("floor: the dead job {id} was forgotten {} ms after its death", now_ms - died_ms))
            }
            (true, _) => {
                self.forgotten_dead += 1;
                Ok(())
            }
            (false, Some(_)) => Err(format!("twice: job {id} ended twice")),
            (false, None) => {
                life.ended_ms = Some(now_ms);
                self.ends += 1;
                Ok(())
            }
        }
    }

    fn may_be_forgotten(&self, id: &JobId, step: &Step) -> Result<(), String> {
        let ended_ms = self.lives.get(id).and_then(|life| life.ended_ms).unwrap_or(i64::MAX);
        if step.now_ms - ended_ms < FLOOR.as_millis() as i64 {
            return Err(format!("floor: the end of job {id} was forgotten too soon, after {:?}", step.request));
        }
        Ok(())
    }

    /// The numbers must add up: what was enqueued has ended or is there.
    pub(crate) fn fault(&self, view: &View) -> Option<String> {
        let open = (view.jobs.len() - view.dead.len()) as u64;
        (self.enqueued != self.ends + open)
            .then(|| format!("{} jobs were enqueued, {} ended, {open} are open", self.enqueued, self.ends))
    }

    /// The claim that holds a job now.
    pub(crate) fn claim_of(&self, id: &JobId) -> u64 {
        self.lives.get(id).map_or(0, |life| life.claim)
    }
}

/// A job must become ready this long from now.
fn is_due_in(id: &JobId, delay: Duration, step: &Step) -> Result<(), String> {
    let due_ms = step.now_ms + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    let stands = step.after.scheduled.get(id).map(|score| score / 10);
    (stands == Some(due_ms)).then_some(()).ok_or_else(|| format!("due: job {id} is due at {stands:?}, not at {due_ms}"))
}
