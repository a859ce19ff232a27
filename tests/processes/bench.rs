//! The bench measures a real server, and leaves nothing on it.

use std::time::Duration;

use support::redis::FromRedisValue as _;
use support::{Server, eventually_blocking};

use crate::{BOUND, ended, json_in, pass, program};

/// A run that takes seconds: figures of it mean nothing, but all of them are there.
const SHORT: [&str; 6] = ["bench", "--quick", "--jobs", "4000", "--backlog", "2000"];

/// What there is beside the jobs in a second, for each kind of drain and of enqueue.
const COSTS: &[&str] = &["server CPU", "CPU", "commands", "bytes on the wire"];
/// The groups of rows, and what is in each beside what it is called after.
const MEASURED: &[(&str, &[&str])] = &[
    ("drain, 100 B, 1 at a time", COSTS),
    ("drain, 100 B, 16 at a time", COSTS),
    ("drain, 100 B, 64 at a time", COSTS),
    ("drain, 100 B, 256 at a time", COSTS),
    ("drain, nothing kept, 100 B, 256 at a time", COSTS),
    ("drain, 10240 B, 1 at a time", COSTS),
    ("drain, 10240 B, 256 at a time", COSTS),
    ("enqueue in bulk, 100 B", COSTS),
    ("enqueue in bulk, 100 B", &["all in one call"]),
    ("enqueue in bulk, 10240 B", COSTS),
    ("enqueue, one caller", &[]),
    ("enqueue, 64 callers", COSTS),
    ("pick-up by an idle worker, p50", &[]),
    ("pick-up by an idle worker, p99", &[]),
    ("pick-up by an idle worker, p99.9", &[]),
    ("pick-up beside 2000 jobs/s, p50", &[]),
    ("pick-up beside 2000 jobs/s, p99", &[]),
    ("pick-up beside 2000 jobs/s, p99.9", &[]),
    ("memory of a waiting job, 100 B", &[]),
    ("memory of a waiting job, 10240 B", &[]),
    ("calls of an idle worker", &[]),
    ("server CPU beside 200 jobs", &["the floor"]),
    ("heartbeat beside 128 running jobs", &[]),
    ("heartbeat beside 10112 running jobs", &[]),
];

fn keys(server: &Server) -> i64 {
    redis_number(server.command(&["DBSIZE"]))
}

fn redis_number(value: support::redis::Value) -> i64 {
    support::redis::from_redis_value(value).expect("DBSIZE answers a number")
}

#[test]
fn every_target_is_measured_beside_what_it_is_compared_with_and_nothing_stays() {
    let server = Server::redis().start();
    let (code, text) = ended(program(&[&SHORT[..], &["--json"]].concat()).env("REDIS_URL", server.url()).start());
    assert_eq!(code, 0, "{text}");
    let report = json_in(&text);
    let rows = report["rows"].as_array().expect("rows");
    let judged: Vec<_> = rows.iter().filter(|row| !row["target"].is_null()).collect();
    assert!(judged.len() >= 11, "{} rows have a target: {text}", judged.len());
    let mut names: Vec<_> = rows.iter().map(|row| (row["group"].to_string(), row["what"].to_string())).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two rows have one name: {names:?}");
    for row in rows {
        assert!(row["value"].as_f64().is_some_and(f64::is_finite), "{row}");
    }
    for (group, parts) in MEASURED {
        let names: Vec<_> =
            rows.iter().filter(|row| row["group"] == *group).filter_map(|row| row["what"].as_str()).collect();
        for part in parts.iter().chain([group]) {
            assert!(names.iter().any(|name| name.contains(part)), "{group}: {part} is missing: {names:?}");
        }
    }
    // Jobs beside a larger backlog than the first are judged, too.
    let larger = ["bench", "--only", "backlog", "--backlog", "3000", "--json"];
    let (code, text) = ended(program(&larger).env("REDIS_URL", server.url()).start());
    let report = json_in(&text);
    let judged = |row: &serde_json::Value| row["what"] == "server CPU beside 3000 jobs" && !row["target"].is_null();
    assert!(code == 0 && report["rows"].as_array().expect("rows").iter().any(judged), "{code}: {text}");
    assert_eq!(keys(&server), 0);
}

/// What it ended with when it was stopped after a line with this text.
fn stopped(server: &Server, arguments: &[&str], line: &str, signal: i32) -> (i32, String) {
    let mut running = program(&[&SHORT[..], arguments].concat()).env("REDIS_URL", server.url()).start();
    running.wait_for_line(line, BOUND);
    running.signal(signal);
    let code = running.wait(BOUND).code().unwrap();
    (code, running.lines().join("\n"))
}

