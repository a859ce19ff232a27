//! The state of one queue, named as the keys of the Redis broker, and the moves that verbs share.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::scores::Scores;
use crate::broker::{Counts, Incarnation, MAX_WAKE, Retention};
use crate::job::{EndRecord, JobId, MAX_PRIORITY, MAX_STATE_BYTES, PutBack};

/// What is said of a job off the happy path.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// It was cancelled while a list holds its id; gone when that entry is dropped.
    Cancelled,
    /// It waits in `parked` under this name and priority.
    Parked(String, u8),
}

/// Where a job goes that runs again.
pub(super) enum Again {
    /// To the back of a priority.
    Back(u8),
    /// To the front, as if it had never been claimed.
    PutBack(PutBack),
    /// Ready at this time.
    Scheduled(i64, u8),
    /// To a worker that knows its task.
    Parked(String, u8),
}

/// One queue. A job of `jobs` is in exactly one of the lists, `scheduled`, `parked`, `running` and
/// `dead`; one of `finished` in none of them, unless `marks` says that a list still holds its id.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Envelopes of unfinished and dead jobs.
    pub(super) jobs: HashMap<JobId, Vec<u8>>,
    /// Records beside them.
    pub(super) states: HashMap<JobId, Vec<u8>>,
    pub(super) ready: [VecDeque<JobId>; 10],
    pub(super) few: VecDeque<JobId>,
    pub(super) alone: VecDeque<JobId>,
    /// Due time × 10 + (9 − priority).
    pub(super) scheduled: Scores,
    /// Ends of leases; 0 is condemned.
    pub(super) workers: BTreeMap<Incarnation, i64>,
    /// Numbers of the last turns of those that are registered.
    pub(super) steps: HashMap<Incarnation, u64>,
    /// The number after which new ones number their turns: beyond all that those can have made that are gone.
    pub(super) first_step: u64,
    pub(super) running: HashMap<Incarnation, BTreeSet<JobId>>,
    /// How many jobs an incarnation ran when it was condemned.
    pub(super) on_board: HashMap<Incarnation, usize>,
    /// Running jobs of which a cancel was asked.
    pub(super) asked: HashSet<JobId>,
    pub(super) marks: HashMap<JobId, Mark>,
    /// Task, priority, id.
    pub(super) parked: BTreeSet<(String, u8, JobId)>,
    /// When a worker that knows the task of parked jobs was last seen.
    pub(super) parked_tasks: BTreeMap<String, i64>,
    /// End records; each is in `done` or in `kept`.
    pub(super) finished: HashMap<JobId, Vec<u8>>,
    /// When jobs without a result ended, in the order of their ends.
    pub(super) done: VecDeque<(i64, JobId)>,
    /// When the records of jobs with a result are forgotten.
    pub(super) kept: Scores,
    /// When jobs died.
    pub(super) dead: Scores,
    /// Jobs whose end someone waits for.
    pub(super) watched: HashSet<JobId>,
    pub(super) paused: bool,
    /// When a record was last forgotten that a repeated enqueue could still have needed.
    pub(super) forgotten: Option<i64>,
    /// The due time for which someone wakes, and who.
    pub(super) timer: Option<(i64, Incarnation)>,
    /// The last fencing token.
    pub(super) token: u64,
    /// Whether a job or a worker ever came.
    pub(super) used: bool,
    wake: usize,
    ended: Vec<JobId>,
}

impl Queue {
    /// Adds at most `count` wake tokens.
    pub(super) fn push_tokens(&mut self, count: usize) {
        if !self.paused {
            self.wake = MAX_WAKE.min(self.wake + count);
        }
    }

    pub(super) fn tokens(&self) -> usize {
        self.wake
    }

    pub(super) fn take_token(&mut self) -> bool {
        let taken = self.wake > 0;
        self.wake -= usize::from(taken);
        taken
    }

    /// The watched jobs that ended in this verb.
    pub(super) fn take_ended(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// Whether the lists of priorities hold anything.
    pub(super) fn has_ready(&self) -> bool {
        self.ready.iter().any(|list| !list.is_empty())
    }

    /// How many jobs the lists of priorities hold.
    pub(super) fn ready_len(&self) -> usize {
        self.ready.iter().map(VecDeque::len).sum()
    }

    /// The list of `priority`; one beyond the highest counts as the highest.
    pub(super) fn list(&mut self, priority: u8) -> &mut VecDeque<JobId> {
        &mut self.ready[usize::from(priority.min(MAX_PRIORITY))]
    }

    /// Puts a job into `scheduled`; answers whether it is now the earliest.
    pub(super) fn schedule(&mut self, id: JobId, due_ms: i64, priority: u8) -> bool {
        let earliest = self.next_due().is_none_or(|next| due_ms < next);
        let late = i64::from(MAX_PRIORITY - priority.min(MAX_PRIORITY));
        self.scheduled.insert(id, due_ms.saturating_mul(10).saturating_add(late));
        earliest
    }

    /// When the earliest scheduled job is due.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.scheduled.first().map(|(score, _)| score / 10)
    }

