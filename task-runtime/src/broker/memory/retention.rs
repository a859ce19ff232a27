//! How long the ends of jobs are remembered, and the sweep that forgets the rest.

use std::time::Duration;

use super::producer::ms;
use super::queue::Queue;
use crate::broker::{FLOOR, MAX_KEPT, MAX_RECOVER, Retention};
use crate::job::JobId;

impl Queue {
    /// Keeps the end record of a job, unless records without a result are not kept at all.
    pub(super) fn keep(&mut self, id: &JobId, record: Vec<u8>, keep: Option<Duration>, now: i64) {
        match keep {
            Some(keep) => self.kept.insert(id.clone(), now.saturating_add(ms(keep.max(FLOOR)))),
            None if self.retention.finished == 0 => {
                self.forgotten = Some(now);
                return;
            }
            None => self.done.insert(id.clone(), now),
        }
        self.finished.insert(id.clone(), record);
    }

    /// Forgets a bounded part of what need not be kept, in proportion to what `ended` adds.
    pub(super) fn trim(&mut self, ended: usize, now: i64) {
        for _ in 0..2 * ended + 16 {
            if !self.forget_one(now) {
                return;
            }
        }
    }

    fn forget_one(&mut self, now: i64) -> bool {
        let floor = now - ms(FLOOR);
        let limits = self.retention;
        let surplus = self.done.len() > limits.finished;
        if let Some(id) = old(self.done.first(), floor, surplus, now - ms(limits.age)) {
            self.done.remove(&id);
            self.finished.remove(&id);
            return true;
        }
        if let Some(id) = self.kept.first().filter(|(until, _)| *until <= now).map(|(_, id)| id) {
            let id = id.clone();
            self.kept.remove(&id);
            self.finished.remove(&id);
            return true;
        }
        let surplus = self.dead.len() > limits.dead;
        if let Some(id) = old(self.dead.first(), floor, surplus, now - ms(limits.dead_age)) {
            self.forget_dead(&id);
            return true;
        }
        self.forget_over_cap(now)
    }

    /// Beyond the hard cap even young ends are forgotten, and that is written down: a repeated
    /// enqueue can then no longer be told from a new one.
    fn forget_over_cap(&mut self, now: i64) -> bool {
        if self.finished.len() > MAX_KEPT {
            let oldest = self.done.first().or_else(|| self.kept.first()).map(|(_, id)| id.clone());
            if let Some(id) = oldest {
                self.done.remove(&id);
                self.kept.remove(&id);
                self.finished.remove(&id);
            }
        } else if self.dead.len() > MAX_KEPT {
            if let Some(id) = self.dead.first().map(|(_, id)| id.clone()) {
                self.forget_dead(&id);
            }
        } else {
            return false;
        }
        self.forgotten = Some(now);
        true
    }

    fn forget_dead(&mut self, id: &JobId) {
        self.dead.remove(id);
        self.jobs.remove(id);
        self.states.remove(id);
    }

    pub(super) fn sweep(&mut self, retention: Retention, unknown_grace: Duration, now: i64) {
        self.retention = retention;
        let seen_before = now - ms(unknown_grace);
        let lost = self.parked_tasks.iter().filter(|(_, seen)| **seen <= seen_before);
        let lost: Vec<String> = lost.map(|(task, _)| task.clone()).collect();
        let mut room = MAX_RECOVER;
        for task in lost {
            let jobs = self.parked_of(&task, room);
            room -= jobs.len();
            for id in jobs {
                self.unpark(&id);
                self.bury(&id, now);
            }
        }
        self.trim(MAX_RECOVER, now);
    }
}

/// The oldest id when it is past `floor`, and one too many or past `age`.
fn old(oldest: Option<(i64, &JobId)>, floor: i64, surplus: bool, age: i64) -> Option<JobId> {
    oldest.filter(|(at, _)| *at <= floor && (surplus || *at <= age)).map(|(_, id)| id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Due, Enqueued, NewJob};

    #[test]
    fn the_hard_cap_forgets_young_ends_and_says_so() {
        let mut queue = Queue::default();
        queue.retention.finished = MAX_KEPT * 2;
        let id = |n: usize| JobId::new(format!("{n}")).unwrap();
        for n in 0..=MAX_KEPT {
            queue.finish(&id(n), Vec::new(), None, 100_000);
        }
        assert_eq!(queue.finished.len(), MAX_KEPT);
        let job = NewJob { id: id(0), priority: 5, due: Due::Now, envelope: Vec::new() };
        let again = queue.enqueue(&[job], Some(Duration::from_secs(1)), 100_000).unwrap();
        assert_eq!(again, [Enqueued::Unknown]);
    }
}
