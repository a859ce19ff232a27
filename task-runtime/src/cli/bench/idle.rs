//! `idle`: what a waiting job takes of the server's memory, and an idle worker of its time.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::sleep;

use crate::cli::Exit;

use super::enqueue::fill;
use super::meter::counts_anew;
use super::report::{Report, Row, Target};
use super::scratch::Scratch;
use super::{LARGE, SMALL, Scale};

/// Jobs that wait while memory is read: no fewer, because what a server takes once is not theirs.
const WAITING: RangeInclusive<u64> = 50_000..=100_000;
const WAITING_LARGE: RangeInclusive<u64> = 1_000..=5_000;
/// How long a worker that has just started is left alone.
const SETTLING: Duration = Duration::from_secs(2);
/// What the first of two looks adds to the second: `INFO`, and the number that is sent behind it.
const OWN_CALLS: u64 = 2;

/// How many jobs wait, of each size.
pub(super) fn waiting(scale: Scale) -> [(u64, usize); 2] {
    [(WAITING, SMALL), (WAITING_LARGE, LARGE)]
        .map(|(range, bytes)| (scale.jobs.clamp(*range.start(), *range.end()), bytes))
}

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    for (jobs, bytes) in waiting(scale) {
        let queue = scratch.queue();
        let before = scratch.broker().usage(&queue).await?.memory;
        fill(scratch, &queue, jobs, bytes).await?;
        let after = scratch.broker().usage(&queue).await?.memory;
        let a_job = after.saturating_sub(before) as f64 / jobs as f64;
        let row = Row::new(format!("memory of a waiting job, {bytes} B"), a_job - bytes as f64, "B beside it");
        report.add(if bytes == SMALL { row.target(Target::Under(200.0)) } else { row });
        scratch.erase().await?;
    }
    let queue = scratch.queue();
    let running = scratch.start(scratch.worker(&queue).build()?);
    sleep(SETTLING).await;
    let before = scratch.broker().usage(&queue).await?;
    sleep(scale.watch).await;
    let done = scratch.broker().usage(&queue).await?.since(&before).ok_or_else(counts_anew)?;
    running.stop().await?;
    let a_second = done.calls.saturating_sub(OWN_CALLS) as f64 / scale.watch.as_secs_f64();
    report.add(Row::new("calls of an idle worker", a_second, "per s").target(Target::Within(1.0)));
    scratch.erase().await
}
