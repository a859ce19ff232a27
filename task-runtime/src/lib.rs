//! Typed background jobs for Rust services, held by Redis, Valkey or the process itself.

#[cfg(feature = "worker")]
#[macro_use]
mod fail_point;

pub mod broker;
#[cfg(feature = "cache")]
pub mod cache;
#[cfg(feature = "cli")]
mod cli;
pub mod client;
#[cfg(feature = "redis")]
mod connection;
pub mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod handler;
pub mod job;
mod null;
pub mod task;
#[cfg(feature = "worker")]
pub mod worker;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[cfg(feature = "sessions")]
pub use cache::session::{Session, SessionError, Sessions};
#[cfg(feature = "cache")]
pub use cache::{Cache, CacheError};
#[cfg(feature = "cli")]
pub use cli::App;
pub use client::{Client, Enqueue, JobError, JobHandle, JobStatus, default_client, set_default_client};
pub use error::Error;
pub use handler::{Context, Data, Failure, FromContext};
pub use job::{Backoff, JobId, QueueName};
pub use task::{BoxError, Task, TaskReturn};
#[cfg(feature = "cache")]
pub use task_macros::cached;
pub use task_macros::task;
pub use tokio_util::sync::CancellationToken;
#[cfg(feature = "worker")]
pub use worker::{Readiness, Worker, WorkerBuilder, WorkerHandle};

/// What most programs name: `use task_runtime::prelude::*;`.
pub mod prelude {
    pub use crate::client::{Client, JobHandle, set_default_client};
    pub use crate::handler::{Context, Data, Failure, FromContext};
    pub use crate::task;
    #[cfg(feature = "worker")]
    pub use crate::worker::Worker;
    pub use tokio_util::sync::CancellationToken;
}
