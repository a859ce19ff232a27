//! A cluster: every queue is found wherever its node is by now, and no caller notices a move.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use support::redis::{self, FromRedisValue};
use support::{Cluster, eventually, namespace, shared_cluster};
use task_runtime::broker::{Broker, Enqueued};
use task_runtime::job::JobId;
use task_runtime::{Client, Error};
use tokio::time::{Instant, timeout};

use crate::{BOUND, broker, broker_in, enqueue, queue};

#[tokio::test]
async fn queues_on_every_node_are_reached_through_any_of_them() {
    for seed in shared_cluster().seeds() {
        let broker = broker(&seed).unwrap();
        let names: Vec<_> = (0..12).map(|n| format!("queue-{n}")).collect();
        for name in &names {
            assert_eq!(enqueue(&*broker, name, "a").await.unwrap(), Enqueued::New);
            assert!(broker.wake(&queue(name), Duration::from_secs(1)).await.unwrap());
            assert_eq!(broker.counts(&queue(name)).await.unwrap().ready, 1);
        }
        assert_eq!(broker.queues().await.unwrap().len(), names.len());
    }
}

#[tokio::test]
async fn an_end_is_told_wherever_it_happens() {
    let broker = broker(&shared_cluster().seeds()[0]).unwrap();
    for n in 0..6 {
        let name = queue(&format!("queue-{n}"));
        let id = JobId::new("a").unwrap();
        enqueue(&*broker, name.as_str(), "a").await.unwrap();
        let mut ended = broker.ended(&name).await.unwrap();
        broker.watch(&name, &id).await.unwrap();
        broker.cancel(&name, &id).await.unwrap();
        let told = timeout(BOUND, ended.next()).await.expect("the end is told").unwrap();
        assert_eq!(told.unwrap(), id);
    }
}

/// A broker on the first node, and the slot of its queue `mail`.
fn broker_and_slot(cluster: &Cluster) -> (Arc<dyn Broker>, usize, String) {
    let namespace = namespace();
    let tag = format!("{{{namespace}:mail}}");
    (broker_in(&namespace, &cluster.seeds()[0]).unwrap(), cluster.slot(&tag), tag)
}

/// How often the nodes have answered with an error of this code.
fn errors(cluster: &Cluster, code: &str) -> usize {
    let of = |node: &support::Server| {
        let info = String::from_redis_value(node.command(&["INFO", "errorstats"])).expect("INFO is text");
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{code}:count=")));
        line.map_or(0, |count| count.parse().expect("the count is a number"))
    };
    cluster.nodes().iter().map(of).sum()
}

#[tokio::test]
async fn the_node_of_a_queue_is_learned_once() {
    let cluster = Cluster::valkey(3);
    let broker = broker(&cluster.seeds()[0]).unwrap();
    let reach_all = async || {
        for n in 0..12 {
            broker.promote(&queue(&format!("queue-{n}"))).await.unwrap();
        }
    };
    reach_all().await;
    let learned = errors(&cluster, "MOVED");
    assert!(learned > 0);
    reach_all().await;
    assert_eq!(errors(&cluster, "MOVED"), learned);
}

#[tokio::test]
async fn a_queue_that_moves_to_another_node_goes_on() {
    let cluster = Cluster::valkey(3);
    let (broker, slot, _) = broker_and_slot(&cluster);
    let mail = queue("mail");
    for _ in 1..=4 {
        // Scripts, the shared connection and those that block have a route each time.
        assert!(!broker.wake(&mail, Duration::from_millis(1)).await.unwrap());
        assert_eq!(broker.promote(&mail).await.unwrap(), 0);
        cluster.move_slot(slot, (cluster.owner(slot) + 1) % 3);
    }
    assert_eq!(enqueue(&*broker, "mail", "a").await.unwrap(), Enqueued::New);
    assert!(broker.wake(&mail, Duration::from_secs(1)).await.unwrap());
}

