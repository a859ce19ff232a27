//! Connections to Redis-compatible servers that come back by themselves, and what each of the
//! server's errors means.

mod link;
mod node;
mod patience;
#[cfg(feature = "cache")]
mod primaries;
mod request;
mod script;
mod servers;
mod slot;
mod target;
mod wire;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

#[cfg(feature = "cache")]
pub(crate) use primaries::Primary;
pub(crate) use request::{Malformed, Request};
pub(crate) use script::Source;
pub(crate) use servers::{Limits, Servers};
pub(crate) use target::Target;

use std::time::Duration;

use redis::RedisError;

use crate::error::Error;

/// Longest wait for a connection to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// What an error means for the request that met it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No connection could be made: nothing was sent.
    Away(String),
    /// The answer never came, or what came is none to the request, which may have been carried out, or
    /// may still be.
    Lost(String),
    /// This server is not, or no longer, the one that accepts writes: nothing happened; connect
    /// anew, by name.
    Elsewhere(String),
    /// Another node of the cluster has the keys: nothing happened.
    Moved(Redirect),
    /// The server serves nobody for now, and will by itself: nothing happened.
    Busy(String),
    /// The server refuses until someone acts: nothing happened.
    Refused(String),
    /// The server has no memory left: nothing happened.
    Full,
    /// The script is not loaded there: nothing happened.
    NoScript,
    /// The keys are in several slots of a cluster: nothing happened.
    Apart(String),
    /// What is stored under the key is of another kind: nothing happened.
    WrongKind(String),
    /// What is stored there does not say that it belongs to the key: others have stored it.
    Foreign(String),
    /// The server ended the script in the middle, or says what no table knows: anything may have
    /// happened.
    Broken(String),
}

/// Which node of a cluster has the keys.
#[derive(Debug)]
pub(crate) struct Redirect {
    /// Its host and port, as the server writes them.
    place: String,
    /// Whether it only has them for a request that says `ASKING`, while they are on their way to it.
    asking: bool,
    pub(crate) reason: String,
}

impl From<Malformed> for Fault {
    fn from(Malformed(reason): Malformed) -> Self {
        Self::Lost(reason)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Away(reason)
            | Fault::Busy(reason)
            | Fault::Elsewhere(reason)
            | Fault::Moved(Redirect { reason, .. }) => Self::Unavailable { reason },
            Fault::Lost(reason) | Fault::Broken(reason) | Fault::WrongKind(reason) | Fault::Foreign(reason) => {
                Self::Indeterminate { reason }
            }
            Fault::Refused(reason) | Fault::Apart(reason) => Self::Rejected { reason },
            Fault::Full => Self::QueueFull,
            // The script came with the request: this is the answer to another.
            Fault::NoScript => {
                Self::Indeterminate { reason: "the server says it lacks a script that it was sent".into() }
            }
        }
    }
}

/// The table of the server's errors.
pub(crate) fn classify(error: &RedisError) -> Fault {
    let text = error.to_string();
    match error.code() {
        None => Fault::Lost(text),
        Some(code @ ("MOVED" | "ASK")) => match error.redirect_node() {
            Some((place, _)) => Fault::Moved(Redirect { place: place.into(), asking: code == "ASK", reason: text }),
            None => Fault::Elsewhere(text),
        },
        // A node that says CLUSTERDOWN may be the one that is cut off: the others are asked next. UNBLOCKED ends a wait
        // on a server that becomes a replica.
        Some("READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "UNBLOCKED") => Fault::Elsewhere(text),
        Some("NOSCRIPT") => Fault::NoScript,
        Some("OOM") => Fault::Full,
        // A disk that is full for a while is no reason to give up at once.
        Some("LOADING" | "BUSY" | "TRYAGAIN" | "MISCONF") => Fault::Busy(text),
        Some("NOREPLICAS" | "NOAUTH" | "WRONGPASS" | "NOPERM") => Fault::Refused(text),
        Some("CROSSSLOT") => Fault::Apart(text),
        Some("WRONGTYPE") => Fault::WrongKind(text),
        Some(_) => Fault::Broken(text),
    }
}
