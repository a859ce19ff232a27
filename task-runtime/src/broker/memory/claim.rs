//! The sixth step of a turn: which jobs go on loan.

use std::collections::VecDeque;

use super::queue::{Mark, Queue};
use crate::broker::{Claim, MAX_TURN_BYTES, Turn};
use crate::job::{JobId, MAX_ENVELOPE_BYTES};

/// Entries looked at per wanted job; the rest of a run of cancelled ones is left to the next turn.
const LOOKS: usize = 4;
/// Most jobs that are taken of one task that was parked.
const CHUNK: usize = 32;

/// How much one turn may still do.
struct Room {
    /// Entries that it may look at.
    looks: usize,
    /// What the envelopes that it lends have.
    bytes: usize,
}

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
        let mut room = Room { looks: LOOKS * turn.want, bytes: 0 };
        let mut few = 0;
        let mut ids = Vec::new();
        if turn.empty && turn.want > 0 {
            self.pop(|queue| &mut queue.alone, 1, &mut room, &mut ids);
        }
        let taken_alone = !ids.is_empty();
        if !turn.empty {
            for task in &turn.take {
                self.take_parked(task, (turn.want - ids.len()).min(CHUNK), &mut room, &mut ids);
            }
            let before = ids.len();
            self.pop(|queue| &mut queue.few, turn.few_room.min(turn.want - before), &mut room, &mut ids);
            few = ids.len() - before;
            for priority in turn.order {
                let most = turn.want - ids.len();
                self.pop(|queue| queue.list(priority), most, &mut room, &mut ids);
            }
        }
        self.running.entry(turn.incarnation.clone()).or_default().extend(ids.iter().cloned());
        let full = taken_alone || ids.len() == turn.want;
        Claimed { claims: self.lend(ids, now), few, full }
    }

    fn take_parked(&mut self, task: &str, most: usize, room: &mut Room, ids: &mut Vec<JobId>) {
        for id in self.parked_of(task, most) {
            if !self.fits(&id, room, ids.is_empty()) {
                return;
            }
            room.looks = room.looks.saturating_sub(1);
            self.unpark(&id);
            ids.push(id);
        }
    }

    /// Pops at most `most` jobs from one list, as many as the answer may carry. An entry whose job has
    /// ended is dropped, and its mark with it.
    fn pop(
        &mut self,
        list: impl Fn(&mut Self) -> &mut VecDeque<JobId>,
        most: usize,
        room: &mut Room,
        ids: &mut Vec<JobId>,
    ) {
        let target = ids.len() + most;
        while ids.len() < target && room.looks > 0 {
            let Some(id) = list(self).front().cloned() else { return };
            if self.jobs.contains_key(&id) {
                if !self.fits(&id, room, ids.is_empty()) {
                    return;
                }
                ids.push(id);
            } else if matches!(self.marks.get(&id), Some(Mark::Cancelled)) {
                self.marks.remove(&id);
            }
            list(self).pop_front();
            room.looks -= 1;
        }
    }

    /// Whether the answer may carry the job too. The first one it carries in any case; after one that
    /// did not fit, none.
    fn fits(&self, id: &JobId, room: &mut Room, first: bool) -> bool {
        let bytes = self.jobs.get(id).map(Vec::len).filter(|bytes| *bytes <= MAX_ENVELOPE_BYTES).unwrap_or(0);
        let fits = first || room.bytes < MAX_TURN_BYTES && room.bytes + bytes <= MAX_TURN_BYTES;
        room.bytes = if fits { room.bytes + bytes } else { MAX_TURN_BYTES };
        fits
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
