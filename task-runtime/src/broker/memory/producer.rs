//! What those who send jobs and wait for them ask: enqueue, cancel, status, watch.

use std::time::Duration;

use super::queue::{Mark, Queue};
use crate::broker::bounds::check_enqueue;
use crate::broker::{Cancelled, Due, Enqueued, NewJob, Status, Watched};
use crate::error::Error;
use crate::job::{EndRecord, JobId};

/// Added to the time since the first send, for the two clocks that measure it.
const SLACK_MS: i64 = 1_000;

/// A span of the interface in the unit of the queue.
pub(super) fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Queue {
    pub(super) fn enqueue(
        &mut self,
        jobs: &[NewJob],
        again: Option<Duration>,
        now: i64,
    ) -> Result<Vec<Enqueued>, Error> {
        check_enqueue(jobs)?;
        self.used = true;
        let mut ready = 0;
        let mut earliest = false;
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let known = self.known(&job.id, again, now);
            answers.push(known.unwrap_or(Enqueued::New));
            if known.is_some() {
                continue;
            }
            match due_ms(job.due, now) {
                Some(due_ms) => {
                    earliest |= self.schedule(job.id.clone(), due_ms, job.priority);
                }
                None => {
                    self.list(job.priority).push_back(job.id.clone());
                    ready += 1;
                }
            }
            self.jobs.insert(job.id.clone(), job.envelope.clone());
        }
        self.push_tokens(ready + usize::from(earliest));
        Ok(answers)
    }

    /// What is known of an id that is to be enqueued; nothing when it is new.
    fn known(&self, id: &JobId, again: Option<Duration>, now: i64) -> Option<Enqueued> {
        if self.finished.contains_key(id) || matches!(self.marks.get(id), Some(Mark::Cancelled)) {
            return Some(Enqueued::Ended);
        }
        if self.jobs.contains_key(id) {
            return Some(Enqueued::Existing);
        }
        let first_send = now.saturating_sub(ms(again?)) - SLACK_MS;
        self.forgotten.filter(|at| *at > first_send).map(|_| Enqueued::Unknown)
    }

    pub(super) fn cancel(&mut self, id: &JobId, now: i64) -> Cancelled {
        if self.finished.contains_key(id) {
            return Cancelled::Ended;
        }
        if matches!(self.marks.get(id), Some(Mark::Cancelled)) {
            return Cancelled::Cancelled;
        }
        if !self.jobs.contains_key(id) {
            return Cancelled::NotFound;
        }
        if self.dead.get(id).is_some() {
            return Cancelled::Dead;
        }
        if self.is_running(id) {
            self.asked.insert(id.clone());
            return Cancelled::Asked;
        }
        if self.marks.contains_key(id) {
            self.unpark(id);
        } else if !self.scheduled.remove(id) {
            // Taking it out of its list would be a walk along the list; it is dropped when popped.
            self.marks.insert(id.clone(), Mark::Cancelled);
        }
        self.finish(id, EndRecord::CANCELLED.to_vec(), None, None, now);
        Cancelled::Cancelled
    }

    pub(super) fn status(&self, id: &JobId) -> Status {
        let state = || self.state_of(id);
        if let Some(record) = self.end_of(id) {
            return Status::Ended { record };
        }
        if self.marks.contains_key(id) {
            return Status::Parked { state: state() };
        }
        if let Some(score) = self.scheduled.get(id) {
            return Status::Scheduled { due_ms: score / 10, state: state() };
        }
        if self.dead.get(id).is_some() {
            return Status::Dead { state: state() };
        }
        match self.jobs.contains_key(id) {
            _ if self.is_running(id) => Status::Running,
            true => Status::Ready,
            false => Status::Unknown,
        }
    }

    pub(super) fn watch(&mut self, id: &JobId) -> Watched {
        if let Some(record) = self.end_of(id) {
            return Watched::Ended { record };
        }
        if self.dead.get(id).is_some() {
            return Watched::Dead { state: self.state_of(id) };
        }
        if !self.jobs.contains_key(id) {
            return Watched::Unknown;
        }
        self.watched.insert(id.clone());
        Watched::Waiting
    }

    /// The end record; a mark outlives the record and tells the same.
    fn end_of(&self, id: &JobId) -> Option<Vec<u8>> {
        self.finished.get(id).cloned().or_else(|| match self.marks.get(id) {
            Some(Mark::Cancelled) => Some(EndRecord::CANCELLED.to_vec()),
            _ => None,
        })
    }
}

/// When a job becomes ready, if that is not now.
fn due_ms(due: Due, now: i64) -> Option<i64> {
    let at = match due {
        Due::Now => now,
        Due::After(delay) => now.saturating_add(ms(delay)),
        Due::At(at) => at,
    };
    (at > now).then_some(at)
}
