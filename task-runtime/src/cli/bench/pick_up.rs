//! `pick-up`: from the call of `enqueue` to the start of the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::cli::Exit;
use crate::client::{Client, Enqueue};
use crate::error::Error;
use crate::job::QueueName;
use crate::worker::DEFAULT_CONCURRENCY;

use super::noop::{Noop, Starts};
use super::report::{Report, Row, Target};
use super::scratch::Scratch;
use super::{SMALL, Scale};

/// Jobs in a second that go by beside the timed ones, when the worker is not idle.
const LOAD: u64 = 2_000;
/// How many jobs the worker runs at a time then, so that it keeps up with them from afar too.
const BUSY: usize = 256;
/// The pause between two timed jobs: drawn, so that it keeps no step with anything.
const PAUSE_MS: std::ops::Range<u64> = 3..8;
/// How long the start of a job is waited for.
const LONGEST: Duration = Duration::from_secs(30);
/// How often the load sends what is due, and how many of its calls are under way at most.
const TICK: Duration = Duration::from_millis(5);
const MOST_CALLS: usize = 64;

/// About how many jobs are enqueued in all.
pub(super) fn jobs(scale: Scale) -> u64 {
    let timed = scale.samples as u64 * 2;
    timed + LOAD * timed * PAUSE_MS.end / 1_000
}

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    let floor = floor(scratch, scale.samples / 4).await?;
    let (idle, _) = picked_up(scratch, scale.samples, 0).await?;
    let add = |report: &mut Report, what: &str, times: &Times, targets: [Option<f64>; 3]| {
        for ((name, part), target) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].into_iter().zip(targets) {
            let row = Row::new(format!("{what}, {name}"), times.at(part), "ms").beside("floor", floor.at(part));
            report.add(target.map_or(row.clone(), |most| row.target(Target::Under(most))));
        }
    };
    add(report, "pick-up by an idle worker", &idle, [Some(0.9), Some(2.0), None]);
    let (loaded, load) = picked_up(scratch, scale.samples, LOAD).await?;
    add(report, &format!("pick-up beside {LOAD} jobs/s"), &loaded, [None, None, None]);
    report.add(Row::new("  jobs beside them", load, "jobs/s").beside("asked", LOAD as f64));
    Ok(())
}

/// Times in ascending order, in milliseconds.
struct Times(Vec<f64>);

impl Times {
    fn new(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    fn at(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(((self.0.len() as f64 * part) as usize).min(last)).copied().unwrap_or(f64::NAN)
    }
}

/// Times of `samples` jobs, beside `load` other jobs in a second; and how many these came to be.
async fn picked_up(scratch: &Scratch, samples: usize, load: u64) -> Result<(Times, f64), Exit> {
    let (queue, starts) = (scratch.queue(), Starts::default());
    let worker = scratch.worker(&queue).concurrency(if load > 0 { BUSY } else { DEFAULT_CONCURRENCY });
    let running = scratch.start(worker.data(starts.clone()).build()?);
    let (mut loading, sent, begun) = (JoinSet::new(), Arc::default(), Instant::now());
    if load > 0 {
        loading.spawn(keep_busy(scratch.client().clone(), queue.clone(), load, Arc::clone(&sent)));
    }
    let mut times = Vec::with_capacity(samples);
    let mut failure = None;
    // The first ones open connections and load scripts.
    for sample in 0..samples + samples / 10 {
        sleep(Duration::from_millis(fastrand::u64(PAUSE_MS))).await;
        match pick_up(scratch, &queue, &starts).await {
            Ok(time) if sample >= samples / 10 => times.push(time),
            Ok(_) => {}
            Err(exit) => {
                failure = Some(exit);
                break;
            }
        }
    }
    let loaded = sent.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    if let Some(ended) = loading.try_join_next() {
        ended.map_err(|error| Exit::new(Exit::FAILURE, error.to_string()))??;
    }
    loading.shutdown().await;
    running.stop().await?;
    scratch.erase().await?;
    failure.map_or(Ok((Times::new(times), loaded)), Err)
}

async fn pick_up(scratch: &Scratch, queue: &QueueName, starts: &Starts) -> Result<f64, Exit> {
    let start = starts.next();
    let called = Instant::now();
    Enqueue::new(Noop::timed(SMALL)).queue(queue.as_str()).enqueue_on(scratch.client()).await?;
    let began = timeout(LONGEST, start).await.ok().and_then(Result::ok);
    let began = began.ok_or_else(|| Exit::new(Exit::FAILURE, format!("a job did not start within {LONGEST:?}")))?;
    Ok(began.duration_since(called).as_secs_f64() * 1e3)
}

/// Enqueues `load` jobs in a second, however long an answer takes; counts those that were acknowledged. Ends only
/// when one was not.
async fn keep_busy(client: Client, queue: QueueName, load: u64, sent: Arc<AtomicU64>) -> Result<(), Error> {
    let (mut ticks, mut calls) = (interval(TICK), JoinSet::new());
    let each = load * TICK.as_millis() as u64 / 1_000;
    loop {
        ticks.tick().await;
        if calls.len() < MOST_CALLS {
            let (client, queue) = (client.clone(), queue.clone());
            calls.spawn(async move {
                let jobs = (0..each).map(|_| Enqueue::new(Noop::of(SMALL)).queue(queue.as_str()));
                client.enqueue_all(jobs).await.map(|handles| handles.len() as u64)
            });
        }
        // A call that panicked counts as none.
        while let Some(Ok(ended)) = calls.try_join_next() {
            sent.fetch_add(ended?, Ordering::Relaxed);
        }
    }
}

/// From a push to the answer of a blocking pop that waited for it, nothing else.
async fn floor(scratch: &Scratch, samples: usize) -> Result<Times, Exit> {
    let floor = scratch.broker().floor(scratch.queue()).await?;
    let mut times = Vec::with_capacity(samples);
    for _ in 0..samples {
        let rung = async {
            sleep(Duration::from_millis(fastrand::u64(PAUSE_MS))).await;
            let called = Instant::now();
            floor.ring().await.map(|()| called)
        };
        let answered = async { floor.blocked().await.map(|()| Instant::now()) };
        let (called, answered) = futures_util::future::try_join(rung, answered).await?;
        times.push(answered.duration_since(called).as_secs_f64() * 1e3);
    }
    scratch.erase().await?;
    Ok(Times::new(times))
}
