//! How long the ends of jobs are remembered, and the sweep that forgets the rest.

use std::time::Duration;

use super::producer::ms;
use super::queue::Queue;
use crate::broker::{FLOOR, MAX_KEPT, MAX_RECOVER, Retention};
use crate::job::JobId;

impl Queue {
    /// Ends a job: the record takes the place of the envelope, unless records without a result are
    /// not kept at all. Without retention they are, for only workers know what is to be kept.
    pub(super) fn finish(
        &mut self,
        id: &JobId,
        record: Vec<u8>,
        keep: Option<Duration>,
        retention: Option<&Retention>,
        now: i64,
    ) {
        let forgets = keep.is_none() && retention.is_some_and(|retention| retention.finished == 0);
        match keep {
            Some(keep) => self.kept.insert(id.clone(), now.saturating_add(ms(keep.max(FLOOR)))),
            None if forgets => self.forgotten = Some(now),
            None => self.done.push_back((now, id.clone())),
        }
        if !forgets {
            self.finished.insert(id.clone(), record);
        }
        self.jobs.remove(id);
        self.states.remove(id);
        self.tell(id);
    }

    /// Forgets at most `limit` records of each kind: those beyond their number, but none younger than
    /// the floor unless the hard cap forces it, and those whose time has passed.
    pub(super) fn trim(&mut self, retention: &Retention, limit: usize, now: i64) {
        let most = retention.finished.min(MAX_KEPT);
        let aged = now - ms(retention.age.max(FLOOR));
        for _ in 0..limit {
            let total = self.done.len();
            let Some((ended, id)) = self.done.front() else { break };
            if !may_go(*ended, total, most, aged, now) {
                break;
            }
            self.finished.remove(id);
            self.done.pop_front();
            self.note_cap(total, now);
        }
        for _ in 0..limit {
            let total = self.kept.len();
            let Some((until, id)) = self.kept.first() else { break };
            if until > now && total <= MAX_KEPT {
                break;
            }
            let id = id.clone();
            self.note_cap(total, now);
            self.kept.remove(&id);
            self.finished.remove(&id);
        }
    }

    /// Forgets at most `limit` dead jobs, by the same rule.
    pub(super) fn trim_dead(&mut self, retention: &Retention, limit: usize, now: i64) {
        let aged = now - ms(retention.dead_age.max(FLOOR));
        for _ in 0..limit {
            let total = self.dead.len();
            let Some((died, id)) = self.dead.first() else { break };
            if !may_go(died, total, retention.dead, aged, now) {
                break;
            }
            let id = id.clone();
            self.note_cap(total, now);
            self.dead.remove(&id);
            self.jobs.remove(&id);
            self.states.remove(&id);
        }
    }

    /// Beyond the hard cap even young ends are forgotten, and that is written down: a repeated
    /// enqueue can then no longer be told from a new one.
    fn note_cap(&mut self, total: usize, now: i64) {
        if total > MAX_KEPT {
            self.forgotten = Some(now);
        }
    }

    pub(super) fn sweep(&mut self, retention: &Retention, unknown_grace: Duration, now: i64) {
        self.trim(retention, MAX_RECOVER, now);
        self.trim_dead(retention, MAX_RECOVER, now);
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
    }
}

/// Whether the oldest of `total` ends is to be forgotten: it ended at `aged` or before, or there are
/// more than `most` and it is past the floor or beyond the hard cap.
fn may_go(ended: i64, total: usize, most: usize, aged: i64, now: i64) -> bool {
    ended <= aged || (total > most && (total > MAX_KEPT || ended <= now - ms(FLOOR)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Due, Enqueued, NewJob};

    #[test]
    fn the_hard_cap_forgets_young_ends_and_says_so() {
        let mut queue = Queue::default();
        let retention = Retention { finished: MAX_KEPT * 2, ..Retention::default() };
        let id = |n: usize| JobId::new(format!("{n}")).unwrap();
        for n in 0..=MAX_KEPT {
            queue.finish(&id(n), Vec::new(), None, Some(&retention), 100_000);
        }
        queue.trim(&retention, MAX_RECOVER, 100_000);
        assert_eq!(queue.finished.len(), MAX_KEPT);
        let job = NewJob { id: id(0), priority: 5, due: Due::Now, envelope: Vec::new() };
        let again = queue.enqueue(&[job], Some(Duration::from_secs(1)), 100_000).unwrap();
        assert_eq!(again, [Enqueued::Unknown]);
    }
}
