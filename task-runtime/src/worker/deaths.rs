//! Parts of a worker that died: each goes on after a pause, and too many end the worker.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::handler::catch_in;

use super::shutdown::WorkerHandle;

/// So many deaths within [`WITHIN`] end the worker: whoever restarts it gives it a fresh start.
const TOO_MANY: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);
/// Pause after the first death; each further one within that time doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What died in one worker.
pub(super) struct Deaths {
    state: Mutex<State>,
    handle: WorkerHandle,
}

#[derive(Default)]
struct State {
    recent: VecDeque<Instant>,
    /// Why the worker ends.
    verdict: Option<String>,
}

impl Deaths {
    pub(super) fn new(handle: WorkerHandle) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), handle })
    }

    /// Takes down that a part died; answers after which pause it goes on, or nothing when the
    /// worker ends instead.
    pub(super) fn note(&self, part: &str, reason: &str) -> Option<Duration> {
        let pause = self.lock().pause_after(Instant::now());
        match pause {
            Some(again_in) => {
                tracing::error!(part, reason, ?again_in, "a part of the worker died, it is started again")
            }
            None => self.end(format!("parts of it died {TOO_MANY} times within {WITHIN:?}; at last {part}: {reason}")),
        }
        pause
    }

    /// Runs a part again whenever it dies, until the worker ends.
    pub(super) async fn outlive<F: Future<Output = ()>>(&self, part: &str, mut start: impl FnMut() -> F) {
        loop {
            let running = start();
            let Err(failure) = catch_in(async {
                running.await;
                Ok(())
            })
            .await
            else {
                break;
            };

            let Some(pause) = self.note(part, &failure.message) else { break };
            tokio::time::sleep(pause).await;
        }
    }

    /// Runs a part that cannot be started twice; its death ends the worker.
    pub(super) async fn survive(&self, part: &str, running: impl Future<Output = ()>) {
        let running = async {
            running.await;
            Ok(())
        };
        if let Err(failure) = catch_in(running).await {
            self.end(format!("{part} died: {}", failure.message));
        }
    }

    fn end(&self, why: String) {
        tracing::error!(why, "the worker ends");
        self.lock().verdict.get_or_insert(why);
        self.handle.stop_now();
    }

    /// Why the worker ends, if it does because of what died.
    ///
    /// # Errors
    /// [`Error::WorkerDied`] then.
    pub(super) fn verdict(&self) -> Result<(), Error> {
        self.lock().verdict.clone().map_or(Ok(()), |reason| Err(Error::WorkerDied { reason }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pause_after(&mut self, now: Instant) -> Option<Duration> {
        while self.recent.front().is_some_and(|death| now - *death >= WITHIN) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let earlier = self.recent.len() - 1;
        (earlier + 1 < TOO_MANY).then(|| FIRST_PAUSE * (1 << earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_fifth_death_within_a_minute_is_one_too_many() {
        let (mut state, start) = (State::default(), Instant::now());
        let mut after = |second| state.pause_after(start + Duration::from_secs(second)).map(|pause| pause.as_millis());
        assert_eq!([after(0), after(10), after(20), after(59)], [Some(100), Some(200), Some(400), Some(800)]);
        // The first two are forgotten by now.
        assert_eq!([after(70), after(71), after(72)], [Some(400), Some(800), None]);
    }
}
