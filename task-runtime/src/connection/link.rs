//! One connection to one server that comes back by itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisResult, Value};

use super::patience::Patience;
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
    patience: Arc<Patience>,
    current: Mutex<Current>,
}

struct Current {
    generation: u64,
    connecting: Option<Connecting>,
}

impl Connection {
    /// A connection whose answers are waited for at most `limit`, unless the server is known to be slow.
    pub(crate) fn new(address: Address, limit: Duration, patience: Arc<Patience>) -> Self {
        let current = Mutex::new(Current { generation: 0, connecting: None });
        Self { address, limit, patience, current }
    }

    /// Sends one command, with `ASKING` ahead of it if that is asked.
    pub(super) async fn send(&self, command: &Cmd, asking: bool) -> Result<Value, Fault> {
        let (generation, connecting) = self.connecting()?;
        let mut connection = match connecting.await {
            Ok(connection) => connection,
            Err(reason) => {
                self.discard(generation);
                return Err(Fault::Away(reason));
            }
        };
        let (start, limit) = (Instant::now(), self.patience.stretched(self.limit));
        let answer = async {
            if asking {
                send_asking(&mut connection, command).await
            } else {
                connection.send_packed_command(command).await
            }
        };
        let Ok(answer) = tokio::time::timeout(limit, answer).await else {
            self.patience.in_vain();
            self.discard(generation);
            return Err(Fault::Lost(format!("no answer within {limit:?}")));
        };
        self.patience.answered(start.elapsed());
        answer.and_then(Value::extract_error).map_err(|error| {
            let fault = classify(&error);
            if matches!(fault, Fault::Lost(_) | Fault::Elsewhere(_)) {
                self.discard(generation);
            }
            fault
        })
    }

    /// The connection that there is, or is being made.
    fn connecting(&self) -> Result<(u64, Connecting), Fault> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.connecting.is_none()
            && let Some(reason) = self.patience.refusal()
        {
            return Err(Fault::Away(reason));
        }
        let generation = current.generation;
        let connecting = current.connecting.get_or_insert_with(|| {
            let connect = connect(self.address.clone(), Arc::clone(&self.patience));
            (Box::pin(connect) as Pin<Box<dyn Future<Output = _> + Send>>).shared()
        });
        Ok((generation, connecting.clone()))
    }

    /// Has the next caller connect anew, unless another has seen to it already.
    fn discard(&self, generation: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation == generation {
            *current = Current { generation: generation + 1, connecting: None };
        }
    }
}

async fn connect(address: Address, patience: Arc<Patience>) -> Result<MultiplexedConnection, String> {
    let limit = patience.stretched(CONNECT_LIMIT);
    // Whatever comes is waited for here, as long as it may take.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let connect = address.client().get_multiplexed_async_connection_with_config(&config);
    let made = match tokio::time::timeout(limit, connect).await {
        Ok(made) => made.map_err(|error| error.to_string()),
        Err(_) => {
            patience.in_vain();
            Err(format!("no connection within {limit:?}"))
        }
    };
    match &made {
        Ok(_) => patience.connected(),
        Err(reason) => patience.not_connected(reason),
    }
    made
}

/// Both in one go: `ASKING` counts for the next command of the connection, whoever sends it.
async fn send_asking(connection: &mut MultiplexedConnection, command: &Cmd) -> RedisResult<Value> {
    let mut both = redis::pipe();
    both.add_command(redis::cmd("ASKING")).add_command(command.clone());
    let answers = connection.send_packed_commands(&both, 1, 1).await?;
    Ok(answers.into_iter().next().unwrap_or(Value::Nil))
}
