//! What brokers say of how they keep jobs.

/// How a broker keeps jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// What becomes of them when there is no room left.
    pub when_full: WhenFull,
    /// Whether every change is also written to a file, so that a job outlives the server; nothing where
    /// there is no server, or it does not say.
    pub append_only: Option<bool>,
}

/// What becomes of jobs when a broker has no room left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// New ones are refused, and those that are there are kept.
    Refuses,
    /// Some are thrown away.
    Evicts {
        /// By which policy.
        policy: String,
    },
    /// There is no bound now; with one some would be thrown away.
    WouldEvict {
        /// By which policy.
        policy: String,
    },
    /// The broker does not say.
    NotKnown {
        /// Why.
        reason: String,
    },
}
