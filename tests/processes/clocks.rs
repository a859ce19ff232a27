//! Clocks that are wrong, or step: only the server's says what is due, and none says by itself that a worker is gone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join;
use support::redis::FromRedisValue as _;
use support::{Program, Running, Server, ServerOptions, WallClock, eventually, nothing_is_wrong};
use task_runtime::Client;
use task_runtime::client::{JobHandle, JobStatus};
use task_runtime::job::{Backoff, JobId};

use crate::tasks::{AddNumbers, Work};
use crate::{BOUND, ended, pass, program, queue};

const HOUR: i64 = 3_600;
const TEN_MINUTES: i64 = 600;
/// The lease of the workers here. A live one moves it on every 2 s.
const LEASE: &str = "6s";
/// How long after its end a worker's jobs are claimed again at the latest, three leases of the default length, and
/// some time for a busy machine.
const RECOVERED: Duration = Duration::from_secs(90 + 30);
/// How much the time of an event may be off on a busy machine, in seconds.
const SLACK: i64 = 60;

struct Bench {
    server: Server,
    clock: WallClock,
    client: Client,
}

impl Bench {
    async fn new(options: ServerOptions) -> Bench {
        let clock = WallClock::new();
        let server = options.clock(&clock).start();
        let client = Client::connect(&server.url()).await.unwrap();
        Bench { server, clock, client }
    }

    fn program(&self, arguments: &[&str]) -> Program {
        program(arguments).env("REDIS_URL", self.server.url())
    }

    /// A worker of both queues whose own clock is wrong by so many seconds.
    fn worker(&self, seconds: i64) -> Running {
        let clock = WallClock::new();
        clock.wrong_by(seconds);
        let arguments = ["worker", "work", "sums", "--lease", LEASE, "--concurrency", "64"];
        let mut worker = self.program(&arguments).clock(&clock).start();
        worker.wait_for_line("worker started", BOUND);
        worker
    }

    fn now(&self) -> i64 {
        <(i64, i64)>::from_redis_value(self.server.command(&["TIME"])).expect("TIME answers two numbers").0
    }

    /// The seconds until the job is due, by the server's clock.
    async fn due_in(&self, job: &JobHandle<u64>) -> i64 {
        let JobStatus::Scheduled { due, .. } = job.status().await.unwrap() else { panic!("the job is not scheduled") };
        due.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 - self.now()
    }

    /// Of both queues.
    async fn nothing_is_wrong(&self) {
        for name in ["work", "sums"] {
            nothing_is_wrong(&self.client, &queue(name), BOUND).await;
        }
    }

    async fn sum_after(&self, seconds: u64) -> JobHandle<u64> {
        let job = AddNumbers::new(40_u64, 2_u64).options().delay(Duration::from_secs(seconds));
        job.enqueue_on(&self.client).await.unwrap()
    }
}

fn count(workers: &[&Running], line: &str) -> usize {
    workers.iter().map(|worker| worker.lines().iter().filter(|printed| printed.contains(line)).count()).sum()
}

async fn goes_forward(options: ServerOptions) {
    const JOBS: usize = 50;
    let bench = Bench::new(options).await;
    let (first, second) = (bench.worker(0), bench.worker(0));
    let (due, later) = (bench.sum_after(1_800).await, bench.sum_after(7_200).await);
    let jobs = (0..JOBS as u64).map(|number| Work::new(number, 15_000_u64));
    let jobs = bench.client.enqueue_all(jobs).await.unwrap();
    eventually("all jobs run", BOUND, async || (count(&[&first, &second], "begin") == JOBS).then_some(())).await;
    bench.clock.wrong_by(HOUR);
    assert_eq!(due.result_within(BOUND).await.unwrap(), 42);
    assert!((bench.due_in(&later).await - 3_600).abs() < SLACK);
    // Every lease had ended at once. That happens again and again, so that whoever trusts one look is sure to come by.
    for minutes in 1..=4 {
        pass(Duration::from_millis(1_500)).await;
        bench.clock.wrong_by(HOUR + minutes * 60);
    }
    for (number, job) in jobs.iter().enumerate() {
        assert_eq!(job.result_within(BOUND).await.unwrap(), number as u64);
        assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    }
    let workers = [&first, &second];
    assert_eq!(
        (count(&workers, "begin"), count(&workers, "vanished"), count(&workers, "lease was lost")),
        (JOBS, 0, 0)
    );
    bench.nothing_is_wrong().await;
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "a wall clock is moved by a library that is preloaded")]
async fn a_server_whose_clock_jumps_an_hour_ahead_takes_no_job_from_a_live_worker() {
    join(goes_forward(Server::redis()), goes_forward(Server::valkey())).await;
}

/// Waits until so many workers wait for a token in both of their queues.
async fn idle(server: &Server, workers: usize) {
    eventually("the workers wait", BOUND, async || {
        let info = String::from_redis_value(server.command(&["INFO", "clients"])).expect("INFO is text");
        info.contains(&format!("blocked_clients:{}\r", 2 * workers)).then_some(())
    })
    .await;
}

