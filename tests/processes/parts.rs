//! A part of a worker that dies is started again; one that dies again and again ends the process.

use std::time::{Duration, Instant};

use support::shared_redis;
use task_runtime::client::JobStatus;

use crate::tasks::{Deaf, Undermine, Work};
use crate::{BOUND, Bench, queue};

#[tokio::test]
async fn a_loop_that_dies_in_the_middle_begins_its_jobs_again_and_counts_nothing() {
    // After it took the answer in, before it read one, and both, one after the other.
    let (claimed, answered) = ("claimed=1*panic->off", "turn-answered=1*off->1*panic->off");
    for (points, deaths) in [(claimed.to_owned(), 1), (answered.to_owned(), 1), (format!("{claimed};{answered}"), 2)] {
        let bench = Bench::new().await;
        let jobs = bench.client.enqueue_all((0..20).map(|n| Work::new(n, 500_u64))).await.unwrap();
        let mut worker = bench.program(&["worker", "work", "--lease", "2s"]).env("FAILPOINTS", points).start();
        for _ in 0..deaths {
            let line = worker.wait_for_line("a part of the worker died", BOUND);
            assert!(line.contains("the loop of a queue"), "{line}");
        }
        for job in &jobs {
            job.result_within(BOUND).await.unwrap();
            assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
        }
        let counts = bench.client.counts(&queue("work")).await.unwrap();
        assert_eq!((counts.running, counts.ready, counts.finished), (0, 0, 20), "{counts:?}");
        worker.signal(libc::SIGTERM);
        assert_eq!(worker.wait(BOUND).code(), Some(0));
    }
}

#[tokio::test]
async fn what_finds_its_place_taken_after_its_loop_died_goes_back_to_the_queue() {
    let bench = Bench::new().await;
    let points = "claimed=1*panic->off";
    let job = Work::new(1_u64, 200_u64).options().enqueue_on(&bench.client).await.unwrap();
    let mut worker =
        bench.program(&["worker", "first", "work", "--concurrency", "1"]).env("FAILPOINTS", points).start();
    worker.wait_for_line("a part of the worker died", BOUND);
    // While that loop pauses, the queue that goes before it takes the only place.
    let before = Work::new(2_u64, 500_u64).options().queue("first").enqueue_on(&bench.client).await.unwrap();
    for job in [&before, &job] {
        job.result_within(BOUND).await.unwrap();
        assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    }
    (0..2).for_each(|_| drop(worker.wait_for_line("end ", BOUND)));
    let lines = worker.lines();
    let seen: Vec<_> = lines.iter().filter(|line| line.starts_with("begin ") || line.starts_with("end ")).collect();
    assert_eq!(seen.len(), 4, "{lines:?}");
    let is_one_run = |lines: &[&String]| lines[0].replace("begin", "end") == *lines[1];
    assert!(seen.chunks(2).all(is_one_run), "two ran beside each other: {seen:?}");
}

