//! Someone deletes keys and entries, flushes the server or goes back to an old copy, while jobs are
//! enqueued and run: workers go on, and the check finds and repairs what is left.

use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{On, Server, eventually, goes_on_for};
use task_runtime::broker::{Flaw, Repair, Report};
use task_runtime::client::JobStatus;
use task_runtime::prelude::*;

use crate::BOUND;
use crate::fixture::{Bench, Mark, Running, pass, queue};

/// How the keys of the queue begin.
const PREFIX: &str = "{task:q}:";
/// Everything but the jobs themselves and what runs.
const KEYS: [&str; 17] = [
    "state",
    "ready:5",
    "few",
    "alone",
    "scheduled",
    "workers",
    "steps",
    "asked",
    "marks",
    "parked",
    "parked_tasks",
    "done",
    "kept",
    "dead",
    "watched",
    "wake",
    "meta",
];
/// Long enough for a heartbeat, short enough to see workers recovered.
const LEASE: Duration = Duration::from_secs(2);
/// Jobs that wait while the check is made beside a load.
const BACKLOG: u64 = 3_000;
/// What an idle worker may ask in a second.
const IDLE_CALLS: u64 = 20;

/// Fails twice, at once, and then ends.
#[task(queue = "q", max_attempts = 3, backoff = ["1ms"])]
async fn trip(number: u64, #[inject] ctx: &Context) -> Result<u64, String> {
    if ctx.attempt() < 3 { Err("once more".into()) } else { Ok(number) }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The sets of jobs on loan.
fn running(server: &Server) -> Vec<String> {
    Vec::from_redis_value(server.command(&["KEYS", &key("running:*")])).unwrap()
}

async fn start(bench: &Bench) -> Running {
    Running::start(bench.worker().await.lease(LEASE))
}

/// Repairs until nothing is found any more and nothing waits or runs: what runs without its envelope
/// is left to its worker.
async fn repaired(bench: &Bench) -> Vec<Report> {
    let mut reports = Vec::new();
    eventually("the queue is repaired and drained", BOUND, async || {
        let report = bench.client.fsck(&queue(), Repair::Yes).await.ok()?;
        let counts = bench.client.counts(&queue()).await.ok()?;
        let done = report.findings.is_empty() && counts.ready + counts.running + counts.scheduled + counts.parked == 0;
        reports.push(report);
        done.then_some(())
    })
    .await;
    let report = bench.client.fsck(&queue(), Repair::No).await.unwrap();
    assert_eq!(report.findings, [], "{report:#?}");
    reports
}

fn found(reports: &[Report], flaw: Flaw) -> u64 {
    reports.iter().flat_map(|report| &report.findings).filter(|one| one.flaw == flaw).map(|one| one.count).sum()
}

/// Calls of scripts so far.
fn calls(server: &Server) -> u64 {
    let stats = String::from_redis_value(server.command(&["INFO", "commandstats"])).unwrap();
    let calls = |line: &str| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok();
    stats.lines().find_map(calls).unwrap_or(0)
}

/// An idle worker asks little, whatever was deleted.
async fn is_quiet(server: &Server) {
    let before = calls(server);
    pass(Duration::from_secs(1)).await;
    let asked = calls(server) - before;
    assert!(asked <= IDLE_CALLS, "an idle worker called {asked} scripts in a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_indexes_lose_no_job_once_they_are_repaired() {
    let bench = Bench::new(Server::redis()).await;
    let worker = start(&bench).await;
    let load = bench.load(&bench.client, 3);
    let until = Instant::now() + goes_on_for(Duration::from_secs(4), Duration::from_secs(60));
    let mut at = 0;
    while Instant::now() < until {
        pass(Duration::from_millis(70)).await;
        match at % 4 {
            0 => drop(bench.server.command(&["RPOP", &key("ready:5")])),
            1 => running(&bench.server).iter().take(1).for_each(|set| drop(bench.server.command(&["SPOP", set]))),
            2 if at % 12 == 2 => {
                running(&bench.server).iter().for_each(|set| drop(bench.server.command(&["DEL", set])))
            }
            _ => drop(bench.server.command(&["DEL", &key(KEYS[fastrand::usize(..KEYS.len())])])),
        }
        at += 1;
    }
    let told = load.stop().await;
    let reports = repaired(&bench).await;
    assert!(found(&reports, Flaw::Lost) > 0, "{reports:#?}");
    bench.ends_well(&told, usize::MAX).await;
    is_quiet(&bench.server).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_go_on_when_jobs_are_deleted_or_all_is_flushed() {
    let bench = Bench::new(Server::redis()).await;
    let worker = start(&bench).await;
    let load = bench.load(&bench.client, 3);
    for round in 0..4 {
        for _ in 0..10 {
            pass(Duration::from_millis(30)).await;
            let some =
                Vec::<String>::from_redis_value(bench.server.command(&["HRANDFIELD", &key("jobs"), "3"])).unwrap();
            some.iter().for_each(|id| drop(bench.server.command(&["HDEL", &key("jobs"), id])));
        }
        bench.server.command(&["DEL", &key("jobs")]);
        if round % 2 == 1 {
            bench.server.command(&["FLUSHDB"]);
        }
        bench.runs_a_job((1 << 32) + round).await;
    }
    load.stop().await;
    let reports = repaired(&bench).await;
    assert!(found(&reports, Flaw::Unlisted) <= 1, "{reports:#?}");
    assert_eq!(bench.client.queues().await.unwrap(), [queue()]);
    bench.runs_a_job(1 << 33).await;
    is_quiet(&bench.server).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_after_all_was_flushed_leaves_nothing() {
    let bench = Bench::new(Server::redis()).await;
    let (mut round, mut by_themselves) = (0, 0);
    let rounds = goes_on_for(Duration::from_secs(3), Duration::from_secs(30)).as_secs();
    while round < rounds || by_themselves == 0 {
        // Mostly the first to learn that the lease is gone is the turn that tells of the end: the next look is a second
        // away, and the next heartbeat 10 s. On a busy machine it may be a look, which has the job stopped.
        let worker = bench.start().await;
        let job = Mark::new(round, 200_u64).options().enqueue_on(&bench.client).await.unwrap();
        eventually("the job begins", BOUND, async || (bench.ledger.of(round).begun == 1).then_some(())).await;
        let begun = bench.proxy.seen(On::Script("begin"));
        bench.server.command(&["FLUSHDB"]);
        let anew = async || (bench.proxy.seen(On::Script("begin")) > begun).then_some(());
        eventually("the worker begins anew", BOUND, anew).await;
        assert_eq!(bench.ledger.of(round).begun, 1);
        by_themselves += bench.ledger.of(round).ended;
        pass(Duration::from_millis(300)).await;
        let mut keys = Vec::<String>::from_redis_value(bench.server.command(&["KEYS", "*"])).unwrap();
        keys.sort();
        assert_eq!(keys, [key("steps"), key("workers"), "{task}:queues".to_owned()]);
        assert_eq!(job.status().await.unwrap(), JobStatus::Unknown);
        worker.stop().await;
        round += 1;
        assert!(round < 10 * rounds, "no job ended by itself");
    }
    assert_eq!(bench.ledger.begun_more_than(1), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_the_data_is_sound_and_drained() {
    let mut bench = Bench::new(Server::redis()).await;
    let worker = start(&bench).await;
    let producer = bench.beyond().await;
    let load = bench.load(&producer, 3);
    pass(Duration::from_millis(700)).await;
    // They wait in the copy, and none of them can have run before it was made.
    let waiting = (0..20).map(|number| Mark::new((1 << 33) + number, 3_u64).options().delay(Duration::from_secs(3)));
    let mut saved = Vec::new();
    for job in waiting {
        saved.push(job.enqueue_on(&bench.client).await.unwrap());
    }
    bench.server.command(&["SAVE"]);
    pass(Duration::from_millis(700)).await;
    // What came after the copy is gone with the process.
    bench.server.restart();
    bench.runs_a_job(1 << 32).await;
    let told = load.stop().await;
    let report = bench.client.fsck(&queue(), Repair::No).await.unwrap();
    assert_eq!(report.findings, [], "{report:#?}");
    repaired(&bench).await;
    for job in &told.acknowledged {
        let status = job.status().await.unwrap();
        assert!(matches!(status, JobStatus::Completed { .. } | JobStatus::Unknown), "{status:?}");
    }
    for job in &saved {
        let status = job.status().await.unwrap();
        assert!(matches!(status, JobStatus::Completed { attempts: 1, .. }), "{status:?}");
    }
    is_quiet(&bench.server).await;
    worker.stop().await;
}

/// Jobs move all the time: they run, are tried again at once, are given back; and new ones come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_a_load_finds_nothing() {
    let bench = Bench::new(Server::redis()).await;
    bench.client.enqueue_all((0..BACKLOG).map(Trip::new)).await.unwrap();
    let worker = start(&bench).await;
    let load = bench.load(&bench.client, 1);
    let until = Instant::now() + goes_on_for(Duration::from_secs(5), Duration::from_secs(60));
    let mut checks = 0;
    while Instant::now() < until {
        let passing = start(&bench).await;
        for _ in 0..3 {
            let report = bench.client.fsck(&queue(), Repair::No).await.unwrap();
            assert_eq!(report.findings, [], "{report:#?}");
            checks += 1;
        }
        passing.handle.stop_now();
        passing.ended().await.unwrap();
    }
    println!("{checks} checks");
    assert!(checks >= 3, "{checks} checks");
    let told = load.stop().await;
    // The repair of what is sound changes nothing.
    let report = bench.client.fsck(&queue(), Repair::Yes).await.unwrap();
    assert_eq!(report.findings, [], "{report:#?}");
    bench.ends_well(&told, 2).await;
    worker.stop().await;
}
