//! Envelopes that were damaged on their way stop no worker and no other job, and stay as they are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use support::redis::{self, FromRedisValue as _};
use support::{Mutator, Running, eventually, goes_on_for, shared_redis};
use task_runtime::client::JobStatus;
use task_runtime::job::JobId;

use crate::tasks::AddNumbers;
use crate::{BOUND, Bench, queue};

/// Damaged envelopes in one round.
const DAMAGED: usize = 1_000;
/// Jobs that run meanwhile.
const GOOD: u64 = 1_000;
/// What good jobs may take longer beside damaged ones, besides three times as long as beside whole ones.
const SLACK: Duration = Duration::from_secs(1);
/// Both come in parts of so many.
const PART: usize = 50;

fn key(bench: &Bench, queue: &str, name: &str) -> String {
    format!("{{{}:{queue}}}:{name}", bench.namespace)
}

/// What a client writes, with and without options.
async fn envelopes(bench: &Bench) -> Vec<Vec<u8>> {
    let second = Duration::from_secs(1);
    let add = |a: u64| AddNumbers::new(a, 2_u64).options().queue("models");
    let jobs = [
        add(1),
        add(u64::MAX - 2).priority(9).max_attempts(2),
        add(3).timeout(2 * second).max_crashes(2),
        add(4).result_ttl(100 * second).priority(0).delay(second),
    ];
    bench.client.enqueue_all(jobs).await.unwrap();
    let stored = shared_redis().command(&["HVALS", &key(bench, "models", "jobs")]);
    Vec::from_redis_value(stored).unwrap()
}

/// Puts envelopes, by their ids, straight where jobs are that are ready.
fn inject(bench: &Bench, envelopes: &[(String, Vec<u8>)]) {
    let mut connection = shared_redis().connection().unwrap();
    let mut all = redis::pipe();
    for (id, envelope) in envelopes {
        let ready = key(bench, "sums", &format!("ready:{}", fastrand::u8(0..10)));
        all.hset(key(bench, "sums", "jobs"), id, envelope).rpush(ready, id);
    }
    all.exec(&mut connection).unwrap();
}

/// How many turns the worker has made.
fn turns(bench: &Bench) -> u64 {
    let steps = shared_redis().command(&["HVALS", &key(bench, "sums", "steps")]);
    Vec::<u64>::from_redis_value(steps).unwrap().iter().sum()
}

/// How many attempts at damaged jobs the worker has told of.
fn attempts(worker: &Running) -> usize {
    worker.lines().iter().filter(|line| line.contains("damaged-")).count()
}

/// As many envelopes of jobs that nothing is wrong with, by their ids.
fn whole(models: &[Vec<u8>], name: &str) -> Vec<(String, Vec<u8>)> {
    let of = |number: usize| models[number % models.len()].clone();
    (0..DAMAGED).map(|number| (format!("whole-{name}-{number}"), of(number))).collect()
}

/// Runs good jobs, and puts a part of `others` in line with each part of them; answers how long the good ones took.
async fn run_good_jobs(bench: &Bench, others: &[(String, Vec<u8>)]) -> Duration {
    let start = Instant::now();
    let (mut jobs, mut parts) = (Vec::new(), others.chunks(PART));
    for first in (0..GOOD).step_by(PART) {
        inject(bench, parts.next().unwrap_or_default());
        let some = (first..GOOD).take(PART).map(|number| AddNumbers::new(number, number));
        jobs.extend((first..).zip(bench.client.enqueue_all(some).await.unwrap()));
    }
    for (number, job) in jobs {
        assert_eq!(job.result_within(BOUND).await.unwrap(), 2 * number);
    }
    start.elapsed()
}

#[tokio::test]
async fn damaged_envelopes_are_set_aside_with_the_reason_and_stop_no_other_job() {
    let bench = Bench::new().await;
    let models = envelopes(&bench).await;
    let mut mutator = Mutator::new(models.clone());
    let mut worker = bench.worker(&["sums"]);
    let until = Instant::now() + goes_on_for(Duration::ZERO, Duration::from_secs(60));
    for round in 0.. {
        let model = |number: usize| &models[number % models.len()];
        let id = |number: usize| format!("damaged-{round}-{number}");
        let damaged: Vec<_> = (0..DAMAGED).map(|number| (id(number), mutator.mutate(model(number)))).collect();
        let whole = run_good_jobs(&bench, &whole(&models, &round.to_string())).await;
        nothing_is_to_do(&bench).await;
        let before = attempts(&worker);
        let beside = run_good_jobs(&bench, &damaged).await;
        let kinds = are_set_aside(&bench, &damaged).await;
        let (told, turns) = (attempts(&worker) - before, turns(&bench));
        println!("{kinds:?}, told of {told} times; good jobs took {beside:?}, and {whole:?} beside whole ones");
        // Few are worth a further attempt.
        assert!((900..1_100).contains(&told), "told of {told} times");
        let _ = tokio::time::timeout(Duration::from_secs(2), std::future::pending::<()>()).await;
        assert!(self::turns(&bench) - turns < 20, "the worker is not calm");
        assert!(beside < 3 * whole + SLACK, "{beside:?} beside damaged ones, {whole:?} beside whole ones");
        assert!(["dead", "parked", "completed"].iter().all(|kind| kinds[kind] > 0), "{kinds:?}");
        if Instant::now() >= until {
            break;
        }
    }
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(BOUND).code(), Some(0));
    assert!(!worker.lines().iter().any(|line| line.contains("panicked")), "{}", worker.lines().join("\n"));
}

async fn nothing_is_to_do(bench: &Bench) {
    eventually("nothing is ready or runs", BOUND, async || {
        let counts = bench.client.counts(&queue("sums")).await.unwrap();
        (counts.ready + counts.running == 0).then_some(())
    })
    .await;
}

/// Waits until nothing of the queue is ready or runs. Then each damaged job is dead, parked or to be tried again, with
/// the reason and the bytes that it had, or the damage did not matter; answers how many there are of each.
async fn are_set_aside(bench: &Bench, damaged: &[(String, Vec<u8>)]) -> BTreeMap<&'static str, usize> {
    nothing_is_to_do(bench).await;
    let mut kinds = BTreeMap::new();
    for (id, envelope) in damaged {
        let job = bench.client.handle::<u64>(queue("sums"), JobId::new(id).unwrap());
        let (kind, reason) = match job.status().await.unwrap() {
            JobStatus::Dead { error, .. } => ("dead", error),
            JobStatus::Parked { reason } => ("parked", reason.unwrap_or_default()),
            JobStatus::Scheduled { error, .. } => ("scheduled", error.unwrap_or_default()),
            JobStatus::Completed { .. } => {
                *kinds.entry("completed").or_default() += 1;
                continue;
            }
            status => panic!("{status:?}: {}", envelope.escape_ascii()),
        };
        *kinds.entry(kind).or_default() += 1;
        assert!(!reason.is_empty(), "{kind} without a reason: {}", envelope.escape_ascii());
        let stored = shared_redis().command(&["HGET", &key(bench, "sums", "jobs"), id]);
        assert_eq!(
            Vec::<u8>::from_redis_value(stored).unwrap().escape_ascii().to_string(),
            envelope.escape_ascii().to_string()
        );
    }
    kinds
}
