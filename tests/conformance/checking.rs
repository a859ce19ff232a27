//! Rules of the check of stored data: what is sound is found sound, whatever state its jobs are in.

use task_runtime::broker::{Due, Recovered, Repair, Retention, Turn};

use crate::fixture::{Bench, dead, finish, id, job, kept, park, retry, seconds, state};

/// A queue with a job in every state, which a check must take as it is.
pub(crate) async fn in_every_state(at: &Bench) {
    let lost = at.worker().await;
    at.ready(&["few", "alone", "buried", "asked-too"]).await;
    at.claim(&lost, 4).await;
    at.cancel("asked-too").await;
    at.condemn(&lost).await;
    let recovered = [
        Recovered::Few { id: id("few"), state: state(1) },
        Recovered::Alone { id: id("alone"), state: state(2) },
        Recovered::Dead { id: id("buried"), state: state(3) },
    ];
    at.broker.settle_for(&at.queue, &lost.incarnation, &recovered).await.unwrap();
    let worker = at.worker().await;
    at.ready(&["done", "kept", "dead", "parked", "later", "again", "asked", "running"]).await;
    at.claim(&worker, 8).await;
    at.cancel("asked").await;
    let kept = (id("kept"), kept(seconds(600)));
    let later = [dead("dead"), park("parked", "mail"), retry("later", seconds(9)), retry("again", seconds(0))];
    at.settle(&worker, [vec![finish("done"), kept], later.to_vec()].concat()).await;
    at.ready(&["ready", "cancelled"]).await;
    at.enqueue(job("soon", 3, Due::After(seconds(5)))).await;
    at.cancel("cancelled").await;
    at.broker.watch(&at.queue, &id("ready")).await.unwrap();
}

pub(crate) async fn a_sound_queue_is_found_sound_and_left_alone(at: Bench) {
    in_every_state(&at).await;
    let counts = at.broker.counts(&at.queue).await.unwrap();
    for repair in [Repair::No, Repair::Yes, Repair::No] {
        let report = at.broker.fsck(&at.queue, repair).await.unwrap();
        assert!(report.is_sound() && report.findings.is_empty() && report.undecided.is_empty(), "{report:#?}");
        assert_eq!(report.jobs + report.ended, 15, "{report:#?}");
    }
    assert_eq!(at.broker.counts(&at.queue).await.unwrap(), counts);
}

pub(crate) async fn an_unused_queue_is_sound(at: Bench) {
    let report = at.broker.fsck(&at.queue, Repair::Yes).await.unwrap();
    assert_eq!(report, Default::default());
}

pub(crate) async fn what_was_forgotten_leaves_a_sound_queue(at: Bench) {
    let worker = at.running("a").await;
    at.ready(&["b"]).await;
    at.cancel("b").await;
    let retention = Retention { finished: 0, ..Retention::default() };
    at.make(&worker, Turn { settlements: vec![finish("a")], retention, ..worker.next(0) }).await;
    // The record of the cancelled job goes before its entry in the list.
    at.clock.advance(seconds(2 * 24 * 60 * 60));
    at.broker.sweep(&at.queue, &retention, seconds(1)).await.unwrap();
    let report = at.broker.fsck(&at.queue, Repair::No).await.unwrap();
    assert_eq!((report.jobs, report.ended, report.findings), (0, 0, Vec::new()));
}
