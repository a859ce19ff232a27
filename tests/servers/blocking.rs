//! A call that waits holds up nobody, and leaves nothing behind when it is dropped.

use std::time::Duration;

use futures_util::future::join_all;
use support::redis::FromRedisValue;
use support::{Server, eventually};
use tokio::time::{Instant, timeout};

use crate::{BOUND, broker, enqueue, queue};

/// How many clients of `server` wait in a BLPOP.
fn blocked(server: &Server) -> usize {
    let info = String::from_redis_value(server.command(&["INFO", "clients"])).expect("INFO is text");
    let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).expect("INFO counts them");
    line.trim().parse().expect("the count is a number")
}

fn connections(server: &Server) -> usize {
    let list = String::from_redis_value(server.command(&["CLIENT", "LIST"])).expect("CLIENT LIST is text");
    list.lines().filter(|line| line.contains("user=default")).count()
}

#[tokio::test]
async fn each_waiting_queue_is_woken_at_once() {
    let server = Server::redis().start();
    let broker = broker(&server.url()).unwrap();
    let names: Vec<_> = (0..5).map(|n| format!("queue-{n}")).collect();
    let waits = names.iter().map(|name| {
        let (broker, name) = (broker.clone(), queue(name));
        tokio::spawn(async move { broker.wake(&name, Duration::from_secs(5)).await })
    });
    let waits: Vec<_> = waits.collect();
    eventually("all of them wait", BOUND, async || (blocked(&server) == 5).then_some(())).await;
    let started = Instant::now();
    // From the last one on: over one connection it would wait behind all the others.
    for name in names.iter().rev() {
        enqueue(&*broker, name, "a").await.unwrap();
    }
    for woken in join_all(waits).await {
        assert!(woken.unwrap().unwrap());
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::redis().start();
    let broker = broker(&server.url()).unwrap();
    let made = || {
        let info = String::from_redis_value(server.command(&["INFO", "stats"])).expect("INFO is text");
        let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.expect("INFO counts them").trim().parse::<usize>().expect("the count is a number")
    };
    let before = made();
    for _ in 0..5 {
        assert!(!broker.wake(&queue("mail"), Duration::from_millis(1)).await.unwrap());
    }
    // One for the five, and one to ask.
    assert_eq!(made() - before, 2);
}

#[tokio::test]
async fn a_dropped_wait_closes_its_connection_and_swallows_no_token() {
    let server = Server::redis().start();
    let broker = broker(&server.url()).unwrap();
    let mail = queue("mail");
    let wait = timeout(Duration::from_millis(100), broker.wake(&mail, Duration::from_secs(5))).await;
    assert!(wait.is_err(), "{wait:?}");
    eventually("the connection is closed", Duration::from_secs(2), async || {
        (blocked(&server) == 0 && connections(&server) == 0).then_some(())
    })
    .await;
    enqueue(&*broker, "mail", "a").await.unwrap();
    assert!(broker.wake(&mail, Duration::from_millis(20)).await.unwrap());
}

#[tokio::test]
async fn a_server_that_ends_is_told_to_those_who_wait_and_found_again() {
    let mut server = Server::redis().start();
    let broker = broker(&server.url()).unwrap();
    let (waiting, mail) = (broker.clone(), queue("mail"));
    let wait = tokio::spawn(async move { waiting.wake(&mail, Duration::from_secs(5)).await });
    eventually("it waits", BOUND, async || (blocked(&server) == 1).then_some(())).await;
    server.restart();
    assert!(wait.await.unwrap().is_err());
    let mail = queue("mail");
    assert!(!broker.wake(&mail, Duration::from_millis(1)).await.unwrap());
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_time_to_ask_again() {
    let mut server = Server::redis().start();
    let broker = broker(&server.url()).unwrap();
    enqueue(&*broker, "mail", "a").await.unwrap();
    server.freeze();
    let started = Instant::now();
    let lost = enqueue(&*broker, "mail", "b").await.unwrap_err();
    assert!(lost.outcome_unknown() && started.elapsed() < Duration::from_secs(2), "{lost} {:?}", started.elapsed());
    server.thaw();
    enqueue(&*broker, "mail", "c").await.unwrap();
}
