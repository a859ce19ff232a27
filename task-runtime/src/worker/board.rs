//! What one incarnation has on loan, and what it has yet to tell the broker of it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use foldhash::fast::RandomState;
use tokio::task::AbortHandle;

use crate::broker::MAX_TURN;
use crate::handler::Stop;
use crate::job::{JobId, PutBack, Settlement};

use super::place::Late;

/// Most bytes of the settlements of one turn (1 MiB), unless one alone has more.
const MAX_TURN_BYTES: usize = 1024 * 1024;

/// A job on loan. Each id is here once; a later claim of it takes the place of the earlier one.
pub(super) struct OnLoan {
    /// The number of the claim within this process: an end of another claim of the same job is
    /// not an end of this one.
    pub(super) number: u64,
    /// Where it is put when it is given back.
    pub(super) back: PutBack,
    pub(super) stop: Stop,
    /// Its task, when it has one under way.
    pub(super) attempt: Option<AbortHandle>,
    /// When it counts as stuck.
    pub(super) late: Option<Late>,
}

/// The claims of one incarnation. Dropping it stops them.
#[derive(Default)]
pub(super) struct Board {
    /// Every job on loan, also one that has ended until the broker has been told.
    on_loan: HashMap<JobId, OnLoan, RandomState>,
    /// What is to be told; each of these is on loan.
    unsent: VecDeque<(JobId, Settlement)>,
}

impl Board {
    /// Adds a claim.
    pub(super) fn add(&mut self, id: JobId, job: OnLoan) {
        self.forget(&id);
        self.on_loan.insert(id, job);
    }

    /// Gives back a claim that is not to run.
    pub(super) fn refuse(&mut self, id: JobId, back: PutBack) {
        self.add(id.clone(), OnLoan { number: 0, back, stop: Stop::default(), attempt: None, late: None });
        self.unsent.push_back((id, Settlement::Release { to: back }));
    }

    /// Takes down how a claim ended, unless it is no longer on loan.
    pub(super) fn end(&mut self, id: JobId, number: u64, settlement: Settlement) {
        if let Some(job) = self.on_loan.get_mut(&id).filter(|job| job.number == number) {
            job.attempt = None;
            job.late = None;
            self.unsent.push_back((id, settlement));
        }
    }

    /// Takes what one turn can tell.
    pub(super) fn take_unsent(&mut self) -> Vec<(JobId, Settlement)> {
        let (mut bytes, mut count) = (0, 0);
        for (_, settlement) in self.unsent.iter().take(MAX_TURN) {
            bytes += size(settlement);
            if bytes > MAX_TURN_BYTES && count > 0 {
                break;
            }
            count += 1;
        }
        self.unsent.drain(..count).collect()
    }

    /// Puts back what a turn may not have told.
    pub(super) fn put_back(&mut self, settlements: Vec<(JobId, Settlement)>) {
        for (id, settlement) in settlements.into_iter().rev() {
            if self.on_loan.contains_key(&id) {
                self.unsent.push_front((id, settlement));
            }
        }
    }

    /// Forgets what the broker has been told of.
    pub(super) fn told(&mut self, settlements: &[(JobId, Settlement)]) {
        for (id, _) in settlements {
            self.on_loan.remove(id);
        }
    }

    /// Asks a job to stop.
    pub(super) fn ask(&self, id: &JobId) {
        if let Some(job) = self.on_loan.get(id) {
            job.stop.ask();
        }
    }

    /// Tells every job that the worker stops.
    pub(super) fn stop_all(&self) {
        self.on_loan.values().for_each(|job| job.stop.worker_stops());
    }

    /// Keeps only what the broker says is `running`; answers what of that is not known here.
    pub(super) fn reconcile(&mut self, running: Vec<JobId>) -> Vec<JobId> {
        let running: HashSet<JobId> = running.into_iter().collect();
        let gone: Vec<_> = self.on_loan.keys().filter(|id| !running.contains(*id)).cloned().collect();
        gone.iter().for_each(|id| self.forget(id));
        running.into_iter().filter(|id| !self.on_loan.contains_key(id)).collect()
    }

    /// Stops what still runs.
    pub(super) fn stop_now(&self) {
        self.on_loan.values().for_each(OnLoan::end);
    }

