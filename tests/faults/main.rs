//! What becomes of jobs when connections and servers fail: one function a promise, each on a server of its own.

mod answers;
mod damage;
mod desync;
mod fixture;
mod full;
mod leases;
mod lost;
mod outages;

use std::time::Duration;

/// Nothing that a test waits for may take longer.
const BOUND: Duration = Duration::from_secs(30);
/// How long after a server answers again jobs run at the latest.
const RESUMED: Duration = Duration::from_secs(10);
