//! `backlog`: what jobs cost beside many that wait, and a heartbeat beside many that run.

use std::time::Duration;

use crate::broker::redis::{FLOOR_BATCH, Floor};
use crate::broker::{Broker as _, Due, Incarnation, MAX_TURN, NewJob, Retention, Turn, TurnAnswer};
use crate::cli::Exit;
use crate::error::Error;
use crate::job::{EndRecord, JobId, QueueName, Settlement};

use super::enqueue::{fill, fill_floor};
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
/// Heartbeats of a round.
const BEATS: u64 = 1_000;
const LEASE: Duration = Duration::from_secs(60);

/// The backlogs, which are there at the same time.
pub(super) fn sizes(scale: Scale) -> Vec<u64> {
    BACKLOGS.into_iter().filter(|waiting| *waiting < scale.backlog).chain([scale.backlog]).collect()
}

pub(super) async fn measure(scratch: &Scratch, scale: Scale, report: &mut Report) -> Result<(), Exit> {
    let mut beside = Vec::new();
    for waiting in sizes(scale) {
        let bare = Bare::begin(scratch).await?;
        fill(scratch, &bare.queue, waiting, SMALL).await?;
        let floor = scratch.broker().floor(scratch.queue()).await?;
        fill_floor(&floor, waiting, SMALL).await?;
        beside.push(Beside { waiting, bare, costs: Vec::new(), floor, floor_costs: Vec::new() });
    }
    // In turn, so that a machine that becomes slower does so for all of them.
    for _ in 0..ROUNDS {
        for one in &mut beside {
            one.costs.push(one.bare.work().await?);
            one.floor_costs.push(work_of_floor(scratch, &one.floor).await?);
        }
    }
    let first = beside[0].waiting;
    let [base, floor_base] = beside[0].server_us();
    for one in &beside {
        let [cost, floor] = one.server_us();
        let row = Row::new(format!("server CPU beside {} jobs", one.waiting), cost, "µs/job");
        let row = row.beside(format!("beside {first}"), base);
        report.add(if one.waiting > first { row.target(Target::AtMost(1.2)) } else { row });
        // The hash of the jobs is the server's own, and grows for the floor too.
        report.add(Row::new("  the floor", floor, "µs/job").beside(format!("beside {first}"), floor_base));
    }
    scratch.erase().await?;
    heartbeats(scratch, report).await
}

/// What so many waiting jobs are measured with.
struct Beside<'a> {
    waiting: u64,
    bare: Bare<'a>,
    costs: Vec<Cost>,
    floor: Floor<'a>,
    floor_costs: Vec<Cost>,
}

impl Beside<'_> {
    /// Of a job, and of one of the floor.
    fn server_us(&self) -> [f64; 2] {
        [&self.costs, &self.floor_costs].map(|costs| Cost::median(costs).server_us)
    }
}

/// The same batches with the floor's scripts.
async fn work_of_floor(scratch: &Scratch, floor: &Floor<'_>) -> Result<Cost, Exit> {
    let meter = Meter::start(scratch.broker(), floor.queue()).await?;
    for _ in 0..BATCHES {
        fill_floor(floor, FLOOR_BATCH as u64, SMALL).await?;
        let (ids, _payloads) = floor.take().await?;
        floor.finish(&ids).await?;
    }
    meter.stop(BATCHES * FLOOR_BATCH as u64).await
}

/// Heartbeats of incarnations that have more and more on loan, in turn as above.
async fn heartbeats(scratch: &Scratch, report: &mut Report) -> Result<(), Exit> {
    let mut bares = Vec::new();
    for running in RUNNING {
        let mut bare = Bare::begin(scratch).await?;
        fill(scratch, &bare.queue, running, SMALL).await?;
        while (bare.on_loan.len() as u64) < running {
            bare.turn(0, MAX_TURN).await?;
        }
        bares.push((bare, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (bare, costs) in &mut bares {
            costs.push(bare.beat().await?);
        }
    }
    let base = Cost::median(&bares[0].1).server_us;
    for (running, (_, costs)) in RUNNING.into_iter().zip(&bares) {
        let row =
            Row::new(format!("heartbeat beside {running} running jobs"), Cost::median(costs).server_us, "µs of CPU");
        let row = row.beside(format!("beside {}", RUNNING[0]), base);
        report.add(if running > RUNNING[0] { row.target(Target::AtMost(1.2)) } else { row });
    }
    scratch.erase().await
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
        let step = scratch.broker().begin(&queue, &incarnation, LEASE).await?;
        Ok(Self { scratch, queue, incarnation, step, on_loan: Vec::new() })
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

    /// Nothing but heartbeats.
    async fn beat(&self) -> Result<Cost, Exit> {
        let meter = Meter::start(self.scratch.broker(), &self.queue).await?;
        for _ in 0..BEATS {
            self.scratch.broker().heartbeat(&self.queue, &self.incarnation, LEASE).await?;
        }
        meter.stop(BEATS).await
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
