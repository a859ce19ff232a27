//! How soon a server that cannot be reached is tried again, and how long one that is slow is waited for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// First pause after a connection that could not be made; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause: with all its queues and its heartbeat, a worker tries less than once a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(2_500);
/// How much longer than usual is waited after a wait that was in vain; after the next it is the most, since a lease
/// ends while a slow line is being learned.
const FIRST_EXTRA: Duration = Duration::from_secs(1);
/// Most that is added. After a partition a wait that began in it may still have to end.
const LONGEST_EXTRA: Duration = Duration::from_secs(4);
/// An answer that came so soon needed no patience, whatever it was waited for.
const SOON: Duration = Duration::from_millis(500);

/// What all connections to one server have learned of it.
pub(super) struct Patience {
    /// Whether no wait is ever longer than usual.
    firm: bool,
    learned: Mutex<Learned>,
}

#[derive(Default)]
struct Learned {
    failures: u32,
    /// Until when no further connection is tried, and why the last one could not be made.
    pause: Option<(Instant, String)>,
    /// How much longer than usual is waited.
    extra: Duration,
}

impl Patience {
    pub(super) fn new(firm: bool) -> Self {
        Self { firm, learned: Mutex::default() }
    }

    /// Why no connection is to be tried now, if so.
    pub(super) fn refusal(&self) -> Option<String> {
        let learned = self.learned();
        learned.pause.as_ref().filter(|(until, _)| *until > Instant::now()).map(|(_, reason)| reason.clone())
    }

    /// A connection could not be made. The pause is jittered, so that those who failed together come back apart.
    pub(super) fn not_connected(&self, reason: &str) {
        let mut learned = self.learned();
        let whole = LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1 << learned.failures.min(16)));
        learned.failures = learned.failures.saturating_add(1);
        let until = Instant::now() + whole.mul_f64(0.75 + fastrand::f64() / 4.0);
        learned.pause = Some((until, reason.to_owned()));
    }

    /// A connection was made.
    pub(super) fn connected(&self) {
        let mut learned = self.learned();
        (learned.failures, learned.pause) = (0, None);
    }

    /// How long to wait for what usually takes at most `limit`.
    pub(super) fn stretched(&self, limit: Duration) -> Duration {
        limit + self.learned().extra
    }

    /// Nothing came in all that time: a server that is only slow must have a way to be heard.
    pub(super) fn in_vain(&self) {
        if self.firm {
            return;
        }
        let mut learned = self.learned();
        learned.extra = if learned.extra.is_zero() { FIRST_EXTRA } else { LONGEST_EXTRA };
    }

    /// An answer came after `took`.
    pub(super) fn answered(&self, took: Duration) {
        if took < SOON {
            self.learned().extra = Duration::ZERO;
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_be_reached_is_left_alone_for_a_bounded_while() {
        let patience = Patience::new(false);
        assert_eq!(patience.refusal(), None);
        for _ in 0..100 {
            patience.not_connected("refused");
        }
        assert_eq!(patience.refusal().as_deref(), Some("refused"));
        let until = patience.learned().pause.as_ref().map(|(until, _)| *until).unwrap();
        assert!(until <= Instant::now() + LONGEST_PAUSE);
        patience.connected();
        assert_eq!(patience.refusal(), None);
    }

    #[test]
    fn waits_in_vain_make_the_next_longer_until_an_answer_is_soon() {
        let (patience, limit) = (Patience::new(false), Duration::from_secs(1));
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(patience.stretched(limit).as_secs());
            patience.in_vain();
        }
        assert_eq!(waits, [1, 2, 5, 5, 5]);
        patience.answered(Duration::from_secs(3));
        assert_eq!(patience.stretched(limit), Duration::from_secs(5));
        patience.answered(Duration::from_millis(100));
        assert_eq!(patience.stretched(limit), limit);
    }

    #[test]
    fn waits_that_are_firm_stay_as_they_are() {
        let (patience, limit) = (Patience::new(true), Duration::from_secs(1));
        patience.in_vain();
        assert_eq!(patience.stretched(limit), limit);
    }
}
