//! What has become of each job so far, told from what was carried out; and what may not follow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use task_runtime::broker::{Cancelled, Claim, Due, Enqueued, FLOOR, Heartbeat, Recovered, Status, Turn, TurnAnswer};
use task_runtime::job::{DEFAULT_MAX_CRASHES, EndRecord, Ended, JobId, Settlement, State};

use crate::request::{LEASE, Reply, Request};
use crate::worker::MAX_ATTEMPTS;
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
    /// Attempts that ended by themselves.
    attempts: u32,
    /// Crashes that are charged to it since, and how often its worker vanished.
    crashes: u32,
    vanished: u32,
}

/// All jobs. A copy of it goes with a replica.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    lives: BTreeMap<JobId, Life>,
    /// Ends: completed, cancelled, dead.
    ends: u64,
    /// That of the last claim.
    token: u64,
    enqueued: u64,
    forgotten_dead: u64,
    /// How many jobs were on board of a worker when it was condemned.
    boards: BTreeMap<String, usize>,
    /// Incarnations that were condemned or left after they had made a turn: one whose begin got no answer may begin
    /// once more.
    gone: BTreeSet<String>,
    /// When each lease was moved on last, by the server's clock.
    renewed: BTreeMap<String, i64>,
    /// An older state came back: a worker may know more attempts of a job than it had then.
    pub(crate) older: bool,
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
            (Request::Turn { turn, claims }, Reply::Turn(TurnAnswer::Done(done))) => {
                if self.gone.contains(turn.incarnation.as_str()) {
                    return Err(format!("stale: {turn:?} is carried out, and its incarnation was ended: {done:?}"));
                }
                self.renewed.insert(turn.incarnation.to_string(), step.now_ms);
                few_or_alone(turn, &done.claims, step.before)?;
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
                claims.iter().try_for_each(|claim| self.is_as_told(claim))?;
                numbers.extend(claims.iter().map(|claim| self.lives.get(&claim.id).map_or(0, |life| life.claim)));
                if claims.len() != ids.len() && claims.iter().any(|claim| !ids.contains(&claim.id)) {
                    return Err(format!("{claims:?} were adopted, asked for were {ids:?}"));
                }
            }
            (Request::Beat { who }, Reply::Beat(Heartbeat::Alive { .. })) => {
                self.renewed.insert(who.to_string(), step.now_ms);
            }
            (Request::Condemn { lease, stale }, Reply::Condemned(Some(condemned))) => {
                let who = lease.incarnation.to_string();
                let lasts_ms = self.renewed.get(&who).map_or(0, |renewed| renewed + LEASE.as_millis() as i64);
                if !stale && lease.ends_ms != 0 && step.now_ms < lasts_ms {
                    return Err(format!("lease: {who} is condemned {} ms before its end", lasts_ms - step.now_ms));
                }
                self.is_gone(&who);
                let on_board = step.before.running.get(&who).map_or(0, BTreeSet::len);
                let counted = *self.boards.entry(who).or_insert(on_board);
                if condemned.on_board != counted {
                    return Err(format!("crash: {counted} jobs were on board, told are {}", condemned.on_board));
                }
                condemned.jobs.iter().try_for_each(|claim| self.is_as_told(claim))?;
            }
            // An older state may have come back in which it lives; then nobody settles for it.
            (Request::SettleFor { who, recovered }, _) if step.before.workers.get(who.as_str()) == Some(&0) => {
                let on_loan = recovered.iter().filter(|one| step.before.runs_on(recovered_id(one), who.as_str()));
                on_loan.clone().try_for_each(|one| self.charge(one, who.as_str()))?;
            }
            (Request::Leave { who, .. }, Reply::Yes(true)) => {
                self.is_gone(who.as_str());
            }
            (Request::Cancel { id }, Reply::Cancelled(Cancelled::Cancelled | Cancelled::Asked)) => {
                if let Some(life) = self.lives.get_mut(id) {
                    life.cancelled = true;
                }
            }
            _ => {}
        }
        // A begin that arrives twice may bring back one that is gone; what was on its board is no more.
        self.boards.retain(|who, _| step.after.workers.contains_key(who));
        self.compare(step)?;
        Ok(numbers)
    }

    fn is_gone(&mut self, who: &str) {
        if self.renewed.contains_key(who) {
            self.gone.insert(who.to_owned());
        }
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
        if claim.token <= self.token {
            return Err(format!("token: job {id} is claimed with {}, the last one had {}", claim.token, self.token));
        }
        self.token = claim.token;
        *serial += 1;
        life.claim = *serial;
        self.is_as_told(claim)?;
        Ok(*serial)
    }

    /// The record beside a job on loan tells the attempts that it had, and the crashes; both leave one more.
    fn is_as_told(&self, claim: &Claim) -> Result<(), String> {
        let Some(life) = self.lives.get(&claim.id) else { return Ok(()) };
        let state = State::decode(claim.state.as_deref());
        let told = (state.attempts, state.crashes);
        if told != (life.attempts, life.crashes) || told.0 >= MAX_ATTEMPTS || told.1 >= DEFAULT_MAX_CRASHES {
            return Err(format!(
                "attempts: job {} is lent with attempts and crashes {told:?}, it is {life:?}",
                claim.id
            ));
        }
        Ok(())
    }

    /// A job is charged for the worker that vanished with it. In company nobody is condemned.
    fn charge(&mut self, recovered: &Recovered, who: &str) -> Result<(), String> {
        let (Recovered::Few { id, state } | Recovered::Alone { id, state } | Recovered::Dead { id, state }) = recovered;
        let company = self.boards.get(who).copied().unwrap_or(usize::MAX);
        let life = self.lives.get_mut(id).ok_or_else(|| format!("lost: job {id} is recovered and was never there"))?;
        let state = State::decode(Some(state));
        life.vanished += 1;
        let dies = matches!(recovered, Recovered::Dead { .. });
        let too_often = state.crashes >= DEFAULT_MAX_CRASHES;
        if state.attempts != life.attempts || state.crashes > life.vanished || dies != too_often || dies && company > 1
        {
            return Err(format!("crash: {company} on board, job {id} is {life:?} and becomes {recovered:?}"));
        }
        life.crashes = state.crashes;
        Ok(())
    }

    /// An attempt ended by itself, and is counted once.
    fn count_attempt(&mut self, id: &JobId, settlement: &Settlement) -> Result<(), String> {
        let (bytes, one) = match settlement {
            Settlement::Retry { state, .. } | Settlement::Dead { state } => (state, 1),
            Settlement::Park { state, .. } => (state, 0),
            Settlement::Finish { record, .. } => {
                let told = EndRecord::decode(record).map_err(|error| error.to_string())?;
                let life = self.lives.get(id).map_or(0, |life| life.attempts);
                let right = told.end == Ended::Cancelled || self.older || told.attempts == life + 1;
                return right
                    .then_some(())
                    .ok_or_else(|| format!("attempts: job {id} had {life}, its end says {told:?}"));
            }
            Settlement::Release { .. } => return Ok(()),
        };
        let state = State::decode(Some(bytes));
        let life = self.lives.get_mut(id).ok_or_else(|| format!("lost: job {id} is settled and was never there"))?;
        let again = !matches!(settlement, Settlement::Dead { .. });
        let counted = self.older || state.attempts == life.attempts + one;
        if !counted || state.crashes > 0 || state.attempts > MAX_ATTEMPTS || again && state.attempts == MAX_ATTEMPTS {
            return Err(format!("attempts: job {id} is {life:?} and becomes {settlement:?}"));
        }
        (life.attempts, life.crashes, life.vanished) = (state.attempts, 0, 0);
        Ok(())
    }

    fn settle(&mut self, id: &JobId, settlement: &Settlement, claim: u64, step: &Step) -> Result<(), String> {
        let life = self.lives.get_mut(id).ok_or_else(|| format!("lost: job {id} is settled and was never there"))?;
        if life.claim != claim {
            return Err(format!("stale: an outcome of claim {claim} of job {id} settled claim {}", life.claim));
        }
        match settlement {
            Settlement::Finish { record, .. }
                if EndRecord::decode(record).is_ok_and(|told| told.end == Ended::Completed) =>
            {
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
        self.count_attempt(id, settlement)
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

fn recovered_id(recovered: &Recovered) -> &JobId {
    let (Recovered::Few { id, .. } | Recovered::Alone { id, .. } | Recovered::Dead { id, .. }) = recovered;
    id
}

/// Of those that were on board of a crash a worker gets no more than it may; a last chance is given to one that
/// runs nothing, and nothing with it.
fn few_or_alone(turn: &Turn, claims: &[Claim], before: &View) -> Result<(), String> {
    let from = |list: &str| {
        let list = before.lists.get(list);
        claims.iter().filter(|claim| list.is_some_and(|list| list.contains(&claim.id))).count()
    };
    let (few, alone) = (from("few"), from("alone"));
    if few > turn.few_room || alone > 0 && (!turn.empty || claims.len() > 1) {
        return Err(format!("crash: {few} of the few and {alone} alone are lent to {turn:?}"));
    }
    Ok(())
}

/// A job must become ready this long from now.
fn is_due_in(id: &JobId, delay: Duration, step: &Step) -> Result<(), String> {
    let due_ms = step.now_ms + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    let stands = step.after.scheduled.get(id).map(|score| score / 10);
    (stands == Some(due_ms)).then_some(()).ok_or_else(|| format!("due: job {id} is due at {stands:?}, not at {due_ms}"))
}
