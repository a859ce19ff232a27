//! What a worker does with a queue: begin, turn, heartbeat, adopt, leave.

use std::collections::BTreeSet;
use std::time::Duration;

use super::producer::ms;
use super::queue::{Again, Queue};
use crate::broker::bounds::{check_turn, too_many_workers};
use crate::broker::{
    Claim, Heartbeat, Incarnation, MAX_PROMOTE, MAX_RECOVER, MAX_WORKERS, Retention, Turn, TurnAnswer, TurnDone,
};
use crate::error::Error;
use crate::job::{JobId, PutBack, Settlement};

/// Most names of parked tasks in one answer.
const MAX_PARKED_TASKS: usize = 16;
/// How late the holder of the timer may be before another one is told to wake.
const TIMER_GRACE_MS: i64 = 1_000;

impl Queue {
    pub(super) fn begin(&mut self, incarnation: &Incarnation, lease: Duration, now: i64) -> Result<u64, Error> {
        if self.workers.contains_key(incarnation) {
            return Ok(self.steps.get(incarnation).copied().unwrap_or(0));
        }
        if self.workers.len() >= MAX_WORKERS {
            return Err(too_many_workers(self.workers.len()));
        }
        self.used = true;
        self.workers.insert(incarnation.clone(), now.saturating_add(ms(lease)));
        self.steps.insert(incarnation.clone(), self.first_step);
        Ok(self.first_step)
    }

    /// It makes no turn any more. Whoever begins from now on, also the same one by a begin that arrives late, has
    /// numbers beyond any that it can have sent: the last one that was carried out, one that is under way, and one
    /// more, by which its worker tells that this is not its registration.
    pub(super) fn end_steps(&mut self, incarnation: &Incarnation) {
        if let Some(last) = self.steps.remove(incarnation) {
            self.first_step = self.first_step.max(last + 2);
        }
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
        // 4: before the claim, or an outcome of an earlier claim would settle the new one.
        let running = self.running.get(me);
        let held = |id: &JobId| running.is_some_and(|running| running.contains(id));
        let mask: Vec<bool> = turn.settlements.iter().map(|(id, _)| held(id)).collect();
        // 5 to 7.
        let promoted = self.promote(MAX_PROMOTE.min(2 * turn.want + 16), now);
        let claimed = self.claim(turn, now);
        let keep = Some(&turn.retention);
        let mut requeued = 0;
        let (mut ended, mut buried) = (0, 0);
        for ((id, settlement), _) in turn.settlements.iter().zip(mask).filter(|(_, held)| *held) {
            requeued += usize::from(self.settle(me, id, settlement, keep, now));
            ended += usize::from(!self.jobs.contains_key(id));
            buried += usize::from(matches!(settlement, Settlement::Dead { .. }));
        }
        // In proportion to what is added, and by the turns that add something.
        if ended > 0 {
            self.trim(&turn.retention, ended + 16, now);
        }
        if buried > 0 {
            self.trim_dead(&turn.retention, buried + 16, now);
        }
        // 8.
        let left = !self.paused && self.has_ready();
        if left && promoted + requeued > 0 {
            // This turn may have claimed some of them itself.
            self.push_tokens(self.ready_len().min(promoted + requeued));
        } else if left && claimed.full && self.tokens() == 0 {
            self.push_tokens(1);
        }
        let few = !self.few.is_empty() && claimed.few < turn.few_room;
        let alone = !self.alone.is_empty() && turn.empty && claimed.claims.is_empty();
        Ok(TurnAnswer::Done(TurnDone {
            claims: claimed.claims,
            more: left || !self.paused && (few || alone),
            asked: self.asked_of(me),
            next_due: self.hold_timer(me, now),
            parked: self.parked_tasks.keys().take(MAX_PARKED_TASKS).cloned().collect(),
            paused: self.paused,
            alone: !self.paused && !self.alone.is_empty(),
        }))
    }

    /// Ends one claim as its worker says; answers whether the job can be claimed again.
    fn settle(
        &mut self,
        me: &Incarnation,
        id: &JobId,
        settlement: &Settlement,
        retention: Option<&Retention>,
        now: i64,
    ) -> bool {
        if !self.running.get_mut(me).is_some_and(|running| running.remove(id)) {
            return false;
        }
        match settlement {
            Settlement::Finish { record, keep } => {
                self.finish(id, record.clone(), *keep, retention, now);
                false
            }
            Settlement::Dead { state } => {
                self.states.insert(id.clone(), state.clone());
                self.bury(id, now);
                false
            }
            Settlement::Retry { state, delay, priority } => {
                self.states.insert(id.clone(), state.clone());
                let again = match ms(*delay) {
                    0 => Again::Back(*priority),
                    delay => Again::Scheduled(now.saturating_add(delay), *priority),
                };
                self.requeue(id, again, retention, now)
            }
            Settlement::Release { to } => self.requeue(id, Again::PutBack(*to), retention, now),
            Settlement::Park { task, priority, state } => {
                self.states.insert(id.clone(), state.clone());
                self.requeue(id, Again::Parked(task.clone(), *priority), retention, now)
            }
        }
    }

    /// In how long the next job is due, when `me` is the one who wakes for it: one holder instead
    /// of a herd. Another takes the timer for an earlier job, when the holder is late or has no
    /// lease any more, and when the held time has passed and its job is gone.
    fn hold_timer(&mut self, me: &Incarnation, now: i64) -> Option<Duration> {
        let Some(due) = self.next_due() else {
            // The holder is not told any more, and must not keep others from the next job that comes.
            self.timer = None;
            return None;
        };
        let taken = self.timer.as_ref().is_some_and(|(held, holder)| {
            let grace = if due > *held { 0 } else { TIMER_GRACE_MS };
            let lives = self.workers.get(holder).is_some_and(|ends_ms| *ends_ms > now);
            holder != me && due >= *held && now <= held.saturating_add(grace) && lives
        });
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

    pub(super) fn leave(&mut self, incarnation: &Incarnation, jobs: &[(JobId, PutBack)], now: i64) -> bool {
        if !self.steps.contains_key(incarnation) {
            return true;
        }
        let mut tokens = 0;
        for (id, to) in jobs.iter().take(MAX_RECOVER) {
            let released = Settlement::Release { to: *to };
            tokens += usize::from(self.settle(incarnation, id, &released, None, now));
        }
        let empty = self.running_of(incarnation).is_empty();
        if empty {
            self.running.remove(incarnation);
            self.workers.remove(incarnation);
            self.end_steps(incarnation);
            // It may have popped a token that nobody will act on now.
            tokens += 1;
        }
        self.push_tokens(tokens);
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
