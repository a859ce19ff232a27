//! What a worker does with a queue: begin, turn, heartbeat, adopt, leave.

use std::collections::BTreeSet;
use std::time::Duration;

use super::producer::ms;
use super::queue::{Again, Queue};
use crate::broker::bounds::check_turn;
use crate::broker::{Claim, Heartbeat, Incarnation, MAX_RECOVER, MAX_WORKERS, Turn, TurnAnswer, TurnDone};
use crate::error::{Error, over};
use crate::job::{JobId, Settlement};

/// Most names of parked tasks in one answer.
const MAX_PARKED_TASKS: usize = 16;
/// How late the holder of the timer may be before another one is told to wake.
const TIMER_GRACE_MS: i64 = 1_000;

impl Queue {
    pub(super) fn begin(&mut self, incarnation: &Incarnation, lease: Duration, now: i64) -> Result<(), Error> {
        if self.workers.contains_key(incarnation) {
            return Ok(());
        }
        if self.workers.len() >= MAX_WORKERS {
            let actual = format!("{} incarnations", self.workers.len() + 1);
            return Err(over("one queue", actual, MAX_WORKERS, "run fewer, larger workers"));
        }
        self.used = true;
        self.workers.insert(incarnation.clone(), now.saturating_add(ms(lease)));
        self.steps.insert(incarnation.clone(), 0);
        Ok(())
    }

    /// The steps are numbered as in the rules: their order is what keeps a late turn harmless.
    pub(super) fn turn(&mut self, turn: &Turn, now: i64) -> Result<TurnAnswer, Error> {
        check_turn(turn)?;
        let me = &turn.incarnation;
        let Some(last) = self.steps.get(me).copied() else {
            return Ok(TurnAnswer::LeaseLost);
        };
        if turn.step != last + 1 {
            return Ok(TurnAnswer::OutOfStep { last, running: self.running_of(me) });
        }
        // 3: only now is it certain that this turn is carried out.
        self.steps.insert(me.clone(), turn.step);
        self.workers.insert(me.clone(), now.saturating_add(ms(turn.lease)));
        self.retention = turn.retention;
        // 4: before the claim, or an outcome of an earlier claim would settle the new one.
        let running = self.running.get(me);
        let held = |id: &JobId| running.is_some_and(|running| running.contains(id));
        let mask: Vec<bool> = turn.settlements.iter().map(|(id, _)| held(id)).collect();
        // 5 to 7.
        self.promote(100.min(2 * turn.want + 16), now);
        let claimed = self.claim(turn, now);
        for ((id, settlement), _) in turn.settlements.iter().zip(mask).filter(|(_, held)| *held) {
            self.settle(me, id, settlement, now);
        }
        // 8.
        let ready = !self.paused && self.has_ready();
        if ready && claimed.full && self.tokens() == 0 {
            self.push_tokens(1);
        }
        let few = !self.paused && !self.few.is_empty() && claimed.few < turn.few_room;
        Ok(TurnAnswer::Done(TurnDone {
            claims: claimed.claims,
            more: ready || few,
            asked: self.asked_of(me),
            next_due: self.hold_timer(me, now),
            parked: self.parked_tasks.keys().take(MAX_PARKED_TASKS).cloned().collect(),
            paused: self.paused,
            alone: !self.alone.is_empty(),
        }))
    }

    /// Ends one claim as its worker says.
    fn settle(&mut self, me: &Incarnation, id: &JobId, settlement: &Settlement, now: i64) {
        if !self.running.get_mut(me).is_some_and(|running| running.remove(id)) {
            return;
        }
        match settlement {
            Settlement::Finish { record, keep } => self.finish(id, record.clone(), *keep, now),
            Settlement::Dead { state } => {
                self.states.insert(id.clone(), state.clone());
                self.bury(id, now);
            }
            Settlement::Retry { state, delay, priority } => {
                self.states.insert(id.clone(), state.clone());
                let again = match ms(*delay) {
                    0 => Again::Back(*priority),
                    delay => Again::Scheduled(now.saturating_add(delay), *priority),
                };
                self.requeue(id, again, now);
            }
            Settlement::Release { priority } => self.requeue(id, Again::Front(*priority), now),
            Settlement::Park { task, priority, state } => {
                self.states.insert(id.clone(), state.clone());
                self.requeue(id, Again::Parked(task.clone(), *priority), now);
            }
        }
    }

    /// In how long the next job is due, when `me` is the one who wakes for it: one holder instead
    /// of a herd, and another one when that holder is late.
    fn hold_timer(&mut self, me: &Incarnation, now: i64) -> Option<Duration> {
        let due = self.next_due()?;
        let taken = self
            .timer
            .as_ref()
            .is_some_and(|(held, holder)| *held == due && holder != me && now < due.saturating_add(TIMER_GRACE_MS));
        if taken {
            return None;
        }
        self.timer = Some((due, me.clone()));
        Some(Duration::from_millis(u64::try_from(due - now).unwrap_or(0)))
    }

    pub(super) fn heartbeat(&mut self, incarnation: &Incarnation, lease: Duration, now: i64) -> Heartbeat {
        let Some(step) = self.steps.get(incarnation).copied() else {
            return Heartbeat::LeaseLost;
        };
        // Also when that is earlier: a clock set back must still be seen to change the lease.
        self.workers.insert(incarnation.clone(), now.saturating_add(ms(lease)));
        Heartbeat::Alive { step, asked: self.asked_of(incarnation) }
    }

    pub(super) fn adopt(&mut self, incarnation: &Incarnation, ids: &[JobId], now: i64) -> Vec<Claim> {
        if !self.steps.contains_key(incarnation) {
            return Vec::new();
        }
        let held = |id: &&JobId| self.running.get(incarnation).is_some_and(|running| running.contains(*id));
        let ids: BTreeSet<JobId> = ids.iter().filter(held).cloned().collect();
        self.lend(ids.into_iter().collect(), now)
    }

    pub(super) fn leave(&mut self, incarnation: &Incarnation, jobs: &[(JobId, u8)], now: i64) -> bool {
        if !self.steps.contains_key(incarnation) {
            return true;
        }
        for (id, priority) in jobs.iter().take(MAX_RECOVER) {
            self.settle(incarnation, id, &Settlement::Release { priority: *priority }, now);
        }
        let empty = self.running_of(incarnation).is_empty();
        if empty {
            self.running.remove(incarnation);
            self.workers.remove(incarnation);
            self.steps.remove(incarnation);
        }
        empty
    }

    fn running_of(&self, incarnation: &Incarnation) -> Vec<JobId> {
        self.running.get(incarnation).into_iter().flatten().cloned().collect()
    }

    fn asked_of(&self, incarnation: &Incarnation) -> Vec<JobId> {
        let running = self.running.get(incarnation).into_iter().flatten();
        running.filter(|id| self.asked.contains(*id)).cloned().collect()
    }
}
