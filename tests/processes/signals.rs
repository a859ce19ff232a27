//! A signal to stop is obeyed in good order.

use std::time::{Duration, Instant};

use support::{Running, eventually, redis, shared_redis};
use task_runtime::client::JobStatus;
use task_runtime::job::JobId;

use crate::tasks::{Deaf, Work};
use crate::{BOUND, Bench, queue};

const HOUR: u64 = 3_600_000;

#[tokio::test]
async fn sigterm_finishes_what_fits_into_the_grace_and_gives_back_the_rest() {
    let bench = Bench::new().await;
    let mut worker = bench.worker(&["work", "--grace", "4s"]);
    // Longer than what a cancelled job has left after the grace.
    let short = Work::new(1_u64, 2_500_u64).options().enqueue_on(&bench.client).await.unwrap();
    let long = Work::new(2_u64, HOUR).options().enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("begin 2", BOUND);
    worker.signal(libc::SIGTERM);
    worker.wait_for_line("SIGTERM", BOUND);
    let late = Work::new(3_u64, 1_u64).options().enqueue_on(&bench.client).await.unwrap();
    let start = Instant::now();
    let status = worker.wait(BOUND);
    assert_eq!(status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(matches!(short.status().await.unwrap(), JobStatus::Completed { .. }));
    assert_eq!([long.status().await.unwrap(), late.status().await.unwrap()], [JobStatus::Ready, JobStatus::Ready]);
    let counts = bench.client.counts(&queue("work")).await.unwrap();
    assert_eq!((counts.workers, counts.running, counts.ready), (0, 0, 2));
}

#[tokio::test]
async fn a_second_signal_gives_back_at_once() {
    let bench = Bench::new().await;
    let mut worker = bench.worker(&["work"]);
    let jobs = bench.client.enqueue_all((0..10).map(|n| Work::new(n, HOUR))).await.unwrap();
    for _ in 0..10 {
        worker.wait_for_line("begin ", BOUND);
    }
    worker.signal(libc::SIGTERM);
    worker.wait_for_line("SIGTERM", BOUND);
    worker.signal(libc::SIGINT);
    let start = Instant::now();
    assert_eq!(worker.wait(BOUND).code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    for job in jobs {
        assert_eq!(job.status().await.unwrap(), JobStatus::Ready);
    }
}

#[tokio::test]
async fn what_was_given_back_runs_on_another_worker_at_once() {
    let bench = Bench::new().await;
    let mut first = bench.worker(&["work", "--grace", "0s"]);
    let job = Work::new(1_u64, 300_u64).options().enqueue_on(&bench.client).await.unwrap();
    let long = Work::new(2_u64, 1_500_u64).options().enqueue_on(&bench.client).await.unwrap();
    first.wait_for_line("begin 2", BOUND);
    let mut second = bench.worker(&["work"]);
    first.signal(libc::SIGTERM);
    let start = Instant::now();
    assert_eq!(first.wait(BOUND).code(), Some(0));
    second.wait_for_line("begin 2", BOUND);
    // Not after the lease: it was given back, and the second worker was woken.
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!((job.result_within(BOUND).await.unwrap(), long.result_within(BOUND).await.unwrap()), (1, 2));
    assert!(matches!(long.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
}

/// Short, long, and on the blocking pool, on one worker: each as if it were alone, whether or not a second SIGTERM
/// follows at once.
#[tokio::test]
async fn a_stop_treats_each_kind_of_job_by_itself_and_a_second_signal_all_alike() {
    stops_with_all_kinds(1).await;
    stops_with_all_kinds(2).await;
}

async fn stops_with_all_kinds(signals: usize) {
    let bench = Bench::new().await;
    // The short one would fit into either grace; only the second signal leaves it no time.
    let (grace, millis) = if signals == 1 { ("4s", 2_500_u64) } else { ("1m", 30_000) };
    let mut worker = bench.worker(&["work", "--grace", grace]);
    let short = Work::new(1_u64, millis).options().enqueue_on(&bench.client).await.unwrap();
    let long = Work::new(2_u64, HOUR).options().enqueue_on(&bench.client).await.unwrap();
    let deaf = Deaf::new(HOUR).options().enqueue_on(&bench.client).await.unwrap();
    let told = |text: &str| worker.lines().iter().any(|line| line.contains(text));
    let begun = async || ["begin 1", "begin 2", "deaf"].into_iter().all(told).then_some(());
    eventually("all of them run", BOUND, begun).await;
    let start = Instant::now();
    for line in ["stopping: ", "stopping now: "].into_iter().take(signals) {
        worker.signal(libc::SIGTERM);
        worker.wait_for_line(line, BOUND);
    }
    assert_eq!(worker.wait(BOUND).code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(4) + SOON, "{:?}", start.elapsed());
    let end = short.status().await.unwrap();
    let finishes = matches!(end, JobStatus::Completed { attempts: 1, .. });
    assert!(if signals == 1 { finishes } else { end == JobStatus::Ready }, "{end:?} after {signals} signals");
    assert_eq!([long.status().await.unwrap(), deaf.status().await.unwrap()], [JobStatus::Ready, JobStatus::Ready]);
    let counts = bench.client.counts(&queue("work")).await.unwrap();
    assert_eq!((counts.workers, counts.running, counts.dead), (0, 0, 0));
    // Neither an attempt nor a crash is written down, for any of them.
    let states = format!("{{{}:work}}:state", bench.namespace);
    assert_eq!(shared_redis().command(&["EXISTS", &states]), redis::Value::Int(0));
}

/// A worker that runs one job.
struct Stopping {
    bench: Bench,
    worker: Running,
    job: &'static str,
    signals: &'static [i32],
    /// When the last signal was sent.
    signalled: Instant,
    ended: Option<Duration>,
}

const ID: &str = "job";
/// Long enough to tell an end at once from one after it.
const GRACE: Duration = Duration::from_secs(30);
/// For those that have to wait for its end.
const SHORT_GRACE: Duration = Duration::from_secs(3);
/// What an end takes on a slow machine: the last chance of jobs, giving back, and what blocks a thread.
const SOON: Duration = Duration::from_secs(15);

impl Stopping {
    fn grace(&self) -> Duration {
        if self.signals.len() == 1 { SHORT_GRACE } else { GRACE }
    }

    async fn start(job: &'static str, signals: &'static [i32]) -> Self {
        let bench = Bench::new().await;
        let grace = if signals.len() == 1 { "3s" } else { "30s" };
        let worker = bench.worker(&["work", "--grace", grace]);
        Self { bench, worker, job, signals, signalled: Instant::now(), ended: None }
    }

    async fn enqueue(&self) {
        let (client, millis) = (&self.bench.client, if self.job == "short" { 1_500 } else { HOUR });
        match self.job {
            "deaf" => drop(Deaf::new(HOUR).options().id(ID).enqueue_on(client).await.unwrap()),
            _ => drop(Work::new(1_u64, millis).options().id(ID).enqueue_on(client).await.unwrap()),
        }
    }

    fn signal(&mut self) {
        self.worker.wait_for_line(if self.job == "deaf" { "deaf" } else { "begin 1" }, BOUND);
        for (signal, line) in self.signals.iter().zip(["stopping: ", "stopping now: "]) {
            self.signalled = Instant::now();
            self.worker.signal(*signal);
            self.worker.wait_for_line(line, BOUND);
        }
    }

    /// What has to be true when it has ended.
    async fn ended_well(&mut self, took: Duration) {
        let what = format!("{} after {:?} in {took:?}: {}", self.job, self.signals, self.worker.lines().join("\n"));
        assert_eq!(self.worker.wait(BOUND).code(), Some(0), "{what}");
        let waits = self.signals.len() == 1 && self.job != "short";
        let least = if waits { SHORT_GRACE.mul_f64(0.9) } else { Duration::ZERO };
        assert!(took >= least && took < self.grace().min(SHORT_GRACE) + SOON, "{what}");
        let status = self.bench.client.handle::<()>(queue("work"), JobId::new(ID).unwrap()).status().await.unwrap();
        let counts = self.bench.client.counts(&queue("work")).await.unwrap();
        let completes = self.job == "short";
        assert_eq!(matches!(status, JobStatus::Completed { attempts: 1, .. }), completes, "{status:?}, {what}");
        let left = (counts.workers, counts.running, counts.ready, counts.finished);
        assert_eq!(left, (0, 0, usize::from(!completes), usize::from(completes)), "{what}");
        // Neither an attempt nor a crash is written down.
        let states = format!("{{{}:work}}:state", self.bench.namespace);
        assert_eq!(shared_redis().command(&["EXISTS", &states]), redis::Value::Int(0), "{what}");
    }
}

#[tokio::test]
async fn whatever_the_signal_and_the_job_a_stop_keeps_its_time_and_counts_nothing() {
    const TERM: i32 = libc::SIGTERM;
    const INT: i32 = libc::SIGINT;
    let once: [&[i32]; 2] = [&[TERM], &[INT]];
    let twice: [&[i32]; 4] = [&[TERM, TERM], &[INT, INT], &[TERM, INT], &[INT, TERM]];
    let mut all = Vec::new();
    for job in ["short", "long", "deaf"] {
        // One that could end meanwhile is no case for an end at once.
        for signals in once.into_iter().chain(twice.into_iter().filter(|_| job != "short")) {
            all.push(Stopping::start(job, signals).await);
        }
    }
    for one in &all {
        one.enqueue().await;
    }
    all.iter_mut().for_each(Stopping::signal);
    eventually("all have ended", BOUND, async || {
        for one in all.iter_mut().filter(|one| one.ended.is_none()) {
            one.ended = one.worker.has_ended().then(|| one.signalled.elapsed());
        }
        all.iter().all(|one| one.ended.is_some()).then_some(())
    })
    .await;
    for one in &mut all {
        one.ended_well(one.ended.expect("all have ended")).await;
    }
}
