//! The sixth step of a turn: which jobs go on loan.

use std::collections::VecDeque;

use super::queue::{Mark, Queue};
use crate::broker::{Claim, Turn};
use crate::job::{JobId, MAX_ENVELOPE_BYTES};

/// Entries looked at per wanted job; the rest of a run of cancelled ones is left to the next turn.
const LOOKS: usize = 4;

/// What one turn took.
#[derive(Default)]
pub(super) struct Claimed {
    pub(super) claims: Vec<Claim>,
    /// How many of them had been on board of a crash.
    pub(super) few: usize,
    /// Whether the worker takes no more: whoever leaves ready jobs behind passes the wake on.
    pub(super) full: bool,
}

impl Queue {
    pub(super) fn claim(&mut self, turn: &Turn, now: i64) -> Claimed {
        for task in &turn.take {
            // Also while paused: the task is known here, whether or not it may run now.
            if let Some(seen) = self.parked_tasks.get_mut(task) {
                *seen = now;
            }
        }
        if self.paused {
            return Claimed::default();
        }
        let mut looks = LOOKS * turn.want;
        let mut few = 0;
        let mut ids =
            if turn.empty && turn.want > 0 { self.pop(|queue| &mut queue.alone, 1, &mut looks) } else { Vec::new() };
        let taken_alone = !ids.is_empty();
        if !turn.empty {
            for task in &turn.take {
                let parked = self.parked_of(task, turn.want - ids.len());
                parked.iter().for_each(|id| self.unpark(id));
                ids.extend(parked);
            }
            let room = turn.few_room.min(turn.want - ids.len());
            let taken = self.pop(|queue| &mut queue.few, room, &mut looks);
            few = taken.len();
            ids.extend(taken);
            for priority in turn.order {
                let room = turn.want - ids.len();
                ids.extend(self.pop(|queue| queue.list(priority), room, &mut looks));
            }
        }
        self.running.entry(turn.incarnation.clone()).or_default().extend(ids.iter().cloned());
        let full = taken_alone || ids.len() == turn.want;
        Claimed { claims: self.lend(ids, now), few, full }
    }

    /// Pops at most `room` jobs from one list. An entry whose job has ended is dropped, and its
    /// mark with it.
    fn pop(&mut self, list: impl Fn(&mut Self) -> &mut VecDeque<JobId>, room: usize, looks: &mut usize) -> Vec<JobId> {
        let mut popped = Vec::new();
        while popped.len() < room && *looks > 0 {
            let Some(id) = list(self).pop_front() else { break };
            *looks -= 1;
            if self.jobs.contains_key(&id) {
                popped.push(id);
            } else if matches!(self.marks.get(&id), Some(Mark::Cancelled)) {
                self.marks.remove(&id);
            }
        }
        popped
    }

    /// Claims of `ids` with tokens above every earlier one, also after a move to a copy of the
    /// queue that lags behind.
    pub(super) fn lend(&mut self, ids: Vec<JobId>, now: i64) -> Vec<Claim> {
        let count = ids.len() as u64;
        let micros = u64::try_from(now).unwrap_or(0).saturating_mul(1_000);
        let first = (self.token + 1).max(micros);
        if count > 0 {
            self.token = first + count - 1;
        }
        let claims = (first..).zip(ids).map(|(token, id)| Claim {
            // What is too long to run is lent without.
            envelope: self.jobs.get(&id).filter(|job| job.len() <= MAX_ENVELOPE_BYTES).cloned().unwrap_or_default(),
            state: self.state_of(&id),
            id,
            token,
        });
        claims.collect()
    }
}
