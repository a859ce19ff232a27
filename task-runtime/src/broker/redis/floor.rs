//! The floor: the least that jobs can cost on a server, three bare scripts, as a yardstick.

use super::{Call, RedisBroker, reply, script};
use crate::connection::Request;
use crate::error::Error;
use crate::job::QueueName;

/// Jobs of one call, as many as the real scripts take.
pub(crate) const FLOOR_BATCH: usize = crate::broker::MAX_TURN;

/// A queue without a promise: nothing is checked, ordered, remembered, recovered or told.
pub(crate) struct Floor<'a> {
    broker: &'a RedisBroker,
    queue: &'a QueueName,
}

impl RedisBroker {
    /// The floor, in a queue that nothing else uses.
    pub(crate) fn floor<'a>(&'a self, queue: &'a QueueName) -> Floor<'a> {
        Floor { broker: self, queue }
    }
}

impl Floor<'_> {
    /// Puts jobs there: ids and payloads.
    pub(crate) async fn push(&self, jobs: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let keys = self.broker.keys(self.queue);
        let mut call = Call::new(self.broker, &script::FLOOR_PUSH, &keys, &[]);
        for (id, payload) in jobs {
            call = call.arg(id).arg(&**payload);
        }
        self.broker.call(call, reply::nothing).await
    }

    /// Takes a batch; ids and payloads.
    pub(crate) async fn take(&self) -> Result<(Vec<String>, Vec<Vec<u8>>), Error> {
        let keys = self.broker.keys(self.queue);
        let call = Call::new(self.broker, &script::FLOOR_TAKE, &keys, &[]).arg(FLOOR_BATCH);
        self.broker.call(call, |reply| reply::value("floor/take", reply)).await
    }

    /// Ends the jobs of a batch.
    pub(crate) async fn finish(&self, ids: &[String]) -> Result<(), Error> {
        let keys = self.broker.keys(self.queue);
        let mut call = Call::new(self.broker, &script::FLOOR_FINISH, &keys, &[]);
        for id in ids {
            call = call.arg(id);
        }
        self.broker.call(call, reply::nothing).await
    }

    /// Waits for something to be pushed to a list of its own, as a waiting worker does.
    pub(crate) async fn blocked(&self) -> Result<(), Error> {
        let keys = self.broker.keys(self.queue);
        let mut pop = redis::cmd("BLPOP");
        pop.arg(keys.key("bell")).arg(crate::broker::MAX_WAKE_WAIT.as_secs());
        Ok(self.broker.servers.block(keys.tag(), &Request::plain(pop), reply::nothing).await?)
    }

    /// Ends the wait of one that is [blocked](Self::blocked).
    pub(crate) async fn ring(&self) -> Result<(), Error> {
        let keys = self.broker.keys(self.queue);
        let mut push = redis::cmd("RPUSH");
        push.arg(keys.key("bell")).arg("1");
        Ok(self.broker.servers.send(keys.tag(), &Request::plain(push), reply::nothing).await?)
    }
}
