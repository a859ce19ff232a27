//! How far jobs are, for those who watch them: at once inside of this process, and through the cache in others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use task_runtime::Cache;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often a job is written to the cache at most.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the cache is looked at for a job that is watched here and runs elsewhere.
const POLL: Duration = Duration::from_millis(250);
/// How long a step is kept: longer than the pause between two of them can be.
const KEPT: Duration = Duration::from_secs(300);

/// How far a job is. A `total` of 0 says that nothing is known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// How far all jobs are that run or are watched here. Clones are the same.
#[derive(Clone)]
pub(crate) struct Progress {
    jobs: Arc<Mutex<HashMap<String, Job>>>,
    cache: Cache,
}

/// A job that runs or is watched here.
#[derive(Default)]
struct Job {
    step: watch::Sender<Step>,
    runs_here: bool,
    /// When it was written to the cache, or ended here: what is read there soon after may be older.
    written: Option<Instant>,
    /// Whether the cache is looked at for those who watch it; who does so removes the job.
    is_polled: bool,
}

impl Job {
    fn was_written_within(&self, time: Duration) -> bool {
        self.written.is_some_and(|at| at.elapsed() < time)
    }
}

impl Progress {
    /// Nothing runs yet. Other processes with the same cache see what runs in this one.
    pub(crate) fn new(cache: Cache) -> Self {
        Self { jobs: Arc::default(), cache }
    }

    /// Tells how far a job is: `done` of `total`, in whatever unit.
    pub(crate) fn report(&self, id: &str, done: u64, total: u64) {
        let step = Step { done, total };
        let mut jobs = self.jobs();
        let job = jobs.entry(id.to_owned()).or_default();
        job.step.send_replace(step);
        let begins = !std::mem::replace(&mut job.runs_here, true);
        if begins || done >= total || !job.was_written_within(PAUSE) {
            job.written = Some(Instant::now());
            let (cache, key) = (self.cache.clone(), key(id));
            // The job does not wait for it, and what cannot be written now is followed by another step.
            tokio::spawn(async move { cache.set(&key, &step).ttl(KEPT).await });
        }
    }

    /// How far a job is now, and whenever that changes. The job need not have begun, and its end is not told here.
    pub(crate) fn watch(&self, id: &str) -> watch::Receiver<Step> {
        let mut jobs = self.jobs();
        let job = jobs.entry(id.to_owned()).or_default();
        let steps = job.step.subscribe();
        if !std::mem::replace(&mut job.is_polled, true) {
            tokio::spawn(self.clone().poll(id.to_owned()));
        }
        steps
    }

    /// How far a job is now.
    pub(crate) async fn now(&self, id: &str) -> Step {
        let here = self.jobs().get(id).filter(|job| job.runs_here).map(|job| *job.step.borrow());
        match here {
            Some(step) => step,
            None => self.elsewhere(id).await.unwrap_or_default(),
        }
    }

    /// A job no longer runs here. Who watches it goes on to: it may be tried again, here or elsewhere.
    pub(crate) fn end(&self, id: &str) {
        let mut jobs = self.jobs();
        match jobs.get_mut(id) {
            Some(job) if job.is_polled => (job.runs_here, job.written) = (false, Some(Instant::now())),
            _ => drop(jobs.remove(id)),
        }
    }

    /// The jobs that run in this process, by their ids.
    pub(crate) fn running(&self) -> Vec<(String, Step)> {
        let jobs = self.jobs();
        let running = jobs.iter().filter(|(_, job)| job.runs_here).map(|(id, job)| (id.clone(), *job.step.borrow()));
        let mut running: Vec<_> = running.collect();
        running.sort_by(|(a, _), (b, _)| a.cmp(b));
        running
    }

    /// Tells how far a job is that runs elsewhere, for as long as anybody watches it.
    async fn poll(self, id: String) {
        loop {
            let runs_here = self.jobs().get(&id).is_some_and(|job| job.runs_here);
            let step = if runs_here { None } else { self.elsewhere(&id).await };
            if !self.tell(&id, step) {
                return;
            }
            sleep(POLL).await;
        }
    }

    /// Tells a step that was read, and whether anybody watches.
    fn tell(&self, id: &str, step: Option<Step>) -> bool {
        let mut jobs = self.jobs();
        let Some(job) = jobs.get_mut(id) else { return false };
        if job.step.receiver_count() == 0 {
            job.is_polled = false;
            if !job.runs_here {
                jobs.remove(id);
            }
            return false;
        }
        if let Some(step) = step.filter(|_| !job.runs_here && !job.was_written_within(POLL)) {
            job.step.send_if_modified(|told| std::mem::replace(told, step) != step);
        }
        true
    }

    /// How far a job is as the cache knows it. Without its cache nothing is known.
    async fn elsewhere(&self, id: &str) -> Option<Step> {
        self.cache.get(&key(id)).await.ok().flatten()
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the cache keeps the step of a job.
fn key(id: &str) -> String {
    format!("progress:{id}")
}
