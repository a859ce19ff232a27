//! Rules of the check of stored data that someone damaged: each flaw is found by its name, the look
//! changes nothing, the repair puts it right, and after it nothing is found.

use support::redis::Value;
use task_runtime::broker::{Cancelled, Due, Enqueued, Flaw, Repair, Report, Retention, Status, Turn};

use crate::fixture::{Bench, LEASE, cancelled, dead, finish, id, job, park, seconds};

/// What was found: the flaw, where, how often.
pub(crate) type Found<'a> = (Flaw, &'a str, u64);

pub(crate) fn found(report: &Report) -> Vec<(Flaw, String, u64)> {
    report.findings.iter().map(|one| (one.flaw, one.place.clone(), one.count)).collect()
}

pub(crate) async fn look(at: &Bench, repair: Repair) -> Report {
    at.broker.fsck(&at.queue, repair).await.expect("a check is always answered")
}

/// A look finds just that and changes nothing, a repair mends it, and then nothing is found.
pub(crate) async fn is_found_and_mended(at: &Bench, expected: &[Found<'_>]) {
    let expected: Vec<_> = expected.iter().map(|(flaw, place, count)| (*flaw, (*place).to_owned(), *count)).collect();
    let before = at.raw().everything();
    let report = look(at, Repair::No).await;
    assert_eq!(found(&report), expected, "{report:#?}");
    assert!(report.findings.iter().all(|one| one.repaired == 0 && !one.examples.is_empty()), "{report:#?}");
    assert_eq!(at.raw().everything(), before, "a look changed something");
    let report = look(at, Repair::Yes).await;
    assert_eq!(found(&report), expected, "{report:#?}");
    assert!(report.is_sound(), "{report:#?}");
    let report = look(at, Repair::Yes).await;
    assert_eq!(found(&report), [], "{report:#?}");
}

pub(crate) async fn an_entry_without_its_job_is_taken_out(at: Bench) {
    let worker = at.running("parked").await;
    at.settle(&worker, vec![park("parked", "mail")]).await;
    at.ready(&["dead"]).await;
    at.claim(&worker, 1).await;
    at.settle(&worker, vec![dead("dead")]).await;
    at.ready(&["a", "b", "c", "d", "e"]).await;
    at.enqueue(job("later", 5, Due::After(seconds(9)))).await;
    at.raw().on("HDEL", "jobs", &["parked", "dead", "a", "c", "e", "later"]);
    at.raw().on("DEL", "state", &[]);
    is_found_and_mended(
        &at,
        &[
            (Flaw::Dangling, "dead", 1),
            (Flaw::Dangling, "parked", 1),
            (Flaw::Dangling, "ready:5", 3),
            (Flaw::Dangling, "scheduled", 1),
            (Flaw::Leftover, "marks", 1),
        ],
    )
    .await;
    assert_eq!(at.claim(&worker, 5).await, ["b", "d"]);
}

/// What another program wrote among parked jobs stops neither who takes them nor who buries them.
pub(crate) async fn what_is_no_parked_job_stops_no_turn_and_no_sweep(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![park("a", "mail")]).await;
    at.raw().on("ZADD", "parked", &["0", "mail\0junk", "0", "mail\x005\0"]);
    let done = at.make(&worker, Turn { take: vec!["mail".into()], ..worker.next(5) }).await;
    assert_eq!(done.claims.iter().map(|claim| claim.id.as_str()).collect::<Vec<_>>(), ["a"]);
    at.settle(&worker, vec![park("a", "mail")]).await;
    at.raw().on("ZADD", "parked", &["0", "mail\0junk", "0", "mail\x005\0"]);
    at.clock.advance(seconds(700));
    at.broker.sweep(&at.queue, &Retention::default(), seconds(600)).await.unwrap();
    assert!(matches!(at.status("a").await, Status::Dead { .. }));
    assert_eq!(at.raw().get::<usize>("ZCARD", "parked", &[]), 0);
}

