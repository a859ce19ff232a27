//! Typed background jobs for Rust services, held by Redis, Valkey or the process itself.

pub mod broker;
pub mod client;
#[cfg(feature = "redis")]
mod connection;
pub mod error;
pub mod handler;
pub mod job;
pub mod task;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use error::Error;
pub use handler::{Context, Data, Failure, FromContext};
pub use job::{Backoff, JobId, QueueName};
pub use task::{BoxError, Task, TaskReturn};
