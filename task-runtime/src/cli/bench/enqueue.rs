//! `enqueue`: jobs enqueued in bulk, and one at a time by one caller and by many.

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};

use crate::broker::redis::{FLOOR_BATCH, Floor};
use crate::cli::Exit;
use crate::client::Enqueue;
use crate::job::{JobId, QueueName};

use super::meter::{Cost, Meter};
use super::noop::Noop;
use super::report::{Report, Row, Target};
use super::scratch::Scratch;
use super::{FEWER_LARGE, LARGE, ROUNDS, SMALL, Scale};

/// Callers that enqueue in bulk at the same time, and the jobs of each of their calls.
const BULK_CALLERS: usize = 4;
const BULK: u64 = 1_000;
/// Calls of the floor that are under way at a time.
const FLOOR_DEPTH: usize = 4;
/// Callers that enqueue one job after the other at the same time.
const CALLERS: u64 = 64;
/// Callers enqueue so many times fewer jobs than go in bulk, and a single one even fewer.
const FEWER_APART: u64 = 4;
const FEWER_ALONE: u64 = 40;

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    for (bytes, fewer) in [(SMALL, 1), (LARGE, FEWER_LARGE)] {
        let jobs = scale.jobs / fewer;
        let (mut floors, mut bulks, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let floor = scratch.broker().floor(scratch.queue()).await?;
            floors.push(timed(scratch, floor.queue(), jobs, fill_floor(&floor, jobs, bytes)).await?);
            let queue = scratch.queue();
            bulks.push(timed(scratch, &queue, jobs, fill(scratch, &queue, jobs, bytes)).await?);
            let queue = scratch.queue();
            wholes.push(timed(scratch, &queue, jobs, bulk(scratch, &queue, jobs, bytes)).await?);
        }
        let (floor, bulk, whole) = (Cost::median(&floors), Cost::median(&bulks), Cost::median(&wholes));
        let what = format!("enqueue in bulk, {bytes} B");
        let row = Row::new(what, bulk.per_second, "jobs/s").beside("floor", floor.per_second);
        report.add(if bytes == SMALL { row.target(Target::AtLeast(0.6)) } else { row });
        let row = Row::new("  server CPU", bulk.server_us, "µs/job").beside("floor", floor.server_us);
        report.add(if bytes == SMALL { row.target(Target::AtMost(1.5)) } else { row });
        rest(report, &bulk, "floor", &floor);
        let what = format!("  all in one call, {bytes} B");
        report.add(Row::new(what, whole.per_second, "jobs/s").beside("floor", floor.per_second));
    }
    let alone = (scale.jobs / FEWER_ALONE).max(1);
    let jobs = (scale.jobs / FEWER_APART).max(CALLERS);
    let (mut ones, mut manies) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let queue = scratch.queue();
        ones.push(timed(scratch, &queue, alone, callers(scratch, &queue, 1, alone)).await?);
        let queue = scratch.queue();
        manies.push(timed(scratch, &queue, jobs, callers(scratch, &queue, CALLERS, jobs)).await?);
    }
    let (one, many) = (Cost::median(&ones), Cost::median(&manies));
    report.add(Row::new("enqueue, one caller", one.per_second, "jobs/s"));
    let row = Row::new(format!("enqueue, {CALLERS} callers"), many.per_second, "jobs/s");
    report.add(row.beside("one caller", one.per_second).target(Target::AtLeast(8.0)));
    report.add(Row::new("  server CPU", many.server_us, "µs/job").beside("one caller", one.server_us));
    rest(report, &many, "one caller", &one);
    Ok(())
}

/// What there is no target for.
fn rest(report: &mut Report, cost: &Cost, what: &str, other: &Cost) {
    report.add(Row::new("  client CPU", cost.own_us, "µs/job").beside(what, other.own_us));
    report.add(Row::new("  commands", cost.commands, "per job").beside(what, other.commands));
    report.add(Row::new("  bytes on the wire", cost.wire_bytes, "per job").beside(what, other.wire_bytes));
}

/// What it costs to put `jobs` into a queue, the newest; then all of them are erased.
async fn timed(
    scratch: &Scratch,
    queue: &QueueName,
    jobs: u64,
    work: impl Future<Output = Result<(), Exit>>,
) -> Result<Cost, Exit> {
    let meter = Meter::start(scratch.broker(), queue).await?;
    work.await?;
    let cost = meter.stop(jobs).await?;
    scratch.erase().await?;
    Ok(cost)
}

/// Enqueues jobs in bulk, by several callers.
pub(super) async fn fill(scratch: &Scratch, queue: &QueueName, jobs: u64, bytes: usize) -> Result<(), Exit> {
    let calls = (0..jobs).step_by(BULK as usize).map(|first| bulk(scratch, queue, BULK.min(jobs - first), bytes));
    stream::iter(calls).buffer_unordered(BULK_CALLERS).try_collect::<()>().await
}

/// Enqueues jobs in one call.
async fn bulk(scratch: &Scratch, queue: &QueueName, jobs: u64, bytes: usize) -> Result<(), Exit> {
    scratch.client().enqueue_all((0..jobs).map(|_| Enqueue::new(Noop::of(bytes)).queue(queue.as_str()))).await?;
    Ok(())
}

/// Puts jobs there with the floor's script.
pub(super) async fn fill_floor(floor: &Floor<'_>, jobs: u64, bytes: usize) -> Result<(), Exit> {
    let batches = (0..jobs).step_by(FLOOR_BATCH).map(|first| {
        let some = first..jobs.min(first + FLOOR_BATCH as u64);
        async move {
            let batch: Vec<_> = some.map(|_| (JobId::random().to_string(), vec![b'x'; bytes])).collect();
            floor.push(&batch).await
        }
    });
    stream::iter(batches).buffer_unordered(FLOOR_DEPTH).try_collect::<()>().await?;
    Ok(())
}

/// So many callers that enqueue `jobs` in all, each the next one when the last is acknowledged.
async fn callers(scratch: &Scratch, queue: &QueueName, callers: u64, jobs: u64) -> Result<(), Exit> {
    let caller = |number| {
        let (client, queue) = (scratch.client().clone(), queue.clone());
        tokio::spawn(async move {
            for _ in 0..jobs / callers + u64::from(number < jobs % callers) {
                Enqueue::new(Noop::of(SMALL)).queue(queue.as_str()).enqueue_on(&client).await?;
            }
            Ok::<_, crate::error::Error>(())
        })
    };
    for ended in future::join_all((0..callers).map(caller)).await {
        ended.map_err(|error| Exit::new(Exit::FAILURE, error.to_string()))??;
    }
    Ok(())
}
