//! The task of the bench: it does nothing, and tells when it began if someone asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::handler::{Arguments, Context, Data, Failure, Registry, RunFuture, Site, TaskDef, inject, run};
use crate::job::TaskOptions;
use crate::task::Task;

/// One job of the bench.
#[derive(Serialize, Deserialize)]
pub(super) struct Noop {
    /// Whether someone waits for its start.
    timed: bool,
    fill: String,
}

impl Task for Noop {
    const NAME: &'static str = "bench_noop";
    const OPTIONS: TaskOptions = TaskOptions::DEFAULT;
    type Output = ();
}

/// Bytes of the arguments beside their fill.
const AROUND: usize = r#"{"timed":false,"fill":""}"#.len();

impl Noop {
    /// A job whose arguments have so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Self { timed: false, fill: "x".repeat(bytes.saturating_sub(AROUND)) }
    }

    /// A job whose start is told to [`Starts`].
    pub(super) fn timed(bytes: usize) -> Self {
        Self { timed: true, ..Self::of(bytes) }
    }
}

/// Where the next timed job tells when it began.
#[derive(Clone, Default)]
pub(super) struct Starts(Arc<Mutex<Option<oneshot::Sender<Instant>>>>);

impl Starts {
    /// When the next timed job begins.
    pub(super) fn next(&self) -> oneshot::Receiver<Instant> {
        let (tell, start) = oneshot::channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
        start
    }

    fn began(&self) {
        if let Some(tell) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody waits any more when the bench was stopped.
            let _ = tell.send(Instant::now());
        }
    }
}

/// The tasks of a worker of the bench.
pub(super) fn registry() -> Registry {
    static NOOP: TaskDef = TaskDef::new::<Noop>(SITE, &[], &[], &[], begin);
    const SITE: Site = Site { file: file!(), line: line!(), module: module_path!() };
    Registry::only(&NOOP)
}

fn begin(ctx: Context, args: Arguments) -> RunFuture {
    run::<Noop, _, _>(ctx, args, |job, ctx| async move {
        if job.timed {
            inject::<Data<Starts>>(&ctx).await?.began();
        }
        Ok::<_, Failure>(())
    })
}
