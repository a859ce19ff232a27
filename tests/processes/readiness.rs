//! Whether a worker consumes is measured where it consumes, and told over HTTP.

use std::time::{Duration, Instant};

use support::{Health, Line, Proxy, Running, Server, Way};
use task_runtime::Client;

use crate::tasks::{AddNumbers, Hog, Work};
use crate::{BOUND, Bench, program};

/// How soon a worker says that it does not consume.
const TOLD: Duration = Duration::from_secs(15);
/// How soon it consumes again once the server answers, and says so.
const RESUMED: Duration = Duration::from_secs(10);

fn worker(url: &str, arguments: &[&str]) -> (Running, Health) {
    let mut worker =
        program(&[&["worker", "--health", "127.0.0.1:0"], arguments].concat()).env("REDIS_URL", url).start();
    let health = Health::of(&mut worker);
    (worker, health)
}

/// An outage is seen by the worker within its time, is no reason for a restart, and its end is seen too.
async fn is_told<S>(url: &str, server: &mut S, fails: impl FnOnce(&mut S), comes_back: impl FnOnce(&mut S)) {
    let (_worker, health) = worker(url, &["sums"]);
    assert_eq!(health.wait_for(200, BOUND), "ready");
    let client = Client::connect(url).await.unwrap();
    fails(server);
    let text = health.wait_for(503, TOLD);
    assert!(text.starts_with("not ready: queue `sums`: no turn was carried out for 1"), "{text}");
    assert_eq!(health.get("/health/live"), (200, "live".to_owned()));
    comes_back(server);
    let back = Instant::now();
    assert_eq!(health.wait_for(200, RESUMED), "ready");
    let sum = loop {
        if let Ok(job) = AddNumbers::new(1_u64, 2_u64).options().enqueue_on(&client).await {
            break job.result_within(RESUMED).await.unwrap();
        }
        assert!(back.elapsed() < RESUMED, "nothing is enqueued {:?} after the server was back", back.elapsed());
    };
    assert!(sum == 3 && back.elapsed() < RESUMED, "{:?}", back.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_whose_server_was_killed_is_not_ready_until_it_is_back() {
    let mut server = Server::redis().config("appendonly yes").config("appendfsync no").start();
    is_told(&server.url(), &mut server, Server::kill9, Server::restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_whose_server_stands_still_is_not_ready_until_it_moves() {
    let mut server = Server::redis().start();
    is_told(&server.url(), &mut server, Server::freeze, Server::thaw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_is_cut_off_without_a_word_is_not_ready_until_it_gets_through() {
    let server = Server::redis().start();
    let mut proxy = Proxy::to(server.port());
    let cut = |proxy: &mut Proxy| [Way::Requests, Way::Replies].map(|way| proxy.set(way, Line::Hold));
    is_told(&proxy.url(), &mut proxy, |proxy| _ = cut(proxy), |proxy| proxy.heal()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_several_queues_only_the_one_that_is_not_consumed_is_named() {
    is_named_with("asked").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_queue_whose_turns_fail_only_when_they_claim_is_not_ready_either() {
    is_named_with("ready:5").await;
}

/// With something else under one key of a queue.
async fn is_named_with(key: &str) {
    let server = Server::redis().start();
    let key = format!("{{task:sums}}:{key}");
    let (_worker, health) = worker(&server.url(), &["sums", "work"]);
    health.wait_for(200, BOUND);
    // The connection answers as ever; only the turns of this queue are refused.
    server.command(&["SET", &key, "of another type"]);
    let text = health.wait_for(503, TOLD);
    assert!(text.contains("queue `sums`: no turn") && text.contains("WRONGTYPE"), "{text}");
    assert!(!text.contains("`work`"), "{text}");
    // The other one is consumed as ever, with all places but those that run.
    let client = Client::connect(&server.url()).await.unwrap();
    let jobs = client.enqueue_all((0..200).map(|n| Work::new(n, 10_u64))).await.unwrap();
    for job in jobs {
        job.result_within(RESUMED).await.unwrap();
    }
    assert_eq!(health.get("/health/ready").0, 503);
    server.command(&["DEL", &key]);
    health.wait_for(200, RESUMED);
}

/// Jobs of another queue take all places, so that turns that ask for nothing come between the claims that fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_queue_whose_claims_fail_is_told_of_as_long_as_they_do_on_a_worker_that_is_full() {
    let server = Server::redis().start();
    let (_worker, health) = worker(&server.url(), &["sums", "work", "--concurrency", "4"]);
    health.wait_for(200, BOUND);
    let client = Client::connect(&server.url()).await.unwrap();
    let jobs = client.enqueue_all((0..1_000).map(|n| Work::new(n, 100_u64))).await.unwrap();
    server.command(&["SET", "{task:sums}:ready:5", "of another type"]);
    let (begun, mut told) = (Instant::now(), false);
    for job in jobs {
        job.result_within(BOUND).await.unwrap();
        let (status, text) = health.get("/health/ready");
        assert!(!text.contains("`work`"), "{text}");
        assert!(
            status == 503 || !told && begun.elapsed() < TOLD,
            "{text}, {:?} after claims began to fail",
            begun.elapsed()
        );
        told |= status == 503;
    }
    server.command(&["DEL", "{task:sums}:ready:5"]);
    health.wait_for(200, RESUMED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_queue_whose_claims_fail_from_the_start_was_never_ready() {
    let server = Server::redis().start();
    server.command(&["SET", "{task:sums}:ready:5", "of another type"]);
    let (_worker, health) = worker(&server.url(), &["sums", "work"]);
    let client = Client::connect(&server.url()).await.unwrap();
    for n in 0..50_u64 {
        Work::new(n, 50_u64).options().enqueue_on(&client).await.unwrap().result_within(BOUND).await.unwrap();
        let (status, text) = health.get("/health/ready");
        assert!(status == 503 && text.contains("queue `sums`: no turn was carried out yet"), "{text}");
    }
    server.command(&["DEL", "{task:sums}:ready:5"]);
    health.wait_for(200, RESUMED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_whose_runtime_is_blocked_still_answers_and_is_not_ready() {
    let bench = Bench::new().await;
    let mut worker =
        bench.program(&["worker", "work", "--health", "127.0.0.1:0"]).env("TOKIO_WORKER_THREADS", "1").start();
    let health = Health::of(&mut worker);
    health.wait_for(200, BOUND);
    Hog::new(12_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    let text = health.wait_for(503, TOLD);
    assert!(text.contains("the runtime has not moved for"), "{text}");
    health.wait_for(200, BOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_stops_is_not_ready_and_health_answers_only_what_it_should() {
    let bench = Bench::new().await;
    let mut worker = bench.start(&["worker", "work", "--health", "127.0.0.1:0"]);
    let health = Health::of(&mut worker);
    health.wait_for(200, BOUND);
    assert_eq!(health.get("/health/ready?verbose").0, 200);
    assert_eq!(health.get("/").0, 404);
    assert_eq!(health.ask(b"POST /health/ready HTTP/1.1\r\n\r\n").0, 405);
    assert_eq!(health.ask(b"GET \xff HTTP/1.1\r\n\r\n").0, 400);
    // Those who say nothing, more than are answered at a time, keep nobody else from an answer.
    let silent: Vec<_> = (0..20).map(|_| health.connect()).collect();
    assert_eq!(health.get("/health/live").0, 200);
    drop(silent);
    crate::tasks::Work::new(1_u64, 3_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("begin 1", BOUND);
    worker.signal(libc::SIGTERM);
    assert_eq!(health.wait_for(503, TOLD), "not ready: the worker stops");
    assert_eq!(worker.wait(BOUND).code(), Some(0));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = crate::ended(bench.start(&["worker", "--health", &address]));
    assert!(code == 1 && text.contains(&format!("no health can be served at {address}")), "{text}");
}
