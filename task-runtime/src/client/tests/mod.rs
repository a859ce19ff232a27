//! What callers may rely on.

mod results;
mod scripted;
mod sending;