    /// Moves at most `limit` due jobs to ready; answers how many.
    pub(super) fn promote(&mut self, limit: usize, now: i64) -> usize {
        let last = now.saturating_mul(10).saturating_add(9);
        let mut moved = 0;
        while moved < limit
            && let Some((score, id)) = self.scheduled.first().filter(|(score, _)| *score <= last)
        {
            let (id, late) = (id.clone(), u8::try_from(score % 10).unwrap_or(MAX_PRIORITY));
            self.scheduled.remove(&id);
            self.list(MAX_PRIORITY - late).push_back(id);
            moved += 1;
        }
        moved
    }

    /// Sends a job on its way again, unless a cancel was asked: that beats every way back. Answers
    /// whether it can be claimed at once.
    pub(super) fn requeue(&mut self, id: &JobId, again: Again, retention: Option<&Retention>, now: i64) -> bool {
        if self.asked.contains(id) {
            self.finish(id, EndRecord::CANCELLED.to_vec(), None, retention, now);
            return false;
        }
        let id = id.clone();
        match again {
            Again::Back(priority) => self.list(priority).push_back(id),
            Again::PutBack(PutBack::Ready(priority)) => self.list(priority).push_front(id),
            Again::PutBack(PutBack::Few) => self.few.push_back(id),
            Again::PutBack(PutBack::Alone) => self.alone.push_back(id),
            Again::Scheduled(due_ms, priority) => {
                self.schedule(id, due_ms, priority);
                return false;
            }
            Again::Parked(task, priority) => {
                self.parked_tasks.insert(task.clone(), now);
                self.marks.insert(id.clone(), Mark::Parked(task.clone(), priority));
                self.parked.insert((task, priority, id));
                return false;
            }
        }
        true
    }

    /// Takes a job out of `parked`, and its task with the last of them.
    pub(super) fn unpark(&mut self, id: &JobId) {
        if let Some(Mark::Parked(task, priority)) = self.marks.remove(id) {
            self.parked.remove(&(task.clone(), priority, id.clone()));
            if self.parked_of(&task, 1).is_empty() {
                self.parked_tasks.remove(&task);
            }
        }
    }

    /// At most `limit` jobs that are parked under `task`.
    pub(super) fn parked_of(&self, task: &str, limit: usize) -> Vec<JobId> {
        let first = JobId::new("!").expect("`!` is printable, and no id sorts before it");
        let from = (task.to_owned(), 0, first);
        let all = self.parked.range(from..).take_while(|(name, ..)| name == task);
        all.take(limit).map(|(.., id)| id.clone()).collect()
    }

    /// Buries a job: envelope and state stay.
    pub(super) fn bury(&mut self, id: &JobId, now: i64) {
        self.dead.insert(id.clone(), now);
        self.tell(id);
    }

    pub(super) fn tell(&mut self, id: &JobId) {
        self.asked.remove(id);
        if self.watched.remove(id) {
            self.ended.push(id.clone());
        }
    }

    /// The record beside a job; none when it is too long to be one of ours.
    pub(super) fn state_of(&self, id: &JobId) -> Option<Vec<u8>> {
        self.states.get(id).filter(|state| state.len() <= MAX_STATE_BYTES).cloned()
    }

    /// Whether a worker has the job on loan.
    pub(super) fn is_running(&self, id: &JobId) -> bool {
        self.running.values().any(|running| running.contains(id))
    }

    /// Stops or resumes claiming.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        // Whoever came while the queue was paused left no token.
        self.push_tokens(MAX_WAKE);
    }

    /// How many jobs are where.
    pub(super) fn counts(&self) -> Counts {
        let running = self.running.values().map(BTreeSet::len).sum();
        let elsewhere = self.scheduled.len() + self.parked.len() + self.dead.len() + running;
        Counts {
            scheduled: self.scheduled.len(),
            // The lists also hold entries of cancelled jobs until they are popped.
            ready: self.jobs.len().saturating_sub(elsewhere),
            running,
            parked: self.parked.len(),
            dead: self.dead.len(),
            finished: self.finished.len(),
            workers: self.steps.len(),
            paused: self.paused,
        }
    }
}