#[tokio::test]
async fn a_job_on_its_last_chance_whose_loop_died_begins_again_beside_nothing_else() {
    let bench = Bench::new().await;
    let job = Undermine::new(4_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    // As its second crash leaves it.
    let key = |name: &str| format!("{{{}:work}}:{name}", bench.namespace);
    shared_redis().command(&["LMOVE", &key("ready:5"), &key("alone"), "LEFT", "LEFT"]);
    shared_redis().command(&["HSET", &key("state"), job.id().as_str(), r#"{"crashes":2}"#]);
    let mut worker = bench.program(&["worker", "first", "work"]).start();
    worker.wait_for_line("a part of the worker died", BOUND);
    // While that loop pauses, another queue claims.
    let other = Work::new(1_u64, 2_000_u64).options().queue("first").enqueue_on(&bench.client).await.unwrap();
    other.result_within(BOUND).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    assert!(matches!(job.status().await.unwrap(), JobStatus::Completed { attempts: 1, .. }));
    (0..2).for_each(|_| drop(worker.wait_for_line("end ", BOUND)));
    let lines = worker.lines();
    let seen: Vec<_> = lines.iter().filter(|line| line.starts_with("begin ") || line.starts_with("end ")).collect();
    let undermined = ["begin undermine", "end undermine"];
    let apart = [["begin 1", "end 1"], undermined].concat();
    // Whichever of the two came first after it died.
    let expected = [[&undermined[..1], &apart[..]].concat(), [&undermined[..1], &undermined, &apart[..2]].concat()];
    assert!(expected.iter().any(|expected| seen == *expected), "they ran beside each other: {seen:?}");
}

#[tokio::test]
async fn a_body_that_goes_on_after_its_loop_died_holds_its_place() {
    let bench = Bench::new().await;
    let deaf = Deaf::new(3_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    let points = "turn-answered=1*off->1*panic->off";
    let mut worker = bench.program(&["worker", "work", "--concurrency", "1"]).env("FAILPOINTS", points).start();
    worker.wait_for_line("deaf", BOUND);
    let begun = Instant::now();
    worker.wait_for_line("a part of the worker died", BOUND);
    let job = Work::new(1_u64, 10_u64).options().enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("deaf", BOUND);
    assert!(begun.elapsed() > Duration::from_secs(2), "it began again beside itself, after {:?}", begun.elapsed());
    deaf.result_within(BOUND).await.unwrap();
    job.result_within(BOUND).await.unwrap();
}

#[tokio::test]
async fn a_heartbeat_and_a_recovery_that_die_go_on() {
    let bench = Bench::new().await;
    let points = "heartbeat=2*panic->off;recovery=2*panic->off";
    let mut worker = bench.program(&["worker", "work", "--lease", "1s"]).env("FAILPOINTS", points).start();
    for _ in 0..4 {
        worker.wait_for_line("a part of the worker died", BOUND);
    }
    // Longer than the lease, beside one who would take it over.
    let job = Work::new(1_u64, 4_000_u64).options().enqueue_on(&bench.client).await.unwrap();
    worker.wait_for_line("begin 1", BOUND);
    let mut other = bench.worker(&["work", "--lease", "1s"]);
    job.result_within(BOUND).await.unwrap();
    assert!(!other.lines().iter().any(|line| line == "begin 1"));
    // And it recovers what others leave.
    let lost = Work::new(2_u64, 100_u64);
    worker.freeze();
    let lost = lost.options().enqueue_on(&bench.client).await.unwrap();
    other.wait_for_line("begin 2", BOUND);
    worker.thaw();
    lost.result_within(BOUND).await.unwrap();
    let lost = Work::new(3_u64, 1_000_u64);
    worker.freeze();
    let lost = lost.options().enqueue_on(&bench.client).await.unwrap();
    other.wait_for_line("begin 3", BOUND);
    other.kill9();
    worker.thaw();
    assert_eq!(lost.result_within(BOUND).await.unwrap(), 3);
}

#[tokio::test]
async fn a_look_at_the_server_that_dies_goes_on() {
    let bench = Bench::new().await;
    let mut worker = bench.program(&["worker", "work"]).env("FAILPOINTS", "eviction=1*panic->off").start();
    let line = worker.wait_for_line("a part of the worker died", BOUND);
    assert!(line.contains("the look at the server"), "{line}");
    let job = Work::new(1_u64, 10_u64).options().enqueue_on(&bench.client).await.unwrap();
    job.result_within(BOUND).await.unwrap();
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(BOUND).code(), Some(0));
}

#[tokio::test]
async fn a_loop_that_is_given_up_leaves_its_jobs_to_the_lease() {
    let bench = Bench::new().await;
    let jobs = bench.client.enqueue_all((0..20).map(|n| Work::new(n, 1_000_u64))).await.unwrap();
    // The first turn claims, and no other answer is ever read.
    let points = "turn-answered=1*off->panic";
    let mut worker = bench.program(&["worker", "work", "--lease", "3s"]).env("FAILPOINTS", points).start();
    assert_eq!(worker.wait(BOUND).code(), Some(1), "{}", worker.lines().join("\n"));
    // Not given back: one of them may be why it died.
    let counts = bench.client.counts(&queue("work")).await.unwrap();
    assert_eq!((counts.running, counts.ready), (20, 0), "{counts:?}");
    let _other = bench.worker(&["work", "--lease", "3s"]);
    for job in &jobs {
        job.result_within(BOUND).await.unwrap();
    }
    let counts = bench.client.counts(&queue("work")).await.unwrap();
    assert_eq!((counts.running, counts.ready, counts.finished), (0, 0, 20), "{counts:?}");
}

#[tokio::test]
async fn a_part_that_dies_again_and_again_ends_the_process() {
    for (point, part) in [("lane", "the loop of a queue"), ("heartbeat", "the heartbeat"), ("recovery", "recovery")] {
        let bench = Bench::new().await;
        let mut worker = bench.program(&["worker", "work"]).env("FAILPOINTS", format!("{point}=panic")).start();
        let start = Instant::now();
        let status = worker.wait(BOUND);
        let lines = worker.lines().join("\n");
        assert_eq!(status.code(), Some(1), "{lines}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let error =
            format!("error: the worker ended: parts of it died 5 times within 60s; at last {part}: panicked at");
        assert!(lines.contains(&error), "{lines}");
        assert_eq!(lines.matches("a part of the worker died").count(), 4, "{lines}");
    }
}
