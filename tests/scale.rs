//! Many jobs: no script takes long, and the recovery of a large worker keeps nobody waiting.
//!
//! `TASK_SCALE_JOBS` says how many jobs wait (20,000 unless it does); a tenth of them is scheduled, a hundredth dead.
//! With 1,000,000 in a release build: `tests/run scale`.

use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Server, eventually};
use task_runtime::broker::{
    Broker, Claim, Due, Incarnation, Lease, MAX_ENQUEUE, MAX_ENQUEUE_LATER, MAX_TURN, NewJob, Recovered, Repair,
    Retention, Turn, TurnAnswer,
};
use task_runtime::job::{EndRecord, JobId, PutBack, QueueName, Settlement};
use task_runtime::prelude::*;
use tokio::sync::mpsc;

const BOUND: Duration = Duration::from_secs(120);
/// What a script may take.
const SLOW: Duration = Duration::from_millis(5);
/// Some calls take longer when something else takes the processor away from the server: one in so many, and one; a few
/// more beside other tests.
const CALLS_FOR_ONE_SLOW: u64 = 1_000;
const ALONE: u64 = 1;
const BESIDE_TESTS: u64 = 8;
/// What a job may take beside its arguments, where there are many.
const BYTES: u64 = 200;
const MANY: usize = 100_000;
/// How long the arguments of a job are.
const ARGUMENTS: usize = 100;
/// Jobs on loan to the worker that vanishes.
const ON_LOAN: usize = 10_000;
const LEASE: Duration = Duration::from_secs(2);
/// What another job takes to start while they are recovered.
const PICKED_UP: Duration = Duration::from_millis(500);

/// Tells when it begins.
#[task(queue = "many", priority = 9)]
async fn probe(#[inject] begun: &Data<mpsc::UnboundedSender<Instant>>) {
    let _ = begun.send(Instant::now());
}

/// Does nothing.
#[task(queue = "many")]
async fn fill(text: String) {
    drop(text);
}

fn told() -> Option<usize> {
    std::env::var("TASK_SCALE_JOBS").ok().map(|jobs| jobs.parse().expect("TASK_SCALE_JOBS is a number"))
}

fn jobs() -> usize {
    told().unwrap_or(20_000)
}

fn queue() -> QueueName {
    QueueName::new("many").unwrap()
}

/// A server that writes down what takes long.
fn server() -> Server {
    let limit = SLOW.as_micros();
    Server::redis().config(format!("slowlog-log-slower-than {limit}")).config("slowlog-max-len 1000").start()
}

/// That no script was slow, or one in so many.
#[track_caller]
fn assert_fast(server: &Server, what: &str) {
    let slow = u64::from_redis_value(server.command(&["SLOWLOG", "LEN"])).unwrap();
    let calls = of_scripts(server, "commandstats", "cmdstat_evalsha:calls=");
    let calls: u64 = calls.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number");
    let took = of_scripts(server, "latencystats", "latency_percentiles_usec_evalsha:");
    println!("{what}: {slow} of {calls} scripts took more than {SLOW:?}, in µs {took}");
    let allowed = calls / CALLS_FOR_ONE_SLOW + if told().is_some() { ALONE } else { BESIDE_TESTS };
    assert!(slow <= allowed, "{what}: {slow} slow scripts of {calls}: {:?}", server.command(&["SLOWLOG", "GET", "5"]));
    server.command(&["SLOWLOG", "RESET"]);
    server.command(&["CONFIG", "RESETSTAT"]);
}

/// What stands behind `name` in a section of `INFO`.
fn of_scripts(server: &Server, section: &str, name: &str) -> String {
    let info = String::from_redis_value(server.command(&["INFO", section])).unwrap();
    info.lines().find_map(|line| line.strip_prefix(name)).expect("scripts were called").to_owned()
}

/// An incarnation that claims and settles as a worker does.
struct Bare {
    broker: std::sync::Arc<dyn Broker>,
    incarnation: Incarnation,
    step: u64,
}

impl Bare {
    async fn begin(client: &Client) -> Self {
        let (broker, incarnation) = (client.broker().clone(), Incarnation::random());
        let step = broker.begin(&queue(), &incarnation, LEASE).await.unwrap();
        Self { broker, incarnation, step }
    }

