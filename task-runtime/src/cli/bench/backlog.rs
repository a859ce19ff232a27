//! `backlog`: what jobs cost beside many that wait, and a heartbeat beside many that run.

use std::time::Duration;

use crate::broker::{Broker as _, Due, Incarnation, MAX_TURN, NewJob, Retention, Turn, TurnAnswer};
use crate::cli::Exit;
use crate::error::Error;
use crate::job::{EndRecord, JobId, QueueName, Settlement};

use super::enqueue::fill;
use super::meter::{Cost, Meter};
use super::report::{Report, Row, Target};
use super::scratch::Scratch;
use super::{SMALL, Scale};

/// Backlogs that are compared, the smallest first; the largest is what the command line says.
const BACKLOGS: [u64; 2] = [1_000, 100_000];
/// Batches that are enqueued, claimed and settled beside a backlog.
const BATCHES: u64 = 100;
/// How often each backlog is measured.
const ROUNDS: usize = 9;
/// Jobs that run beside a heartbeat.
const RUNNING: [u64; 2] = [128, 10_112];
/// Heartbeats that are timed.
const BEATS: u64 = 2_000;
const LEASE: Duration = Duration::from_secs(60);

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    let backlogs: Vec<u64> =
        BACKLOGS.into_iter().filter(|waiting| *waiting < scale.backlog).chain([scale.backlog]).collect();
    let mut bares = Vec::new();
    for waiting in &backlogs {
        let bare = Bare::begin(scratch).await?;
        fill(scratch, &bare.queue, *waiting, SMALL).await?;
        bares.push((bare, Vec::new()));
    }
    // In turn, so that a machine that becomes slower does so for all of them.
    for _ in 0..ROUNDS {
        for (bare, costs) in &mut bares {
            costs.push(bare.work().await?);
        }
    }
    let base = Cost::median(&bares[0].1).server_us;
    for (waiting, (_, costs)) in backlogs.iter().zip(&bares) {
        let cost = Cost::median(costs).server_us;
        let row = Row::new(format!("server CPU beside {waiting} jobs"), cost, "µs/job");
        let row = row.beside(format!("beside {}", backlogs[0]), base);
        report.add(if *waiting > backlogs[0] { row.target(Target::AtMost(1.2)) } else { row });
    }
    scratch.erase().await?;
    let mut first = None;
    for running in RUNNING {
        let beat = heartbeat(scratch, running).await?;
        let base = *first.get_or_insert(beat);
        let row = Row::new(format!("heartbeat beside {running} running jobs"), beat, "µs of CPU");
        let row = row.beside(format!("beside {}", RUNNING[0]), base);
        report.add(if running > RUNNING[0] { row.target(Target::AtMost(1.2)) } else { row });
    }
    Ok(())
}

/// An incarnation without a worker, so that nothing but the scripts is measured.
struct Bare<'a> {
    scratch: &'a Scratch,
    queue: QueueName,
    incarnation: Incarnation,
    step: u64,
    on_loan: Vec<JobId>,
}

impl<'a> Bare<'a> {
    async fn begin(scratch: &'a Scratch) -> Result<Self, Exit> {
        let (queue, incarnation) = (scratch.queue(), Incarnation::random());
        scratch.broker().begin(&queue, &incarnation, LEASE).await?;
        Ok(Self { scratch, queue, incarnation, step: 0, on_loan: Vec::new() })
    }

    /// Settles at most a batch of what it has on loan, and claims at most `want`.
    async fn turn(&mut self, settle: usize, want: usize) -> Result<(), Error> {
        let on_loan = self.on_loan.len();
        let settled = self.on_loan.drain(..settle.min(self.on_loan.len()));
        let settlements = settled.map(|id| {
            let record = EndRecord::CANCELLED.to_vec();
            (id, Settlement::Finish { record, keep: None })
        });
        self.step += 1;
        let turn = Turn {
            incarnation: self.incarnation.clone(),
            step: self.step,
            lease: LEASE,
            settlements: settlements.collect(),
            want,
            few_room: 0,
            empty: false,
            order: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
            take: Vec::new(),
            retention: Retention { finished: 0, ..Retention::default() },
            on_loan: Some(on_loan),
        };
        if let TurnAnswer::Done(done) = self.scratch.broker().turn(&self.queue, &turn).await? {
            self.on_loan.extend(done.claims.into_iter().map(|claim| claim.id));
        }
        Ok(())
    }

    /// One batch enqueued, one claimed, one settled, again and again.
    async fn work(&mut self) -> Result<Cost, Exit> {
        let queue = self.queue.clone();
        let meter = Meter::start(self.scratch.broker(), &queue).await?;
        for _ in 0..BATCHES {
            self.enqueue().await?;
            self.turn(MAX_TURN, MAX_TURN).await?;
        }
        meter.stop(BATCHES * MAX_TURN as u64).await
    }

    async fn enqueue(&self) -> Result<(), Error> {
        let job = |_| NewJob {
            id: JobId::random(),
            priority: crate::job::DEFAULT_PRIORITY,
            due: Due::Now,
            envelope: vec![b'x'; SMALL],
        };
        let batch: Vec<_> = (0..MAX_TURN).map(job).collect();
        self.scratch.broker().enqueue(&self.queue, &batch, None).await.map(drop)
    }
}

/// Processor time of the server for one heartbeat of a worker that runs so many jobs.
async fn heartbeat(scratch: &Scratch, running: u64) -> Result<f64, Exit> {
    let mut bare = Bare::begin(scratch).await?;
    fill(scratch, &bare.queue, running, SMALL).await?;
    while (bare.on_loan.len() as u64) < running {
        bare.turn(0, MAX_TURN).await?;
    }
    let meter = Meter::start(scratch.broker(), &bare.queue).await?;
    for _ in 0..BEATS {
        scratch.broker().heartbeat(&bare.queue, &bare.incarnation, LEASE).await?;
    }
    let cost = meter.stop(BEATS).await?;
    while !bare.on_loan.is_empty() {
        bare.turn(MAX_TURN, 0).await?;
    }
    scratch.erase().await?;
    Ok(cost.server_us)
}
