//! Plain data of a job: what it is called, how it is stored, when it is tried again.

mod id;
mod limits;
mod name;
mod options;
mod retry;

mod envelope;
mod state;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

pub use envelope::{Envelope, EnvelopeError, Header, VERSION};
pub use id::JobId;
pub use limits::*;
pub use name::{Namespace, QueueName, TaskName};
pub use options::{JobOptions, TaskOptions};
pub use retry::Backoff;
pub use state::{
    Attempt, EndRecord, Ended, Outcome, PutBack, Settlement, State, Verdict, after_crash, after_loss, settle, shorten,
};
