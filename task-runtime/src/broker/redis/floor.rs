//! The floor: the least that jobs can cost on a server, three bare scripts sent by a bare client, as a yardstick.

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Value};

use super::{Call, RedisBroker, reply, script};
use crate::connection::{Request, classify};
use crate::error::Error;
use crate::job::QueueName;

/// Jobs of one call, as many as a turn takes.
pub(crate) const FLOOR_BATCH: usize = crate::broker::MAX_TURN;

/// A queue without a promise: nothing is checked, ordered, remembered, recovered or told.
///
/// It goes over a connection of the crate `redis` and not over ours: a yardstick that becomes longer when we become
/// faster measures nothing.
pub(crate) struct Floor<'a> {
    broker: &'a RedisBroker,
    queue: QueueName,
    bare: MultiplexedConnection,
}

impl RedisBroker {
    /// The floor, in a queue that nothing else uses.
    pub(crate) async fn floor(&self, queue: QueueName) -> Result<Floor<'_>, Error> {
        let bare = self.servers.bare(self.keys(&queue).tag()).await?;
        let floor = Floor { broker: self, queue, bare };
        for script in [&*script::FLOOR_PUSH, &script::FLOOR_TAKE, &script::FLOOR_FINISH] {
            let _: Value = script.source.load().query_async(&mut floor.bare.clone()).await.map_err(failed)?;
        }
        Ok(floor)
    }
}

fn failed(error: redis::RedisError) -> Error {
    classify(&error).into()
}

impl Floor<'_> {
    pub(crate) fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// Puts jobs there: ids and payloads.
    pub(crate) async fn push(&self, jobs: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let keys = self.broker.keys(&self.queue);
        let mut call = Call::new(self.broker, &script::FLOOR_PUSH, &keys, &[]);
        for (id, payload) in jobs {
            call = call.arg(id).arg(&**payload);
        }
        self.ask::<Value>(call).await.map(drop)
    }

    /// Takes a batch; ids and payloads.
    pub(crate) async fn take(&self) -> Result<(Vec<String>, Vec<Vec<u8>>), Error> {
        let keys = self.broker.keys(&self.queue);
        self.ask(Call::new(self.broker, &script::FLOOR_TAKE, &keys, &[]).arg(FLOOR_BATCH)).await
    }

    /// Ends the jobs of a batch.
    pub(crate) async fn finish(&self, ids: &[String]) -> Result<(), Error> {
        let keys = self.broker.keys(&self.queue);
        let mut call = Call::new(self.broker, &script::FLOOR_FINISH, &keys, &[]);
        for id in ids {
            call = call.arg(id);
        }
        self.ask::<Value>(call).await.map(drop)
    }

    async fn ask<T: FromRedisValue>(&self, call: Call) -> Result<T, Error> {
        let (answer, _number): (T, Value) = call.bare().query_async(&mut self.bare.clone()).await.map_err(failed)?;
        Ok(answer)
    }

    /// Waits for something to be pushed to a list of its own, as a waiting worker does.
    pub(crate) async fn blocked(&self) -> Result<(), Error> {
        let keys = self.broker.keys(&self.queue);
        let mut pop = redis::cmd("BLPOP");
        pop.arg(keys.key("bell")).arg(crate::broker::MAX_WAKE_WAIT.as_secs());
        Ok(self.broker.servers.block(keys.tag(), &Request::plain(pop), reply::nothing).await?)
    }

    /// Ends the wait of one that is [blocked](Self::blocked).
    pub(crate) async fn ring(&self) -> Result<(), Error> {
        let keys = self.broker.keys(&self.queue);
        let mut push = redis::cmd("RPUSH");
        push.arg(keys.key("bell")).arg("1");
        Ok(self.broker.servers.send(keys.tag(), &Request::plain(push), reply::nothing).await?)
    }
}
