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
use super::{FEWER_LARGE, LARGE, ROUNDS, SMALL, Scale};

/// How many jobs the worker runs at a time; and how many times fewer jobs it gets then.
const CONCURRENCY: [(usize, u64); 4] = [(1, 40), (16, 10), (64, 4), (256, 2)];
/// How many jobs a worker runs at a time to be as fast as it can.
const BEST: usize = 256;
/// Calls of the floor that are under way at a time.
const FLOOR_DEPTH: usize = 4;

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    best(scratch, scale, report).await?;
    for (bytes, fewer) in [(SMALL, 1), (LARGE, FEWER_LARGE)] {
        let jobs = scale.jobs / fewer;
        let floor = floor(scratch, jobs, bytes).await?;
        // What there are targets for has been measured, more often than once.
        let rest = CONCURRENCY.into_iter().filter(|(concurrency, _)| (bytes, *concurrency) != (SMALL, BEST));
        for (concurrency, fewer) in rest {
            let jobs = (jobs / fewer).max(concurrency as u64);
            let cost = worker(scratch, jobs, bytes, concurrency, Retention::default()).await?;
            let what = format!("drain, {bytes} B, {concurrency} at a time");
            report.add(Row::new(what, cost.per_second, "jobs/s").beside("floor", floor.per_second));
            costs(report, &cost, &floor, None);
        }
    }
    Ok(())
}

/// What there are targets for; the floor and both retentions in turn, so that a machine that becomes
/// slower does so for all three.
async fn best(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    let forgets = Retention { finished: 0, ..Retention::default() };
    let (mut floors, mut keeping, mut forgetting) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor(scratch, scale.jobs, SMALL).await?);
        keeping.push(worker(scratch, scale.jobs, SMALL, BEST, Retention::default()).await?);
        forgetting.push(worker(scratch, scale.jobs, SMALL, BEST, forgets).await?);
    }
    let floor = Cost::median(&floors);
    let measured = [("drain", &keeping, Some(0.6), 2.0), ("drain, nothing kept", &forgetting, None, 1.5)];
    for (what, rounds, least, most) in measured {
        let cost = Cost::median(rounds);
        let row = Row::new(format!("{what}, {SMALL} B, {BEST} at a time"), cost.per_second, "jobs/s");
        let row = row.beside("floor", floor.per_second);
        report.add(least.map_or(row.clone(), |least| row.target(Target::AtLeast(least))));
        costs(report, &cost, &floor, Some(most));
    }
    Ok(())
}

fn costs(report: &mut Report, cost: &Cost, floor: &Cost, target: Option<f64>) {
    let row = Row::new("  server CPU", cost.server_us, "µs/job").beside("floor", floor.server_us);
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
    let floor = scratch.broker().floor(scratch.queue()).await?;
    fill_floor(&floor, jobs, bytes).await?;
    let meter = Meter::start(scratch.broker(), floor.queue()).await?;
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
