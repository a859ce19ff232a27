//! The servers on which the list is run, each broker in a namespace of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use support::redis::{FromRedisValue, Value};
use support::{Server, View, namespace, shared_cluster, shared_redis, shared_valkey};
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

/// The keys of one queue, changed past the broker.
pub(crate) struct Raw {
    server: &'static Server,
    tag: String,
    namespace: String,
}

impl Raw {
    /// Runs a command whose first argument is a key of the queue.
    #[track_caller]
    pub(crate) fn on(&self, command: &str, key: &str, rest: &[&str]) -> Value {
        let key = format!("{}:{key}", self.tag);
        self.server.command(&[&[command, &key], rest].concat())
    }

    /// The same, with an answer of a type.
    #[track_caller]
    pub(crate) fn get<T: FromRedisValue>(&self, command: &str, key: &str, rest: &[&str]) -> T {
        T::from_redis_value(self.on(command, key, rest)).expect("the answer is of the type")
    }

    /// All keys with what they hold, in a form that can be compared.
    pub(crate) fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = self.keys().into_iter().map(|key| (key.clone(), self.get("DUMP", &key, &[]))).collect();
        all.sort();
        all
    }

    /// The names of all keys.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys = self.server.command(&["KEYS", &format!("{}:*", self.tag)]);
        let keys = Vec::<String>::from_redis_value(keys).expect("keys are text");
        keys.into_iter().map(|key| key[self.tag.len() + 1..].to_owned()).collect()
    }

    /// Removes all keys.
    pub(crate) fn clear(&self) {
        self.keys().iter().for_each(|key| drop(self.on("DEL", key, &[])));
    }

    /// What `jobs` holds.
    pub(crate) fn jobs(&self) -> BTreeMap<String, String> {
        self.get("HGETALL", "jobs", &[])
    }

    /// Everything, read.
    pub(crate) fn view(&self) -> View {
        let mut connection = self.server.connection().expect("a test server answers");
        View::read(&mut connection, &self.tag).expect("the keys are those of the table")
    }

    /// Whether this server has the set of queues too.
    pub(crate) fn lists_queues(&self) -> bool {
        let exists = self.server.try_command(&["EXISTS", &self.queues()]);
        exists.is_ok_and(|count| count == Value::Int(1))
    }

    /// Removes the set of queues.
    pub(crate) fn forget_queues(&self) {
        self.server.command(&["DEL", &self.queues()]);
    }

    /// Puts something else in the place of the set of queues.
    pub(crate) fn spoil_queues(&self) {
        self.server.command(&["SET", &self.queues(), "precious"]);
    }

    fn queues(&self) -> String {
        format!("{{{}}}:queues", self.namespace)
    }
}

fn broker(url: &str, clock: Clock, server: impl Fn(&str) -> &'static Server) -> (Arc<dyn Broker>, Option<Raw>) {
    let namespace = namespace();
    let tag = format!("{{{namespace}:conformance}}");
    let broker = RedisBroker::new(url, Namespace::new(&namespace).expect("the namespace of a test is valid"), clock);
    let raw = Raw { server: server(&tag[1..tag.len() - 1]), tag, namespace };
    (Arc::new(broker.expect("the URL of a test server is valid")), Some(raw))
}

impl Fixture for Redis {
    async fn broker(clock: Clock) -> (Arc<dyn Broker>, Option<Raw>) {
        broker(&shared_redis().url(), clock, |_| shared_redis())
    }
}

impl Fixture for Valkey {
    async fn broker(clock: Clock) -> (Arc<dyn Broker>, Option<Raw>) {
        broker(&shared_valkey().url(), clock, |_| shared_valkey())
    }
}

impl Fixture for Cluster {
    async fn broker(clock: Clock) -> (Arc<dyn Broker>, Option<Raw>) {
        let cluster = shared_cluster();
        broker(&cluster.seeds()[0], clock, |tag| &cluster.nodes()[cluster.owner(cluster.slot(tag))])
    }
}
