//! Which task each thread is in the middle of, so that one that blocks its thread can be named.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A thread that a task holds for so long without an `await` is told of.
const BLOCKS: Duration = Duration::from_secs(1);

/// All threads that ever ran a task and have not ended.
static THREADS: Mutex<Vec<Weak<Thread>>> = Mutex::new(Vec::new());

thread_local! {
    static HERE: Arc<Thread> = {
        let here = Arc::new(Thread::default());
        let mut threads = lock(&THREADS);
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&here));
        here
    };
}

/// What one thread does. Only that thread and those who look take the lock.
#[derive(Debug, Default)]
struct Thread(Mutex<Step>);

#[derive(Debug, Default)]
struct Step {
    /// Grows with each step of a task.
    number: u64,
    /// The worker and the task whose step is under way.
    of: Option<(usize, &'static str)>,
}

/// Runs `future`, in sight of those who look at what `task` of `worker` blocks.
pub(super) async fn in_sight<F: Future>(worker: usize, task: &'static str, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _under_way = UnderWay::begin(worker, task);
        future.as_mut().poll(cx)
    })
    .await
}

/// A step of a task, until it is dropped, also by a panic.
struct UnderWay;

impl UnderWay {
    fn begin(worker: usize, task: &'static str) -> Self {
        HERE.with(|here| {
            let mut step = lock(&here.0);
            step.number += 1;
            step.of = Some((worker, task));
        });
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        HERE.with(|here| lock(&here.0).of = None);
    }
}

/// What one worker has seen of its tasks.
pub(super) struct Watch {
    worker: usize,
    seen: Vec<Seen>,
}

struct Seen {
    thread: Weak<Thread>,
    number: u64,
    since: Instant,
    told: bool,
}

impl Watch {
    pub(super) fn new(worker: usize) -> Self {
        Self { worker, seen: Vec::new() }
    }

    /// The tasks that were seen in the middle of one and the same step for too long, each step once.
    pub(super) fn look(&mut self, now: Instant) -> Vec<&'static str> {
        let mut blocking = Vec::new();
        let mut before = std::mem::take(&mut self.seen);
        for thread in lock(&THREADS).iter() {
            let Some(there) = thread.upgrade() else { continue };
            let (number, task) = match *lock(&there.0) {
                Step { number, of: Some((worker, task)) } if worker == self.worker => (number, task),
                _ => continue,
            };
            let same = before.iter().position(|seen| seen.number == number && seen.thread.ptr_eq(thread));
            let first = || Seen { thread: Weak::clone(thread), number, since: now, told: false };
            let mut seen = same.map_or_else(first, |at| before.swap_remove(at));
            if !seen.told && now - seen.since >= BLOCKS {
                seen.told = true;
                blocking.push(task);
            }
            self.seen.push(seen);
        }
        blocking
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_task_that_holds_its_thread_is_named_once_and_only_to_its_worker() {
        let (go, wait) = channel::<()>();
        let (begun, begins) = channel();
        let held = thread::spawn(move || {
            let hog = async move {
                begun.send(()).unwrap();
                wait.recv().unwrap();
            };
            in_sight(7, "hog", hog).now_or_never()
        });
        begins.recv().unwrap();
        let (mut watch, mut other, start) = (Watch::new(7), Watch::new(8), Instant::now());
        let mut look = |second| watch.look(start + Duration::from_secs(second));
        assert_eq!([look(0), look(1), look(2)], [vec![], vec!["hog"], vec![]]);
        assert!(other.look(start).is_empty() && other.look(start + BLOCKS).is_empty());
        go.send(()).unwrap();
        held.join().unwrap();
        let mut look = |second| watch.look(start + Duration::from_secs(second));
        assert_eq!([look(3), look(4)], [vec![] as Vec<&str>, vec![]]);
    }
}
