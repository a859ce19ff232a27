//! What a caller may rely on when it enqueues.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::scripted::*;
use crate::broker::{Due, FLOOR, MAX_ENQUEUE};
use crate::client::bulk::{AT_A_STRETCH, MAX_UNDER_WAY};
use crate::client::{DEFAULT_DEADLINE, Enqueue};
use crate::error::Error;
use crate::job::{
    Backoff, Envelope, JobId, JobOptions, MAX_ATTEMPTS, MAX_BACKOFF, MAX_CRASHES, MAX_DELAY, MAX_RESULT_TTL,
    MAX_TIMEOUT, QueueName,
};

#[tokio::test]
async fn callers_at_the_same_time_share_a_few_calls() {
    let broker = Scripted::new([]);
    let client = broker.client();
    let calls = (0..64).map(|_| Enqueue::new(greet()).enqueue_on(&client));
    for handle in join_all(calls).await {
        assert!(handle.unwrap().is_new());
    }
    assert!(broker.calls().len() <= 2, "{} calls", broker.calls().len());
    assert_eq!(broker.jobs.lock().unwrap().len(), 64);
}

#[tokio::test]
async fn an_id_comes_once_in_a_call_and_the_second_finds_the_first() {
    let broker = Scripted::new([]);
    let client = broker.client();
    let calls = (0..3).map(|_| Enqueue::new(greet()).id("one").enqueue_on(&client));
    let new: Vec<_> = join_all(calls).await.into_iter().map(|handle| handle.unwrap().is_new()).collect();
    assert_eq!(new, [true, false, false]);
}

#[tokio::test]
async fn a_caller_that_is_dropped_leaves_the_others_their_answers() {
    let broker = Scripted::new([]);
    broker.gate.forget_permits(Semaphore::MAX_PERMITS);
    let client = broker.client();
    let spawn = |id: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { Enqueue::new(greet()).id(id).enqueue_on(&client).await })
    };
    let in_flight = spawn("in-flight");
    settle_down().await;
    let (pending, other) = (spawn("pending"), spawn("other"));
    settle_down().await;
    in_flight.abort();
    pending.abort();
    settle_down().await;
    broker.gate.add_permits(10);
    assert!(other.await.unwrap().unwrap().is_new());
    // What was not yet sent for a caller that is gone is not sent at all.
    let jobs = broker.jobs.lock().unwrap();
    assert!(jobs.len() == 2 && !jobs.contains_key(&JobId::new("pending").unwrap()));
}

