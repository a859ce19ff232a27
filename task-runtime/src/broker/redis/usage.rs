//! What a server says of itself: what it is, and how much it has done so far.

use std::collections::HashMap;
use std::time::Duration;

use super::{RedisBroker, reply};
use crate::broker::{Broker as _, Inspect as _};
use crate::connection::Request;
use crate::error::Error;
use crate::job::QueueName;

/// How often a server is asked whether it has freed what was removed, and for how long.
const FREEING: Duration = Duration::from_millis(5);
const FREEING_LIMIT: Duration = Duration::from_secs(10);
/// The oldest Redis that has what the scripts need.
const OLDEST_REDIS: u64 = 7;

/// What the server has done since it started, and what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time of all its threads.
    pub(crate) cpu: Duration,
    /// Commands, those inside of scripts included.
    pub(crate) commands: u64,
    /// Scripts and blocking commands with their echoes, as a worker sends them.
    pub(crate) calls: u64,
    /// Bytes that came and went over its connections.
    pub(crate) wire_bytes: u64,
    /// Bytes that it has allocated.
    pub(crate) memory: u64,
}

impl Usage {
    /// What was done since `before`; nothing when the server has begun to count anew meanwhile.
    pub(crate) fn since(&self, before: &Self) -> Option<Self> {
        Some(Self {
            cpu: self.cpu.checked_sub(before.cpu)?,
            commands: self.commands.checked_sub(before.commands)?,
            calls: self.calls.checked_sub(before.calls)?,
            wire_bytes: self.wire_bytes.checked_sub(before.wire_bytes)?,
            memory: self.memory.saturating_sub(before.memory),
        })
    }
}

/// What kind of a server it is.
#[derive(Clone, Debug)]
pub(crate) struct ServerKind {
    /// `Redis 7.0.15` or `Valkey 9.0.0`.
    pub(crate) name: String,
    /// Whether it keeps an append-only file.
    pub(crate) append_only: bool,
    /// Whether it is a node of a cluster.
    pub(crate) in_cluster: bool,
    /// Bytes that it may allocate; zero when there is no bound.
    pub(crate) max_memory: u64,
    /// Bytes of its machine; zero when it does not say.
    pub(crate) machine_memory: u64,
}

/// The lines `name:value` of `INFO`.
struct Info(HashMap<String, String>);

impl Info {
    fn read(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
    }

    /// `Redis 6.2.5`, of a server that lacks what the scripts need. One that does not say what it is may have it.
    fn too_old(&self) -> Option<String> {
        let version = self.0.get("redis_version").filter(|_| !self.0.contains_key("valkey_version"))?;
        let major: u64 = version.split('.').next()?.parse().ok()?;
        (major < OLDEST_REDIS).then(|| format!("Redis {version}"))
    }

    fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn seconds(&self, name: &str) -> Duration {
        let seconds = self.0.get(name).and_then(|value| value.parse().ok()).unwrap_or(0.0);
        Duration::from_secs_f64(seconds)
    }

    /// `calls=7,usec=…` gives 7.
    fn calls(&self, command: &str) -> u64 {
        let line = self.0.get(&format!("cmdstat_{command}"));
        let calls = line.and_then(|line| line.strip_prefix("calls=")?.split(',').next()?.parse().ok());
        calls.unwrap_or(0)
    }
}

impl RedisBroker {
    /// What the server of `queue` has done so far.
    pub(crate) async fn usage(&self, queue: &QueueName) -> Result<Usage, Error> {
        let info = self.info(queue, &["cpu", "stats", "commandstats", "memory"]).await?;
        Ok(Usage {
            cpu: info.seconds("used_cpu_user") + info.seconds("used_cpu_sys"),
            commands: info.number("total_commands_processed"),
            calls: ["eval", "evalsha", "blpop", "echo", "info"].map(|command| info.calls(command)).iter().sum(),
            wire_bytes: info.number("total_net_input_bytes") + info.number("total_net_output_bytes"),
            memory: info.number("used_memory"),
        })
    }

    /// What kind of a server has `queue`.
    pub(crate) async fn server_kind(&self, queue: &QueueName) -> Result<ServerKind, Error> {
        let info = self.info(queue, &["server", "persistence", "memory", "cluster"]).await?;
        let version = |name: &str| info.0.get(name).cloned();
        let name = match (version("valkey_version"), version("redis_version")) {
            (Some(valkey), _) => format!("Valkey {valkey}"),
            (None, redis) => format!("Redis {}", redis.unwrap_or_else(|| "of unknown version".into())),
        };
        Ok(ServerKind {
            name,
            append_only: info.number("aof_enabled") > 0,
            in_cluster: info.number("cluster_enabled") > 0,
            max_memory: info.number("maxmemory"),
            machine_memory: info.number("total_system_memory"),
        })
    }

    /// Whether the server can be reached, and what it is if it is too old.
    pub(crate) async fn too_old(&self) -> Result<Option<String>, Error> {
        match self.info_at(&super::keys::queues(&self.namespace).0, &["server"]).await {
            Ok(info) => Ok(info.too_old()),
            Err(error @ Error::Unavailable { .. }) => Err(error),
            // Whoever serves others may not show what the server is like.
            Err(_) => self.queues().await.map(|_| None),
        }
    }

    async fn info(&self, queue: &QueueName, sections: &[&str]) -> Result<Info, Error> {
        self.info_at(self.keys(queue).tag(), sections).await
    }

    async fn info_at(&self, tag: &str, sections: &[&str]) -> Result<Info, Error> {
        let mut command = redis::cmd("INFO");
        command.arg(sections);
        let read = |reply| reply::value::<String>("INFO", reply);
        let text = self.servers.send(tag, &Request::plain(command), read).await?;
        Ok(Info::read(&text))
    }

    /// Removes every key of a queue of this namespace, and the namespace's list of queues: only for
    /// a namespace that was made up to be thrown away. Answers how many keys there were.
    pub(crate) async fn erase(&self, queue: &QueueName) -> Result<u64, Error> {
        let keys = self.keys(queue);
        let mut unlink = redis::cmd("UNLINK");
        for lease in self.workers(queue).await? {
            unlink.arg(keys.running(&lease.incarnation));
        }
        for name in super::keys::NAMES {
            unlink.arg(keys.key(name));
        }
        let removed = |reply| reply::value::<u64>("unlink", reply);
        let of_queue = self.servers.send(keys.tag(), &Request::plain(unlink), removed).await?;
        let (tag, queues) = super::keys::queues(&self.namespace);
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(queues);
        let of_namespace = self.servers.send(&tag, &Request::plain(unlink), removed).await?;
        self.remembered().clear();
        // The server frees large keys on another thread.
        let freed = async {
            while self.info(queue, &["memory"]).await?.number("lazyfree_pending_objects") > 0 {
                tokio::time::sleep(FREEING).await;
            }
            Ok(())
        };
        tokio::time::timeout(FREEING_LIMIT, freed).await.unwrap_or(Ok::<_, Error>(()))?;
        Ok(of_queue + of_namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_too_old_when_it_says_so() {
        let cases = [
            ("# Server\r\nredis_version:6.2.5\r\nredis_mode:standalone\r\n", Some("Redis 6.2.5")),
            ("redis_version:255.255.255\r\n", None),
            ("redis_version:7.0.15\r\n", None),
            ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.0.0\r\n", None),
            ("redis_version:6.9.9\r\nvalkey_version:10.0.0\r\n", None),
            ("redis_version:unstable\r\n", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Info::read(text).too_old().as_deref(), expected, "{text}");
        }
    }
}
