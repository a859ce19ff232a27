//! A broker whose every answer the test decides.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::broker::*;
use crate::client::Client;
use crate::error::Error;
use crate::job::{JobId, PutBack, QueueName, TaskOptions};
use crate::task::Task;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Greet {
    pub(super) name: String,
}

impl Task for Greet {
    const NAME: &'static str = "greet";
    const OPTIONS: TaskOptions = TaskOptions { queue: "mail", priority: Some(7), ..TaskOptions::DEFAULT };
    type Output = usize;
}

pub(super) fn greet() -> Greet {
    Greet { name: "Ada".into() }
}

/// What the broker does with one `enqueue`.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// Carries it out and answers.
    Answered,
    /// Carries it out; the answer is lost.
    AnswerLost,
    /// Carries it out and never answers.
    Silent,
    /// Is not reached.
    Unreached,
    /// Is out of memory.
    Full,
}

/// One call: ids, and the time since the first send.
pub(super) type Call = (Vec<JobId>, Option<Duration>);

pub(super) struct Scripted {
    pub(super) calls: Mutex<Vec<Call>>,
    pub(super) jobs: Mutex<HashMap<JobId, NewJob>>,
    fates: Mutex<VecDeque<Fate>>,
    /// One permit for each `enqueue` that may go on.
    pub(super) gate: Semaphore,
    ends: Mutex<HashMap<JobId, Watched>>,
    pub(super) watches: AtomicUsize,
    pub(super) subscriptions: Mutex<Vec<mpsc::UnboundedSender<Result<JobId, Error>>>>,
}

impl Scripted {
    pub(super) fn new(fates: impl IntoIterator<Item = Fate>) -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::default(),
            jobs: Mutex::default(),
            fates: Mutex::new(fates.into_iter().collect()),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            ends: Mutex::default(),
            watches: AtomicUsize::new(0),
            subscriptions: Mutex::default(),
        })
    }

    pub(super) fn client(self: &Arc<Self>) -> Client {
        Client::from_broker(Arc::clone(self) as Arc<dyn Broker>)
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(super) fn end(&self, id: &JobId, end: Watched) {
        self.ends.lock().unwrap().insert(id.clone(), end);
        self.subscriptions.lock().unwrap().retain(|told| told.send(Ok(id.clone())).is_ok());
    }

    async fn carry_out(&self, jobs: &[NewJob], again: Option<Duration>) -> Result<Vec<Enqueued>, Error> {
        let ids: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
        let distinct: HashSet<_> = ids.iter().collect();
        assert!(distinct.len() == ids.len() && ids.len() <= MAX_ENQUEUE, "{ids:?}");
        self.calls.lock().unwrap().push((ids, again));
        self.gate.acquire().await.unwrap().forget();
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Answered);
        match fate {
            Fate::Unreached => return Err(Error::Unavailable { reason: "connection refused".into() }),
            Fate::Full => return Err(Error::QueueFull),
            Fate::Answered | Fate::AnswerLost | Fate::Silent => {}
        }
        let answers = {
            let mut known = self.jobs.lock().unwrap();
            let add = |job: &NewJob| match known.insert(job.id.clone(), job.clone()) {
                None => Enqueued::New,
                Some(_) => Enqueued::Existing,
            };
            jobs.iter().map(add).collect()
        };
        match fate {
            Fate::AnswerLost => Err(Error::Indeterminate { reason: "connection reset".into() }),
            Fate::Silent => std::future::pending().await,
            _ => Ok(answers),
        }
    }
}

fn unused<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err(Error::Rejected { reason: "not part of this test".into() }) })
}

impl Inspect for Scripted {
    fn queues(&self) -> Answer<'_, Vec<QueueName>> {
        unused()
    }
    fn counts<'a>(&'a self, _: &'a QueueName) -> Answer<'a, Counts> {
        unused()
    }
    fn storage<'a>(&'a self, _: &'a QueueName) -> Answer<'a, Storage> {
        unused()
    }
}

impl Broker for Scripted {
    fn apart(&self) -> Arc<dyn Broker> {
        unreachable!("a client has no heartbeat")
    }

    fn enqueue<'a>(
        &'a self,
        _: &'a QueueName,
        jobs: &'a [NewJob],
        again: Option<Duration>,
    ) -> Answer<'a, Vec<Enqueued>> {
        Box::pin(self.carry_out(jobs, again))
    }

    fn watch<'a>(&'a self, _: &'a QueueName, id: &'a JobId) -> Answer<'a, Watched> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        let watched = self.ends.lock().unwrap().get(id).cloned().unwrap_or(Watched::Waiting);
        Box::pin(async { Ok(watched) })
    }

    fn ended<'a>(&'a self, _: &'a QueueName) -> Answer<'a, Endings> {
        let (tell, told) = mpsc::unbounded_channel();
        self.subscriptions.lock().unwrap().push(tell);
        let endings = futures_util::stream::unfold(told, |mut told| async {
            let id = told.recv().await?;
            Some((id, told))
        });
        Box::pin(async { Ok(Box::pin(endings) as Endings) })
    }

    fn begin<'a>(&'a self, _: &'a QueueName, _: &'a Incarnation, _: Duration) -> Answer<'a, u64> {
        unused()
    }
    fn turn<'a>(&'a self, _: &'a QueueName, _: &'a Turn) -> Answer<'a, TurnAnswer> {
        unused()
    }
    fn adopt<'a>(&'a self, _: &'a QueueName, _: &'a Incarnation, _: &'a [JobId]) -> Answer<'a, Vec<Claim>> {
        unused()
    }
    fn heartbeat<'a>(&'a self, _: &'a QueueName, _: &'a Incarnation, _: Duration) -> Answer<'a, Heartbeat> {
        unused()
    }
    fn leave<'a>(&'a self, _: &'a QueueName, _: &'a Incarnation, _: &'a [(JobId, PutBack)]) -> Answer<'a, bool> {
        unused()
    }
    fn promote<'a>(&'a self, _: &'a QueueName) -> Answer<'a, usize> {
        unused()
    }
    fn workers<'a>(&'a self, _: &'a QueueName) -> Answer<'a, Vec<Lease>> {
        unused()
    }
    fn condemn<'a>(&'a self, _: &'a QueueName, _: &'a Lease, _: bool) -> Answer<'a, Option<Condemned>> {
        unused()
    }
    fn settle_for<'a>(&'a self, _: &'a QueueName, _: &'a Incarnation, _: &'a [Recovered]) -> Answer<'a, ()> {
        unused()
    }
    fn cancel<'a>(&'a self, _: &'a QueueName, _: &'a JobId) -> Answer<'a, Cancelled> {
        unused()
    }
    fn status<'a>(&'a self, _: &'a QueueName, _: &'a JobId) -> Answer<'a, Status> {
        unused()
    }
    fn wake<'a>(&'a self, _: &'a QueueName, _: Duration) -> Answer<'a, bool> {
        unused()
    }
    fn pause<'a>(&'a self, _: &'a QueueName, _: bool) -> Answer<'a, ()> {
        unused()
    }
    fn sweep<'a>(&'a self, _: &'a QueueName, _: &'a Retention, _: Duration) -> Answer<'a, ()> {
        unused()
    }
    fn fsck<'a>(&'a self, _: &'a QueueName, _: Repair) -> Answer<'a, Report> {
        unused()
    }
}

pub(super) fn completed(result: &str) -> Watched {
    Watched::Ended { record: format!(r#"{{"end":"completed","attempts":1,"result":{result}}}"#).into() }
}

/// Runs everything that can run without time passing.
pub(super) async fn settle_down() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
