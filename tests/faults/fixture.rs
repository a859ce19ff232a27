//! A server, a proxy before it, workers and producers beyond the proxy, and the check at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Ledger, Proxy, Server, ServerOptions, eventually, nothing_is_lost};
use task_runtime::broker::Counts;
use task_runtime::job::QueueName;
use task_runtime::prelude::*;
use task_runtime::{Error, Readiness, WorkerBuilder, WorkerHandle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{BOUND, RESUMED};

/// Pause of a producer between two jobs.
const PACE: Duration = Duration::from_millis(2);
/// Producers of a load.
const PRODUCERS: u64 = 4;

/// Takes a while, and writes down that it began and ended.
#[task(queue = "q")]
#[expect(clippy::disallowed_methods, reason = "a task that takes a while is what is tested")]
pub(crate) async fn mark(number: u64, millis: u64, #[inject] ledger: Data<Ledger>) -> Result<u64, String> {
    ledger.begin(number);
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    ledger.end(number);
    Ok(number)
}

/// Fails twice, and is tried again soon.
#[task(queue = "q", max_attempts = 3, backoff = ["10ms"])]
pub(crate) async fn stumble(
    number: u64,
    #[inject] ctx: &Context,
    #[inject] ledger: Data<Ledger>,
) -> Result<(), String> {
    ledger.begin(number);
    if ctx.attempt() < 3 { Err(format!("{number} stumbled")) } else { Ok(()) }
}

pub(crate) fn queue() -> QueueName {
    QueueName::new("q").expect("the name is valid")
}

/// Lets a fault go on for a while.
pub(crate) async fn pass(time: Duration) {
    // Nothing is to happen that could be waited for.
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) proxy: Proxy,
    /// Goes past the proxy.
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
}

/// A worker that runs. Dropping it without `stop` leaves its jobs as a crash would.
pub(crate) struct Running {
    pub(crate) handle: WorkerHandle,
    ended: JoinHandle<Result<(), Error>>,
}

impl Bench {
    pub(crate) async fn new(options: ServerOptions) -> Bench {
        let server = options.start();
        let proxy = Proxy::to(server.port());
        let client = Client::connect(&server.url()).await.expect("a test server answers");
        Bench { server, proxy, client, ledger: Ledger::default() }
    }

    /// A client that goes through the proxy.
    pub(crate) async fn beyond(&self) -> Client {
        Client::connect(&self.proxy.url()).await.expect("a test server answers")
    }

    /// A worker beyond the proxy, with connections of its own.
    pub(crate) async fn worker(&self) -> WorkerBuilder {
        Worker::builder(self.beyond().await).queue("q").data(self.ledger.clone()).concurrency(16)
    }

    pub(crate) async fn start(&self) -> Running {
        Running::start(self.worker().await)
    }

    /// Waits until workers wait for a token in so many queues.
    pub(crate) async fn is_idle(&self, queues: usize) {
        let blocked = format!("blocked_clients:{queues}\r");
        eventually("the worker waits", BOUND, async || {
            let info = String::from_redis_value(self.server.command(&["INFO", "clients"])).expect("INFO is text");
            info.contains(&blocked).then_some(())
        })
        .await;
    }

    /// Enqueues jobs through `client` until it is told to stop.
    pub(crate) fn load(&self, client: &Client, millis: u64) -> Load {
        let (stop, stopped) = watch::channel(false);
        let produce = |first: u64| produce(client.clone(), first, millis, stopped.clone());
        Load { stop, producers: (0..PRODUCERS).map(|first| tokio::spawn(produce(first))).collect() }
    }

    /// Enqueues job `number` past the proxy, as soon as that works, and waits for its end.
    pub(crate) async fn runs_a_job(&self, number: u64) {
        runs_a_job(&self.client, number).await;
    }

    /// Nothing is lost, and no job began more than `times` times.
    pub(crate) async fn ends_well(&self, told: &Told, times: usize) -> Counts {
        let counts = nothing_is_lost(&self.client, &self.server, &queue(), &told.acknowledged, BOUND).await;
        for number in told.refused.keys() {
            assert_eq!(self.ledger.of(*number).begun, 0, "job {number} was refused: {}", told.refused[number]);
        }
        assert_eq!(self.ledger.begun_more_than(times), [], "began more than {times} times");
        counts
    }
}

/// Enqueues job `number` as soon as that works, and waits for its end, all within the promised time.
pub(crate) async fn runs_a_job(client: &Client, number: u64) {
    let start = Instant::now();
    let result = loop {
        assert!(start.elapsed() < RESUMED, "nothing was enqueued within {:?}", start.elapsed());
        if let Ok(job) = Mark::new(number, 0_u64).options().enqueue_on(client).await {
            break job.result_within(RESUMED).await;
        }
    };
    assert!(matches!(result, Ok(ended) if ended == number), "{result:?} after {:?}", start.elapsed());
    assert!(start.elapsed() < RESUMED, "{:?}", start.elapsed());
}

impl Running {
    pub(crate) fn start(worker: WorkerBuilder) -> Running {
        let worker = worker.build().expect("the worker of a test is well described");
        let handle = worker.handle();
        Running { handle, ended: tokio::spawn(worker.run_until(std::future::pending())) }
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.handle.readiness()
    }

    pub(crate) async fn stop(self) {
        self.handle.stop();
        self.ended().await.unwrap();
    }

    /// How it ended, once it was stopped.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        tokio::time::timeout(BOUND, self.ended).await.expect("the worker ends").unwrap()
    }

    /// Has it end here and now, as a crash does.
    pub(crate) async fn vanish(self) {
        self.ended.abort();
        assert!(self.ended.await.unwrap_err().is_cancelled());
    }
}

/// Producers at work.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    producers: Vec<JoinHandle<Told>>,
}

/// What producers were told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) acknowledged: Vec<JobHandle<u64>>,
    /// The numbers of jobs that may have been enqueued.
    pub(crate) unknown: Vec<u64>,
    /// The numbers of jobs that were not.
    pub(crate) refused: BTreeMap<u64, Arc<Error>>,
    /// How long the slowest call took.
    pub(crate) slowest: Duration,
}

impl Load {
    pub(crate) async fn stop(self) -> Told {
        self.stop.send_replace(true);
        let mut all = Told::default();
        for producer in self.producers {
            let told = tokio::time::timeout(BOUND, producer).await.expect("a producer ends").unwrap();
            all.acknowledged.extend(told.acknowledged);
            all.unknown.extend(told.unknown);
            all.refused.extend(told.refused);
            all.slowest = all.slowest.max(told.slowest);
        }
        let (good, bad) = (all.acknowledged.len(), (all.unknown.len(), all.refused.len()));
        println!("{good} jobs acknowledged, unknown and refused {bad:?}, slowest call {:?}", all.slowest);
        assert!(good > 0, "nothing was acknowledged: {:?}", all.refused.values().next());
        all
    }
}

#[expect(clippy::disallowed_methods, reason = "a producer has a pace")]
async fn produce(client: Client, first: u64, millis: u64, stopped: watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    for number in (first..).step_by(PRODUCERS as usize) {
        if *stopped.borrow() {
            break;
        }
        let start = Instant::now();
        match Mark::new(number, millis).options().enqueue_on(&client).await {
            Ok(job) => told.acknowledged.push(job),
            Err(error) if error.outcome_unknown() => told.unknown.push(number),
            Err(error) => drop(told.refused.insert(number, Arc::new(error))),
        }
        told.slowest = told.slowest.max(start.elapsed());
        tokio::time::sleep(PACE).await;
    }
    told
}