#[tokio::test]
async fn a_wait_goes_along_when_its_queue_moves() {
    let cluster = Cluster::valkey(3);
    let (broker, slot, _) = broker_and_slot(&cluster);
    let (waiting, mail) = (Arc::clone(&broker), queue("mail"));
    let wait = tokio::spawn(async move { waiting.wake(&mail, Duration::from_secs(5)).await });
    let blocked = |index: usize| {
        let info = String::from_redis_value(cluster.nodes()[index].command(&["INFO", "clients"])).unwrap();
        info.contains("blocked_clients:1").then_some(())
    };
    let (from, to) = (cluster.owner(slot), (cluster.owner(slot) + 1) % 3);
    eventually("it waits", BOUND, async || blocked(from)).await;
    cluster.move_slot(slot, to);
    eventually("it waits at the new node", BOUND, async || blocked(to)).await;
    enqueue(&*broker, "mail", "a").await.unwrap();
    assert!(wait.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_queue_on_its_way_is_asked_for_at_both_nodes() {
    let cluster = Cluster::valkey(3);
    let (broker, slot, tag) = broker_and_slot(&cluster);
    let (from, to) = (cluster.owner(slot), (cluster.owner(slot) + 1) % 3);
    let text = slot.to_string();
    cluster.nodes()[to].command(&["CLUSTER", "SETSLOT", &text, "IMPORTING", &cluster.id(from)]);
    cluster.nodes()[from].command(&["CLUSTER", "SETSLOT", &text, "MIGRATING", &cluster.id(to)]);
    // The wake list has arrived there already; the old node answers ASK.
    let mut there = cluster.nodes()[to].connection().unwrap();
    let moved = errors(&cluster, "MOVED");
    for asked in 1..=2 {
        redis::cmd("ASKING").query::<()>(&mut there).unwrap();
        redis::cmd("RPUSH").arg(format!("{tag}:wake")).arg("1").query::<usize>(&mut there).unwrap();
        assert!(broker.wake(&queue("mail"), Duration::from_secs(1)).await.unwrap());
        // It says nothing about the calls to come.
        assert_eq!(errors(&cluster, "ASK"), asked);
    }
    let learned = usize::from(from != 0);
    assert_eq!(errors(&cluster, "MOVED") - moved, learned);
    // What needs many keys waits until the move is over: nothing happened.
    let refused = enqueue(&*broker, "mail", "a").await.unwrap_err();
    assert!(matches!(&refused, Error::Unavailable { reason } if reason.contains("TryAgain")), "{refused}");
    cluster.move_slot(slot, to);
    assert_eq!(enqueue(&*broker, "mail", "a").await.unwrap(), Enqueued::New);
}

#[tokio::test]
async fn a_dead_seed_is_passed_over() {
    // A port that was free a moment ago refuses connections.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let seeds: Vec<String> = shared_cluster().nodes().iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
    let url = format!("redis://{dead},{}", seeds.join(","));
    Client::connect(&url).await.unwrap();
    let broker = broker(&url).unwrap();
    drop(broker.ended(&queue("mail")).await.unwrap());
    for n in 0..6 {
        enqueue(&*broker, &format!("queue-{n}"), "a").await.unwrap();
    }
}

#[tokio::test]
async fn a_seed_that_never_answers_is_passed_over() {
    // It accepts connections, or keeps them in its backlog, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let url = format!("redis://{},127.0.0.1:{}", silent.local_addr().unwrap(), shared_cluster().nodes()[1].port());
    Client::connect(&url).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_dead_cluster_is_unavailable_and_soon_so() {
    let dead = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("redis://{},{},{}", dead(), dead(), dead());
    let started = Instant::now();
    let error = Client::connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_replica_that_takes_over_is_found_within_seconds() {
    let mut cluster = Cluster::valkey(3);
    cluster.add_replica(2);
    let broker = broker(&cluster.seeds()[0]).unwrap();
    let names: Vec<_> = (0..12).map(|n| format!("queue-{n}")).collect();
    for name in &names {
        enqueue(&*broker, name, "a").await.unwrap();
    }
    cluster.nodes_mut()[2].freeze();
    let started = Instant::now();
    for name in &names {
        eventually("the queue is reached again", BOUND, async || {
            let called = Instant::now();
            let answer = enqueue(&*broker, name, "b").await;
            assert!(called.elapsed() < Duration::from_secs(5), "one call took {:?}", called.elapsed());
            answer.ok()
        })
        .await;
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