async fn goes_back(options: ServerOptions) {
    let bench = Bench::new(options).await;
    let (mut gone, mut other) = (bench.worker(0), bench.worker(0));
    idle(&bench.server, 2).await;
    let held = Work::new(1_u64, 3_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    let scheduled = bench.sum_after(60).await;
    let on_first = eventually("the job runs", BOUND, async || {
        let runs = |worker: &Running| count(&[worker], "begin 1") == 1;
        (runs(&gone) || runs(&other)).then(|| runs(&gone))
    });
    if !on_first.await {
        std::mem::swap(&mut gone, &mut other);
    }
    idle(&bench.server, 2).await;
    gone.kill9();
    bench.clock.wrong_by(-HOUR);
    // For the server the lease of the dead worker lasts an hour longer, and so does every wait that it was asked for.
    // No token tells of this job: the worker finds it when its own time is up.
    let silent = JobId::new("silent").unwrap();
    bench.server.command(&[
        "HSET",
        "{task:work}:jobs",
        "silent",
        "{\"v\":1,\"task\":\"work\"}\n{\"number\":2,\"millis\":1}",
    ]);
    bench.server.command(&["RPUSH", "{task:work}:ready:5", "silent"]);
    let silent = bench.client.handle::<u64>(queue("work"), silent);
    assert_eq!(silent.result_within(Duration::from_secs(30)).await.unwrap(), 2);
    idle(&bench.server, 1).await;
    let next = Work::new(3_u64, 1_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(next.result_within(BOUND).await.unwrap(), 3);
    // What was due in a minute is due in an hour and a minute; what is scheduled now is not late.
    assert!((bench.due_in(&scheduled).await - HOUR - 60).abs() < SLACK);
    assert_eq!(bench.sum_after(2).await.result_within(BOUND).await.unwrap(), 42);
    // One that began after the step and vanishes is recovered as ever, while the old lease still stands.
    let mut third = bench.worker(0);
    let mut jobs = Vec::new();
    while count(&[&third], "begin 4") == 0 {
        jobs.push(Work::new(4_u64, 3_000_u64).options().enqueue_on(&bench.client).await.unwrap());
        let begun = async || (count(&[&third, &other], "begin 4") == jobs.len()).then_some(());
        eventually("it runs", BOUND, begun).await;
    }
    third.kill9();
    for job in jobs {
        assert_eq!(job.result_within(BOUND).await.unwrap(), 4);
    }
    assert_eq!(held.result_within(RECOVERED).await.unwrap(), 1);
    assert_eq!(count(&[&gone, &other], "begin 1"), 2);
    assert_eq!(count(&[&other], "lease was lost"), 0);
    bench.nothing_is_wrong().await;
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "a wall clock is moved by a library that is preloaded")]
async fn a_server_whose_clock_steps_back_an_hour_recovers_the_dead_and_keeps_nobody_waiting() {
    join(goes_back(Server::redis()), goes_back(Server::valkey())).await;
}

async fn all_differ(options: ServerOptions) {
    let bench = Bench::new(options).await;
    let (mut ahead, behind) = (bench.worker(TEN_MINUTES), bench.worker(-TEN_MINUTES));
    let jobs = bench.client.enqueue_all((0..20).map(|number| Work::new(number, 10_000_u64))).await.unwrap();
    for wrong_by in [TEN_MINUTES, -TEN_MINUTES] {
        let clock = WallClock::new();
        clock.wrong_by(wrong_by);
        let enqueue = |id: &str, delay: &str| {
            let arguments = ["enqueue", "add_numbers", "--id", id, "--delay", delay, "--args", "{\"a\":40,\"b\":2}"];
            let (code, text) = ended(bench.program(&arguments).clock(&clock).start());
            assert_eq!(code, 0, "{text}");
            bench.client.handle::<u64>(queue("sums"), JobId::new(id).unwrap())
        };
        let later = enqueue(&format!("later{wrong_by}"), "1h");
        assert!((bench.due_in(&later).await - HOUR).abs() < SLACK, "by a clock that is wrong by {wrong_by} s");
        let soon = enqueue(&format!("soon{wrong_by}"), "1s");
        assert_eq!(soon.result_within(BOUND).await.unwrap(), 42);
    }
    // A time of its own that a caller names is a time of day, and the server's clock says when that is.
    let at = SystemTime::now() + Duration::from_secs(1_800);
    let named = AddNumbers::new(1_u64, 2_u64).options().at(at).enqueue_on(&bench.client).await.unwrap();
    assert!((bench.due_in(&named).await - 1_800).abs() < SLACK);
    // A retry is due by the server's clock too, whoever asks for it.
    let hourly = Backoff::list([Duration::from_secs(3_600)]);
    let fails = AddNumbers::new(u64::MAX, 1_u64).options().backoff(hourly).enqueue_on(&bench.client);
    let fails = fails.await.unwrap();
    eventually("it failed once", BOUND, async || {
        matches!(fails.status().await.unwrap(), JobStatus::Scheduled { attempts: 1, .. }).then_some(())
    })
    .await;
    assert!((bench.due_in(&fails).await - HOUR).abs() < SLACK);
    for job in &jobs {
        job.result_within(BOUND).await.unwrap();
        assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    }
    let workers = [&ahead, &behind];
    assert_eq!((count(&workers, "begin"), count(&workers, "vanished"), count(&workers, "lease was lost")), (20, 0, 0));
    let held = Work::new(1_000_u64, 3_000_u64).options().priority(9);
    let held = held.enqueue_on(&bench.client).await.unwrap();
    eventually("it runs", BOUND, async || (count(&[&ahead, &behind], "begin 1000") == 1).then_some(())).await;
    if count(&[&ahead], "begin 1000") == 1 {
        ahead.kill9();
    } else {
        let mut behind = behind;
        behind.kill9();
    }
    assert_eq!(held.result_within(BOUND).await.unwrap(), 1_000);
    bench.nothing_is_wrong().await;
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "a wall clock is moved by a library that is preloaded")]
async fn clocks_of_producers_and_workers_that_are_wrong_decide_nothing() {
    join(all_differ(Server::redis()), all_differ(Server::valkey())).await;
}
