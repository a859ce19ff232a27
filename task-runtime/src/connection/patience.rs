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
    /// Until when no further connection is tried, which may be the end of a try, and why the last one could not be made.
    pause: Option<(Instant, String)>,
    /// How much longer than usual is waited.
    extra: Duration,
}

impl Patience {
    pub(super) fn new(firm: bool) -> Self {
        Self { firm, learned: Mutex::default() }
    }

    /// Begins a try at a connection, which ends within `limit`; answers how many failed in a row before it.
    ///
    /// Once one failed only one is under way at a time: the many waits of a worker would all begin when a pause ends.
    ///
    /// # Errors
    /// Why none is to be tried now.
    pub(super) fn try_within(&self, limit: Duration) -> Result<u32, String> {
        let mut learned = self.learned();
        let failures = learned.failures;
        if let Some((until, reason)) = &mut learned.pause {
            let now = Instant::now();
            if *until > now {
                return Err(reason.clone());
            }
            *until = now + limit;
        }
        Ok(failures)
    }

    /// A try that was begun after `before` failures made no connection; those that fail together count once. The pause is
    /// jittered, so that those who failed together come back apart.
    pub(super) fn not_connected(&self, before: u32, reason: &str) {
        let mut learned = self.learned();
        if learned.failures != before {
            return;
        }
        let whole = LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1 << before.min(16)));
        learned.failures = before.saturating_add(1);
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

    impl Patience {
        /// The pause, or the time of a try, has come to its end.
        fn is_over(&self) {
            self.learned().pause.as_mut().unwrap().0 = Instant::now();
        }
    }

    #[test]
    fn a_server_that_cannot_be_reached_is_left_alone_for_a_bounded_while() {
        let patience = Patience::new(false);
        for before in 0..100 {
            assert_eq!(patience.try_within(LONGEST_PAUSE), Ok(before));
            patience.not_connected(before, "refused");
            assert_eq!(patience.try_within(LONGEST_PAUSE), Err("refused".into()));
            let until = patience.learned().pause.as_ref().map(|(until, _)| *until).unwrap();
            assert!(until <= Instant::now() + LONGEST_PAUSE);
            patience.is_over();
        }
        patience.connected();
        assert_eq!(patience.try_within(LONGEST_PAUSE), Ok(0));
    }

    #[test]
    fn tries_are_under_way_together_until_one_failed_and_count_once() {
        let (patience, limit) = (Patience::new(false), Duration::from_secs(2));
        for _ in 0..5 {
            assert_eq!(patience.try_within(limit), Ok(0));
        }
        (0..5).for_each(|_| patience.not_connected(0, "refused"));
        patience.is_over();
        assert_eq!(patience.try_within(limit), Ok(1));
        assert_eq!(patience.try_within(limit), Err("refused".into()));
        // Whoever began it may have dropped it.
        patience.is_over();
        assert_eq!(patience.try_within(limit), Ok(1));
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
