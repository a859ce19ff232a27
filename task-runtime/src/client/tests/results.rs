//! What a caller may rely on when it waits for a result.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;

use super::scripted::*;
use crate::broker::{Cancelled, Incarnation, Retention, Turn, TurnAnswer, Watched};
use crate::client::{Client, Enqueue, JobError, JobHandle, JobStatus};
use crate::job::{EndRecord, Settlement, State};

#[tokio::test(start_paused = true)]
async fn a_result_is_typed_and_a_failure_says_why() {
    let broker = Scripted::new([]);
    let handle = Enqueue::new(greet()).enqueue_on(&broker.client()).await.unwrap();
    let (value, ()) = tokio::join!(handle.result(), async {
        settle_down().await;
        broker.end(handle.id(), completed("42"));
    });
    assert_eq!(value.unwrap(), 42);
    let state = State { attempts: 5, error: Some("no route".into()), ..State::default() };
    let ends = [
        (Watched::Dead { state: Some(state.encode()) }, "the job failed after 5 attempts: no route"),
        (Watched::Ended { record: EndRecord::CANCELLED.to_vec() }, "the job was cancelled"),
        (Watched::Unknown, "is not known"),
        (completed("\"text\""), "cannot be read: invalid type: string"),
        (Watched::Waiting, "the job had not ended after 3s"),
    ];
    for (end, text) in ends {
        broker.end(handle.id(), end);
        let error = handle.result_within(Duration::from_secs(3)).await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    // A task that returns nothing stores nothing.
    let unit = broker.client().handle::<()>(handle.queue().clone(), handle.id().clone());
    broker.end(unit.id(), Watched::Ended { record: br#"{"end":"completed"}"#.to_vec() });
    unit.result().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn thousands_wait_on_one_subscription_and_look_twice() {
    let broker = Scripted::new([]);
    let handles = broker.client().enqueue_all((0..5000).map(|_| greet())).await.unwrap();
    let (values, ()) = tokio::join!(join_all(handles.iter().map(JobHandle::result)), async {
        settle_down().await;
        handles.iter().for_each(|handle| broker.end(handle.id(), completed("1")));
    });
    assert!(values.into_iter().all(|value| value.unwrap() == 1));
    assert_eq!(broker.subscriptions.lock().unwrap().len(), 1);
    assert!(broker.watches.load(Ordering::SeqCst) <= 10_000);
}

#[tokio::test(start_paused = true)]
async fn what_ended_while_the_subscription_was_broken_is_found() {
    let broker = Scripted::new([]);
    let handle = Enqueue::new(greet()).enqueue_on(&broker.client()).await.unwrap();
    let since = tokio::time::Instant::now();
    let (value, ()) = tokio::join!(handle.result(), async {
        settle_down().await;
        broker.subscriptions.lock().unwrap().clear();
        broker.end(handle.id(), completed("3"));
    });
    assert_eq!(value.unwrap(), 3);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_when_nobody_waits_any_more() {
    let broker = Scripted::new([]);
    let handle = Enqueue::new(greet()).enqueue_on(&broker.client()).await.unwrap();
    let error = handle.result_within(Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, JobError::Timeout { .. }));
    assert!(!broker.subscriptions.lock().unwrap()[0].is_closed());
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(broker.subscriptions.lock().unwrap()[0].is_closed());
}

/// Claims what is ready in the queue of `handle` and settles it.
async fn work<T>(client: &Client, handle: &JobHandle<T>, settlement: Settlement) {
    let (broker, lease, incarnation) = (client.broker(), Duration::from_secs(60), Incarnation::random());
    let begun = broker.begin(handle.queue(), &incarnation, lease).await.unwrap();
    let mut settlements = vec![];
    for step in [begun + 1, begun + 2] {
        let turn = Turn {
            incarnation: incarnation.clone(),
            step,
            lease,
            settlements: std::mem::take(&mut settlements),
            want: 1,
            few_room: 0,
            empty: false,
            order: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
            take: vec![],
            retention: Retention::default(),
            on_loan: None,
        };
        let answer = broker.turn(handle.queue(), &turn).await.unwrap();
        let TurnAnswer::Done(done) = answer else { panic!("{answer:?}") };
        settlements.extend(done.claims.into_iter().map(|claim| (claim.id, settlement.clone())));
    }
}

#[tokio::test]
async fn the_in_process_broker_tells_each_way_a_job_ends() {
    let client = Client::in_memory();
    let enqueue = || Enqueue::new(greet()).enqueue_on(&client);
    let handle = enqueue().await.unwrap();
    assert_eq!(handle.status().await.unwrap(), JobStatus::Ready);
    let record = br#"{"end":"completed","attempts":1,"ms":5,"result":42}"#.to_vec();
    let finish = Settlement::Finish { record, keep: Some(Duration::from_secs(60)) };
    let (value, ()) = tokio::join!(handle.result(), work(&client, &handle, finish));
    assert_eq!(value.unwrap(), 42);
    let again = Enqueue::new(greet()).id(handle.id().as_str()).enqueue_on(&client).await.unwrap();
    assert!(!again.is_new() && again.status().await.unwrap().has_ended());

    let handle = enqueue().await.unwrap();
    let state = State { attempts: 2, error: Some("no route".into()), ..State::default() };
    let dead = Settlement::Dead { state: state.encode() };
    let (value, ()) = tokio::join!(handle.result(), work(&client, &handle, dead));
    assert!(matches!(value, Err(JobError::Failed { attempts: 2, .. })), "{value:?}");

    let handle = enqueue().await.unwrap();
    let (value, cancelled) = tokio::join!(handle.result(), handle.cancel());
    assert_eq!(cancelled.unwrap(), Cancelled::Cancelled);
    assert!(matches!(value, Err(JobError::Cancelled)), "{value:?}");
}
