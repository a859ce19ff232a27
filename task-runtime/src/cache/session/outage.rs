//! How long a store that does not answer is waited for, and for how long it is left alone after that.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::error::SessionError;
use super::store::Answer;

/// How often a call is sent at most.
const MAX_TRIES: u32 = 4;
/// Pause before a call is sent again; the next is twice as long.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a store is left alone that did not answer, where an outage is an anonymous visitor.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// Whether a call may be carried out twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It does no harm: it can be sent again when its answer did not come.
    Harmless,
    /// It is sent again only if nothing happened.
    IfNothingHappened,
}

/// The deadline of calls, and what was learned of the store.
pub(crate) struct Patience {
    deadline: Duration,
    /// Whether a store that did not answer is left alone for a while, so that pages do not wait for it again and again.
    leaves_alone: bool,
    alone_until: Mutex<Option<Instant>>,
}

impl Patience {
    pub(crate) fn new(deadline: Duration, leaves_alone: bool) -> Self {
        Self { deadline, leaves_alone, alone_until: Mutex::default() }
    }

    /// Makes a call, again if need be, until it is answered or the deadline has come.
    pub(crate) async fn ask<'a, T>(&self, repeat: Repeat, call: impl Fn() -> Answer<'a, T>) -> Result<T, SessionError> {
        if self.leaves_alone && !self.may_ask() {
            return Err(SessionError::Unavailable { reason: "it did not answer a moment ago".into() });
        }
        let end = Instant::now() + self.deadline;
        let mut pause = PAUSE;
        for _ in 1..MAX_TRIES {
            let answer = self.once(end, call()).await;
            let again = match &answer {
                Err(SessionError::Unavailable { .. }) => true,
                Err(SessionError::Unknown { .. }) => repeat == Repeat::Harmless,
                _ => false,
            };
            if !again || Instant::now() + pause >= end {
                return self.learned(answer);
            }
            sleep(pause).await;
            pause *= 2;
        }
        let answer = self.once(end, call()).await;
        self.learned(answer)
    }

    async fn once<T>(&self, end: Instant, answer: Answer<'_, T>) -> Result<T, SessionError> {
        let late = |_| Err(SessionError::Unknown { reason: format!("no answer within {:?}", self.deadline) });
        timeout_at(end, answer).await.unwrap_or_else(late)
    }

    /// Whether the store is to be asked; of those who come when it was left alone long enough, one is let through.
    fn may_ask(&self) -> bool {
        let mut until = self.alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        match *until {
            None => true,
            Some(end) if Instant::now() < end => false,
            Some(_) => {
                *until = Some(Instant::now() + LEFT_ALONE);
                true
            }
        }
    }

    fn learned<T>(&self, answer: Result<T, SessionError>) -> Result<T, SessionError> {
        let away = matches!(&answer, Err(SessionError::Unavailable { .. } | SessionError::Unknown { .. }));
        if self.leaves_alone {
            *self.alone_until.lock().unwrap_or_else(PoisonError::into_inner) =
                away.then(|| Instant::now() + LEFT_ALONE);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn away() -> SessionError {
        SessionError::Unavailable { reason: "gone".into() }
    }

    fn unknown() -> SessionError {
        SessionError::Unknown { reason: "lost".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_of_which_nothing_happened_is_sent_again_and_one_in_doubt_only_if_it_does_no_harm() {
        let patience = Patience::new(Duration::from_secs(2), false);
        for (repeat, error, times) in [
            (Repeat::IfNothingHappened, away as fn() -> SessionError, 3),
            (Repeat::Harmless, unknown, 3),
            (Repeat::IfNothingHappened, unknown, 1),
        ] {
            let asked = AtomicU32::new(0);
            let call = || -> Answer<'_, ()> {
                let answer = if asked.fetch_add(1, Ordering::Relaxed) < 2 { Err(error()) } else { Ok(()) };
                Box::pin(ready(answer))
            };
            assert_eq!(patience.ask(repeat, call).await.is_ok(), times == 3);
            assert_eq!(asked.load(Ordering::Relaxed), times);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_longer_than_its_deadline() {
        let patience = Patience::new(Duration::from_millis(100), false);
        let start = Instant::now();
        let answer = patience.ask(Repeat::Harmless, || -> Answer<'_, ()> { Box::pin(pending()) }).await;
        assert!(matches!(answer, Err(SessionError::Unknown { .. })) && start.elapsed() <= Duration::from_millis(101));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_did_not_answer_is_left_alone_and_then_asked_by_one() {
        let patience = Patience::new(Duration::from_millis(100), true);
        let asked = AtomicU32::new(0);
        let silent = || -> Answer<'_, ()> {
            asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(pending())
        };
        let answers = || -> Answer<'_, ()> { Box::pin(ready(Ok(()))) };
        assert!(patience.ask(Repeat::Harmless, silent).await.is_err());
        let start = Instant::now();
        for _ in 0..20 {
            assert!(patience.ask(Repeat::Harmless, silent).await.is_err());
        }
        assert_eq!((asked.load(Ordering::Relaxed), start.elapsed()), (1, Duration::ZERO));
        tokio::time::advance(LEFT_ALONE).await;
        let both = (patience.ask(Repeat::Harmless, silent), patience.ask(Repeat::Harmless, answers));
        let (first, second) = futures_util::future::join(both.0, both.1).await;
        assert!(first.is_err() && second.is_err(), "only the first was let through");
        tokio::time::advance(LEFT_ALONE).await;
        assert!(patience.ask(Repeat::Harmless, answers).await.is_ok());
        assert!(patience.ask(Repeat::Harmless, answers).await.is_ok(), "an answer ends it");
    }
}
