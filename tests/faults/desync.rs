//! Answers that are doubled, lost, swapped, damaged or unasked for, under load: nobody gets what is not theirs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use support::redis::FromRedisValue as _;
use support::{
    Fault, Line, On, Server, ServerOptions, Way, When, drained, goes_on_for, nothing_is_wrong, unknown_keys,
};
use task_runtime::broker::Incarnation;
use task_runtime::job::QueueName;
use task_runtime::prelude::*;
use task_runtime::{Error, JobError, JobId, JobStatus};
use tokio::sync::watch;

use crate::BOUND;
use crate::fixture::{Bench, Mark, Running, pass, queue, runs_a_job};

/// Queues of the one client, so that many requests are under way on its connection at a time.
const QUEUES: [&str; 4] = ["one", "two", "three", "four"];
/// Producers of each queue, who wait for what they enqueued.
const PRODUCERS: u64 = 4;
/// Each request meets the fault with this chance.
const CHANCE: f64 = 0.02;
/// How long a caller waits for a result while answers go astray.
const PATIENCE: Duration = Duration::from_secs(2);

/// The faults of one round; where an answer is cut is drawn anew each time.
fn faults() -> Vec<Fault> {
    let mut faults = vec![Fault::Duplicate, Fault::DropReply, Fault::Swap, Fault::Corrupt];
    faults.extend((0..3).map(|_| Fault::Truncate(fastrand::usize(..60))));
    let unasked = [":1", "+OK", "$-1", "*0", "*2\r\n:1\r\n$1\r\n1", "-NOSCRIPT none", "-LOADING wait", "-OOM full"];
    faults.extend(unasked.map(|line| Fault::Extra(line.into())));
    faults
}

/// What one producer was told.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<u64, JobHandle<u64>>,
    refused: Vec<(u64, Error)>,
    results: usize,
}

/// Enqueues jobs one after the other, looks at each and waits for its value, which must be its own.
async fn produce(client: Client, queue: &'static str, first: u64, stopped: watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    for number in (first..).step_by(PRODUCERS as usize * QUEUES.len()) {
        if *stopped.borrow() {
            break;
        }
        let job = match Mark::new(number, 0_u64).options().queue(queue).enqueue_on(&client).await {
            Ok(job) => job,
            Err(error) => {
                if !error.outcome_unknown() {
                    told.refused.push((number, error));
                }
                continue;
            }
        };
        // A further request that is under way; what it is told may be anything, or nothing.
        let _ = job.status().await;
        match job.result_within(PATIENCE).await {
            Ok(value) => {
                assert_eq!(value, number, "the value of another job");
                told.results += 1;
            }
            Err(JobError::Timeout { .. } | JobError::Broker(_)) => {}
            Err(error) => panic!("job {number}: {error:?}"),
        }
        told.acknowledged.insert(number, job);
    }
    told
}

