//! One connection to a Redis-compatible server that comes back by itself, and what each of the
//! server's errors means.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Cmd, IntoConnectionInfo as _, RedisError, Value};

use crate::error::Error;

/// Longest wait for a connection to be made.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Where the server is, checked; its password is never shown.
#[derive(Clone)]
pub(crate) struct Target(redis::Client);

impl Target {
    /// Reads `redis://`, `rediss://` or `unix://` with user, password and database.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the text is not such a URL; it never repeats the URL.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let fault = |error: RedisError| Error::InvalidOption {
            option: "server URL",
            given: format!("not understood ({})", error.detail().unwrap_or("not a URL")),
            expected: "redis://[user:password@]host[:port][/db], rediss://… or unix:///path".into(),
        };
        let info = url.into_connection_info().map_err(fault)?;
        // Without it a request waits for the acknowledgement of the one before.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        redis::Client::open(info).map(Self).map_err(fault)
    }

    pub(crate) fn client(&self) -> &redis::Client {
        &self.0
    }
}

type Connecting = Shared<Pin<Box<dyn Future<Output = Result<MultiplexedConnection, String>> + Send>>>;

/// A connection that any number of callers share.
///
/// It is made when it is first needed, and made anew after an error that says that it is of no
/// use; the caller of that moment gets the error, because only it knows whether to repeat.
pub(crate) struct Connection {
    target: Target,
    limit: Duration,
    current: Mutex<Current>,
}

struct Current {
    generation: u64,
    connecting: Option<Connecting>,
}

impl Connection {
    /// A connection whose answers are waited for at most `limit`.
    pub(crate) fn new(target: Target, limit: Duration) -> Self {
        let current = Mutex::new(Current { generation: 0, connecting: None });
        Self { target, limit, current }
    }

    /// Sends one command.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, Fault> {
        let (generation, connecting) = self.connecting();
        let mut connection = match connecting.await {
            Ok(connection) => connection,
            Err(reason) => {
                self.discard(generation);
                return Err(Fault::Away(reason));
            }
        };
        let answer = connection.send_packed_command(command).await;
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
            let (client, limit) = (self.target.0.clone(), self.limit);
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

/// What an error means for the request that met it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No connection could be made: nothing was sent.
    Away(String),
    /// The answer never came: the request may have been carried out, or may still be.
    Lost(String),
    /// This server is not, or no longer, the one that accepts writes: nothing happened; connect
    /// anew, by name.
    Elsewhere(String),
    /// The server refuses for now: nothing happened.
    Refused(String),
    /// The server has no memory left: nothing happened.
    Full,
    /// The script is not loaded there: nothing happened.
    NoScript,
    /// The server ended the script in the middle, or says what no table knows: anything may have
    /// happened.
    Broken(String),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Away(reason) => Self::Unavailable { reason },
            Fault::Lost(reason) | Fault::Broken(reason) => Self::Indeterminate { reason },
            Fault::Elsewhere(reason) | Fault::Refused(reason) => Self::Rejected { reason },
            Fault::Full => Self::QueueFull,
            Fault::NoScript => Self::Rejected { reason: "the server forgets scripts as soon as they load".into() },
        }
    }
}

/// The table of the server's errors.
fn classify(error: &RedisError) -> Fault {
    let text = error.to_string();
    match error.code() {
        None => Fault::Lost(text),
        Some("READONLY" | "MASTERDOWN" | "MOVED" | "ASK") => Fault::Elsewhere(text),
        Some("NOSCRIPT") => Fault::NoScript,
        Some("OOM") => Fault::Full,
        Some(
            "LOADING" | "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" | "NOREPLICAS" | "NOAUTH" | "WRONGPASS"
            | "NOPERM" | "CROSSSLOT",
        ) => Fault::Refused(text),
        Some(_) => Fault::Broken(text),
    }
}
