//! Pauses between tries while the broker does not answer.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// First pause after a failure, unless told else; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(50);
/// Longest pause after a failure: how late an answering server may be noticed.
const LONGEST: Duration = Duration::from_secs(2);

/// When the next try is due.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    first: Duration,
    failures: u32,
    until: Option<Instant>,
}

impl Default for Pause {
    fn default() -> Self {
        Self::beginning_with(FIRST)
    }
}

impl Pause {
    /// Pauses of which the first is so long.
    pub(super) fn beginning_with(first: Duration) -> Self {
        Self { first, failures: 0, until: None }
    }

    /// Begins the next pause, jittered so that workers that failed together come back apart.
    /// Answers how many failures there were in a row.
    pub(super) fn after_failure(&mut self) -> u32 {
        let whole = LONGEST.min(self.first.saturating_mul(1 << self.failures.min(16)));
        self.until = Some(Instant::now() + whole.mul_f64(0.5 + fastrand::f64() / 2.0));
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Begins the last pause once more, without another failure.
    pub(super) fn again(&mut self) {
        self.failures = self.failures.saturating_sub(1);
        self.after_failure();
    }

    /// Answers whether there were failures before.
    pub(super) fn success(&mut self) -> bool {
        self.until = None;
        std::mem::take(&mut self.failures) > 0
    }

    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The end of the pause, while it lasts.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until.filter(|until| *until > Instant::now())
    }

    pub(super) fn is_over(&self) -> bool {
        self.until().is_none()
    }

    /// Returns when the pause is over.
    pub(super) async fn over(&self) {
        if let Some(until) = self.until {
            sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_the_longest_and_end_with_success() {
        let mut pause = Pause::default();
        for failures in 1..=40 {
            let start = Instant::now();
            assert_eq!(pause.after_failure(), failures);
            assert!(!pause.is_over());
            pause.over().await;
            assert!(pause.is_over() && start.elapsed() <= LONGEST);
        }
        assert!(pause.success() && !pause.success());
        pause.after_failure();
        pause.again();
        assert!(pause.until().is_some_and(|until| until <= Instant::now() + FIRST));
    }
}