async fn nobody_gets_what_is_not_theirs(options: ServerOptions) {
    let bench = Bench::new(options).await;
    // One client for all of it.
    let client = bench.beyond().await;
    let worker = Worker::builder(client.clone()).queue("q").data(bench.ledger.clone()).concurrency(16);
    let worker = Running::start(QUEUES.iter().fold(worker, |worker, queue| worker.queue(*queue)));
    let (stop, stopped) = watch::channel(false);
    let mut producers = Vec::new();
    for (at, queue) in QUEUES.into_iter().enumerate() {
        for number in 0..PRODUCERS {
            let first = at as u64 * PRODUCERS + number;
            producers.push(tokio::spawn(produce(client.clone(), queue, first, stopped.clone())));
        }
    }
    let until = Instant::now() + goes_on_for(Duration::from_secs(8), Duration::from_secs(120));
    let (mut hits, mut rounds) = (0, 0);
    while Instant::now() < until || rounds == 0 {
        for fault in faults() {
            let injected = bench.proxy.inject(On::Any, When::Chance(CHANCE), fault);
            pass(Duration::from_millis(250)).await;
            injected.lift();
            hits += injected.hits();
        }
        rounds += 1;
    }
    bench.proxy.heal();
    // It goes on by itself.
    runs_a_job(&client, 1 << 32).await;
    stop.send_replace(true);
    let (mut acknowledged, mut results) = (BTreeMap::new(), 0);
    for producer in producers {
        let told = tokio::time::timeout(BOUND, producer).await.expect("a producer ends").unwrap();
        acknowledged.extend(told.acknowledged);
        results += told.results;
        for (number, error) in told.refused {
            assert_eq!(bench.ledger.of(number).begun, 0, "job {number} was refused: {error}");
        }
    }
    println!("{hits} faults in {rounds} rounds, {} jobs, {results} values in time", acknowledged.len());
    assert!(hits > 20 && results > 50, "{hits} faults, {results} values");
    for queue in QUEUES.map(|name| QueueName::new(name).unwrap()) {
        let counts = drained(&bench.client, &queue, BOUND).await;
        assert_eq!(counts.dead, 0, "{counts:?}");
        nothing_is_wrong(&bench.client, &queue, BOUND).await;
    }
    for (number, job) in acknowledged {
        assert_eq!(job.result_within(BOUND).await.unwrap(), number);
    }
    assert_eq!(unknown_keys(&bench.server), Vec::<String>::new(), "keys that should not be there");
    assert_eq!(bench.ledger.begun_more_than(1), []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_go_astray_reach_nobody() {
    nobody_gets_what_is_not_theirs(Server::redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_go_astray_on_valkey_reach_nobody() {
    nobody_gets_what_is_not_theirs(Server::valkey()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_out_of_step_ends_the_connection_for_all_who_wait_on_it() {
    let bench = Bench::new(Server::redis()).await;
    let client = bench.beyond().await;
    let job = |number: u64| client.handle::<()>(queue(), JobId::new(number.to_string()).unwrap());
    assert_eq!(job(0).status().await.unwrap(), JobStatus::Unknown);
    let before = bench.proxy.accepted();
    let line = Duration::from_millis(200);
    bench.proxy.set(Way::Replies, Line::delay(line));
    bench.proxy.inject(On::Script("cancel"), When::Nth(1), Fault::DropReply);
    let jobs: Vec<_> = (1..=8).map(job).collect();
    for cancelled in join_all(jobs.iter().map(JobHandle::cancel)).await {
        let error = cancelled.unwrap_err();
        // The last of them would wait for an answer that never comes.
        assert!(error.outcome_unknown() && !error.to_string().contains("no answer"), "{error}");
    }
    bench.proxy.heal();
    assert_eq!(job(0).status().await.unwrap(), JobStatus::Unknown);
    assert_eq!(bench.proxy.accepted() - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_nobody_asked_for_refuses_nothing() {
    let bench = Bench::new(Server::redis()).await;
    let client = bench.beyond().await;
    let errors =
        ["-OOM full", "-LOADING wait", "-READONLY no", "-NOPERM no", "-BUSY script", "-MISCONF disk", "-NOSCRIPT none"];
    for (number, line) in (0_u64..).zip(errors) {
        runs_no_more_than_told(&client, line, &bench, number).await;
    }
}

/// With nothing else under way, so that the true answer comes when nobody waits for one.
async fn runs_no_more_than_told(client: &Client, line: &str, bench: &Bench, number: u64) {
    let ready = async || client.counts(&queue()).await.unwrap().ready;
    let before = ready().await;
    let injected = bench.proxy.inject(On::Script("enqueue"), When::Nth(1), Fault::Extra(line.into()));
    let told = Mark::new(number, 0_u64).options().queue("q").enqueue_on(client).await;
    assert_eq!(injected.hits(), 1);
    let happened = ready().await - before;
    assert_eq!(happened, 1, "{line}");
    if let Err(error) = told {
        assert!(error.outcome_unknown(), "{line}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_closes_an_idle_connection_costs_no_call_an_error() {
    let server = Server::redis().start();
    let client = Client::connect(&server.url()).await.unwrap();
    for _ in 0..5 {
        client.broker().promote(&queue()).await.unwrap();
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        // Only a call that is faster than the news of it meets one.
        pass(Duration::from_secs(1)).await;
        client.broker().promote(&queue()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_read_ends_its_connection() {
    let bench = Bench::new(Server::redis()).await;
    let client = bench.beyond().await;
    let (incarnation, lease) = (Incarnation::random(), Duration::from_secs(30));
    client.broker().begin(&queue(), &incarnation, lease).await.unwrap();
    let keys = Vec::<String>::from_redis_value(bench.server.command(&["KEYS", "*:steps"])).unwrap();
    bench.server.command(&["HSET", &keys[0], incarnation.as_str(), "not a number"]);
    let before = bench.proxy.accepted();
    let error = client.broker().heartbeat(&queue(), &incarnation, lease).await.unwrap_err();
    assert!(error.outcome_unknown() && error.to_string().contains("`heartbeat` answered"), "{error}");
    client.counts(&queue()).await.unwrap();
    assert_eq!(bench.proxy.accepted() - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unasked_answer_to_a_wait_costs_one_wait_only() {
    let bench = Bench::new(Server::redis()).await;
    let client = bench.beyond().await;
    let queue = queue();
    let wake = || client.broker().wake(&queue, Duration::from_millis(50));
    assert!(!wake().await.unwrap());
    for line in ["$-1", "*2\r\n$1\r\na\r\n$1\r\n1", "+OK"] {
        let before = bench.proxy.accepted();
        bench.proxy.inject(On::Command("BLPOP"), When::Nth(1), Fault::Extra(line.into()));
        assert!(wake().await.unwrap_err().outcome_unknown());
        assert!(!wake().await.unwrap());
        assert_eq!(bench.proxy.accepted() - before, 1, "{line}");
    }
}
