//! The broker that keeps its jobs in Redis or Valkey.

mod call;
#[cfg(feature = "cli")]
mod floor;
mod fsck;
mod keys;
mod reply;
mod script;
#[cfg(feature = "cli")]
mod usage;
mod verbs;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

#[cfg(feature = "cli")]
pub(crate) use floor::{FLOOR_BATCH, Floor};
#[cfg(feature = "cli")]
pub(crate) use usage::{ServerKind, Usage};

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::Value;

use self::call::Call;
use self::keys::Keys;
use super::Clock;
use crate::connection::{Limits, Malformed, Servers, Target};
use crate::error::Error;
use crate::job::{Namespace, QueueName};

/// Longest wait for the answer to a command that does not block. A client that gives an enqueue 2 s
/// must have time to ask once more, and every verb may be repeated.
const RESPONSE_LIMIT: Duration = Duration::from_secs(1);
/// How much longer than a blocking command blocks its answer may take.
const BLOCK_MARGIN: Duration = Duration::from_secs(2);

/// Jobs in Redis or Valkey, one atomic script a verb.
pub struct RedisBroker {
    namespace: Namespace,
    clock: Clock,
    target: Target,
    /// When the queues were last added to the list of those that were used.
    remembered: Mutex<HashMap<QueueName, Instant>>,
    servers: Servers,
}

impl RedisBroker {
    /// A broker on the server at `url`, or on the cluster of which it names nodes; nothing is
    /// connected before the first verb.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when `url` is none that is understood.
    pub fn new(url: &str, namespace: Namespace, clock: Clock) -> Result<Self, Error> {
        Ok(Self::on(Target::parse(url)?, namespace, clock))
    }

    fn on(target: Target, namespace: Namespace, clock: Clock) -> Self {
        let limits = Limits { answer: RESPONSE_LIMIT, block: super::MAX_WAKE_WAIT + BLOCK_MARGIN, firm: false };
        Self { namespace, clock, remembered: Mutex::default(), servers: Servers::new(&target, limits), target }
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<QueueName, Instant>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self, queue: &QueueName) -> Keys {
        Keys::new(&self.namespace, queue)
    }

    /// Runs a script, and has `read` read its answer.
    async fn call<T>(&self, call: Call, read: impl Fn(Value) -> Result<T, Malformed>) -> Result<T, Error> {
        Ok(call.send(&self.servers, read).await?)
    }
}
