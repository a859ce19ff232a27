//! One connection to one server that comes back by itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisResult, Value};

use super::target::Address;
use super::{CONNECT_LIMIT, Fault, classify};

type Connecting = Shared<Pin<Box<dyn Future<Output = Result<MultiplexedConnection, String>> + Send>>>;

/// A connection that any number of callers share.
///
/// It is made when it is first needed, and made anew after an error that says that it is of no
/// use; the caller of that moment gets the error, because only it knows whether to repeat.
pub(super) struct Connection {
    address: Address,
    limit: Duration,
    current: Mutex<Current>,
}

struct Current {
    generation: u64,
    connecting: Option<Connecting>,
}

impl Connection {
    /// A connection whose answers are waited for at most `limit`.
    pub(crate) fn new(address: Address, limit: Duration) -> Self {
        let current = Mutex::new(Current { generation: 0, connecting: None });
        Self { address, limit, current }
    }

    /// Sends one command, with `ASKING` ahead of it if that is asked.
    pub(super) async fn send(&self, command: &Cmd, asking: bool) -> Result<Value, Fault> {
        let (generation, connecting) = self.connecting();
        let mut connection = match connecting.await {
            Ok(connection) => connection,
            Err(reason) => {
                self.discard(generation);
                return Err(Fault::Away(reason));
            }
        };
        let answer = if asking {
            send_asking(&mut connection, command).await
        } else {
            connection.send_packed_command(command).await
        };
        answer.and_then(Value::extract_error).map_err(|error| {
            let fault = classify(&error);
            if matches!(fault, Fault::Lost(_) | Fault::Elsewhere(_)) {
                self.discard(generation);
            }
            fault
        })
    }

    fn connecting(&self) -> (u64, Connecting) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = current.generation;
        let connecting = current.connecting.get_or_insert_with(|| {
            let (client, limit) = (self.address.client().clone(), self.limit);
            let connect = async move {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_LIMIT))
                    .set_response_timeout(Some(limit));
                let connect = client.get_multiplexed_async_connection_with_config(&config);
                // The handshake has no limit of its own.
                match tokio::time::timeout(CONNECT_LIMIT, connect).await {
                    Ok(made) => made.map_err(|error| error.to_string()),
                    Err(_) => Err(format!("no connection within {CONNECT_LIMIT:?}")),
                }
            };
            (Box::pin(connect) as Pin<Box<dyn Future<Output = _> + Send>>).shared()
        });
        (generation, connecting.clone())
    }

    /// Has the next caller connect anew, unless another has seen to it already.
    fn discard(&self, generation: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation == generation {
            *current = Current { generation: generation + 1, connecting: None };
        }
    }
}

/// Both in one go: `ASKING` counts for the next command of the connection, whoever sends it.
async fn send_asking(connection: &mut MultiplexedConnection, command: &Cmd) -> RedisResult<Value> {
    let mut both = redis::pipe();
    both.add_command(redis::cmd("ASKING")).add_command(command.clone());
    let answers = connection.send_packed_commands(&both, 1, 1).await?;
    Ok(answers.into_iter().next().unwrap_or(Value::Nil))
}
