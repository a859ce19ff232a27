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

use clap::ValueEnum as _;

use super::Exit;
use super::args::{BenchOptions, BenchPart, TargetOptions};
use super::output::{print, progress, shown};
use super::target::without_password;
use crate::job::Namespace;
use crate::worker::Signals;

use distance::Distance;
use report::Report;
use scratch::Scratch;

/// Payloads that are measured, in bytes of arguments.
const SMALL: usize = 100;
const LARGE: usize = 10 * 1024;
/// A measurement with large payloads takes so many times fewer jobs.
const FEWER_LARGE: u64 = 20;

/// What a job takes of the server's memory beside a payload and the quarter of it that is rounded up.
const AROUND_A_JOB: u64 = 275;

/// How often a drain and an enqueue that there are targets for are measured, in turn with the floor.
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

    /// About what a part has on the server at a time, in bytes.
    fn bytes(self, part: BenchPart) -> u64 {
        let take = |jobs: u64, bytes: usize| jobs * (bytes as u64 * 5 / 4 + AROUND_A_JOB);
        match part {
            BenchPart::Drain | BenchPart::Enqueue => take(self.jobs, SMALL).max(take(self.jobs / FEWER_LARGE, LARGE)),
            BenchPart::PickUp => take(pick_up::jobs(self), SMALL),
            BenchPart::Idle => {
                idle::waiting(self).into_iter().map(|(jobs, bytes)| take(jobs, bytes)).max().unwrap_or(0)
            }
            // The floor has as many.
            BenchPart::Backlog => 2 * backlog::sizes(self).into_iter().map(|jobs| take(jobs, SMALL)).sum::<u64>(),
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
    let failed = |error: std::io::Error| Exit::new(Exit::FAILURE, error.to_string());
    // From here on, so that none of them finds something that would not be removed.
    let mut signals = Signals::listen().map_err(failed)?;
    let distance = match options.round_trip {
        Some(round_trip) => Some(Distance::open(&url, round_trip).await?),
        None => None,
    };
    let beside = Namespace::new(&target.namespace)?;
    let scratch = Scratch::open(distance.as_ref().map_or(&*url, Distance::url), &beside).await?;
    progress(&format!("{} · scratch namespace {}", shown(&without_password(&url)), scratch.namespace()));
    let server = scratch.server().await?;
    if distance.is_some() && server.in_cluster {
        let message =
            "--round-trip needs a server that is no node of a cluster, because nodes are found past the stand-in";
        return Err(Exit::new(Exit::USAGE, message));
    }
    let mut report = Report::new(server, threads, options.round_trip, scratch.others().await?);
    let measured = tokio::select! {
        measured = measure(&scratch, &options, &mut report) => measured,
        signal = signals.next() => Err(Exit::new(Exit::FAILURE, format!("stopped by {signal}"))),
    };
    let removed = if measured.is_ok() { scratch.erase().await } else { scratch.erase_stopped().await };
    // What was measured until then is worth something too.
    if measured.is_ok() || !report.is_empty() {
        print(&if options.json { report.json(measured.is_ok()) } else { report.text() })?;
    }
    match (measured, removed) {
        (Err(stopped), Err(left)) => Err(Exit::new(stopped.code, format!("{}; {}", stopped.message, left.message))),
        (measured, removed) => measured.and(removed),
    }
}

async fn measure(scratch: &Scratch, options: &BenchOptions, report: &mut Report) -> Result<(), Exit> {
    let scale = Scale::of(options);
    let wanted = |part: &BenchPart| options.only.is_empty() || options.only.contains(part);
    let parts: Vec<_> = BenchPart::value_variants().iter().copied().filter(wanted).collect();
    scratch.has_room_for(parts.iter().map(|part| scale.bytes(*part)).max().unwrap_or(0)).await?;
    for part in parts {
        match part {
            BenchPart::Drain => drain::measure(scratch, scale, report).await?,
            BenchPart::Enqueue => enqueue::measure(scratch, scale, report).await?,
            BenchPart::PickUp => pick_up::measure(scratch, scale, report).await?,
            BenchPart::Idle => idle::measure(scratch, scale, report).await?,
            BenchPart::Backlog => backlog::measure(scratch, scale, report).await?,
        }
    }
    Ok(())
}