/// Long lists are read in pages, and an entry is taken out wherever it stands.
pub(crate) async fn entries_are_taken_out_of_a_long_list_and_no_other_is_lost(at: Bench) {
    let texts: Vec<String> = (0..512).map(|n| format!("job-{n}")).collect();
    let gone: Vec<&str> = texts.iter().enumerate().filter(|(n, _)| n % 3 == 0).map(|(_, text)| &**text).collect();
    for texts in texts.chunks(128) {
        at.ready(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    at.raw().on("HDEL", "jobs", &gone);
    is_found_and_mended(&at, &[(Flaw::Dangling, "ready:5", gone.len() as u64)]).await;
    assert_eq!(at.raw().get::<usize>("LLEN", "ready:5", &[]), texts.len() - gone.len());
}

pub(crate) async fn a_job_that_no_index_holds_is_put_back_to_run(at: Bench) {
    for (text, priority) in [("low", 1), ("high", 9)] {
        at.enqueue(job(text, priority, Due::Now)).await;
    }
    at.enqueue(job("later", 5, Due::After(seconds(9)))).await;
    for key in ["ready:1", "ready:9", "scheduled"] {
        at.raw().on("DEL", key, &[]);
    }
    is_found_and_mended(&at, &[(Flaw::Lost, "jobs", 3)]).await;
    let worker = at.worker().await;
    let mut claimed = at.claim(&worker, 5).await;
    claimed.sort();
    assert_eq!(claimed, ["high", "later", "low"]);
}

pub(crate) async fn a_lost_job_goes_where_its_envelope_and_record_say(at: Bench) {
    let envelope = br#"{"v":1,"task":"t","priority":8,"max_attempts":3}"#;
    let states = [("fresh", ""), ("tried", r#"{"attempts":2}"#), ("used", r#"{"attempts":3}"#)];
    let crashed = [("once", r#"{"crashes":1}"#), ("twice", r#"{"crashes":2}"#), ("thrice", r#"{"crashes":3}"#)];
    for (text, state) in states.into_iter().chain(crashed) {
        at.raw().on("HSET", "jobs", &[text, &format!("{}\n{{}}", String::from_utf8_lossy(envelope))]);
        if !state.is_empty() {
            at.raw().on("HSET", "state", &[text, state]);
        }
    }
    let report = look(&at, Repair::Yes).await;
    assert!(report.is_sound(), "{report:#?}");
    let list = |key| at.raw().get::<Vec<String>>("LRANGE", key, &["0", "-1"]);
    assert_eq!(
        (list("ready:8"), list("few"), list("alone")),
        (vec!["fresh".to_owned(), "tried".to_owned()], vec!["once".to_owned()], vec!["twice".to_owned()],)
    );
    for text in ["used", "thrice"] {
        assert!(matches!(at.status(text).await, Status::Dead { .. }), "{text}");
    }
}

pub(crate) async fn a_lost_job_whose_cancel_was_asked_ends_as_cancelled(at: Bench) {
    let worker = at.running("a").await;
    assert_eq!(at.cancel("a").await, Cancelled::Asked);
    at.raw().on("DEL", &format!("running:{}", worker.incarnation), &[]);
    is_found_and_mended(&at, &[(Flaw::Lost, "jobs", 1)]).await;
    assert_eq!(at.status("a").await, cancelled());
}

pub(crate) async fn a_put_back_job_wakes_a_worker(at: Bench) {
    at.ready(&["a"]).await;
    at.tokens().await;
    at.raw().on("DEL", "ready:5", &[]);
    look(&at, Repair::Yes).await;
    assert_eq!(at.tokens().await, 1);
}

pub(crate) async fn a_job_in_two_places_stays_where_it_runs_first(at: Bench) {
    let (worker, other) = (at.running("running").await, at.worker().await);
    at.ready(&["parked", "dead"]).await;
    at.claim(&other, 2).await;
    at.settle(&other, vec![park("parked", "mail"), dead("dead")]).await;
    at.ready(&["ready"]).await;
    let (first, second) = (format!("running:{}", worker.incarnation), format!("running:{}", other.incarnation));
    let far = "18000000000000";
    let damages: [(&str, &str, &[&str], &str); 9] = [
        ("RPUSH", "ready:5", &["running"], "in line"),
        ("ZADD", "scheduled", &[far, "running"], &first),
        ("ZADD", "dead", &["1", "running"], &first),
        ("SADD", &second, &["running"], "in line"),
        ("RPUSH", "ready:2", &["ready"], "in line"),
        ("RPUSH", "ready:5", &["ready"], "in line"),
        ("ZADD", "scheduled", &[far, "ready"], "ready:5"),
        ("ZADD", "scheduled", &[far, "parked"], "parked"),
        ("RPUSH", "few", &["dead"], "few"),
    ];
    for (command, key, rest, place) in damages {
        at.raw().on(command, key, rest);
        is_found_and_mended(&at, &[(Flaw::Twice, place, 1)]).await;
    }
    assert_eq!(at.status("running").await, Status::Running);
    assert_eq!(at.claim(&other, 9).await, ["ready"]);
    assert!(matches!(at.status("parked").await, Status::Scheduled { .. }));
    assert_eq!(at.status("dead").await, Status::Ready);
}

pub(crate) async fn an_ended_job_is_taken_out_of_line(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    let raw = at.raw();
    raw.on("RPUSH", "ready:5", &["a"]);
    raw.on("ZADD", "scheduled", &["1", "a"]);
    raw.on("ZADD", "dead", &["1", "a"]);
    raw.on("SADD", &format!("running:{}", worker.incarnation), &["a"]);
    is_found_and_mended(
        &at,
        &[
            (Flaw::Ended, "dead", 1),
            (Flaw::Ended, "ready:5", 1),
            (Flaw::Ended, &format!("running:{}", worker.incarnation), 1),
            (Flaw::Ended, "scheduled", 1),
        ],
    )
    .await;
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
}

/// It may yet end, and then its end is written down.
pub(crate) async fn a_running_job_without_its_envelope_is_left_to_its_worker(at: Bench) {
    let worker = at.running("a").await;
    at.raw().on("DEL", "jobs", &[]);
    let report = look(&at, Repair::Yes).await;
    assert_eq!(found(&report), [(Flaw::Dangling, format!("running:{}", worker.incarnation), 1)]);
    assert!(!report.is_sound(), "{report:#?}");
    at.settle(&worker, vec![finish("a")]).await;
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
    assert_eq!(found(&look(&at, Repair::No).await), []);
}

pub(crate) async fn an_end_that_nothing_would_forget_is_forgotten_in_its_time(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    at.raw().on("DEL", "done", &[]);
    at.raw().on("HDEL", "meta", &["done"]);
    is_found_and_mended(&at, &[(Flaw::NeverForgotten, "jobs", 1)]).await;
    assert!(matches!(at.status("a").await, Status::Ended { .. }));
    at.clock.advance(seconds(2 * 24 * 60 * 60));
    at.sweep(seconds(60)).await;
    assert_eq!(at.status("a").await, Status::Unknown);
}

pub(crate) async fn notes_of_ends_without_records_are_removed(at: Bench) {
    let worker = at.worker().await;
    at.ready(&["a", "b", "c", "d"]).await;
    at.claim(&worker, 4).await;
    at.settle(&worker, vec![finish("a"), finish("b")]).await;
    at.settle(&worker, vec![finish("c")]).await;
    let keep = |text| (id(text), crate::fixture::kept(seconds(600)));
    at.settle(&worker, vec![keep("d")]).await;
    at.raw().on("HDEL", "jobs", &["a", "c", "d"]);
    is_found_and_mended(&at, &[(Flaw::EndOfNothing, "done", 2), (Flaw::EndOfNothing, "kept", 1)]).await;
    assert_eq!(at.broker.counts(&at.queue).await.unwrap().finished, 1);
    assert!(matches!(at.status("b").await, Status::Ended { .. }));
}

pub(crate) async fn wrong_counts_are_counted_again(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    at.raw().on("HSET", "meta", &["done", "7 1", "kept", "3"]);
    is_found_and_mended(&at, &[(Flaw::Miscounted, "meta", 1)]).await;
    assert_eq!(at.broker.counts(&at.queue).await.unwrap().finished, 1);
}

pub(crate) async fn many_notes_are_counted_too(at: Bench) {
    let worker = at.worker().await;
    for n in 0..150 {
        let text = format!("job-{n}");
        at.ready(&[&text]).await;
        at.claim(&worker, 1).await;
        at.settle(&worker, vec![finish(&text)]).await;
    }
    assert_eq!(found(&look(&at, Repair::No).await), []);
    at.raw().on("HDEL", "meta", &["done"]);
    is_found_and_mended(&at, &[(Flaw::Miscounted, "meta", 1)]).await;
    assert_eq!(at.broker.counts(&at.queue).await.unwrap().finished, 150);
}

pub(crate) async fn a_worker_without_a_lease_is_watched_again(at: Bench) {
    let (alive, gone) = (at.running("a").await, at.running("b").await);
    at.raw().on("DEL", "workers", &[]);
    at.raw().on("HDEL", "steps", &[gone.incarnation.as_str()]);
    is_found_and_mended(&at, &[(Flaw::Unwatched, "workers", 2)]).await;
    // One that can make turns goes on, the other is recovered.
    at.settle(&alive, vec![finish("a")]).await;
    assert_eq!(at.lease_of(&gone).await.unwrap().ends_ms, 0);
    assert_eq!(at.condemn(&gone).await.jobs[0].id, id("b"));
}

pub(crate) async fn a_worker_that_can_make_no_turn_is_recovered(at: Bench) {
    let worker = at.running("a").await;
    at.raw().on("DEL", "steps", &[]);
    is_found_and_mended(&at, &[(Flaw::HalfRegistered, "workers", 1)]).await;
    assert_eq!(at.condemn(&worker).await.jobs[0].id, id("a"));
}

/// Also without a check: nobody would see a worker vanish that has no lease.
pub(crate) async fn a_lease_that_was_deleted_comes_back_with_the_next_heartbeat(at: Bench) {
    let worker = at.running("a").await;
    at.raw().on("DEL", "workers", &[]);
    at.broker.heartbeat(&at.queue, &worker.incarnation, LEASE).await.unwrap();
    assert!(at.lease_of(&worker).await.is_some());
    assert_eq!(found(&look(&at, Repair::No).await), []);
}

pub(crate) async fn what_is_left_beside_a_job_that_is_gone_is_removed(at: Bench) {
    let worker = at.running("dead").await;
    at.settle(&worker, vec![dead("dead")]).await;
    at.ready(&["a"]).await;
    let raw = at.raw();
    raw.on("HSET", "state", &["gone", "{}"]);
    raw.on("SADD", "asked", &["gone", "dead"]);
    raw.on("SADD", "watched", &["gone", "dead"]);
    raw.on("HSET", "marks", &["gone", "cancelled", "stale", "parked mail\x005\x00stale", "a", "cancelled"]);
    raw.on("HSET", "meta", &["board:gone", "3"]);
    is_found_and_mended(
        &at,
        &[
            (Flaw::Leftover, "asked", 2),
            (Flaw::Leftover, "marks", 3),
            (Flaw::Leftover, "meta", 1),
            (Flaw::Leftover, "state", 1),
            (Flaw::Leftover, "watched", 2),
        ],
    )
    .await;
    assert_eq!(at.enqueue(job("gone", 5, Due::Now)).await, Enqueued::New);
}

pub(crate) async fn a_parked_job_is_found_again_by_a_worker_that_knows_its_task(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![park("a", "mail")]).await;
    at.raw().on("DEL", "parked_tasks", &[]);
    is_found_and_mended(&at, &[(Flaw::Untold, "parked", 1)]).await;
    at.raw().on("DEL", "marks", &[]);
    is_found_and_mended(&at, &[(Flaw::Untold, "parked", 1)]).await;
    assert!(matches!(at.status("a").await, Status::Parked { .. }));
    assert_eq!(at.make(&worker, worker.next(1)).await.parked, ["mail"]);
}

pub(crate) async fn a_queue_that_forgot_itself_is_told_and_counts_again(at: Bench) {
    let worker = at.running("a").await;
    at.settle(&worker, vec![finish("a")]).await;
    at.raw().on("DEL", "meta", &[]);
    is_found_and_mended(&at, &[(Flaw::Miscounted, "meta", 1), (Flaw::Forgetful, "meta", 1)]).await;
    assert_eq!(at.broker.counts(&at.queue).await.unwrap().finished, 1);
}

pub(crate) async fn a_queue_that_is_not_listed_is_listed_again(at: Bench) {
    at.ready(&["a"]).await;
    // The list of queues may be on another node of a cluster.
    if at.raw().lists_queues() {
        at.raw().forget_queues();
        is_found_and_mended(&at, &[(Flaw::Unlisted, "queues", 1)]).await;
        assert_eq!(at.broker.queues().await.unwrap(), std::slice::from_ref(&at.queue));
        // A worker that begins anew does not wait for a repair.
        at.raw().forget_queues();
        at.worker().await;
        assert_eq!(at.broker.queues().await.unwrap(), std::slice::from_ref(&at.queue));
    }
}

pub(crate) async fn what_is_not_known_is_told_and_never_touched(at: Bench) {
    at.ready(&["a"]).await;
    let raw = at.raw();
    raw.on("SET", "mine", &["precious"]);
    raw.on("HSET", "meta", &["note", "precious"]);
    raw.on("ZADD", "parked", &["0", "precious"]);
    raw.on("ZADD", "workers", &["1", "my worker"]);
    raw.on("HSET", "steps", &["my worker", "1"]);
    let expected = [("keys", 1), ("meta", 1), ("parked", 1), ("steps", 1), ("workers", 1)]
        .map(|(at, n)| (Flaw::Unknown, at.to_owned(), n));
    let before = raw.everything();
    for repair in [Repair::No, Repair::Yes] {
        let report = look(&at, repair).await;
        assert_eq!(found(&report), expected, "{report:#?}");
        assert!(!report.is_sound(), "{report:#?}");
    }
    assert_eq!(raw.everything(), before);
}

pub(crate) async fn a_key_of_the_wrong_type_is_told_and_never_touched(at: Bench) {
    at.ready(&["a"]).await;
    for key in ["scheduled", "workers"] {
        at.raw().on("SET", key, &["precious"]);
        let report = look(&at, Repair::Yes).await;
        assert_eq!(found(&report), [(Flaw::WrongType, "keys".to_owned(), 1)]);
        assert_eq!(report.findings[0].examples, [format!("{key} is a string, not a zset")]);
        assert!(matches!(at.raw().on("GET", key, &[]), Value::BulkString(text) if text == b"precious"));
        at.raw().on("DEL", key, &[]);
    }
}

pub(crate) async fn a_list_of_queues_of_the_wrong_type_is_told_and_the_queue_is_checked(at: Bench) {
    at.ready(&["a"]).await;
    at.raw().on("DEL", "ready:5", &[]);
    if at.raw().lists_queues() {
        at.raw().spoil_queues();
        let report = look(&at, Repair::Yes).await;
        assert_eq!(found(&report), [(Flaw::Lost, "jobs".to_owned(), 1), (Flaw::WrongType, "queues".to_owned(), 1)]);
        assert_eq!(report.findings[1].examples, ["queues is a string, not a set"]);
        assert!(!report.is_sound());
    }
}

/// More is forgotten then than was counted.
pub(crate) async fn lost_counts_stop_no_worker(at: Bench) {
    let worker = at.worker().await;
    at.ready(&["a", "b", "c", "d", "e"]).await;
    at.claim(&worker, 5).await;
    let keep = |text| (id(text), crate::fixture::kept(seconds(60)));
    at.settle(&worker, vec![finish("a"), finish("b"), finish("c"), keep("d")]).await;
    at.raw().on("DEL", "meta", &[]);
    at.settle(&worker, vec![finish("e")]).await;
    at.clock.advance(seconds(2 * 24 * 60 * 60));
    for text in ["f", "g", "h"] {
        at.ready(&[text]).await;
        at.claim(&worker, 1).await;
        at.settle(&worker, vec![finish(text)]).await;
        at.broker.counts(&at.queue).await.unwrap();
    }
    look(&at, Repair::Yes).await;
    at.sweep(seconds(60)).await;
    assert_eq!(at.broker.counts(&at.queue).await.unwrap().finished, 3);
    assert_eq!(found(&look(&at, Repair::No).await), []);
}