    /// Tells of those that are stuck.
    pub(super) fn tell_late(&mut self, now: Instant) {
        for job in self.on_loan.values_mut() {
            if let Some(late) = job.late.take_if(|late| late.by <= now) {
                late.tell();
            }
        }
    }

    /// Whether an attempt has not ended yet, stopped or not.
    pub(super) fn is_running(&self) -> bool {
        self.on_loan.values().any(|job| job.attempt.as_ref().is_some_and(|attempt| !attempt.is_finished()))
    }

    /// Takes all that has not ended, to be given back.
    pub(super) fn give_up(&mut self) -> Vec<(JobId, PutBack)> {
        let unsent: HashSet<_> = self.unsent.iter().map(|(id, _)| id).collect();
        let left: Vec<_> = self
            .on_loan
            .iter()
            .filter(|(id, _)| !unsent.contains(id))
            .map(|(id, job)| (id.clone(), job.back))
            .collect();
        left.iter().for_each(|(id, _)| self.forget(id));
        left
    }

    fn forget(&mut self, id: &JobId) {
        if let Some(job) = self.on_loan.remove(id) {
            job.end();
            self.unsent.retain(|(other, _)| other != id);
        }
    }

    /// Whether nothing is on loan.
    pub(super) fn is_empty(&self) -> bool {
        self.on_loan.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.on_loan.len()
    }

    /// How many ends are to be told.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Whether there is anything to tell.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }
}

impl OnLoan {
    /// Stops the attempt: a body on the blocking pool sees its token, a future is dropped.
    fn end(&self) {
        self.stop.worker_stops();
        if let Some(attempt) = &self.attempt {
            attempt.abort();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop_now();
    }
}

fn size(settlement: &Settlement) -> usize {
    match settlement {
        Settlement::Finish { record: bytes, .. }
        | Settlement::Dead { state: bytes }
        | Settlement::Retry { state: bytes, .. }
        | Settlement::Park { state: bytes, .. } => bytes.len(),
        Settlement::Release { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> JobId {
        JobId::new(text).unwrap()
    }

    fn on_loan(number: u64) -> OnLoan {
        OnLoan { number, back: PutBack::Ready(5), stop: Stop::default(), attempt: None, late: None }
    }

    fn finish(bytes: usize) -> Settlement {
        Settlement::Finish { record: vec![b'x'; bytes], keep: None }
    }

    #[test]
    fn the_end_of_an_earlier_claim_is_not_the_end_of_a_later_one() {
        let mut board = Board::default();
        board.add(id("a"), on_loan(1));
        board.add(id("a"), on_loan(2));
        board.end(id("a"), 1, finish(1));
        assert!(!board.has_unsent());
        board.end(id("a"), 2, finish(1));
        assert_eq!(board.take_unsent().len(), 1);
    }

    #[test]
    fn a_claim_that_was_taken_away_leaves_nothing_to_tell() {
        let mut board = Board::default();
        for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
            board.add(id(name), on_loan(number as u64));
        }
        board.end(id("a"), 0, finish(1));
        let sent = board.take_unsent();
        board.put_back(sent);
        board.end(id("b"), 1, finish(1));
        assert_eq!(board.reconcile(vec![id("b"), id("d")]), [id("d")]);
        assert_eq!(board.take_unsent(), [(id("b"), finish(1))]);
    }

    #[test]
    fn what_is_given_up_does_not_include_what_has_ended() {
        let mut board = Board::default();
        board.add(id("a"), on_loan(1));
        board.add(id("b"), on_loan(2));
        board.end(id("a"), 1, finish(1));
        assert_eq!(board.give_up(), [(id("b"), PutBack::Ready(5))]);
        assert!(board.has_unsent() && board.len() == 1);
    }

    #[test]
    fn a_turn_tells_no_more_than_it_may_carry() {
        let mut board = Board::default();
        for number in 0..200 {
            board.add(id(&number.to_string()), on_loan(number));
            board.end(id(&number.to_string()), number, finish(if number < 3 { MAX_TURN_BYTES / 2 } else { 1 }));
        }
        let counts: Vec<_> = (0..4).map(|_| board.take_unsent().len()).collect();
        assert_eq!(counts, [2, MAX_TURN, 70, 0]);
    }
}
