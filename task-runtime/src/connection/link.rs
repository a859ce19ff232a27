//! One connection to one server that comes back by itself.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use redis::Value;

use super::patience::Patience;
use super::request::{Malformed, Request};
use super::target::Address;
use super::wire::{Gone, Wire};
use super::{CONNECT_LIMIT, Fault, classify};

type Connecting = Shared<BoxFuture<'static, Result<Wire, String>>>;

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
    /// How many were made before it.
    number: u64,
    connecting: Option<Connecting>,
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
        let (number, connecting) = self.connecting()?;
        let made = match connecting {
            Ok(wire) => Ok(wire),
            Err(connecting) => connecting.await,
        };
        let wire = match made {
            Ok(wire) => wire,
            Err(reason) => {
                self.discard(number);
                return Err(Fault::Away(reason));
            }
        };
        let asked = request.ask(&wire, asking);
        let answer = if request.is_marked() && !asking {
            // Without a timer, which costs more than all else: whoever asks bounds the wait.
            let mut wait = Wait { connection: self, number, since: Some(Instant::now()) };
            let came = asked.await;
            wait.since = None;
            self.judge(number, &wire, came)?
        } else {
            self.bounded(number, &wire, asked).await?
        };
        match answer.extract_error() {
            Ok(answer) => match read(answer) {
                Ok(read) => Ok(read),
                Err(Malformed(reason)) if request.is_marked() => {
                    self.bounded(number, &wire, request.confirm(&wire)).await?;
                    Err(Fault::Foreign(reason))
                }
                Err(malformed) => Err(self.give_up(number, &wire, malformed)),
            },
            Err(error) => {
                let fault = classify(&error);
                // What is sent again at once is checked then; who brings the script has nothing to send again.
                let again = matches!(fault, Fault::NoScript) && !request.brings_script();
                if !again && !matches!(fault, Fault::Moved(_)) {
                    self.bounded(number, &wire, request.confirm(&wire)).await?;
                }
                if matches!(fault, Fault::Lost(_) | Fault::Elsewhere(_)) {
                    self.discard(number);
                }
                Err(fault)
            }
        }
    }

    /// Waits for what comes over a connection, as long as that may take.
    async fn bounded<T>(
        &self,
        number: u64,
        wire: &Wire,
        coming: impl Future<Output = Result<Result<T, Malformed>, Gone>>,
    ) -> Result<T, Fault> {
        let (start, limit) = (Instant::now(), self.patience.stretched(self.limit));
        let Ok(came) = tokio::time::timeout(limit, coming).await else {
            self.patience.in_vain();
            self.discard(number);
            return Err(Fault::Lost(format!("no answer within {limit:?}")));
        };
        self.patience.answered(start.elapsed());
        self.judge(number, wire, came)
    }

    fn judge<T>(&self, number: u64, wire: &Wire, came: Result<Result<T, Malformed>, Gone>) -> Result<T, Fault> {
        match came {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(malformed)) => Err(self.give_up(number, wire, malformed)),
            Err(Gone(reason)) => {
                self.discard(number);
                Err(Fault::Lost(reason))
            }
        }
    }

    /// The connection that there is, or else that is being made, and which one it is.
    fn connecting(&self) -> Result<(u64, Result<Wire, Connecting>), Fault> {
        let mut current = self.current();
        if matches!(current.connecting.as_ref().and_then(Shared::peek), Some(Ok(wire)) if wire.has_ended()) {
            // Nobody has to learn of it by an error: nothing was under way.
            current.next();
        }
        let connecting = match &mut current.connecting {
            Some(connecting) => connecting,
            none => none.insert(self.connect()?),
        };
        let wire = match connecting.peek() {
            Some(Ok(wire)) => Ok(wire.clone()),
            _ => Err(connecting.clone()),
        };
        Ok((current.number, wire))
    }

    fn connect(&self) -> Result<Connecting, Fault> {
        let limit = self.patience.stretched(CONNECT_LIMIT);
        let before = self.patience.try_within(limit).map_err(Fault::Away)?;
        let (address, patience) = (self.address.clone(), Arc::clone(&self.patience));
        let connect = async move {
            let made = tokio::time::timeout(limit, Wire::open(&address)).await.unwrap_or_else(|_| {
                patience.in_vain();
                Err(format!("no connection within {limit:?}"))
            });
            match &made {
                Ok(_) => patience.connected(),
                Err(reason) => patience.not_connected(before, reason),
            }
            made
        };
        Ok(connect.boxed().shared())
    }

    /// Has the next caller connect anew, unless another has seen to it already.
    fn discard(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.next();
        }
    }

    /// Ends the connection for all that is under way on it: what comes next may be anyone's answer.
    fn give_up(&self, number: u64, wire: &Wire, malformed: Malformed) -> Fault {
        tracing::warn!(reason = malformed.0, "a connection is given up with all that is under way on it");
        self.discard(number);
        wire.end("another answer was out of step");
        malformed.into()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn next(&mut self) {
        *self = Self { number: self.number + 1, connecting: None };
    }
}

/// A wait without a timer, which whoever asks may drop. One that was too long ends the connection.
struct Wait<'a> {
    connection: &'a Connection,
    number: u64,
    /// `None` when an answer came.
    since: Option<Instant>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() >= self.connection.limit) {
            self.connection.discard(self.number);
        }
    }
}
