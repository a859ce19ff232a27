//! `bench`: how fast jobs are on this server, beside the least that they can cost.

mod backlog;
mod distance;
mod drain;
mod enqueue;
mod idle;
mod meter;
mod noop;
mod pick_up;
mod report;
mod scratch;

use std::num::NonZero;
use std::time::Duration;

use super::Exit;
use super::args::{BenchOptions, BenchPart, TargetOptions};
use super::output::{print, shown};
use super::target::without_password;

use distance::Distance;
use report::Report;
use scratch::Scratch;

/// Payloads that are measured, in bytes of arguments.
const SMALL: usize = 100;
const LARGE: usize = 10 * 1024;
/// A measurement with large payloads takes so many times fewer jobs.
const FEWER_LARGE: u64 = 20;

/// How often what there are targets for is measured, in turn with what it is compared with.
const ROUNDS: usize = 5;

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    jobs: u64,
    backlog: u64,
    /// Jobs whose way to their task is timed, one after the other.
    samples: usize,
    /// How long an idle worker is watched.
    watch: Duration,
}

impl Scale {
    fn of(options: &BenchOptions) -> Self {
        let part = if options.quick { 10 } else { 1 };
        Self {
            jobs: options.jobs / part,
            backlog: options.backlog / part,
            samples: 2_000 / part as usize,
            watch: Duration::from_secs(20 / part.min(4)),
        }
    }
}

/// Runs on threads of its own: that the caller's runtime has as many as there are cores would take
/// time from a server on the same machine.
pub(super) async fn run(target: TargetOptions, options: BenchOptions) -> Result<(), Exit> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = options.threads.map_or(cores - 1, usize::from).max(1);
    let failed = |error: &dyn std::fmt::Display| Exit::new(Exit::FAILURE, error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let ended = runtime.spawn(bench(target, options, threads)).await;
    runtime.shutdown_background();
    ended.map_err(|error| failed(&error))?
}

async fn bench(target: TargetOptions, options: BenchOptions, threads: usize) -> Result<(), Exit> {
    let url = target.url("`bench`")?;
    let distance = match options.round_trip {
        Some(round_trip) => Some(Distance::open(&url, round_trip).await?),
        None => None,
    };
    let scratch = Scratch::open(distance.as_ref().map_or(&*url, Distance::url)).await?;
    eprintln!("{} · scratch namespace {}", shown(&without_password(&url)), scratch.namespace());
    let mut report = Report::new(scratch.server().await?, threads, options.round_trip);
    let measured = tokio::select! {
        measured = measure(&scratch, &options, &mut report) => measured,
        _ = tokio::signal::ctrl_c() => Err(Exit::new(Exit::FAILURE, "stopped")),
    };
    if measured.is_err() {
        scratch.erase_stopped().await?;
    }
    measured?;
    scratch.erase().await?;
    print(&if options.json { report.json() } else { report.text() })
}

async fn measure(scratch: &Scratch, options: &BenchOptions, report: &mut Report) -> Result<(), Exit> {
    let scale = Scale::of(options);
    // The floor has as many.
    scratch.has_room_for(scale.jobs.max(2 * scale.backlog)).await?;
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    if wanted(BenchPart::Drain) {
        drain::measure(scratch, scale, report).await?;
    }
    if wanted(BenchPart::Enqueue) {
        enqueue::measure(scratch, scale, report).await?;
    }
    if wanted(BenchPart::PickUp) {
        pick_up::measure(scratch, scale, report).await?;
    }
    if wanted(BenchPart::Idle) {
        idle::measure(scratch, scale, report).await?;
    }
    if wanted(BenchPart::Backlog) {
        backlog::measure(scratch, scale, report).await?;
    }
    Ok(())
}
