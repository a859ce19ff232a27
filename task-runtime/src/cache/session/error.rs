//! What sessions could not do, and who can act on it.

#[cfg(feature = "redis")]
use crate::connection::{Fault, Redirect};

/// Something that could not be done with a session. As the error of an axum handler it is a response: see
/// [`status`](Self::status).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The store cannot be reached, or serves nobody for now: nothing happened. It passes.
    #[error("the session store is not available: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
    /// The answer of the store never came: what was asked may have happened, wholly or not at all.
    #[error("it may have happened, the answer of the session store is not known: {reason}")]
    Unknown {
        /// Why the answer is not known.
        reason: String,
    },
    /// The store refuses until someone acts; nothing happened. Whoever runs the server can act.
    #[error("the session store refused, nothing happened: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The store has no memory left; nothing was written. Whoever runs the server can act.
    #[error("the session store has no memory left; raise `maxmemory`, or let sessions end sooner with a shorter `ttl`")]
    Full,
    /// A limit that the session would pass; nothing of the batch was written. The caller stores less.
    #[error("{what} of {actual} is over the limit of {limit}; {advice}")]
    Limit {
        /// What is limited.
        what: String,
        /// What it would be, with its unit.
        actual: String,
        /// What is allowed, with its unit.
        limit: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// A name that cannot be used. The caller mends it.
    #[error("{what} `{}` {fault}", name.escape_debug())]
    Name {
        /// What it was to name.
        what: &'static str,
        /// The name, cut to the longest that is allowed.
        name: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A value that cannot be written as JSON; nothing changed.
    #[error("the value of session field `{field}` cannot be encoded: {fault}")]
    Encode {
        /// The field.
        field: String,
        /// What is wrong, and where.
        fault: String,
    },
    /// A stored value that is not of the type that was asked for: another part of the program, or an earlier
    /// version of it, wrote it. To remove the field, or to write it anew, is safe.
    #[error("session field `{field}` does not hold a `{wanted}`: {fault}")]
    Decode {
        /// The field.
        field: String,
        /// The type that was asked for.
        wanted: &'static str,
        /// What is wrong, and where; no part of the value.
        fault: String,
    },
    /// A field that is to be counted up holds something else, or would pass what 64 bits hold; nothing happened.
    #[error("session field `{field}` cannot be counted: it holds no whole number, or the sum does not fit in 64 bits")]
    NotANumber {
        /// The field.
        field: String,
    },
    /// Others wrote the field in the middle of every try of an update; nothing happened. Trying again is safe.
    #[error("session field `{field}` was written by others in the middle of each of {tries} tries to update it")]
    Contended {
        /// The field.
        field: String,
        /// How often it was tried.
        tries: usize,
    },
    /// The session ended while the request was under way, or got another id; nothing was written.
    #[error("the session has ended, or got another id, while the request was under way; nothing was written")]
    Ended,
    /// A visitor who had no session would need a cookie, and the head of the response has left already; nothing was
    /// written.
    #[error("a new session needs a cookie, and the response has left already; write to it before the handler returns")]
    TooLate,
    /// A setting that cannot be used. Whoever wrote the program, or its configuration, can act.
    #[error("setting `{setting}` of the sessions is {given}, expected {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What was given, with its unit.
        given: String,
        /// What is allowed, with its unit.
        expected: String,
    },
    /// A handler asks for a [`Session`](super::Session), and its router has no layer that brings one.
    #[error("there is no session: add `.layer(sessions.layer())` to the router, behind the routes that use it")]
    NoLayer,
}

impl SessionError {
    /// The status of the response that the error becomes: 503 while the store is away or full or the answer is not
    /// known, 409 when the session ended or a field was contended, 413 for a limit, else 500.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Unavailable { .. } | Self::Unknown { .. } | Self::Refused { .. } | Self::Full => {
                http::StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Ended | Self::Contended { .. } => http::StatusCode::CONFLICT,
            Self::Limit { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            _ => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the store cannot be used for now: what an outage looks like from here.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unknown { .. } | Self::Refused { .. } | Self::Full)
    }
}

impl axum_core::response::IntoResponse for SessionError {
    /// The status with a short text; the details are in the log, and not for visitors.
    fn into_response(self) -> axum_core::response::Response {
        let status = self.status();
        tracing::warn!(error = %self, status = status.as_u16(), "a request fails because of its session");
        (status, status.canonical_reason().unwrap_or_default()).into_response()
    }
}

/// A limit was passed: `actual` and `limit` with their unit.
pub(super) fn over(what: String, actual: impl ToString, limit: impl ToString, advice: &'static str) -> SessionError {
    SessionError::Limit { what, actual: actual.to_string(), limit: limit.to_string(), advice }
}

/// A setting is outside of what is allowed.
pub(super) fn setting(setting: &'static str, given: impl Into<String>, expected: impl Into<String>) -> SessionError {
    SessionError::Setting { setting, given: given.into(), expected: expected.into() }
}

#[cfg(feature = "redis")]
impl From<Fault> for SessionError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Away(reason)
            | Fault::Busy(reason)
            | Fault::Elsewhere(reason)
            | Fault::Moved(Redirect { reason, .. }) => Self::Unavailable { reason },
            Fault::Lost(reason) | Fault::Broken(reason) | Fault::WrongKind(reason) | Fault::Foreign(reason) => {
                Self::Unknown { reason }
            }
            Fault::Refused(reason) | Fault::Apart(reason) => Self::Refused { reason },
            Fault::Full => Self::Full,
            // The script came with the request: this is the answer to another.
            Fault::NoScript => Self::Unknown { reason: "the server says it lacks a script that it was sent".into() },
        }
    }
}
