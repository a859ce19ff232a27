//! What the code written by `#[task]` and `#[cached]` names. Not for people: it changes without notice.

pub use std::borrow::Cow;

pub use inventory;
pub use serde;

pub use crate::client::{Enqueue, JobHandle};
pub use crate::error::Error;
pub use crate::handler::{
    Argument, Arguments, Context, Failure, FromContext, Requirement, RunFuture, Site, TaskDef, blocking, inject,
    requires, returned, run,
};
pub use crate::job::{Backoff, TaskOptions};
pub use crate::task::{Task, TaskReturn};

/// What the code written by `#[cached]` names.
#[cfg(feature = "cache")]
pub mod cached {
    pub use crate::cache::cached::{
        Arguments, Call, Errors, Forgotten, Function, Kept, NoErrors, PlainReturn, Returned,
    };
    pub use crate::cache::{CacheError, Ttl};
}
