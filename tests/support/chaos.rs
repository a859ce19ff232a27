//! How long a fault goes on: a few seconds in the suite, longer when a long run is asked for.

use std::env;
use std::time::Duration;

/// The environment variable that asks for the long form: for how many seconds a fault goes on at most.
pub const CHAOS_SECONDS: &str = "TASK_CHAOS_SECONDS";

/// How long a fault goes on: `short`, or in a long run `long`, as far as that run lets it.
pub fn goes_on_for(short: Duration, long: Duration) -> Duration {
    match env::var(CHAOS_SECONDS) {
        Ok(seconds) if !seconds.is_empty() => {
            let most = seconds.parse().unwrap_or_else(|_| panic!("{CHAOS_SECONDS} is {seconds}, expected seconds"));
            long.min(Duration::from_secs(most)).max(short)
        }
        _ => short,
    }
}
