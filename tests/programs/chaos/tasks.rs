//! The task of the chaos suite: it does what its job says, and writes down that it began and how it ended.
#![expect(clippy::disallowed_methods, reason = "a task that takes a while is what is tested")]

use std::time::Duration;

use task_runtime::Backoff;
use task_runtime::client::Enqueue;
use task_runtime::prelude::*;

use crate::journal::{Act, How, Order, What, journal};

/// Does what `act` says; with `value` it returns the token of its claim, so that it is seen which attempt was settled.
#[task(queue = "mail")]
pub(crate) async fn perform(act: Act, value: bool, #[inject] ctx: Context) -> Result<Option<u64>, String> {
    let (run, attempt) = (Run::begin(&ctx), ctx.attempt());
    match act {
        Act::Works { millis } => {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(millis)) => {}
                () = ctx.cancellation().cancelled() => {
                    run.end(How::Stopped);
                    return Err("asked to stop".into());
                }
            }
        }
        Act::Fails { times } if attempt <= times => {
            run.end(How::Failed);
            return Err("fails on purpose".into());
        }
        Act::Panics { times } if attempt <= times => {
            run.end(How::Panicked);
            panic!("on purpose");
        }
        Act::Hangs { times } if attempt <= times => std::future::pending().await,
        Act::Aborts => std::process::abort(),
        Act::Blocks { millis } => std::thread::sleep(Duration::from_millis(millis)),
        Act::Fails { .. } | Act::Panics { .. } | Act::Hangs { .. } => {}
    }
    run.end(How::Done);
    Ok(value.then_some(ctx.fencing_token()))
}

impl Order {
    /// The job, on its way.
    pub(crate) fn enqueue(&self, id: &str) -> Enqueue<Perform> {
        let mut job = Perform::new(self.act, self.value)
            .options()
            .id(id)
            .queue(&self.queue)
            .priority(self.priority)
            .delay(Duration::from_millis(self.delay_ms))
            .max_attempts(self.max_attempts)
            .max_crashes(self.max_crashes)
            .backoff(Backoff::constant(Duration::from_millis(self.pause_ms)));
        if let Act::Hangs { .. } = self.act {
            job = job.timeout(HANGING);
        }
        match self.keep_s {
            Some(seconds) => job.result_ttl(Duration::from_secs(seconds)),
            None => job,
        }
    }
}

/// The time limit of those that hang.
const HANGING: Duration = Duration::from_millis(400);

/// One attempt, until its end is written down.
struct Run {
    id: String,
    token: u64,
    ended: bool,
}

impl Run {
    fn begin(ctx: &Context) -> Run {
        let (id, token) = (ctx.job_id().to_string(), ctx.fencing_token());
        journal().write(What::Start { id: id.clone(), attempt: ctx.attempt(), token });
        Run { id, token, ended: false }
    }

    fn end(mut self, how: How) {
        self.write(how);
        self.ended = true;
    }

    fn write(&self, how: How) {
        journal().write(What::End { id: self.id.clone(), token: self.token, how });
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.ended {
            self.write(How::Dropped);
        }
    }
}
