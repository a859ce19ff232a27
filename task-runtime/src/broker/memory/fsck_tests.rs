//! The check of a queue in this process, on queues that a bug might leave.

use super::*;
use crate::broker::{Due, Enqueued, NewJob};

const NOW: i64 = 1_700_000_000_000;

fn id(text: &str) -> JobId {
    JobId::new(text).unwrap()
}

/// A queue with jobs that are ready.
fn queue(texts: &[&str]) -> Queue {
    let mut queue = Queue::default();
    let envelope = b"{\"v\":1,\"task\":\"t\"}\n{}".to_vec();
    for text in texts {
        let job = NewJob { id: id(text), priority: 5, due: Due::Now, envelope: envelope.clone() };
        assert_eq!(queue.enqueue(&[job], None, NOW).unwrap(), [Enqueued::New]);
    }
    queue
}

/// A look finds just that, a repair mends it, and then nothing is found.
#[track_caller]
fn is_found_and_mended(queue: &mut Queue, expected: &[(Flaw, &str)]) {
    for repair in [false, true] {
        let report = queue.fsck(repair, NOW);
        let found: Vec<_> = report.findings.iter().map(|one| (one.flaw, one.place.as_str())).collect();
        assert_eq!(found, expected, "{report:#?}");
        assert_eq!(report.is_sound(), repair, "{report:#?}");
    }
    assert_eq!(queue.fsck(false, NOW).findings, []);
}

#[test]
fn a_job_that_nothing_holds_is_put_back() {
    let mut queue = queue(&["a"]);
    queue.ready[5].clear();
    is_found_and_mended(&mut queue, &[(Flaw::Lost, "jobs")]);
    assert_eq!(queue.ready[5], [id("a")]);
}

#[test]
fn an_entry_without_its_job_is_taken_out() {
    let mut queue = queue(&["a", "b", "c"]);
    queue.jobs.remove(&id("b"));
    queue.scheduled.insert(id("gone"), 1);
    is_found_and_mended(&mut queue, &[(Flaw::Dangling, "ready:5"), (Flaw::Dangling, "scheduled")]);
    assert_eq!(queue.ready[5], [id("a"), id("c")]);
}

#[test]
fn a_job_in_two_places_stays_in_the_first() {
    let mut queue = queue(&["a"]);
    queue.few.push_back(id("a"));
    queue.dead.insert(id("a"), 1);
    queue.parked.insert(("mail".into(), 5, id("a")));
    is_found_and_mended(&mut queue, &[(Flaw::Twice, "dead"), (Flaw::Twice, "few"), (Flaw::Twice, "parked")]);
    assert_eq!((queue.ready[5].len(), queue.few.len()), (1, 0));
}

#[test]
fn an_ended_job_is_taken_out_of_line() {
    let mut queue = queue(&["a", "b"]);
    queue.finish(&id("a"), Vec::new(), None, None, NOW);
    is_found_and_mended(&mut queue, &[(Flaw::Ended, "ready:5")]);
    // What was cancelled leaves an entry, and that is right.
    queue.cancel(&id("b"), NOW);
    assert_eq!(queue.fsck(false, NOW).findings, []);
}

#[test]
fn what_is_wrong_with_workers_is_mended() {
    let who = [(); 3].map(|()| Incarnation::random());
    let mut queue = queue(&["a"]);
    queue.steps.insert(who[0].clone(), 1);
    queue.workers.insert(who[1].clone(), 1);
    queue.on_board.insert(who[2].clone(), 1);
    is_found_and_mended(
        &mut queue,
        &[(Flaw::Unwatched, "workers"), (Flaw::HalfRegistered, "workers"), (Flaw::Leftover, "meta")],
    );
    assert_eq!((queue.workers[&who[0]] > NOW, queue.workers[&who[1]]), (true, CONDEMNED));
}

#[test]
fn what_stands_beside_a_job_goes_with_it() {
    let mut queue = queue(&["a"]);
    queue.states.insert(id("gone"), Vec::new());
    queue.asked.insert(id("gone"));
    queue.watched.insert(id("gone"));
    queue.marks.insert(id("gone"), Mark::Cancelled);
    let places = ["asked", "marks", "state", "watched"];
    is_found_and_mended(&mut queue, &places.map(|place| (Flaw::Leftover, place)));
}

#[test]
fn parked_jobs_are_told_and_ends_are_noted() {
    let mut queue = queue(&["a", "b"]);
    queue.ready[5].pop_front();
    queue.parked.insert(("mail".into(), 5, id("a")));
    is_found_and_mended(&mut queue, &[(Flaw::Untold, "parked")]);
    queue.finish(&id("b"), Vec::new(), None, None, NOW);
    queue.ready[5].clear();
    queue.done.clear();
    queue.kept.insert(id("gone"), 1);
    is_found_and_mended(&mut queue, &[(Flaw::NeverForgotten, "jobs"), (Flaw::EndOfNothing, "kept")]);
}
