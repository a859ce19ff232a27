//! One server: the connection that all share, and those that block, one for each call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::PubSubStream;
use redis::{RedisError, Value};

use super::link::Connection;
use super::patience::Patience;
use super::request::{Malformed, Request};
use super::target::Address;
use super::{CONNECT_LIMIT, Fault, Limits};

/// Most connections that are kept for the next blocking calls.
const MAX_IDLE: usize = 64;

/// Over which connection a command goes.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// The one that all calls share, for what is answered at once.
    Shared,
    /// One that no other call uses meanwhile: answers come in the order of the requests, so that a
    /// command that blocks would hold up all behind it. When the call is dropped the connection is
    /// closed, and the server forgets the command.
    Own,
}

/// A server, standing alone or a node of a cluster.
pub(super) struct Node {
    address: Address,
    limits: Limits,
    patience: Arc<Patience>,
    shared: Connection,
    /// Connections that blocked, and do not now.
    idle: Mutex<Vec<Connection>>,
}

impl Node {
    pub(super) fn new(address: Address, limits: Limits) -> Self {
        let patience = Arc::new(Patience::new(limits.firm));
        let shared = Connection::new(address.clone(), limits.answer, Arc::clone(&patience));
        Self { address, limits, patience, shared, idle: Mutex::default() }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request, with `ASKING` ahead of it if that is asked, and has `read` read what comes.
    pub(super) async fn send<T>(
        &self,
        request: &Request,
        way: Way,
        asking: bool,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        match way {
            Way::Shared => self.shared.send(request, asking, read).await,
            Way::Own => self.block(request, asking, read).await,
        }
    }

    async fn block<T>(
        &self,
        request: &Request,
        asking: bool,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let kept = self.idle().pop();
        let connection = kept
            .unwrap_or_else(|| Connection::new(self.address.clone(), self.limits.block, Arc::clone(&self.patience)));
        let answer = connection.send(request, asking, read).await;
        let mut idle = self.idle();
        match &answer {
            // What ended one connection has most likely ended the others too.
            Err(Fault::Away(_) | Fault::Lost(_) | Fault::Elsewhere(_)) => idle.clear(),
            _ if idle.len() < MAX_IDLE => idle.push(connection),
            _ => {}
        }
        answer
    }

    /// The messages on `channel`, over a connection of their own, which ends with them.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSubStream, Fault> {
        let subscribe = async {
            let mut messages = self.address.client().get_async_pubsub().await?;
            messages.subscribe(channel).await?;
            Ok::<_, RedisError>(messages.into_on_message())
        };
        tokio::time::timeout(CONNECT_LIMIT, subscribe)
            .await
            .map_err(|_| Fault::Away(format!("no subscription within {CONNECT_LIMIT:?}")))?
            .map_err(|error| Fault::Away(error.to_string()))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
