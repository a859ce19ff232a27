//! What a worker runs: the registered tasks, and what is injected into them.

mod context;
mod data;
mod panic;
mod registry;
mod run;
#[cfg_attr(not(feature = "worker"), allow(dead_code, reason = "only a worker stops attempts"))]
mod stop;

#[cfg(feature = "worker")]
pub(crate) use context::Facts;
pub use context::{Context, FromContext};
pub use data::{Data, DataMap, Requirement};
#[cfg(feature = "worker")]
pub(crate) use panic::{catch_in, current as current_panic, note_places};
pub use registry::{Argument, Registry, RegistryFault, Requires, Site, TaskDef};
pub use run::{Arguments, Failure, RunFuture, blocking, inject, requires, returned, run};
#[cfg_attr(not(feature = "worker"), allow(unused_imports, reason = "only a worker runs tasks"))]
pub(crate) use run::{LeftBehind, take_left_behind};
#[cfg(feature = "worker")]
pub(crate) use stop::{Stop, Why};
