//! One queue of one worker: the loop that takes turns with the broker.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::broker::{Broker, Incarnation, MAX_TURN, MAX_WAKE_WAIT, Retention, Turn};
use crate::error::Error;
use crate::handler::catch_in;
use crate::job::{JobId, QueueName};

use super::board::Board;
use super::deaths::Deaths;
use super::executor::{Arrived, Executor};
use super::heartbeat::Beat;
use super::help::{Departures, Part};
use super::inbox::Inbox;
use super::pause::Pause;
use super::permits::{Permits, Reserved};
use super::shutdown::{Stage, WorkerHandle};
use super::wake::Wake;

/// How long a turn that is under way is still waited for then.
const LAST_TURN: Duration = Duration::from_millis(500);
/// How often the runtime is let run something else without any job ending by that.
const GATHER_IN_VAIN: usize = 3;
/// Longest time between two turns while jobs run.
const LOOK_WHILE_BUSY: Duration = Duration::from_secs(1);

/// What all lanes of a worker have in common.
pub(super) struct Shared {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) permits: Arc<Permits>,
    pub(super) handle: WorkerHandle,
    pub(super) deaths: Arc<Deaths>,
    pub(super) lease: Duration,
    pub(super) retention: Retention,
    /// Whether the worker stops when there is nothing left to do.
    pub(super) burst: bool,
    /// Whether the worker has several lanes.
    pub(super) in_company: bool,
    pub(super) departures: Departures,
}

impl Shared {
    pub(super) fn incarnation(&self) -> Incarnation {
        if self.in_company { Incarnation::random_in_company() } else { Incarnation::random() }
    }
}

/// One queue of one worker. One turn is under way at a time.
pub(super) struct Lane {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: QueueName,
    /// Its place among the lanes of the worker.
    pub(super) at: usize,
    pub(super) part: Part,
    pub(super) inbox: Arc<Inbox>,
    pub(super) executor: Executor,
    /// Keeps the lease of the incarnation alive.
    pub(super) beat: Beat,
    pub(super) stages: watch::Receiver<Stage>,
    pub(super) incarnation: Incarnation,
    /// Whether the broker has registered the incarnation.
    pub(super) registered: bool,
    /// Number of the last turn that is known to be carried out.
    pub(super) step: u64,
    /// Highest number of a turn that the incarnation can have made.
    pub(super) sent: u64,
    pub(super) board: Board,
    /// Claims that are not begun yet: the next turn is sent before, so that the broker works too.
    pub(super) arrived: Vec<Arrived>,
    /// Jobs on loan of which nothing is known here yet.
    pub(super) to_adopt: Vec<JobId>,
    /// For what the turn that is under way claims.
    pub(super) reserved: Reserved,
    /// The turn that is under way.
    pub(super) under_way: Option<Arc<Turn>>,
    /// Whether a turn that asked for nothing was carried out since one failed.
    pub(super) probed: bool,
    /// Whether the last turn asked for jobs.
    pub(super) asked: bool,
    /// Turns in a row that asked and failed, without one that failed and did not ask.
    pub(super) failed_claims: u32,
    /// Whether the last turn could not ask because turns of other lanes held all there was.
    pub(super) found_no_room: bool,
    /// Tasks with parked jobs that are known here.
    pub(super) take: Vec<String>,
    /// Whether the queue was paused at the last turn.
    pub(super) paused: bool,
    /// Whether the last turn left jobs that could be claimed.
    pub(super) hungry: bool,
    /// Whether a turn is due whatever else there is.
    pub(super) must_turn: bool,
    /// When the next turn is due although nothing happened.
    pub(super) turn_by: Instant,
    /// Since when a job waits for a worker that runs nothing else, and until when this one goes on.
    pub(super) alone_until: Option<Instant>,
    /// In a burst: how much had moved in the worker when the last look found nothing here.
    pub(super) looked_at: Option<u64>,
    /// When jobs that go on although their time is up are looked for.
    late_by: Instant,
    pub(super) pause: Pause,
    pub(super) wake: Wake,
}

