//! Bounded waiting for a condition, the only place of the test suite that sleeps.
#![expect(clippy::disallowed_methods, reason = "every other test waits by calling this")]

use std::thread;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(5);

/// Asks `check` again and again until it gives a value, and panics when `bound` has passed.
///
/// `what` completes the sentence "… did not come true: *what*", for example `"the job is completed"`.
pub async fn eventually<T>(what: &str, bound: Duration, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        give_up_after(what, start, bound);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The same for code that is not async. It blocks the thread.
#[track_caller]
pub fn eventually_blocking<T>(what: &str, bound: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        give_up_after(what, start, bound);
        thread::sleep(INTERVAL);
    }
}

#[track_caller]
fn give_up_after(what: &str, start: Instant, bound: Duration) {
    assert!(start.elapsed() < bound, "did not come true within {bound:?}: {what}");
}