#[test]
fn a_bench_that_is_stopped_anywhere_leaves_nothing_either() {
    let server = Server::redis().start();
    // Some of them while it removes what it has measured.
    for (part, line, signal) in [
        ("pick-up", "scratch namespace", libc::SIGINT),
        ("drain", "drain, nothing kept", libc::SIGTERM),
        ("idle", "waiting job, 100 B", libc::SIGINT),
        ("idle", "waiting job, 10240 B", libc::SIGTERM),
        ("backlog", "the floor", libc::SIGINT),
    ] {
        let (code, text) = stopped(&server, &["--only", part], line, signal);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("stopped by SIG"), "{text}");
        assert_eq!(keys(&server), 0, "after {line}");
    }
}

#[test]
fn what_was_measured_until_it_was_stopped_is_told() {
    let server = Server::redis().start();
    let (code, text) = stopped(&server, &["--only", "idle", "--json"], "waiting job, 10240 B", libc::SIGTERM);
    assert_eq!(code, 1, "{text}");
    let report = json_in(&text);
    assert_eq!(
        (report["complete"].as_bool(), report["rows"].as_array().map(Vec::len)),
        (Some(false), Some(2)),
        "{text}"
    );
}

#[test]
fn a_bench_that_cannot_remove_what_it_left_says_where_it_is() {
    let mut server = Server::redis().start();
    let mut running = program(&["bench", "--only", "pick-up"]).env("REDIS_URL", server.url()).start();
    eventually_blocking("a worker is there", BOUND, || (keys(&server) > 2).then_some(()));
    server.kill9();
    let code = running.wait(2 * BOUND).code().unwrap();
    let text = running.lines().join("\n");
    assert!(code != 0 && text.contains("keys of the namespace task-bench-"), "{code}: {text}");
}

#[test]
fn a_bench_does_not_fill_a_server_that_has_a_bound() {
    let server = Server::redis().config("maxmemory 40mb").start();
    let run =
        |arguments: &[&str]| ended(program(&[&["bench"], arguments].concat()).env("REDIS_URL", server.url()).start());
    // The second only because of its large payloads.
    for arguments in [&[][..], &["--only", "idle", "--jobs", "5000", "--backlog", "1000"]] {
        let (code, text) = run(arguments);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("maxmemory") && text.contains("--backlog") && text.contains("--only"), "{text}");
    }
    let (code, text) = run(&["--quick", "--only", "pick-up"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_bench_runs_on_a_server_that_evicts_and_only_beside_a_namespace_that_is_one() {
    let server = Server::redis().config("maxmemory 100mb").config("maxmemory-policy allkeys-lru").start();
    let run = |namespace: &str| {
        let all = ["bench", "--quick", "--only", "pick-up", "--namespace", namespace];
        ended(program(&all).env("REDIS_URL", server.url()).start())
    };
    let (code, text) = run("mine");
    assert!(code == 0 && text.contains("scratch namespace mine-bench-"), "{code}: {text}");
    let (code, text) = run("not ok");
    assert!(code == 2 && text.contains("not ok"), "{code}: {text}");
}

#[tokio::test]
async fn figures_of_a_server_that_counts_anew_are_refused_and_the_commands_of_others_are_told() {
    let server = Server::redis().start();
    let mut running = program(&["bench", "--quick", "--only", "idle"]).env("REDIS_URL", server.url()).start();
    let workers = || Vec::<String>::from_redis_value(server.command(&["KEYS", "*:workers"])).unwrap();
    eventually_blocking("a worker is there", BOUND, || (!workers().is_empty() || running.has_ended()).then_some(()));
    // It is left alone for 2 s, and watched for 5 s.
    pass(Duration::from_secs(4)).await;
    server.command(&["CONFIG", "RESETSTAT"]);
    let code = running.wait(BOUND).code().unwrap();
    let text = running.lines().join("\n");
    assert!(code == 1 && text.contains("count anew"), "{code}: {text}");
    let mut running =
        program(&["bench", "--quick", "--only", "pick-up", "--json"]).env("REDIS_URL", server.url()).start();
    while !running.has_ended() {
        server.command(&["PING"]);
        pass(Duration::from_millis(20)).await;
    }
    let text = running.lines().join("\n");
    let others = json_in(&text)["conditions"]["commands_of_others_per_s"].as_f64().unwrap();
    assert!(others > 10.0, "{others}: {text}");
}

#[test]
fn a_round_trip_that_is_asked_for_is_there() {
    let server = Server::redis().start();
    let url = server.url();
    let pick_up = |more: &[&str]| {
        let all = ["bench", "--quick", "--only", "pick-up", "--json"].iter().chain(more).copied().collect::<Vec<_>>();
        let (code, text) = ended(program(&all).env("REDIS_URL", &url).start());
        assert_eq!(code, 0, "{text}");
        let row = json_in(&text)["rows"][0].clone();
        // A target for a server nearby says nothing of one that is far.
        assert!(row["target"].is_null(), "{row}");
        row["value"].as_f64().unwrap()
    };
    // The call and the turn have to go there and back again.
    let far = pick_up(&["--round-trip", "20ms"]);
    assert!(far > 30.0, "{far} ms");
    assert_eq!(keys(&server), 0);
}