impl Lane {
    /// A lane that has yet to begin.
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: QueueName,
        at: usize,
        part: Part,
        inbox: Arc<Inbox>,
        executor: Executor,
        beat: Beat,
    ) -> Self {
        let leads = matches!(part, Part::Leads { .. });
        Self {
            wake: Wake::new(Arc::clone(&shared.broker), queue.clone()),
            stages: shared.handle.stages(),
            reserved: shared.permits.none(at),
            incarnation: shared.incarnation(),
            shared,
            queue,
            at,
            part,
            inbox,
            executor,
            beat,
            registered: false,
            step: 0,
            sent: 0,
            board: Board::default(),
            arrived: Vec::new(),
            to_adopt: Vec::new(),
            under_way: None,
            probed: false,
            asked: false,
            failed_claims: 0,
            found_no_room: false,
            take: Vec::new(),
            paused: false,
            hungry: leads,
            must_turn: leads,
            turn_by: Instant::now(),
            alone_until: None,
            looked_at: None,
            late_by: Instant::now(),
            pause: Pause::default(),
        }
    }

    /// Takes turns until the worker stops, then gives back what is left.
    ///
    /// # Errors
    /// When that cannot be given back in time; it is recovered when the lease ends.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        // While its server did not answer it was not.
        self.set_hungry(self.hungry);
        loop {
            match catch_in(async { Ok(self.take_turns().await) }).await {
                Ok(ended) => return ended,
                Err(failure) => match self.shared.deaths.note("the loop of a queue", &failure.message) {
                    Some(pause) => {
                        // Its places are free meanwhile.
                        self.let_go();
                        tokio::time::sleep(pause).await;
                    }
                    // What it had on loan is freed after the lease, and counts as a crash: it may be the cause.
                    None => return Ok(()),
                },
            }
            self.start_over();
        }
    }

    async fn take_turns(&mut self) -> Result<(), Error> {
        fail_point!("lane");
        loop {
            self.read_inbox();
            let stage = *self.stages.borrow_and_update();
            if stage != Stage::Running {
                self.begin_arrived();
            }
            match stage {
                Stage::Running => {}
                Stage::Leaving => break,
                Stage::Draining | Stage::Cancelling if self.board.is_empty() => break,
                Stage::Draining => {}
                Stage::Cancelling => self.board.stop_all(),
            }
            self.see_to_late();
            if self.alone_is_due() {
                self.shared.permits.ask_exclusive(self.at);
            }
            if self.pause.is_over() && (self.wants_rest() || self.wants_turn(stage)) {
                let mut stages = self.stages.clone();
                let cut_off = async {
                    // An error says that the worker is gone, and then nothing is left to wait for.
                    let _ = stages.wait_for(|stage| *stage == Stage::Leaving).await;
                    tokio::time::sleep(LAST_TURN).await;
                };
                tokio::select! {
                    () = self.act(stage) => {}
                    () = cut_off => self.doubt(),
                }
            } else {
                self.begin_arrived();
                self.wait(stage).await;
            }
        }
        self.leave().await
    }

    async fn act(&mut self, stage: Stage) {
        if self.wants_rest() {
            self.rest().await;
        } else {
            self.gather().await;
            self.turn(stage).await;
        }
    }

    /// Takes in what attempts and the heartbeat told.
    pub(super) fn read_inbox(&mut self) {
        let news = self.inbox.take();
        for (id, number, settlement) in news.ended {
            self.board.end(id, number, settlement);
        }
        news.asked.iter().for_each(|id| self.board.ask(id));
        self.must_turn |= news.behind;
        if let Some(more) = news.more {
            self.set_hungry(more);
        }
        if news.lost.is_some_and(|lost| lost == self.incarnation) {
            self.begin_anew();
        }
    }

    /// What ends at the same time is told in one turn: whatever can run does so first, for as long as
    /// that brings more ends.
    async fn gather(&mut self) {
        let (mut ended, mut in_vain) = (self.board.unsent(), 0);
        while self.arrived.is_empty() && (1..MAX_TURN).contains(&ended) && in_vain < GATHER_IN_VAIN {
            yield_now().await;
            self.read_inbox();
            let before = std::mem::replace(&mut ended, self.board.unsent());
            in_vain = if ended > before { 0 } else { in_vain + 1 };
        }
    }

    /// Jobs that go on although their time is up are told of, once a second.
    fn see_to_late(&mut self) {
        let now = Instant::now();
        if self.late_by <= now {
            self.late_by = now + LOOK_WHILE_BUSY;
            self.board.tell_late(now.into_std());
            self.read_inbox();
        }
        if self.alone_until.is_some() && self.shared.handle.vitals().stuck() > 0 {
            // It cannot be alone here for who knows how long.
            self.alone_until = None;
            self.shared.permits.withdraw_exclusive(self.at);
        }
    }

    /// Whether a job that must run alone has waited long enough for a worker that runs nothing.
    fn alone_is_due(&self) -> bool {
        self.alone_until.is_some_and(|until| until <= Instant::now())
    }

    fn wants_turn(&self, stage: Stage) -> bool {
        let may_claim = stage == Stage::Running && self.wants_jobs() && self.shared.permits.has_room(self.at);
        // In a burst, whatever moved in another queue may have left a job here.
        let look = self.shared.burst && self.has_nothing() && self.looked_at != Some(self.shared.permits.moves());
        let due = self.must_turn || !self.is_asleep() && (!self.registered || self.turn_by <= Instant::now());
        due || self.board.has_unsent() || may_claim || look
    }

    /// Whether there is something to claim, as far as is known.
    pub(super) fn wants_jobs(&self) -> bool {
        !self.paused && (self.hungry || self.leads() && (!self.take.is_empty() || self.alone_is_due()))
    }

    /// Whether claims fail where nothing else does: then only a claim shows that the queue is consumed.
    pub(super) fn claims_fail(&self) -> bool {
        self.failed_claims > 1
    }

    /// Whether no job is on loan, as far as is known.
    pub(super) fn has_nothing(&self) -> bool {
        self.board.is_empty() && self.arrived.is_empty()
    }

    /// Waits until there may be a reason for a turn.
    async fn wait(&mut self, stage: Stage) {
        let paused_until = self.pause.until();
        // Once that time has come, the permits ring as soon as nothing else runs.
        let alone_until = self.alone_until.filter(|_| !self.alone_is_due());
        let turn_by = if self.is_asleep() { next_look(false) } else { self.turn_by };
        let due = alone_until.map_or(turn_by, |until| until.min(turn_by));
        let until = paused_until.unwrap_or(due);
        // Only a worker that could take a job waits for one, and not while the broker is away.
        let listens = stage == Stage::Running
            && self.leads()
            && paused_until.is_none()
            && (self.wake.is_waiting() || (!self.wants_jobs() && self.shared.permits.has_room(self.at)));
        let woken = tokio::select! {
            () = self.inbox.rung() => false,
            _ = self.stages.changed() => false,
            woken = self.wake.next(), if listens => woken,
            () = sleep_until(until) => false,
        };
        if woken {
            // Whoever took a token makes a turn, also when all permits are gone by now.
            self.must_turn = true;
            self.set_hungry(true);
        }
    }

    /// After it died in the middle of something, and what ran was stopped: the next turn, which is out of step, tells
    /// what is on loan. That begins anew, and counts neither attempt nor crash.
    fn start_over(&mut self) {
        self.under_way = None;
        self.set_step(0);
        self.must_turn = true;
        self.pause = Pause::default();
        self.wake = Wake::new(Arc::clone(&self.shared.broker), self.queue.clone());
        self.set_hungry(true);
    }

    /// Stops what runs, and forgets all that is on loan.
    fn let_go(&mut self) {
        self.board = Board::default();
        self.arrived.clear();
        self.to_adopt.clear();
        self.reserved.clear();
    }

    pub(super) fn set_hungry(&mut self, hungry: bool) {
        self.hungry = hungry;
        self.shared.permits.set_hungry(self.at, hungry);
    }

    /// Stops all that runs: another worker may run it by now. What it would tell is void.
    pub(super) fn begin_anew(&mut self) {
        tracing::warn!(
            queue = %self.queue, incarnation = %self.incarnation, jobs = self.board.len(),
            "the lease was lost: its jobs are stopped here, and run again elsewhere"
        );
        self.beat.stop();
        self.let_go();
        self.incarnation = self.shared.incarnation();
        self.registered = false;
        self.step = 0;
        self.set_hungry(true);
    }
}

/// When a queue is looked at again in any case: one that waits for work seldom, one whose jobs run
/// often enough that a cancel reaches them soon.
pub(super) fn next_look(runs_jobs: bool) -> Instant {
    Instant::now() + if runs_jobs { LOOK_WHILE_BUSY } else { MAX_WAKE_WAIT }
}
