//! Rules of the check of jobs that are in line twice, in lists of any length, and of what it leaves
//! undecided.

use task_runtime::broker::{Due, Flaw, Repair};

use crate::damaged::{found, is_found_and_mended, look};
use crate::fixture::{Bench, envelope, job};

/// More entries than the check looks at from both ends of a list.
const LONG: usize = 50_000;
/// Entries that one command adds.
const PART: usize = 5_000;

/// Entries at the tail of a list.
fn push(at: &Bench, list: &str, ids: &[String]) {
    for part in ids.chunks(PART) {
        at.raw().on("RPUSH", list, &part.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Jobs, each in line once.
fn fill(at: &Bench, list: &str, ids: &[String]) {
    let envelope = String::from_utf8(envelope("a")).expect("an envelope is text");
    for part in ids.chunks(PART) {
        let fields: Vec<&str> = part.iter().flat_map(|id| [id.as_str(), &envelope]).collect();
        at.raw().on("HSET", "jobs", &fields);
    }
    push(at, list, ids);
}

fn names(first: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{first}-{n}")).collect()
}

/// What is met most often must not hide the others.
pub(crate) async fn a_job_that_is_in_line_very_often_hides_no_other(at: Bench) {
    at.enqueue(job("b", 5, Due::Now)).await;
    push(&at, "ready:5", &["b".to_owned()]);
    at.enqueue(job("a", 5, Due::Now)).await;
    push(&at, "ready:5", &vec!["a".to_owned(); 10_001]);
    is_found_and_mended(&at, &[(Flaw::Twice, "in line", 10_002)]).await;
    assert_eq!(at.raw().get::<Vec<String>>("LRANGE", "ready:5", &["0", "-1"]), ["b", "a"]);
}

pub(crate) async fn a_job_twice_in_the_middle_of_a_long_list_is_found_and_mended(at: Bench) {
    at.ready(&["first"]).await;
    let (before, after) = (names("before", LONG / 2), names("after", LONG / 2));
    fill(&at, "ready:5", &before);
    at.ready(&["b", "c"]).await;
    push(&at, "ready:5", &["b".to_owned(), "b".to_owned()]);
    fill(&at, "ready:5", &after);
    // One at an end and one in the middle.
    push(&at, "ready:5", &["c".to_owned()]);
    is_found_and_mended(&at, &[(Flaw::Twice, "in line", 3)]).await;
    assert_eq!(at.raw().get::<usize>("LLEN", "ready:5", &[]), LONG + 3);
    let worker = at.worker().await;
    assert_eq!(at.claim(&worker, 1).await, ["first"]);
}

/// There are more of them than one check remembers.
pub(crate) async fn what_is_not_decided_is_not_sound_and_another_repair_decides_it(at: Bench) {
    at.ready(&["a"]).await;
    for part in names("gone", 100_001).chunks(PART) {
        let fields: Vec<&str> = part.iter().flat_map(|id| [id.as_str(), "cancelled"]).collect();
        at.raw().on("HSET", "marks", &fields);
    }
    for (count, undecided) in [(100_000, 1), (1, 0)] {
        let report = look(&at, Repair::Yes).await;
        assert_eq!(found(&report), [(Flaw::Leftover, "marks".to_owned(), count)]);
        assert_eq!(report.undecided.len(), undecided, "{report:#?}");
        assert_eq!(report.is_sound(), undecided == 0, "{report:#?}");
    }
    assert_eq!(found(&look(&at, Repair::No).await), []);
}
