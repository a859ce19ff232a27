//! `drain`: jobs that do nothing, claimed, run and settled by one worker.

use std::future::pending;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::broker::Retention;
use crate::broker::redis::FLOOR_BATCH;
use crate::cli::Exit;

use super::enqueue::{fill, fill_floor};
use super::meter::{Cost, Meter};
use super::report::{Report, Row, Target};
use super::scratch::Scratch;
use super::{FEWER_LARGE, LARGE, SMALL, Scale};

/// How many jobs the worker runs at a time; and how many times fewer jobs it gets then.
const CONCURRENCY: [(usize, u64); 4] = [(1, 20), (16, 5), (64, 2), (256, 1)];
/// Calls of the floor that are under way at a time.
const FLOOR_DEPTH: usize = 4;

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    for (bytes, fewer) in [(SMALL, 1), (LARGE, FEWER_LARGE)] {
        let jobs = scale.jobs / fewer;
        let floor = floor(scratch, jobs, bytes).await?;
        for (concurrency, fewer) in CONCURRENCY {
            let cost = worker(scratch, jobs / fewer, bytes, concurrency, Retention::default()).await?;
            let what = format!("{bytes} B, {concurrency} at a time");
            let best = bytes == SMALL && concurrency == CONCURRENCY[CONCURRENCY.len() - 1].0;
            let row = Row::new(format!("drain, {what}"), cost.per_second, "jobs/s").beside("floor", floor.per_second);
            report.add(if best { row.target(Target::AtLeast(0.6)) } else { row });
            if best {
                costs(report, &what, &cost, &floor, Some(2.0));
                let forgets = Retention { finished: 0, ..Retention::default() };
                let cost = worker(scratch, jobs, bytes, concurrency, forgets).await?;
                let what = format!("{what}, nothing kept");
                report.add(
                    Row::new(format!("drain, {what}"), cost.per_second, "jobs/s").beside("floor", floor.per_second),
                );
                costs(report, &what, &cost, &floor, Some(1.5));
            } else if concurrency > 1 {
                costs(report, &what, &cost, &floor, None);
            }
        }
    }
    Ok(())
}

fn costs(report: &mut Report, what: &str, cost: &Cost, floor: &Cost, target: Option<f64>) {
    let row = Row::new(format!("  server CPU, {what}"), cost.server_us, "µs/job").beside("floor", floor.server_us);
    report.add(match target {
        Some(most) => row.target(Target::AtMost(most)),
        None => row,
    });
    report.add(Row::new("  worker CPU", cost.own_us, "µs/job").beside("floor", floor.own_us));
    report.add(Row::new("  commands", cost.commands, "per job").beside("floor", floor.commands));
    report.add(Row::new("  bytes on the wire", cost.wire_bytes, "per job").beside("floor", floor.wire_bytes));
}

/// A worker that finds `jobs` waiting and stops when none is left.
async fn worker(
    scratch: &Scratch,
    jobs: u64,
    bytes: usize,
    concurrency: usize,
    retention: Retention,
) -> Result<Cost, Exit> {
    let queue = scratch.queue();
    fill(scratch, &queue, jobs, bytes).await?;
    let worker = scratch.worker(&queue).concurrency(concurrency).retention(retention).burst(true).build()?;
    let meter = Meter::start(scratch.broker(), &queue).await?;
    worker.run_until(pending()).await?;
    let cost = meter.stop(jobs).await?;
    scratch.erase().await?;
    Ok(cost)
}

/// The same with the floor's scripts, and no job is looked into.
async fn floor(scratch: &Scratch, jobs: u64, bytes: usize) -> Result<Cost, Exit> {
    let queue = scratch.queue();
    fill_floor(scratch, &queue, jobs, bytes).await?;
    let floor = scratch.broker().floor(&queue);
    let meter = Meter::start(scratch.broker(), &queue).await?;
    let calls = jobs.div_ceil(FLOOR_BATCH as u64);
    let rounds = stream::iter(0..calls).map(|_| async {
        let (ids, _payloads) = floor.take().await?;
        floor.finish(&ids).await
    });
    rounds.buffer_unordered(FLOOR_DEPTH).try_collect::<()>().await?;
    let cost = meter.stop(jobs).await?;
    scratch.erase().await?;
    Ok(cost)
}
