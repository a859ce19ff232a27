//! A server that throws keys away when it is full keeps a worker from starting, unless that is allowed.

use std::time::Duration;

use support::redis::FromRedisValue as _;
use support::{Health, Program, Running, Server, eventually, nothing_is_wrong};
use task_runtime::Client;
use task_runtime::broker::Repair;

use crate::tasks::AddNumbers;
use crate::{BOUND, ended, program, queue};

/// A server is looked at every 20 s.
const LOOKED_AT: Duration = Duration::from_secs(60);
/// What a server that is nearly full has left for jobs.
const ROOM: u64 = 256 << 10;
/// Keys that are thrown away before that ends. A queue has about ten.
const EVICTED: u64 = 100;

fn worker(server: &Server, arguments: &[&str]) -> Program {
    program(&[&["worker", "sums", "--health", "127.0.0.1:0"], arguments].concat()).env("REDIS_URL", server.url())
}

fn set(server: &Server, policy: &str) {
    server.command(&["CONFIG", "SET", "maxmemory-policy", policy]);
}

/// It runs a job.
async fn works(server: &Server) {
    let client = Client::connect(&server.url()).await.unwrap();
    let job = AddNumbers::new(1_u64, 2_u64).options().enqueue_on(&client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 3);
}

fn told(server: &Server, field: &str) -> u64 {
    let info = String::from_redis_value(server.command(&["INFO"])).unwrap();
    let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    value.trim().parse().unwrap()
}

fn started(program: Program) -> (Running, Health) {
    let mut worker = program.start();
    let health = Health::of(&mut worker);
    (worker, health)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_does_not_start_on_a_server_that_evicts_unless_that_is_allowed() {
    for options in [Server::redis(), Server::valkey()] {
        let server = options.config("maxmemory 64mb").config("maxmemory-policy allkeys-lru").start();
        let client = Client::connect(&server.url()).await.unwrap();
        let job = AddNumbers::new(1_u64, 2_u64).options().enqueue_on(&client).await.unwrap();
        let (code, text) = ended(worker(&server, &[]).start());
        assert_eq!(code, 1, "{text}");
        for part in ["queue `sums`", "`allkeys-lru`", "CONFIG SET maxmemory-policy noeviction", "--allow-eviction"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        let counts = client.counts(&queue("sums")).await.unwrap();
        assert_eq!((counts.ready, counts.workers), (1, 0), "nothing was touched");
        let (_worker, health) = started(worker(&server, &["--allow-eviction"]));
        assert_eq!(job.result_within(BOUND).await.unwrap(), 3);
        assert_eq!(health.wait_for(200, BOUND), "ready");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_begins_to_evict_is_told_by_health_until_it_no_longer_does() {
    let server = Server::redis().config("maxmemory 64mb").start();
    let (_worker, health) = started(worker(&server, &[]));
    assert_eq!(health.wait_for(200, BOUND), "ready");
    set(&server, "volatile-ttl");
    let text = health.wait_for(503, LOOKED_AT);
    assert!(text.contains("queue `sums`") && text.contains("`volatile-ttl`"), "{text}");
    assert_eq!(health.get("/health/live"), (200, "live".to_owned()));
    // It goes on all the same: a job that is left alone is lost as well.
    works(&server).await;
    set(&server, "noeviction");
    assert_eq!(health.wait_for(200, LOOKED_AT), "ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_without_an_append_only_file_is_told_of_once() {
    const TOLD: &str = "has no append-only file";
    for (options, times) in [
        (Server::redis(), 1),
        (Server::valkey(), 1),
        (Server::redis().config("appendonly yes"), 0),
        (Server::valkey().config("appendonly yes"), 0),
    ] {
        let server = options.start();
        let (running, health) = started(worker(&server, &["work"]));
        assert_eq!(health.wait_for(200, BOUND), "ready");
        let told = running.lines().iter().filter(|line| line.contains(TOLD)).count();
        assert_eq!(told, times, "{}", running.lines().join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_without_a_bound_or_that_does_not_say_is_served_with_a_warning() {
    let server = Server::redis().config("maxmemory-policy allkeys-lru").start();
    let (mut running, health) = started(worker(&server, &[]));
    running.wait_for_line("would throw keys away", BOUND);
    assert_eq!(health.wait_for(200, BOUND), "ready");
    let server = Server::redis().config("maxmemory 64mb").start();
    server.command(&["ACL", "SETUSER", "default", "-info"]);
    let (mut running, health) = started(worker(&server, &[]));
    let line = running.wait_for_line("does not say whether it throws keys away", BOUND);
    assert!(line.contains("no permissions") && line.contains("`noeviction`"), "{line}");
    assert_eq!(health.wait_for(200, BOUND), "ready");
    works(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_goes_on_while_keys_are_really_thrown_away_and_a_repair_leaves_a_sound_queue() {
    let server = Server::redis().config("maxmemory 64mb").config("maxmemory-policy allkeys-random").start();
    let client = Client::connect(&server.url()).await.unwrap();
    let (mut worker, _) = started(worker(&server, &["--allow-eviction"]));
    works(&server).await;
    let limit = told(&server, "used_memory") + ROOM;
    server.command(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let mut acknowledged = 0;
    // Nothing but the keys of this queue is there to be thrown away.
    eventually("enough is thrown away", BOUND, async || {
        let some = (0..100).map(|number| AddNumbers::new(number, 2_u64));
        // A server that cannot make room refuses.
        acknowledged += client.enqueue_all(some).await.map_or(0, |jobs| jobs.len());
        (told(&server, "evicted_keys") > EVICTED).then_some(())
    })
    .await;
    server.command(&["CONFIG", "SET", "maxmemory", "64mb"]);
    let mut repairs = Vec::new();
    eventually("the queue is repaired and drained", BOUND, async || {
        let report = client.fsck(&queue("sums"), Repair::Yes).await.unwrap();
        let counts = client.counts(&queue("sums")).await.unwrap();
        let done = report.findings.is_empty() && counts.ready + counts.running + counts.scheduled + counts.parked == 0;
        repairs.push(report.findings);
        done.then_some(())
    })
    .await;
    println!("{acknowledged} jobs, {} keys thrown away; found: {repairs:?}", told(&server, "evicted_keys"));
    nothing_is_wrong(&client, &queue("sums"), BOUND).await;
    works(&server).await;
    assert!(!worker.has_ended(), "{}", worker.lines().join("\n"));
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(BOUND).code(), Some(0), "{}", worker.lines().join("\n"));
}
