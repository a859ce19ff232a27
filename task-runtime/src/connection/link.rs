//! One connection to one server that comes back by itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult, Value};
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use super::patience::Patience;
use super::request::{Malformed, Request};
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

#[derive(Default)]
struct Current {
    generation: Arc<Generation>,
    connecting: Option<Connecting>,
}

/// One of the connections that were made one after the other.
#[derive(Default)]
struct Generation {
    number: u64,
    /// Told to all who wait for an answer when no answer can be trusted.
    given_up: CancellationToken,
    batch: Batch,
}

impl Connection {
    /// A connection whose answers are waited for at most `limit`, unless the server is known to be slow.
    pub(crate) fn new(address: Address, limit: Duration, patience: Arc<Patience>) -> Self {
        Self { address, limit, patience, current: Mutex::default() }
    }

    /// Sends one request, with `ASKING` ahead of it if that is asked, and has `read` read what comes.
    ///
    /// What is no answer to it ends the connection for all that is under way on it.
    pub(super) async fn send<T>(
        &self,
        request: &Request,
        asking: bool,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let (of, connecting) = self.connecting()?;
        let made = match connecting {
            Ok(connection) => Ok(connection),
            Err(connecting) => connecting.await,
        };
        let mut connection = match made {
            Ok(connection) => connection,
            Err(reason) => {
                self.discard(&of);
                return Err(Fault::Away(reason));
            }
        };
        let answer = match request.is_marked() && !asking {
            true => self.together(&of, &mut connection, request).await?,
            false => self.exchange(&of, request.ask(&mut connection, asking)).await?,
        };
        match answer.extract_error() {
            Ok(answer) => match read(answer) {
                Ok(read) => Ok(read),
                Err(Malformed(reason)) if request.is_marked() => {
                    self.exchange(&of, request.confirm(&mut connection)).await?;
                    Err(Fault::Foreign(reason))
                }
                Err(malformed) => Err(self.give_up(&of, malformed)),
            },
            Err(error) => {
                let fault = classify(&error);
                // What is sent again at once is checked then; who brings the script has nothing to send again.
                let again = matches!(fault, Fault::NoScript) && !request.brings_script();
                if !again && !matches!(fault, Fault::Moved(_)) {
                    self.exchange(&of, request.confirm(&mut connection)).await?;
                }
                if matches!(fault, Fault::Lost(_) | Fault::Elsewhere(_)) {
                    self.discard(&of);
                }
                Err(fault)
            }
        }
    }

    /// Sends a marked request, with others that come meanwhile, and waits for what comes. Whoever asks bounds the wait;
    /// one that was too long ends the connection. Each answer tells by itself whether it can be trusted, so that nobody
    /// has to be told of another's.
    async fn together(
        &self,
        of: &Generation,
        connection: &mut MultiplexedConnection,
        request: &Request,
    ) -> Result<Value, Fault> {
        let mut wait = Wait { connection: self, of, since: Some(Instant::now()) };
        let answer = of.batch.send(request.command(), connection).await;
        wait.since = None;
        answer.map_err(|error| {
            self.discard(of);
            classify(&error)
        })
    }

    /// Waits for what comes over a connection, as long as that may take.
    async fn exchange<T>(
        &self,
        of: &Generation,
        coming: impl Future<Output = RedisResult<Result<T, Malformed>>>,
    ) -> Result<T, Fault> {
        let (start, limit) = (Instant::now(), self.patience.stretched(self.limit));
        let came = tokio::select! {
            biased;
            came = tokio::time::timeout(limit, coming) => came,
            () = of.given_up.cancelled() => return Err(Fault::Lost("another answer was out of step".into())),
        };
        let Ok(came) = came else {
            self.patience.in_vain();
            self.discard(of);
            return Err(Fault::Lost(format!("no answer within {limit:?}")));
        };
        self.patience.answered(start.elapsed());
        match came {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(malformed)) => Err(self.give_up(of, malformed)),
            Err(error) => {
                self.discard(of);
                Err(classify(&error))
            }
        }
    }

    /// The connection that there is, or else that is being made.
    fn connecting(&self) -> Result<(Arc<Generation>, Result<MultiplexedConnection, Connecting>), Fault> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.connecting.is_none()
            && let Some(reason) = self.patience.refusal()
        {
            return Err(Fault::Away(reason));
        }
        let connecting = current.connecting.get_or_insert_with(|| {
            let connect = connect(self.address.clone(), Arc::clone(&self.patience));
            (Box::pin(connect) as Pin<Box<dyn Future<Output = _> + Send>>).shared()
        });
        let connection = match connecting.peek() {
            Some(Ok(connection)) => Ok(connection.clone()),
            _ => Err(connecting.clone()),
        };
        Ok((Arc::clone(&current.generation), connection))
    }

    /// Has the next caller connect anew, unless another has seen to it already.
    fn discard(&self, of: &Generation) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation.number == of.number {
            let generation = Generation { number: of.number + 1, ..Generation::default() };
            *current = Current { generation: Arc::new(generation), connecting: None };
        }
    }

    /// Ends the connection for all that is under way on it: what comes next may be anyone's answer.
    fn give_up(&self, of: &Generation, malformed: Malformed) -> Fault {
        tracing::warn!(reason = malformed.0, "a connection is given up with all that is under way on it");
        self.discard(of);
        of.given_up.cancel();
        malformed.into()
    }
}

/// A wait without a timer, which whoever asks may drop.
struct Wait<'a> {
    connection: &'a Connection,
    of: &'a Generation,
    /// `None` when an answer came.
    since: Option<Instant>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() >= self.connection.limit) {
            self.connection.discard(self.of);
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
