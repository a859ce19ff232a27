//! What must hold when a test that broke something is over: nothing is lost, and nothing is left behind.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::FromRedisValue as _;
use task_runtime::broker::{Counts, Repair};
use task_runtime::client::{JobHandle, JobStatus};
use task_runtime::job::QueueName;
use task_runtime::{Client, Error};

use crate::{Server, eventually};

/// The table of keys, as the code documents it.
const KEYS: &str = include_str!("../../task-runtime/src/broker/redis/keys.rs");

/// What tasks write down of their runs, by the number that each job was given.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<u64, Runs>>>);

/// How often a job began and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Attempts that began.
    pub begun: usize,
    /// Attempts that ended by themselves.
    pub ended: usize,
}

impl Ledger {
    /// An attempt of job `number` begins.
    pub fn begin(&self, number: u64) {
        self.lock().entry(number).or_default().begun += 1;
    }

    /// An attempt of job `number` ends.
    pub fn end(&self, number: u64) {
        self.lock().entry(number).or_default().ended += 1;
    }

    /// What was written down of job `number`.
    pub fn of(&self, number: u64) -> Runs {
        self.lock().get(&number).copied().unwrap_or_default()
    }

    /// How many jobs ended.
    pub fn ended(&self) -> usize {
        self.lock().values().filter(|runs| runs.ended > 0).count()
    }

    /// The jobs that began more than `times` times.
    pub fn begun_more_than(&self, times: usize) -> Vec<(u64, Runs)> {
        self.lock().iter().filter(|(_, runs)| runs.begun > times).map(|(number, runs)| (*number, *runs)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Runs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until nothing of a queue waits or runs; what is dead stays.
pub async fn drained(client: &Client, queue: &QueueName, bound: Duration) -> Counts {
    let mut last: Option<Result<Counts, Error>> = None;
    let start = tokio::time::Instant::now();
    eventually(&format!("queue {queue} is drained"), bound + Duration::from_secs(5), async || {
        let counts = client.counts(queue).await;
        if let Ok(Counts { scheduled: 0, ready: 0, running: 0, parked: 0, .. }) = counts {
            return counts.ok();
        }
        last = Some(counts);
        assert!(start.elapsed() < bound, "queue {queue} is not drained within {bound:?}: {last:?}");
        None
    })
    .await
}

/// Checks that every job is completed, that nothing else waits, runs or is dead, that every key that is left is one of
/// the documented keys of a queue, none of them on loan, and that nothing in them is wrong.
pub async fn nothing_is_lost<T: Debug>(
    client: &Client,
    server: &Server,
    queue: &QueueName,
    jobs: &[JobHandle<T>],
    bound: Duration,
) -> Counts {
    let counts = drained(client, queue, bound).await;
    for job in jobs {
        // A connection that died is told to whoever uses it first.
        let status = eventually("the server answers again", bound, async || job.status().await.ok()).await;
        assert!(matches!(status, JobStatus::Completed { .. }), "acknowledged job {} is {status:?}", job.id());
    }
    assert_eq!(counts.dead, 0, "{counts:?}");
    assert_eq!(unknown_keys(server), Vec::<String>::new(), "keys that should not be there");
    nothing_is_wrong(client, queue, bound).await;
    counts
}

/// Checks that what is stored of a queue is as it must be. Nothing that is on its way counts as wrong, and what could
/// not be decided meanwhile must be in the end.
pub async fn nothing_is_wrong(client: &Client, queue: &QueueName, bound: Duration) {
    eventually(&format!("queue {queue} is checked to the last"), bound, async || {
        // A connection that died is told to whoever uses it first.
        let report = client.fsck(queue, Repair::No).await.ok()?;
        assert_eq!(report.findings, [], "queue {queue}: {report:#?}");
        report.undecided.is_empty().then_some(())
    })
    .await;
}

/// The keys of a server that are not in the table, or that say that a job is still on loan.
pub fn unknown_keys(server: &Server) -> Vec<String> {
    let known = documented();
    let keys: Vec<Vec<u8>> = Vec::from_redis_value(server.command(&["KEYS", "*"])).expect("keys are text");
    let keys = keys.into_iter().map(|key| String::from_utf8_lossy(&key).into_owned());
    let is_known = |key: &String| match key.split_once("}:") {
        Some((_, name)) => known.iter().any(|known| known == name),
        None => false,
    };
    keys.filter(|key| !is_known(key)).collect()
}

/// The names in the first column of the table, the ten ready lists one by one, and the set of queues.
fn documented() -> Vec<String> {
    let rows = KEYS.lines().filter_map(|line| line.strip_prefix("/// | `")?.split(" | ").next());
    let names = rows.flat_map(|cell| cell.split('`')).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("running:")).map(str::to_owned).collect();
    names.extend((0..10).map(|priority| format!("ready:{priority}")));
    names.push("queues".to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::documented;

    #[test]
    fn the_table_of_keys_is_read() {
        let names = documented();
        for name in ["jobs", "few", "alone", "ready:7", "meta", "queues", "parked_tasks"] {
            assert!(names.iter().any(|known| known == name), "{name} is missing in {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("running")), "{names:?}");
    }
}
