//! The bench measures a real server, and leaves nothing on it.

use support::{Server, eventually_blocking};

use crate::{BOUND, ended, json_in, program};

/// A run that takes seconds: figures of it mean nothing, but all of them are there.
const SHORT: [&str; 6] = ["bench", "--quick", "--jobs", "4000", "--backlog", "2000"];

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
    for row in rows {
        assert!(row["value"].as_f64().is_some_and(f64::is_finite), "{row}");
    }
    for part in ["drain", "enqueue in bulk", "64 callers", "p99.9", "waiting job", "idle worker", "heartbeat"] {
        assert!(rows.iter().any(|row| row["what"].as_str().unwrap().contains(part)), "{part} is missing: {text}");
    }
    assert_eq!(keys(&server), 0);
}

#[test]
fn a_bench_that_is_interrupted_leaves_nothing_either() {
    let server = Server::redis().start();
    let mut running = program(&["bench", "--only", "pick-up"]).env("REDIS_URL", server.url()).start();
    eventually_blocking("a worker is there", BOUND, || (keys(&server) > 2).then_some(()));
    running.signal(libc::SIGINT);
    let status = running.wait(BOUND);
    let (code, text) = (status.code().unwrap(), running.lines().join("\n"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("stopped"), "{text}");
    assert_eq!(keys(&server), 0);
}

#[test]
fn a_bench_does_not_fill_a_server_that_has_a_bound() {
    let server = Server::redis().config("maxmemory 20mb").start();
    let (code, text) = ended(program(&["bench"]).env("REDIS_URL", server.url()).start());
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("maxmemory") && text.contains("--backlog"), "{text}");
}

#[test]
fn a_round_trip_that_is_asked_for_is_there() {
    let server = Server::redis().start();
    let url = server.url();
    let pick_up = |more: &[&str]| {
        let all = ["bench", "--quick", "--only", "pick-up", "--json"].iter().chain(more).copied().collect::<Vec<_>>();
        let (code, text) = ended(program(&all).env("REDIS_URL", &url).start());
        assert_eq!(code, 0, "{text}");
        json_in(&text)["rows"][0]["value"].as_f64().unwrap()
    };
    // The call and the turn have to go there and back again.
    let far = pick_up(&["--round-trip", "20ms"]);
    assert!(far > 30.0, "{far} ms");
    assert_eq!(keys(&server), 0);
}
