//! Which of those that there are an operation is about: one for which it changes something, if there is one.

use task_runtime::broker::{FLOOR, Lease, Status};
use task_runtime::job::JobId;

use crate::operation::About;
use crate::world::World;

impl World {
    /// The worker of this number, or the next one that `can`.
    pub(crate) fn worker_that(&self, which: u8, can: impl Fn(&crate::worker::Worker) -> bool) -> usize {
        let first = self.worker(which);
        let mut all = (first..self.workers.len()).chain(0..first);
        all.find(|at| can(&self.workers[*at])).unwrap_or(first)
    }

    /// The recoverer of this number, or the other one when only that has decided something.
    pub(crate) fn recoverer_that_decided(&self, which: u8) -> usize {
        let at = usize::from(which) % 2;
        let decided = |at: usize| self.recoverers[at].plan.as_ref().is_some_and(|(_, plan)| !plan.is_empty());
        if !decided(at) && decided(1 - at) { 1 - at } else { at }
    }

    /// The job of this number; of a number beyond them, one `about` which the operation is.
    pub(crate) fn job_that(&self, which: u8, about: About) -> JobId {
        let Some(beyond) = usize::from(which).checked_sub(self.ids.len()) else { return self.job(which) };
        let fits = |id: &&JobId| match about {
            About::Running => self.view.running.values().any(|jobs| jobs.contains(*id)),
            About::Absent => self.view.status(id) == Status::Unknown,
        };
        let fit: Vec<&JobId> = self.ids.iter().filter(fits).collect();
        fit.get(beyond % fit.len().max(1)).map_or_else(|| self.job(which), |id| (*id).clone())
    }

    /// One of the leases that were seen: three times of four one with jobs on loan.
    pub(crate) fn lease_of(&self, which: u8, seen: &[Lease]) -> Option<Lease> {
        let holds = |lease: &&Lease| self.view.running.contains_key(lease.incarnation.as_str());
        let holders: Vec<&Lease> = seen.iter().filter(holds).collect();
        match holders.len() {
            there if there > 0 && which % 4 != 3 => Some(holders[usize::from(which) % there].clone()),
            _ => seen.get(usize::from(which) % seen.len().max(1)).cloned(),
        }
    }

    /// One of the moments to come at which something changes by itself: a lease ends, a job is due, an end may be
    /// forgotten. In ms since 1970.
    pub(crate) fn moment(&self, which: u8) -> Option<i64> {
        let view = &self.view;
        let floor_ms = FLOOR.as_millis() as i64;
        let leases =
            view.workers.iter().filter(|(who, _)| view.running.contains_key(*who)).map(|(_, ends_ms)| *ends_ms);
        let due = view.scheduled.values().map(|score| score / 10);
        let ended = view.done.values().chain(view.dead.values()).map(|ended_ms| ended_ms + floor_ms);
        let mut all: Vec<i64> = leases.chain(due).chain(ended).filter(|at_ms| *at_ms > self.now_ms).collect();
        all.sort_unstable();
        all.get(usize::from(which) % all.len().max(1)).copied()
    }
}
