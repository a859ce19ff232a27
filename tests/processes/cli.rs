//! The command line tells a newcomer what to do, and a script how it went.

use support::shared_redis;
use task_runtime::client::JobStatus;

use crate::tasks::{AddNumbers, FailRudely};
use crate::{BOUND, Bench, ended, json_in, program, queue};

#[track_caller]
fn assert_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn help_names_every_command_the_variables_and_the_exit_codes() {
    let (code, text) = ended(program(&["--help"]).start());
    assert_eq!(code, 0);
    assert_all(
        &text,
        &["worker", "tasks", "enqueue", "stats", "fsck", "bench", "REDIS_URL", "TASK_REDIS_URL", "Exit codes"],
    );
    let (code, text) = ended(program(&["worker", "--help"]).start());
    assert_eq!(code, 0);
    assert_all(&text, &["--concurrency", "--burst", "--grace", "QUEUE", "Ctrl-C", "RUST_LOG"]);
    let (code, text) = ended(program(&[]).start());
    assert_eq!(code, 2);
    assert_all(&text, &["Usage"]);
}

#[test]
fn a_worker_without_a_server_is_refused_with_the_reason() {
    let (code, text) = ended(program(&["worker"]).start());
    assert_eq!(code, 2);
    assert_all(&text, &["a worker needs a Redis or Valkey server", "REDIS_URL=redis://"]);
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address_and_without_its_password() {
    let url = "redis://user:hidden@127.0.0.1:1/";
    let (code, text) = ended(program(&["worker"]).env("REDIS_URL", url).start());
    assert_eq!(code, 6, "{text}");
    assert_all(&text, &["127.0.0.1:1", "not available"]);
    assert!(!text.contains("hidden"), "{text}");
    let (code, text) = ended(program(&["stats"]).env("REDIS_URL", "http://user:hidden@host/").start());
    assert_eq!(code, 2, "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn tasks_are_listed_with_their_queue_arguments_and_place() {
    let (code, text) = ended(program(&["tasks"]).start());
    assert_eq!(code, 0);
    assert_all(&text, &["TASK", "add_numbers", "sums", "a: u64, b: u64", "tasks.rs:", "5s"]);
    let (code, text) = ended(program(&["tasks", "--json"]).start());
    assert_eq!(code, 0);
    let tasks: serde_json::Value = serde_json::from_str(&text).unwrap();
    let add = tasks.as_array().unwrap().iter().find(|task| task["name"] == "add_numbers").unwrap();
    assert_eq!((&add["queue"], &add["max_attempts"]), (&"sums".into(), &3.into()));
}

#[tokio::test]
async fn a_job_is_enqueued_by_hand_and_its_result_is_printed() {
    let bench = Bench::new().await;
    let worker = bench.worker(&["sums"]);
    let (code, text) = ended(bench.start(&["enqueue", "add_numbers", "--args", r#"{"a":40,"b":2}"#, "--wait", "20s"]));
    assert_eq!(code, 0, "{text}");
    assert_eq!(text.lines().last(), Some("42"), "{text}");
    let (code, text) = ended(bench.start(&["enqueue", "fail_rudely", "--wait", "20"]));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no") && !text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    drop(worker);
}

#[tokio::test]
async fn options_of_the_call_override_those_of_the_task() {
    let bench = Bench::new().await;
    let arguments = ["--args", r#"{"a":1,"b":1}"#, "--queue", "later", "--id", "sum-1", "--delay", "1h"];
    let (code, text) = ended(bench.start(&[&["enqueue", "add_numbers"], &arguments[..]].concat()));
    assert_eq!((code, text.lines().last()), (0, Some("sum-1")), "{text}");
    let job = bench.client.handle::<u64>(queue("later"), "sum-1".to_owned().try_into().unwrap());
    assert!(matches!(job.status().await.unwrap(), JobStatus::Scheduled { .. }));
    let (code, text) = ended(bench.start(&[&["enqueue", "add_numbers"], &arguments[..]].concat()));
    assert_eq!(code, 0);
    assert_all(&text, &["there already"]);
}

#[tokio::test]
async fn a_mistake_in_a_job_is_found_before_it_is_sent() {
    let bench = Bench::new().await;
    let (code, text) = ended(bench.start(&["enqueue", "ad_numbers"]));
    assert_eq!(code, 3, "{text}");
    assert_all(&text, &["no task `ad_numbers`", "did you mean `add_numbers`?"]);
    for (args, part) in [("{\"a\":1}", "missing field `b`"), ("{\"a\":\"x\",\"b\":1}", "invalid type"), ("{", "EOF")] {
        let (code, text) = ended(bench.start(&["enqueue", "add_numbers", "--args", args]));
        assert_eq!(code, 2, "{text}");
        assert_all(&text, &["task `add_numbers` cannot read its arguments", part]);
    }
    let (code, text) = ended(bench.start(&["enqueue", "fail_rudely", "--priority", "10"]));
    assert_eq!(code, 2, "{text}");
    assert_all(&text, &["option `priority` is 10, expected 0 to 9"]);
    assert!(bench.client.queues().await.unwrap().is_empty());
}

#[tokio::test]
async fn stats_tell_where_the_jobs_are_and_what_is_wrong() {
    let bench = Bench::new().await;
    let (code, text) = ended(bench.start(&["stats"]));
    assert_eq!(code, 0);
    assert_all(&text, &["no queue has been used yet", &bench.namespace]);
    bench.client.enqueue_all((0..3).map(|n| AddNumbers::new(n, n))).await.unwrap();
    FailRudely::new().options().queue("quiet").enqueue_on(&bench.client).await.unwrap();
    bench.client.pause(&queue("quiet")).await.unwrap();
    let (code, text) = ended(bench.start(&["stats"]));
    assert_eq!(code, 0);
    assert_all(&text, &["QUEUE", "sums", "no worker", "quiet", "paused"]);
    let (_, text) = ended(bench.start(&["stats", "--json"]));
    let json = json_in(&text);
    assert_eq!((&json[1]["queue"], &json[1]["ready"]), (&"sums".into(), &3.into()), "{json}");
}

#[tokio::test]
async fn a_check_tells_what_is_wrong_by_its_exit_code_and_repairs_it_when_told_to() {
    let bench = Bench::new().await;
    let (code, text) = ended(program(&["fsck", "--help"]).start());
    assert_eq!(code, 0);
    assert_all(&text, &["--repair", "--json", "never touches", "7 something is still wrong"]);
    let (code, text) = ended(bench.start(&["fsck"]));
    assert_eq!(code, 0, "{text}");
    assert_all(&text, &["no queue has been used yet"]);
    let jobs = bench.client.enqueue_all((0..3).map(|n| AddNumbers::new(n, n))).await.unwrap();
    FailRudely::new().options().queue("quiet").enqueue_on(&bench.client).await.unwrap();
    let (code, text) = ended(bench.start(&["fsck"]));
    assert_eq!(code, 0, "{text}");
    assert_all(&text, &["quiet: sound (1 jobs and 0 ends)", "sums: sound (3 jobs and 0 ends)"]);

    shared_redis().command(&["DEL", &format!("{{{}:sums}}:ready:5", bench.namespace)]);
    let (code, text) = ended(bench.start(&["fsck", "sums"]));
    assert_eq!(code, 7, "{text}");
    assert_all(&text, &["sums: NOT SOUND", "HOW MANY", "would never run", jobs[0].id().as_str(), "fsck --repair"]);
    assert!(!text.contains("quiet"), "{text}");
    let (code, text) = ended(bench.start(&["fsck", "--json"]));
    assert_eq!(code, 7, "{text}");
    let json = json_in(&text);
    let finding = &json[1]["findings"][0];
    assert_eq!((&json[0]["sound"], &json[1]["sound"]), (&true.into(), &false.into()), "{json}");
    assert_eq!((&finding["flaw"], &finding["count"], &finding["repaired"]), (&"lost".into(), &3.into(), &0.into()));
    let (code, text) = ended(bench.start(&["fsck", "--repair"]));
    assert_eq!(code, 0, "{text}");
    assert_all(&text, &["quiet: sound", "sums: repaired"]);
    let (code, text) = ended(bench.start(&["fsck"]));
    assert_eq!(code, 0, "{text}");
    let (code, _) = ended(bench.start(&["worker", "--burst", "sums"]));
    assert_eq!(code, 0);
    for (n, job) in jobs.iter().enumerate() {
        assert_eq!(job.result_within(BOUND).await.unwrap(), 2 * n as u64);
    }
    let (code, text) = ended(bench.start(&["fsck", "a{b"]));
    assert_eq!(code, 2, "{text}");
}

#[tokio::test]
async fn a_check_of_a_queue_that_was_never_used_says_so() {
    let bench = Bench::new().await;
    bench.client.enqueue_all((0..3).map(|n| AddNumbers::new(n, n))).await.unwrap();
    let (code, text) = ended(bench.start(&["fsck", "sum", "sums"]));
    assert_eq!(code, 3, "{text}");
    assert_all(&text, &["sum: NOT USED", "sums: sound (3 jobs", "no queue `sum` was used in this namespace", "sums"]);
    let (code, text) = ended(bench.start(&["fsck", "--json", "sum", "sums"]));
    assert_eq!(code, 3, "{text}");
    let json = json_in(&text);
    assert_eq!((&json[0]["used"], &json[0]["sound"]), (&false.into(), &false.into()), "{json}");
    assert_eq!((&json[1]["used"], &json[1]["sound"]), (&true.into(), &true.into()), "{json}");
    // What someone removed from the list is there all the same.
    shared_redis().command(&["DEL", &format!("{{{}}}:queues", bench.namespace)]);
    let (code, text) = ended(bench.start(&["fsck", "sums"]));
    assert_eq!(code, 7, "{text}");
    assert_all(&text, &["queue missing in the list of queues"]);
}

#[tokio::test]
async fn a_key_of_the_wrong_type_keeps_no_other_queue_from_being_checked() {
    let bench = Bench::new().await;
    bench.client.enqueue_all((0..3).map(|n| AddNumbers::new(n, n))).await.unwrap();
    FailRudely::new().options().queue("quiet").enqueue_on(&bench.client).await.unwrap();
    shared_redis().command(&["SET", &format!("{{{}:quiet}}:workers", bench.namespace), "precious"]);
    let (code, text) = ended(bench.start(&["fsck"]));
    assert_eq!(code, 7, "{text}");
    assert_all(&text, &["quiet: NOT SOUND", "workers is a string, not a zset", "sums: sound (3 jobs and 0 ends)"]);
    let (code, text) = ended(bench.start(&["fsck", "--json"]));
    assert_eq!((code, &json_in(&text)[0]["findings"][0]["flaw"]), (7, &"wrong_type".into()), "{text}");

    let queues = format!("{{{}}}:queues", bench.namespace);
    shared_redis().command(&["SET", &queues, "precious"]);
    let (code, text) = ended(bench.start(&["fsck", "sums"]));
    assert_eq!(code, 7, "{text}");
    assert_all(&text, &["sums: NOT SOUND (3 jobs", "queues is a string, not a set"]);
    let (code, text) = ended(bench.start(&["fsck"]));
    assert_eq!(code, 7, "{text}");
    assert_all(&text, &["the list of queues", &queues, "name the queues"]);
    let (code, text) = ended(bench.start(&["fsck", "--json"]));
    assert_eq!((code, &json_in(&text)[0]["findings"][0]["place"]), (7, &"queues".into()), "{text}");
    for what in [&["stats"][..], &["enqueue", "add_numbers", "--args", r#"{"a":40,"b":2}"#]] {
        let (code, text) = ended(bench.start(what));
        assert_eq!(code, 1, "{text}");
        assert_all(&text, &["holds something else", "WRONGTYPE", &queues]);
    }
}

#[tokio::test]
async fn a_burst_does_what_there_is_and_ends() {
    let bench = Bench::new().await;
    let jobs = bench.client.enqueue_all((0..50).map(|n| AddNumbers::new(n, 1_u64))).await.unwrap();
    let (code, text) = ended(bench.start(&["worker", "--burst", "--concurrency", "4", "sums:2", "work:1"]));
    assert_eq!(code, 0, "{text}");
    assert_all(&text, &["worker started", "sums:2 work:1", "worker stopped"]);
    for (n, job) in jobs.iter().enumerate() {
        assert_eq!(job.result_within(BOUND).await.unwrap(), n as u64 + 1);
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_told_in_full() {
    let bench = Bench::new().await;
    let (code, text) = ended(bench.start(&["worker", "a{b", "--concurrency", "0"]));
    assert_eq!(code, 1, "{text}");
    assert_all(&text, &["the worker cannot start", "queue name `a{b`", "concurrency is 0"]);
    let (code, text) = ended(bench.start(&["worker", "mail:much"]));
    assert_eq!(code, 2, "{text}");
    assert_all(&text, &["weight of queue `mail` is `much`"]);
    let (code, text) = ended(bench.start(&["worker", "--grace", "soon"]));
    assert_eq!(code, 2, "{text}");
    assert_all(&text, &["expected a time such as"]);
}

#[tokio::test]
async fn the_log_is_json_when_it_is_asked_for() {
    let bench = Bench::new().await;
    FailRudely::new().options().enqueue_on(&bench.client).await.unwrap();
    let (code, text) = ended(bench.start(&["worker", "--burst", "--log", "json", "sums"]));
    assert_eq!(code, 0, "{text}");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<serde_json::Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let dead = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert_eq!(dead["span"]["task"], "fail_rudely", "{dead}");
}
