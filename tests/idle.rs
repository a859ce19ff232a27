//! A worker that waits is woken when a job comes, and asks the server next to nothing meanwhile.
//!
//! A program of its own, so that no other test runs beside it. How fast the slowest of a hundred is picked up says more
//! of the machine than of the worker: `bench` measures that.

use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Server, eventually};
use task_runtime::prelude::*;
use tokio::sync::mpsc;

const BOUND: Duration = Duration::from_secs(30);
const SAMPLES: usize = 1_000;
/// What half of the jobs take at most, from the call of `enqueue` to the first line of the task: far less than any wait
/// between two looks.
const PICKED_UP: Duration = Duration::from_millis(10);
/// How long an idle worker is watched: several of its longest waits.
const WATCHED: Duration = Duration::from_secs(20);

#[task(queue = "idle")]
async fn begin(#[inject] begun: &Data<mpsc::UnboundedSender<Instant>>) {
    let _ = begun.send(Instant::now());
}

fn info(server: &Server, section: &str) -> String {
    String::from_redis_value(server.command(&["INFO", section])).expect("INFO is text")
}

/// The value of one line of `INFO`.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("the line is there").trim().parse().expect("it is a number")
}

/// How often clients called a command, those that ran inside scripts not counted.
fn calls(server: &Server) -> u64 {
    let by_client = ["evalsha", "eval", "blpop", "echo", "ping", "smembers", "sadd", "subscribe"];
    let stats = info(server, "commandstats");
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        by_client.contains(&name).then(|| rest.split(',').next()?.parse::<u64>().ok())?
    });
    calls.sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_is_woken_and_does_not_poll() {
    let server = Server::redis().start();
    let client = Client::connect(&server.url()).await.unwrap();
    let (begun, mut begins) = mpsc::unbounded_channel::<Instant>();
    let worker = Worker::builder(client.clone()).queue("idle").data(begun).build().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run_until(std::future::pending()));

    let mut took = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let idle = async || (field(&info(&server, "clients"), "blocked_clients") == 1).then_some(());
        eventually("the worker waits", BOUND, idle).await;
        let start = Instant::now();
        Begin::new().options().enqueue_on(&client).await.unwrap();
        took.push(begins.recv().await.unwrap() - start);
    }
    took.sort();
    let (half, most) = (took[SAMPLES / 2], took[SAMPLES * 99 / 100]);
    println!("picked up: p50 {half:?}, p99 {most:?}, longest {:?}", took[SAMPLES - 1]);
    assert!(half < PICKED_UP, "p50 {half:?}, p99 {most:?}");

    let before = calls(&server);
    // Nothing is to happen: there is no signal to wait for.
    let _ = tokio::time::timeout(WATCHED, std::future::pending::<()>()).await;
    let calls = calls(&server) - before;
    println!("an idle worker made {calls} calls in {WATCHED:?}");
    assert!(calls > 0 && calls <= WATCHED.as_secs(), "{calls} calls");

    handle.stop();
    running.await.unwrap().unwrap();
}
