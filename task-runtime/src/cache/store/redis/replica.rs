//! A replica that is asked first, and what becomes of a question that it does not answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::Value;

use crate::connection::{Fault, Limits, Malformed, Request, Servers, Target};

/// For how long a replica that was of no use is left alone.
const REST: Duration = Duration::from_secs(1);
/// The part of a deadline after which the connection to a replica that does not answer is given up.
const ANSWER_SHARE: u32 = 3;
/// The part of a deadline that a replica may take, to be connected too: the server itself has the rest.
const SHARE: u32 = 2;

/// A replica.
pub(super) struct Replica {
    servers: Servers,
    /// How long it is waited for.
    limit: Duration,
    /// Until when it is left alone.
    rests: Mutex<Option<Instant>>,
}

impl Replica {
    /// `deadline` is that of the whole call.
    pub(super) fn new(target: &Target, deadline: Duration) -> Self {
        // Who asks waits longer than that, so that a connection over which nothing comes is made anew.
        let answer = deadline / ANSWER_SHARE;
        let servers = Servers::new(target, Limits { answer, block: answer, firm: true });
        Self { servers, limit: deadline / SHARE, rests: Mutex::default() }
    }

    /// What it answers; `None` when the server itself is to be asked.
    pub(super) async fn send<T>(
        &self,
        key: &str,
        request: &Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Option<Result<T, Fault>> {
        if !self.takes_a_question() {
            return None;
        }
        let fault = match tokio::time::timeout(self.limit, self.servers.send(key, request, read)).await {
            Ok(Err(
                fault @ (Fault::Away(_)
                | Fault::Lost(_)
                | Fault::Busy(_)
                | Fault::Elsewhere(_)
                | Fault::Moved(_)
                | Fault::Refused(_)),
            )) => format!("{fault:?}"),
            Ok(answer) => {
                self.rest(None);
                return Some(answer);
            }
            Err(_) => format!("no answer within {:?}", self.limit),
        };
        tracing::debug!(fault, "a replica is of no use, and the server itself is asked");
        self.rest(Some(Instant::now() + REST));
        None
    }

    /// After its rest one question finds out for all whether it answers again.
    fn takes_a_question(&self) -> bool {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match *rests {
            Some(until) if until > now => false,
            Some(_) => {
                *rests = Some(now + REST);
                true
            }
            None => true,
        }
    }

    fn rest(&self, until: Option<Instant>) {
        *self.rests.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
