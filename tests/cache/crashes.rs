//! Random calls of many processes at the same time, which are killed in the middle of them.
//!
//! Nothing that was counted is lost, no key is without its end, no value is that of another key, and no two have a lock.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::{Place, Program, Running, eventually};

use crate::fixture::{BOUND, Raw};

/// Processes at a time.
const PROCESSES: usize = 3;
/// Histories that are played on each server.
const CASES: u32 = 4;
/// Counters, as in the program.
const COUNTERS: usize = 4;

/// After how many lines which process is killed, one after the other.
fn kills() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((1_usize..150, 0..PROCESSES), 6..16)
}

fn start(raw: &Raw) -> Running {
    let program = Program::new(env!("CARGO_BIN_EXE_test-cache")).env("CACHE_URL", raw.url());
    let mut process = program.env("CACHE_PREFIX", raw.prefix.clone()).start();
    process.wait_for_line("begun", BOUND);
    process
}

async fn play(raw: &Raw, kills: &[(usize, usize)]) -> Vec<String> {
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| start(raw)).collect();
    let mut said = Vec::new();
    for (after, which) in kills {
        eventually("it has said so much", BOUND, async || (processes[*which].lines().len() >= *after).then_some(()))
            .await;
        processes[*which].kill9();
        let dead = std::mem::replace(&mut processes[*which], start(raw));
        said.extend(dead.lines());
    }
    for mut process in processes {
        process.kill9();
        said.extend(process.lines());
    }
    said
}

async fn holds(raw: &Raw, said: &[String]) {
    let bad: Vec<_> = said.iter().filter(|line| !is_expected(line)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    raw.every_key_has_its_end();
    let times = |what: String| said.iter().filter(|line| **line == what).count();
    for key in 0..COUNTERS {
        let (tried, done) = (times(format!("try incr {key}")), times(format!("did incr {key}")));
        let sum = raw.cache().get::<usize>(&format!("count:{key}")).await.unwrap().unwrap_or_default();
        assert!((done..=tried).contains(&sum), "{done} were counted of {tried}, and there are {sum}");
    }
    let fences: Vec<_> = said.iter().filter(|line| line.starts_with("fence")).collect();
    assert_eq!(fences.iter().collect::<HashSet<_>>().len(), fences.len(), "two had the same number");
    assert!(!fences.is_empty() && said.len() > 100, "it did little: {} lines", said.len());
}

/// The last line of a process that is killed may be cut.
fn is_expected(line: &str) -> bool {
    ["begun", "try incr ", "did incr ", "fence "].iter().any(|start| line.starts_with(start) || start.starts_with(line))
}

fn whatever_happens(place: fn() -> Place) {
    let config = Config { cases: CASES, max_shrink_iters: 8, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let played = TestRunner::new(config).run(&kills(), |kills| {
        let raw = Raw::at(place());
        runtime.block_on(async {
            let said = play(&raw, &kills).await;
            holds(&raw, &said).await;
        });
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn whatever_is_killed_on_redis_nothing_is_lost_or_without_its_end() {
    whatever_happens(Place::redis);
}

#[test]
fn whatever_is_killed_on_valkey_nothing_is_lost_or_without_its_end() {
    whatever_happens(Place::valkey);
}
