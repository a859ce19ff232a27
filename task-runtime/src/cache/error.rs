//! What a cache could not do, and who can act on it.

#[cfg(feature = "redis")]
use crate::connection::{Fault, Redirect};

/// Something that a cache could not do.
///
/// With [`OnOutage::Miss`](super::OnOutage::Miss) no call returns one of those that say that the server is away.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The server cannot be reached, or serves nobody for now: nothing happened. It passes.
    #[error("the cache is not available: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
    /// The answer of the server never came: what was asked may have happened.
    #[error("it may have happened, the answer of the cache is not known: {reason}")]
    Unknown {
        /// Why the answer is not known.
        reason: String,
    },
    /// The server refuses until someone acts, and nothing happened. Whoever runs the server can act.
    #[error("the cache refused, nothing happened: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The server answered with an error. The caller mends the command.
    #[error("the server of the cache answers with an error: {reason}")]
    Server {
        /// What it says.
        reason: String,
    },
    /// The server has no memory left; nothing was written. Whoever runs the server can act.
    #[error("the cache has no memory left; raise `maxmemory`, or let it throw keys away with `maxmemory-policy`")]
    Full,
    /// A key, a name or a pattern that cannot be used. The caller mends it.
    #[error("{what} `{}` {fault}", name.escape_debug())]
    Name {
        /// What it was to name.
        what: &'static str,
        /// The name, cut to 64 bytes.
        name: String,
        /// What is wrong with it.
        fault: String,
    },
    /// An argument outside of what is allowed; nothing happened. The caller mends it.
    #[error("{what} is {given}, expected {expected}")]
    Argument {
        /// The argument.
        what: &'static str,
        /// What was given, with its unit.
        given: String,
        /// What is allowed, with its unit.
        expected: String,
    },
    /// A value that cannot be encoded; nothing was written.
    #[error("the value of cache key `{key}` cannot be encoded: {fault}")]
    Encode {
        /// The key.
        key: String,
        /// What is wrong, and where.
        fault: String,
    },
    /// A stored value that is not of the type that was asked for: another part of the program, or an earlier version of
    /// it, wrote it. To delete it, or to write it anew, is safe.
    #[error("cache key `{key}` does not hold a `{wanted}`: {fault}")]
    Decode {
        /// The key.
        key: String,
        /// The type that was asked for.
        wanted: &'static str,
        /// What is wrong, and where; no part of the value.
        fault: String,
    },
    /// What is stored under the key is of another kind, or was stored by others; nothing happened. To delete it, or to
    /// write it anew, is safe.
    #[error("cache key `{key}` holds something else: {reason}")]
    WrongKind {
        /// The key.
        key: String,
        /// What is there.
        reason: String,
    },
    /// A value that is to be counted up is no whole number, or the sum does not fit in 64 bits; nothing happened.
    #[error("cache key `{key}` cannot be counted: it holds no whole number, or the sum does not fit in 64 bits")]
    NotANumber {
        /// The key.
        key: String,
    },
    /// A setting that cannot be used. Whoever wrote the program, or its configuration, can act.
    #[error("setting `{setting}` of the cache is {given}, expected {expected}")]
    Setting {
        /// The setting, `caches.NAME.KEY` when a text names the cache.
        setting: String,
        /// What was given, with its unit.
        given: String,
        /// What is allowed, with its unit.
        expected: String,
    },
    /// There is no cache of this name. The program sets it when it starts.
    #[error("there is no cache `{name}`; {advice}")]
    NoCache {
        /// The name.
        name: String,
        /// What to do.
        advice: String,
    },
}

impl CacheError {
    /// Whether the server cannot be used for now: what an outage looks like from here.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unknown { .. } | Self::Refused { .. } | Self::Full)
    }
}

/// An argument is outside of what is allowed.
pub(super) fn argument(what: &'static str, given: impl ToString, expected: impl ToString) -> CacheError {
    CacheError::Argument { what, given: given.to_string(), expected: expected.to_string() }
}

/// A setting is outside of what is allowed.
pub(super) fn setting(setting: impl Into<String>, given: impl ToString, expected: impl ToString) -> CacheError {
    CacheError::Setting { setting: setting.into(), given: given.to_string(), expected: expected.to_string() }
}

#[cfg(feature = "redis")]
pub(super) fn of_fault(fault: Fault, key: &str) -> CacheError {
    match fault {
        Fault::Away(reason)
        | Fault::Busy(reason)
        | Fault::Elsewhere(reason)
        | Fault::Moved(Redirect { reason, .. }) => CacheError::Unavailable { reason },
        Fault::Lost(reason) => CacheError::Unknown { reason },
        Fault::Refused(reason) | Fault::Apart(reason) => CacheError::Refused { reason },
        Fault::Broken(reason) => CacheError::Server { reason },
        Fault::Full => CacheError::Full,
        Fault::WrongKind(reason) | Fault::Foreign(reason) => CacheError::WrongKind { key: key.to_owned(), reason },
        // The script came with the request: this is the answer to another.
        Fault::NoScript => CacheError::Unknown { reason: "the server says it lacks a script that it was sent".into() },
    }
}
