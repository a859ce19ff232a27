//! When the server is away, callers learn it soon, and workers go on by themselves when it is back.

use std::time::{Duration, Instant};

use support::{Health, HostName, Program, Running, Server};
use task_runtime::client::JobStatus;
use task_runtime::{Client, Error};

use crate::tasks::{AddNumbers, Work};
use crate::{BOUND, pass, program};

/// How long after the server answers again jobs run at the latest.
const RESUMED: Duration = Duration::from_secs(10);
/// How long a caller waits for the answer that the server is away: the deadline of a client, and a little.
const TOLD: Duration = Duration::from_millis(2_500);

fn worker(server: &Server, arguments: &[&str]) -> Running {
    let program: Program = program(&[&["worker"], arguments].concat());
    let mut worker = program.env("REDIS_URL", server.url()).start();
    worker.wait_for_line("worker started", BOUND);
    worker
}

/// Enqueues a job as soon as that works, and waits for its end.
async fn runs_a_job(client: &Client, back: Instant) {
    let sum = loop {
        assert!(back.elapsed() < RESUMED, "nothing was enqueued {:?} after the server was back", back.elapsed());
        if let Ok(job) = AddNumbers::new(1_u64, 2_u64).options().enqueue_on(client).await {
            break job.result_within(RESUMED).await.unwrap();
        }
    };
    assert_eq!(sum, 3);
    assert!(back.elapsed() < RESUMED, "{:?}", back.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[cfg_attr(not(target_os = "linux"), ignore = "the name is taken away on Linux only")]
async fn a_worker_whose_server_loses_its_name_finds_it_again_when_the_name_is_back() {
    let (server, name) = (Server::redis().start(), HostName::new());
    let client = Client::connect(&server.url()).await.unwrap();
    let url = format!("redis://{}:{}/", HostName::NAME, server.port());
    let worker = program(&["worker", "sums", "--health", "127.0.0.1:0"]).env("REDIS_URL", url).host_name(&name);
    let mut worker = worker.start();
    let health = Health::of(&mut worker);
    health.wait_for(200, BOUND);
    name.is_known(false);
    server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let text = health.wait_for(503, BOUND);
    assert!(text.contains("name resolution"), "{text}");
    // Longer than its pauses, which end at 5 s.
    pass(Duration::from_secs(10)).await;
    name.is_known(true);
    let back = Instant::now();
    runs_a_job(&client, back).await;
    health.wait_for(200, RESUMED.saturating_sub(back.elapsed()));
    assert!(!worker.has_ended());
}

async fn is_told_soon(client: &Client) {
    let start = Instant::now();
    let error = AddNumbers::new(1_u64, 2_u64).options().enqueue_on(client).await.unwrap_err();
    assert!(matches!(error, Error::Rejected { .. } | Error::Indeterminate { .. }), "{error}");
    assert!(start.elapsed() < TOLD, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_server_that_was_killed_and_came_back_finds_its_worker_waiting() {
    let mut server = Server::redis().config("appendonly yes").config("appendfsync always").start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut worker = worker(&server, &["sums", "work"]);
    let long = Work::new(1_u64, 4_000_u64).options().enqueue_on(&client).await.unwrap();
    worker.wait_for_line("begin 1", BOUND);
    let later =
        AddNumbers::new(4_u64, 5_u64).options().delay(Duration::from_secs(1)).enqueue_on(&client).await.unwrap();
    server.kill9();
    is_told_soon(&client).await;
    worker.wait_for_line("no answer from the broker", BOUND);
    worker.wait_for_line("end 1", BOUND);
    server.restart();
    runs_a_job(&client, Instant::now()).await;
    // What ran meanwhile is told, what became due meanwhile runs, and nothing ran twice.
    assert_eq!(long.result_within(BOUND).await.unwrap(), 1);
    assert_eq!(later.result_within(BOUND).await.unwrap(), 9);
    assert!(matches!(long.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    assert_eq!(worker.lines().iter().filter(|line| *line == "begin 1").count(), 1);
}

#[tokio::test]
async fn a_server_that_stood_still_longer_than_a_lease_gives_no_job_to_two() {
    let mut server = Server::redis().start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut first = worker(&server, &["sums", "work", "--lease", "2s"]);
    let job = Work::new(1_u64, 12_000_u64).options().enqueue_on(&client).await.unwrap();
    first.wait_for_line("begin 1", BOUND);
    let second = worker(&server, &["sums", "work", "--lease", "2s"]);
    server.freeze();
    is_told_soon(&client).await;
    let _ = tokio::time::timeout(Duration::from_secs(6), std::future::pending::<()>()).await;
    server.thaw();
    runs_a_job(&client, Instant::now()).await;
    // Every lease had ended, and both workers live: that alone is no evidence of a death.
    assert_eq!(job.result_within(BOUND).await.unwrap(), 1);
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    let begun = [first.lines(), second.lines()].concat().iter().filter(|line| *line == "begin 1").count();
    assert_eq!(begun, 1);
}

#[tokio::test]
async fn a_worker_stops_in_time_while_the_server_stands_still() {
    let mut server = Server::redis().start();
    let client = Client::connect(&server.url()).await.unwrap();
    let mut worker = worker(&server, &["work"]);
    Work::new(1_u64, 3_600_000_u64).options().enqueue_on(&client).await.unwrap();
    worker.wait_for_line("begin 1", BOUND);
    server.freeze();
    worker.signal(libc::SIGTERM);
    worker.wait_for_line("SIGTERM", BOUND);
    worker.signal(libc::SIGTERM);
    let start = Instant::now();
    assert_eq!(worker.wait(BOUND).code(), Some(6), "{}", worker.lines().join("\n"));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    server.thaw();
}

#[tokio::test]
async fn a_job_that_others_put_there_under_a_strange_id_stops_nobody() {
    let server = Server::redis().start();
    let client = Client::connect(&server.url()).await.unwrap();
    AddNumbers::new(1_u64, 1_u64).options().queue("seen").enqueue_on(&client).await.unwrap();
    let envelope = "{\"v\":1,\"task\":\"add_numbers\"}\n{\"a\":1,\"b\":1}";
    server.command(&["HSET", "{task:sums}:jobs", "a strange id", envelope]);
    server.command(&["RPUSH", "{task:sums}:ready:5", "a strange id"]);
    let mut connection = server.connection().unwrap();
    let bytes: &[u8] = b"\xff\xfe";
    support::redis::cmd("HSET").arg("{task:sums}:jobs").arg(bytes).arg(envelope).exec(&mut connection).unwrap();
    support::redis::cmd("RPUSH").arg("{task:sums}:ready:5").arg(bytes).exec(&mut connection).unwrap();
    let _worker = worker(&server, &["sums"]);
    let job = AddNumbers::new(20_u64, 22_u64).options().enqueue_on(&client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 42);
    let mut stored = support::redis::cmd("HGET");
    stored.arg("{task:sums}:jobs").arg("a strange id");
    // Its end record, in the place of the envelope.
    support::eventually("the strange job ended", BOUND, async || {
        stored.query::<String>(&mut connection).unwrap().starts_with('=').then_some(())
    })
    .await;
}
