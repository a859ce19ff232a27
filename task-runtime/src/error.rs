//! What the framework could not do, and who can act on it.

/// Something the framework could not do. A task's own failure is an outcome, not one of these.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that cannot be used. The caller mends the name.
    #[error("{what} name `{}` {fault}", name.escape_debug())]
    InvalidName {
        /// What it was to name.
        what: &'static str,
        /// The name, cut to the longest that is allowed.
        name: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A limit that the job passes; nothing was enqueued. The caller sends less.
    #[error("{what} of {actual} is over the limit of {limit}; {advice}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What was given, with its unit.
        actual: String,
        /// What is allowed, with its unit.
        limit: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The arguments cannot be written as JSON and read back; nothing was enqueued.
    #[error("the arguments of task `{task}` cannot be encoded: {fault}")]
    Encode {
        /// The task.
        task: &'static str,
        /// What is wrong, and where.
        fault: String,
    },
    /// An option outside what is allowed; nothing was enqueued. The caller mends the option.
    #[error("option `{option}` is {given}, expected {expected}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// What was given, with its unit.
        given: String,
        /// What is allowed, with its unit.
        expected: String,
    },
    /// No client was given and no default one is set. The program sets one when it starts.
    #[error("no default client is set; call `set_default_client` at the start of the program, or use `enqueue_on`")]
    NoClient,
    /// The broker could not be reached, or serves nobody for now (it loads its data, or a cluster
    /// chooses its primary anew): nothing happened. Trying again later is safe.
    #[error("the broker is not available: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
    /// Nothing happened: the request was refused, or never left. Trying again later is safe.
    #[error("rejected, nothing happened: {reason}")]
    Rejected {
        /// Why.
        reason: String,
    },
    /// Something else is stored in the place of the list of queues: nothing happened. Whoever runs the server renames
    /// it, or deletes it if nobody needs it.
    #[error("the key {key} holds something else: {reason}")]
    WrongKind {
        /// The key, as the server knows it.
        key: String,
        /// What the server said.
        reason: String,
    },
    /// The request was sent and its answer never came. Only asking again tells what happened.
    #[error("it may have happened, the answer is not known: {reason}; to enqueue again with the same job id is safe")]
    Indeterminate {
        /// Why the answer is not known.
        reason: String,
    },
    /// The server has no memory left for new jobs; nothing was enqueued. Whoever runs the server
    /// can act; jobs that are there still run and end.
    #[error("the server has no memory left for new jobs; let workers drain the queues, or raise `maxmemory`")]
    QueueFull,
    /// A worker cannot start. Whoever wrote the program can act; every fault is named.
    #[error("the worker cannot start:{}", list(faults))]
    WorkerSetup {
        /// What is wrong, each with the place in the source where it has one.
        faults: Vec<String>,
    },
    /// A worker ended because parts of it died again and again. What it had on loan runs again after
    /// the lease. Whoever runs it starts it again; the log says what died.
    #[error("the worker ended: {reason}")]
    WorkerDied {
        /// What died, and why.
        reason: String,
    },
    /// A bulk enqueue stopped in the middle.
    #[error("{enqueued} of {total} jobs were enqueued, then: {source}")]
    Partial {
        /// Jobs that are known to be enqueued.
        enqueued: usize,
        /// Jobs that were to be enqueued.
        total: usize,
        /// What stopped it.
        source: Box<Error>,
    },
}

impl Error {
    /// Whether what was asked may have happened all the same, wholly or beyond what the error says.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Indeterminate { .. } => true,
            Self::Partial { source, .. } => source.outcome_unknown(),
            _ => false,
        }
    }
}

fn list(faults: &[String]) -> String {
    faults.iter().map(|fault| format!("\n  - {fault}")).collect()
}

/// A limit was passed: `actual` and `limit` with their unit.
pub(crate) fn over(what: &'static str, actual: impl ToString, limit: impl ToString, advice: &'static str) -> Error {
    Error::Limit { what, actual: actual.to_string(), limit: limit.to_string(), advice }
}
