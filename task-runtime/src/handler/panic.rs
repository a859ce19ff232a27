//! A panic of a task is a failure of its attempt: its message and where it happened are kept.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use futures_util::FutureExt as _;

use super::run::Failure;

thread_local! {
    /// What this thread last panicked about, and where.
    static LAST: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Has every panic note where it happens, then does what was done before: a caught panic no longer knows its place,
/// and whatever is dropped by one not even its message.
#[cfg_attr(not(feature = "worker"), allow(dead_code, reason = "only a worker runs tasks"))]
pub(crate) fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let note = info.location().map(|place| (place.to_string(), message(info.payload()).to_owned()));
            // A panic while the thread ends finds no place to note.
            let _ = LAST.try_with(|last| *last.borrow_mut() = note);
            before(info);
        }));
    });
}

/// Runs `body`; a panic becomes a failure.
pub(super) fn catch<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(failure(&*payload)))
}

/// Runs `future`; a panic becomes a failure.
#[cfg_attr(not(feature = "worker"), allow(dead_code, reason = "only a worker runs tasks"))]
pub(crate) async fn catch_in<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|payload| Err(failure(&*payload)))
}

/// What the panic says by which this thread is dropping things now, and where it began: the last one that was noted,
/// so one that is raised again by hand is told as the one before it.
#[cfg_attr(not(feature = "worker"), allow(dead_code, reason = "only a worker runs tasks"))]
pub(crate) fn current() -> Failure {
    let last = LAST.with(|last| last.borrow().clone());
    told(last.as_ref().map_or("for a reason that was not noted", |(_, message)| message), last.as_ref())
}

fn failure(payload: &(dyn Any + Send)) -> Failure {
    told(message(payload), LAST.with(|last| last.borrow_mut().take()).as_ref())
}

fn told(message: &str, noted: Option<&(String, String)>) -> Failure {
    Failure::new(match noted {
        Some((place, _)) => format!("panicked at {place}: {message}"),
        None => format!("panicked: {message}"),
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let message = payload.downcast_ref::<&str>().copied();
    let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    message.unwrap_or("a value that is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_message_and_its_place() {
        note_places();
        let failure = catch::<()>(|| panic!("no such {}", "thing")).unwrap_err();
        let line = line!() - 1;
        let place = format!("panicked at {}:{line}:", file!());
        assert!(failure.message.starts_with(&place) && failure.message.ends_with("no such thing"), "{failure}");
    }

    #[test]
    fn a_panic_with_a_value_is_told_too() {
        let failure = catch::<()>(|| std::panic::resume_unwind(Box::new(7))).unwrap_err();
        assert!(failure.message.contains("a value that is no text"), "{failure}");
    }
}
