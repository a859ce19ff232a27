//! What is kept for a while beside the jobs: the sessions of visitors.

#[cfg(feature = "redis")]
mod script;

#[cfg(feature = "sessions")]
pub mod session;
