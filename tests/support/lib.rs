//! What the tests stand on: private Redis and Valkey servers, real child processes, and bounded waiting.
//!
//! Nothing here touches a server that happens to run on the machine, and nothing outlives the test process:
//! every child is ended when its value is dropped, when the process exits, and, on Linux, even when the
//! process is killed with SIGKILL.
//!
//! ```no_run
//! use support::{Server, namespace, shared_redis};
//!
//! // Most tests share one server, each in a namespace of its own:
//! let (url, namespace) = (shared_redis().url(), namespace());
//!
//! // A test that breaks its server has one for itself:
//! let mut server = Server::redis().config("appendonly yes").password("secret").start();
//! server.command(&["SET", "key", "value"]);
//! server.kill9();
//! server.restart();
//! ```

mod binary;
mod certificates;
mod cgroup;
mod chaos;
mod clock;
mod cluster;
mod ending;
mod eventually;
mod health;
mod lifeline;
mod mutation;
mod namespace;
mod options;
mod place;
mod port;
mod preload;
mod program;
mod proxy;
mod server;
mod shared;
mod view;

pub use certificates::Certificates;
pub use cgroup::MemoryLimit;
pub use chaos::{CHAOS_SECONDS, goes_on_for};
pub use clock::WallClock;
pub use cluster::Cluster;
pub use ending::{Ledger, Runs, drained, nothing_is_lost, nothing_is_wrong, unknown_keys};
pub use eventually::{eventually, eventually_blocking};
pub use health::Health;
pub use mutation::Mutator;
pub use namespace::namespace;
pub use options::ServerOptions;
pub use place::Place;
pub use preload::HostName;
pub use program::{Program, Running};
pub use proxy::{Fault, Injected, Line, On, Proxy, Way, When};
pub use redis;
pub use server::Server;
pub use shared::{shared_cluster, shared_redis, shared_valkey};
pub use view::View;

/// Has the Rust blocks of the guide compiled, so that they stay real.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-django.md")]
pub struct FromDjango;
