//! How far jobs are, for those who watch them: told inside of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How far a job is. A `total` of 0 says that nothing is known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Step {
    /// From 0 to 100.
    pub(crate) fn percent(self) -> u64 {
        (self.done * 100).checked_div(self.total).unwrap_or(0).min(100)
    }
}

/// How far all jobs are that run or are watched. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<HashMap<String, watch::Sender<Step>>>>);

impl Progress {
    /// Tells how far a job is: `done` of `total`, in whatever unit.
    pub(crate) fn report(&self, id: &str, done: u64, total: u64) {
        self.jobs().entry(id.to_owned()).or_default().send_replace(Step { done, total });
    }

    /// How far a job is now, and whenever that changes. The job need not have begun, and its end is not told here.
    pub(crate) fn watch(&self, id: &str) -> watch::Receiver<Step> {
        let mut jobs = self.jobs();
        // What was watched before it began, by someone who has gone, may run elsewhere and never be ended here.
        jobs.retain(|_, job| job.receiver_count() > 0 || job.borrow().total > 0);
        jobs.entry(id.to_owned()).or_default().subscribe()
    }

    /// How far a job is now.
    pub(crate) fn now(&self, id: &str) -> Step {
        self.jobs().get(id).map(|job| *job.borrow()).unwrap_or_default()
    }

    /// Forgets a job that no longer runs here. Who watches it goes on to: it may be tried again.
    pub(crate) fn end(&self, id: &str) {
        let mut jobs = self.jobs();
        match jobs.get(id) {
            Some(job) if job.receiver_count() > 0 => drop(job.send_replace(Step::default())),
            _ => drop(jobs.remove(id)),
        }
    }

    /// The jobs that run in this process, by their ids.
    pub(crate) fn running(&self) -> Vec<(String, Step)> {
        let jobs = self.jobs();
        let running = jobs.iter().map(|(id, job)| (id.clone(), *job.borrow())).filter(|(_, step)| step.total > 0);
        let mut running: Vec<_> = running.collect();
        running.sort_by(|(a, _), (b, _)| a.cmp(b));
        running
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Step>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