#[test]
fn callers_on_another_runtime_are_answered_when_the_one_that_sends_stops() {
    let broker = Scripted::new([]);
    broker.gate.forget_permits(Semaphore::MAX_PERMITS);
    let client = broker.client();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (sends, waits) = (runtime(), runtime());
    let first = client.clone();
    sends.block_on(async {
        tokio::spawn(async move { Enqueue::new(greet()).enqueue_on(&first).await });
        settle_down().await;
    });
    let other = client.clone();
    let waiting = waits.spawn(async move { Enqueue::new(greet()).enqueue_on(&other).await });
    waits.block_on(settle_down());
    drop(sends);
    let answer = waits.block_on(waiting).unwrap();
    assert!(matches!(answer, Err(Error::Rejected { .. })), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    let broker = Scripted::new([Fate::Unreached, Fate::AnswerLost, Fate::Unreached]);
    let handle = Enqueue::new(greet()).enqueue_on(&broker.client()).await.unwrap();
    let calls = broker.calls();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|(ids, _)| ids == std::slice::from_ref(handle.id())));
    let again: Vec<_> = calls.iter().map(|(_, again)| again.is_some()).collect();
    // A send that never left is not one that may have arrived.
    assert_eq!(again, [false, false, true, true]);
    assert!(calls[2].1 < calls[3].1);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_error_says_whether_it_may_have_happened() {
    let unreached = Scripted::new(vec![Fate::Unreached; 1000]);
    let error = Enqueue::new(greet()).enqueue_on(&unreached.client()).await.unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }) && !error.outcome_unknown(), "{error}");

    let lost = Scripted::new([Fate::AnswerLost].into_iter().chain(vec![Fate::Unreached; 1000]));
    let error = Enqueue::new(greet()).enqueue_on(&lost.client()).await.unwrap_err();
    assert!(matches!(error, Error::Indeterminate { .. }) && error.outcome_unknown(), "{error}");
    assert!(error.to_string().contains("same job id is safe"), "{error}");
    assert!(lost.calls().iter().all(|(_, again)| again.is_none_or(|again| again < DEFAULT_DEADLINE)));

    let silent = Scripted::new([Fate::Silent]);
    let since = tokio::time::Instant::now();
    let client = silent.client().with_deadline(Duration::from_secs(7)).unwrap();
    let error = Enqueue::new(greet()).enqueue_on(&client).await.unwrap_err();
    assert!(error.outcome_unknown() && since.elapsed() < Duration::from_secs(8), "{error}");

    let full = Scripted::new([Fate::Full]);
    let error = Enqueue::new(greet()).enqueue_on(&full.client()).await.unwrap_err();
    assert!(matches!(error, Error::QueueFull), "{error}");
    let full = Scripted::new([Fate::AnswerLost, Fate::Full]);
    let error = Enqueue::new(greet()).enqueue_on(&full.client()).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_of_many_callers_is_told_at_its_own_deadline_and_what_failed_is_not_sent_again() {
    // So many sends fail, then one is carried out.
    let told = async |fate: Fate, sends: usize| {
        let broker = Scripted::new(vec![fate; sends]);
        let client = broker.client();
        let mut callers = Vec::new();
        // They come one after the other, while nothing is answered.
        for n in 0..50 {
            let client = client.clone();
            callers.push(tokio::spawn(async move {
                let since = tokio::time::Instant::now();
                (Enqueue::new(greet()).id(n.to_string()).enqueue_on(&client).await, since.elapsed())
            }));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        let mut failed = Vec::new();
        for (n, (answer, took)) in join_all(callers).await.into_iter().map(Result::unwrap).enumerate() {
            assert!(took < DEFAULT_DEADLINE + Duration::from_millis(110), "{n}: {took:?}");
            let known = broker.jobs.lock().unwrap().contains_key(&JobId::new(n.to_string()).unwrap());
            match answer {
                Ok(_) => assert!(known, "{n} is lost"),
                Err(error) => {
                    assert!(took >= DEFAULT_DEADLINE && (error.outcome_unknown() || !known), "{n}: {took:?}, {error}");
                    failed.push(error.outcome_unknown());
                }
            }
        }
        failed
    };
    assert_eq!(told(Fate::Unreached, 1000).await, [false; 50]);
    // Some of a call are told that it failed while it goes on for the others.
    let some = told(Fate::Unreached, 20).await;
    assert!((1..50).contains(&some.len()) && !some.contains(&true), "{some:?}");
    // Of what was sent it is not known, of what was not it is.
    let silent = told(Fate::Silent, 1000).await;
    assert!(silent[0] && !silent[1] && silent[20], "{silent:?}");
}

#[test]
fn a_deadline_stays_below_the_time_for_which_ids_are_remembered() {
    let client = Scripted::new([]).client();
    assert!(client.with_deadline(FLOOR - Duration::from_millis(1)).is_ok());
    assert!(client.with_deadline(FLOOR).is_err());
    assert!(client.with_deadline(Duration::ZERO).is_err());
}

#[test]
fn the_envelope_says_only_what_differs() {
    let header = |enqueue: Enqueue<Greet>| Envelope::decode(&enqueue.prepare().unwrap().1.envelope).unwrap().header;
    let plain = header(greet().into());
    assert_eq!((plain.priority, plain.created_ms, plain.max_crashes), (Some(7), None, None));
    assert_eq!(plain.options, JobOptions::default());
    let chosen = header(Enqueue::new(greet()).id("order-42").priority(5).max_attempts(2).max_crashes(1));
    assert_eq!((chosen.priority, chosen.max_crashes, chosen.options.max_attempts), (None, Some(1), Some(2)));
    assert!(chosen.created_ms.is_some());
}

#[test]
fn every_limit_holds_at_its_edge() {
    let ms = Duration::from_millis(1);
    let pauses = |n: usize| Backoff::list(vec![ms; n]);
    let edges: [(Enqueue<Greet>, Enqueue<Greet>); 9] = {
        let new = || Enqueue::new(greet());
        [
            (new().timeout(MAX_TIMEOUT), new().timeout(MAX_TIMEOUT + ms)),
            (new().timeout(ms), new().timeout(Duration::ZERO)),
            (new().max_attempts(MAX_ATTEMPTS), new().max_attempts(MAX_ATTEMPTS + 1)),
            (new().max_crashes(MAX_CRASHES), new().max_crashes(0)),
            (new().priority(9), new().priority(10)),
            (new().result_ttl(MAX_RESULT_TTL), new().result_ttl(MAX_RESULT_TTL + ms)),
            (new().delay(MAX_DELAY), new().delay(MAX_DELAY + ms)),
            (new().backoff(Backoff::constant(MAX_BACKOFF)), new().backoff(Backoff::constant(MAX_BACKOFF + ms))),
            (new().backoff(pauses(64)), new().backoff(pauses(65))),
        ]
    };
    for (inside, outside) in edges {
        assert!(inside.prepare().is_ok());
        let error = outside.prepare().unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    }
    let error = Enqueue::new(greet()).priority(12).queue("a b").prepare().unwrap_err().to_string();
    assert_eq!(error, "option `priority` is 12, expected 0 to 9");
    assert_eq!(Enqueue::new(greet()).at(SystemTime::UNIX_EPOCH).prepare().unwrap().1.due, Due::At(0));
    assert!(Enqueue::new(greet()).at(SystemTime::now() + 2 * MAX_DELAY).prepare().is_err());
}

#[tokio::test]
async fn a_bulk_is_checked_before_it_is_sent_and_comes_in_large_calls() {
    let broker = Scripted::new([]);
    let client = broker.client();
    let wrong = (0..500).map(|n| Enqueue::new(greet()).priority(if n == 499 { 10 } else { 1 }));
    assert!(client.enqueue_all(wrong).await.is_err());
    assert!(broker.calls().is_empty());
    let handles = client.enqueue_all((0..2 * MAX_ENQUEUE + 44).map(|_| greet())).await.unwrap();
    let sizes: Vec<_> = broker.calls().iter().map(|(ids, _)| ids.len()).collect();
    assert_eq!(sizes, [MAX_ENQUEUE, MAX_ENQUEUE, 44]);
    let sent: Vec<_> = broker.calls().into_iter().flat_map(|(ids, _)| ids).collect();
    assert_eq!(handles.iter().map(|handle| handle.id().clone()).collect::<Vec<_>>(), sent);
    assert!(client.enqueue_all(Vec::<Greet>::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_large_bulk_lets_others_have_the_thread() {
    let broker = Scripted::new([]);
    let turns = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let bytes = Enqueue::new(greet()).prepare().unwrap().1.envelope.len();
    broker.client().enqueue_all((0..40 * AT_A_STRETCH / bytes).map(|_| greet())).await.unwrap();
    other.abort();
    assert!(turns.load(Ordering::Relaxed) >= 39, "{turns:?}");
}

#[tokio::test]
async fn a_bulk_that_fails_in_the_middle_says_how_many_are_in() {
    let broker = Scripted::new([Fate::Answered, Fate::Full, Fate::Answered, Fate::Answered, Fate::Answered]);
    let error = broker.client().enqueue_all((0..20 * MAX_ENQUEUE).map(|_| greet())).await.unwrap_err();
    let Error::Partial { enqueued, total, source } = error else { panic!("{error}") };
    assert_eq!((enqueued, total), (broker.jobs.lock().unwrap().len(), 20 * MAX_ENQUEUE));
    assert!(matches!(*source, Error::QueueFull) && enqueued <= MAX_UNDER_WAY * MAX_ENQUEUE);
}

/// Callers may hold these futures across threads.
#[test]
fn the_futures_can_be_sent() {
    fn sent<F: Future + Send>(_: F) {}
    let client = Scripted::new([]).client();
    sent(Enqueue::new(greet()).enqueue_on(&client));
    sent(client.enqueue_all([greet()]));
    sent(client.enqueue_all([Enqueue::new(greet())]));
    sent(client.handle::<usize>(QueueName::new("q").unwrap(), JobId::random()).result_within(Duration::ZERO));
}
