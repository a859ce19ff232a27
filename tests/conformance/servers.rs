//! The servers on which the list is run, each broker in a namespace of its own.

use std::sync::Arc;

use support::{namespace, shared_cluster, shared_redis, shared_valkey};
use task_runtime::broker::redis::RedisBroker;
use task_runtime::broker::{Broker, Clock};
use task_runtime::job::Namespace;

use crate::fixture::Fixture;

/// Debian's Redis 7.0: the oldest server that is promised.
pub(crate) struct Redis;

/// Valkey 9: the newest.
pub(crate) struct Valkey;

/// Three nodes of Valkey 9, of which a broker is told one; its namespace decides which one has its
/// queue.
pub(crate) struct Cluster;

fn broker(url: &str, clock: Clock) -> Arc<dyn Broker> {
    let namespace = Namespace::new(namespace()).expect("the namespace of a test is valid");
    Arc::new(RedisBroker::new(url, namespace, clock).expect("the URL of a test server is valid"))
}

impl Fixture for Redis {
    async fn broker(clock: Clock) -> Arc<dyn Broker> {
        broker(&shared_redis().url(), clock)
    }
}

impl Fixture for Valkey {
    async fn broker(clock: Clock) -> Arc<dyn Broker> {
        broker(&shared_valkey().url(), clock)
    }
}

impl Fixture for Cluster {
    async fn broker(clock: Clock) -> Arc<dyn Broker> {
        broker(&shared_cluster().seeds()[0], clock)
    }
}