    async fn turn(&mut self, settlements: Vec<(JobId, Settlement)>, want: usize) -> Vec<JobId> {
        self.step += 1;
        let turn = Turn {
            incarnation: self.incarnation.clone(),
            step: self.step,
            lease: LEASE,
            settlements,
            want,
            few_room: 0,
            empty: false,
            order: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
            take: vec![],
            retention: Retention::default(),
            on_loan: None,
        };
        match self.broker.turn(&queue(), &turn).await.unwrap() {
            TurnAnswer::Done(done) => done.claims.into_iter().map(|claim| claim.id).collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// Puts `count` jobs there that are due as `due` says.
async fn put(client: &Client, count: usize, due: Due) {
    let arguments = format!("{{\"text\":\"{}\"}}", "x".repeat(ARGUMENTS - r#"{"text":""}"#.len()));
    let envelope = format!("{{\"v\":1,\"task\":\"fill\"}}\n{arguments}").into_bytes();
    let most = if due == Due::Now { MAX_ENQUEUE } else { MAX_ENQUEUE_LATER };
    for first in (0..count).step_by(most) {
        let job = |_| NewJob { id: JobId::random(), priority: 5, due, envelope: envelope.clone() };
        let batch: Vec<_> = (first..count.min(first + most)).map(job).collect();
        client.broker().enqueue(&queue(), &batch, None).await.unwrap();
    }
}

/// Puts jobs there that wait, and sees what each of them takes.
async fn put_and_weigh(client: &Client, server: &Server, count: usize) {
    let used = || {
        let info = String::from_redis_value(server.command(&["INFO", "memory"])).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("INFO tells it");
        line.trim().parse::<u64>().unwrap()
    };
    let before = used();
    put(client, count, Due::Now).await;
    let each = used().saturating_sub(before) / count as u64;
    println!("a waiting job with {ARGUMENTS} B of arguments takes {each} B");
    assert!(count < MANY || each <= ARGUMENTS as u64 + BYTES, "{each} B");
}

/// Every kind of job there is, in numbers.
async fn fill_up(client: &Client, server: &Server, waiting: usize) {
    let dead = waiting / 100;
    put(client, dead, Due::Now).await;
    let mut bare = Bare::begin(client).await;
    let mut buried = 0;
    while buried < dead {
        let claims = bare.turn(vec![], MAX_TURN).await;
        buried += claims.len();
        let state = br#"{"attempts":1,"crashes":0,"error":"no"}"#;
        let settlements = claims.into_iter().map(|id| (id, Settlement::Dead { state: state.to_vec() })).collect();
        bare.turn(settlements, 0).await;
    }
    put_and_weigh(client, server, waiting).await;
    put(client, waiting / 20, Due::After(Duration::from_secs(3_600))).await;
    put(client, waiting / 20, Due::After(Duration::from_millis(1))).await;
}

async fn leased(client: &Client, incarnation: &Incarnation) -> Lease {
    let leases = client.broker().workers(&queue()).await.unwrap();
    leases.into_iter().find(|lease| lease.incarnation == *incarnation).expect("it is registered")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_many_jobs_of_every_kind_no_script_takes_long() {
    let server = server();
    let client = Client::connect(&server.url()).await.unwrap();
    let waiting = jobs();
    fill_up(&client, &server, waiting).await;
    assert_fast(&server, "filling up");
    let counts = client.counts(&queue()).await.unwrap();
    assert!(counts.ready >= waiting && counts.dead == waiting / 100, "{counts:?}");

    // Claims and settles a fifth, promotes what is due on the way, and ends some of each kind.
    let mut bare = Bare::begin(&client).await;
    let mut held = vec![];
    for _ in 0..(waiting / 5 / MAX_TURN).max(100) {
        // Half of the records have a time of their own.
        let ends = held.drain(..).enumerate().map(|(at, id)| {
            let keep = (at % 2 == 0).then_some(Duration::from_secs(60));
            (id, Settlement::Finish { record: EndRecord::CANCELLED.to_vec(), keep })
        });
        let ends = ends.collect();
        held = bare.turn(ends, MAX_TURN).await;
        assert!(!held.is_empty());
    }
    assert_fast(&server, "claiming and settling");

    for _ in 0..100 {
        let job = Fill::new("x".to_owned()).options().enqueue_on(&client).await.unwrap();
        client.counts(&queue()).await.unwrap();
        job.status().await.unwrap();
        client.broker().watch(&queue(), job.id()).await.unwrap();
        client.broker().sweep(&queue(), &Retention::default(), Duration::from_secs(600)).await.unwrap();
        client.broker().promote(&queue()).await.unwrap();
        job.cancel().await.unwrap();
        client.pause(&queue()).await.unwrap();
        client.resume(&queue()).await.unwrap();
    }
    assert_fast(&server, "looking, sweeping, promoting, cancelling, pausing");

    // What workers do besides turns: those that come and go, and those that vanish.
    for _ in 0..50 {
        let (mut leaves, mut vanishes) = (Bare::begin(&client).await, Bare::begin(&client).await);
        let held = leaves.turn(vec![], MAX_TURN).await;
        leaves.broker.heartbeat(&queue(), &leaves.incarnation, LEASE).await.unwrap();
        let adopted = leaves.broker.adopt(&queue(), &leaves.incarnation, &held[..4]).await.unwrap();
        assert_eq!(adopted.len(), 4);
        let back: Vec<_> = held.into_iter().map(|id| (id, PutBack::Ready(5))).collect();
        while !leaves.broker.leave(&queue(), &leaves.incarnation, &back).await.unwrap() {}
        vanishes.turn(vec![], MAX_TURN).await;
        let mut lease = leased(&client, &vanishes.incarnation).await;
        while let Some(condemned) = client.broker().condemn(&queue(), &lease, true).await.unwrap() {
            let few = |claim: Claim| Recovered::Few { id: claim.id, state: br#"{"crashes":1}"#.to_vec() };
            let recovered: Vec<_> = condemned.jobs.into_iter().map(few).collect();
            if recovered.is_empty() {
                break;
            }
            client.broker().settle_for(&queue(), &vanishes.incarnation, &recovered).await.unwrap();
            lease.ends_ms = 0;
        }
    }
    assert_fast(&server, "coming, leaving, vanishing");

    let start = Instant::now();
    let report = client.fsck(&queue(), Repair::No).await.unwrap();
    assert_eq!(report.findings, [], "{report:#?}");
    println!("checked {} jobs and {} ends in {:?}", report.jobs, report.ended, start.elapsed());
    assert_fast(&server, "checking");
    let list = format!("{{task:{}}}:ready:5", queue());
    let listed = u64::from_redis_value(server.command(&["LLEN", &list])).unwrap();
    server.command(&["DEL", &list]);
    let start = Instant::now();
    let report = client.fsck(&queue(), Repair::Yes).await.unwrap();
    // Of those that were cancelled their marks.
    let found: u64 = report.findings.iter().map(|finding| finding.count).sum();
    assert!(report.is_sound() && found == listed, "{listed} of {report:#?}");
    println!("put {} jobs back in {:?}", report.findings[0].count, start.elapsed());
    assert_fast(&server, "repairing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recovery_of_a_worker_that_held_ten_thousand_jobs_keeps_nobody_waiting() {
    let server = server();
    let client = Client::connect(&server.url()).await.unwrap();
    put(&client, ON_LOAN, Due::Now).await;
    // Beside others, which are due when all is over.
    put(&client, jobs(), Due::After(Duration::from_secs(3_600))).await;
    assert_fast(&server, "filling up");
    let mut vanished = Bare::begin(&client).await;
    let mut held = 0;
    while held < ON_LOAN {
        held += vanished.turn(vec![], MAX_TURN).await.len();
    }
    let (begun, mut begins) = mpsc::unbounded_channel::<Instant>();
    let worker = Worker::builder(client.clone()).queue("many").lease(LEASE).data(begun).build().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run_until(std::future::pending()));

    let (mut slowest, start) = (Duration::ZERO, Instant::now());
    loop {
        let called = Instant::now();
        Probe::new().options().enqueue_on(&client).await.unwrap();
        let began = begins.recv().await.expect("the worker runs");
        slowest = slowest.max(began - called);
        let counts = client.counts(&queue()).await.unwrap();
        if counts.finished >= ON_LOAN && counts.running == 0 {
            break;
        }
        assert!(start.elapsed() < BOUND, "not recovered: {counts:?}");
    }
    println!("recovered in {:?}, and no job waited longer than {slowest:?} meanwhile", start.elapsed());
    assert!(slowest < PICKED_UP, "a job waited {slowest:?}");
    assert_fast(&server, "recovery");
    handle.stop();
    running.await.unwrap().unwrap();
    let empty = async || (client.counts(&queue()).await.unwrap().workers == 0).then_some(());
    eventually("all incarnations are gone", BOUND, empty).await;
}
