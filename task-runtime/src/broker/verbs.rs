//! What the verbs of a broker take and answer.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use uuid::Uuid;

use crate::error::Error;
use crate::job::{JobId, Settlement};

/// Most jobs of one `enqueue`.
pub const MAX_ENQUEUE: usize = 256;
/// Most of them with a delay or a time, passed or not: beside a million others, to put one into its place takes a server
/// as long as four that are ready.
pub const MAX_ENQUEUE_LATER: usize = 64;
/// Most bytes of the jobs of one `enqueue` (1 MiB), unless one job alone has more.
pub const MAX_ENQUEUE_BYTES: usize = 1024 * 1024;
/// Most settlements of one turn, and most claims.
pub const MAX_TURN: usize = 128;
/// Most bytes of the envelopes that one turn lends, or one call of recovery tells (1 MiB), unless one
/// job alone has more.
pub const MAX_TURN_BYTES: usize = 1024 * 1024;
/// Most scheduled jobs that one call moves.
pub const MAX_PROMOTE: usize = 100;
/// Most jobs that one call of recovery moves.
pub const MAX_RECOVER: usize = 100;
/// Longest wait for a wake token: what bounds the harm when one is lost.
pub const MAX_WAKE_WAIT: Duration = Duration::from_secs(5);
/// Most wake tokens of a queue.
pub const MAX_WAKE: usize = 8;
/// Most workers of one queue.
pub const MAX_WORKERS: usize = 1_000;
/// Nothing is forgotten sooner than this, because a request that was given up may still arrive;
/// a client stops repeating an enqueue before it.
pub const FLOOR: Duration = Duration::from_secs(60);
/// Most end records of one queue, whatever else retention says.
pub const MAX_KEPT: usize = 100_000;

/// How the id of an incarnation ends whose worker serves several queues.
const IN_COMPANY: &str = "+";

/// One start of a worker on one queue: an id that is never used again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(String);

impl Incarnation {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7().simple().to_string())
    }

    /// A new one of a worker that serves other queues beside this one: what it runs here says
    /// nothing of what else was on board when it vanishes.
    #[must_use]
    pub fn random_in_company() -> Self {
        Self(format!("{}{IN_COMPANY}", Self::random()))
    }

    /// Whether its worker serves other queues too.
    #[must_use]
    pub fn is_in_company(&self) -> bool {
        self.0.ends_with(IN_COMPANY)
    }

    #[cfg(feature = "redis")]
    /// As it is stored; none when it is no id of an incarnation, as only programs of others write it.
    pub(crate) fn from_stored(bytes: Vec<u8>) -> Option<Self> {
        let is_id = !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'+');
        String::from_utf8(bytes).ok().filter(|_| is_id).map(Self)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a new job becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Now.
    Now,
    /// This long from now, by the broker's clock.
    After(Duration),
    /// At this time in milliseconds since 1970, by the broker's clock.
    At(i64),
}

impl Due {
    /// Whether it names a delay or a time; whether that has passed only the broker's clock knows.
    pub(crate) fn is_later(self) -> bool {
        self != Self::Now
    }
}

/// A job to be enqueued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// 0 to 9.
    pub priority: u8,
    /// When it becomes ready.
    pub due: Due,
    /// The encoded envelope.
    pub envelope: Vec<u8>,
}

/// What became of a job to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is new.
    New,
    /// A job of this id is there already, unfinished or dead; nothing changed.
    Existing,
    /// A job of this id has ended; nothing changed.
    Ended,
    /// Whether an earlier send of it arrived can no longer be told; nothing changed.
    Unknown,
}

/// How many end records are kept, for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most records of finished jobs without a result of their own time.
    pub finished: usize,
    /// Their greatest age.
    pub age: Duration,
    /// Most dead jobs.
    pub dead: usize,
    /// Their greatest age.
    pub dead_age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { finished: 10_000, age: day, dead: 10_000, dead_age: 30 * day }
    }
}

/// One exchange of a worker with one queue.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Who.
    pub incarnation: Incarnation,
    /// One more than the number of its last turn, or than what `begin` answered.
    pub step: u64,
    /// How long its lease lasts from now.
    pub lease: Duration,
    /// What is finished; at most [`MAX_TURN`] distinct jobs.
    pub settlements: Vec<(JobId, Settlement)>,
    /// How many jobs there is room for; at most [`MAX_TURN`].
    pub want: usize,
    /// How many of those may have been on board of a crash.
    pub few_room: usize,
    /// Whether the worker runs nothing, so that a job's last chance can be given to it.
    pub empty: bool,
    /// The priorities in the order in which to look.
    pub order: [u8; 10],
    /// Tasks with parked jobs that this worker knows.
    pub take: Vec<String>,
    /// What is kept of finished jobs.
    pub retention: Retention,
    /// How many jobs are on loan to it as far as it knows, those of `settlements` among them. A broker
    /// where that is so need not look each of them up; without it, it does.
    pub on_loan: Option<usize>,
}

/// A job on loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub id: JobId,
    /// Its encoded envelope.
    pub envelope: Vec<u8>,
    /// The record beside it.
    pub state: Option<Vec<u8>>,
    /// A number that grows with every claim of the queue.
    pub token: u64,
}

/// The answer to a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnAnswer {
    /// It was carried out.
    Done(TurnDone),
    /// It was not the next one, and changed nothing: the number of the last turn that was carried
    /// out, and what runs now. A number that was never sent says that the incarnation was ended, and then
    /// registered again by a begin that arrived late; it is to be used no more.
    OutOfStep {
        /// The last step.
        last: u64,
        /// The jobs on loan to this incarnation.
        running: Vec<JobId>,
    },
    /// The incarnation is not registered, or no longer; nothing changed.
    LeaseLost,
}

/// What a turn gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnDone {
    /// Jobs on loan from now on.
    pub claims: Vec<Claim>,
    /// Whether claimable jobs are left.
    pub more: bool,
    /// Running jobs of this incarnation that are asked to stop.
    pub asked: Vec<JobId>,
    /// In how long the next scheduled job is due, when this worker is the one to wake for it.
    pub next_due: Option<Duration>,
    /// Names under which jobs are parked, at most 16.
    pub parked: Vec<String>,
    /// Whether the queue is paused.
    pub paused: bool,
    /// Whether a job waits for a worker that runs nothing else.
    pub alone: bool,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// The lease moved on.
    Alive {
        /// Number of the last turn that was carried out.
        step: u64,
        /// Running jobs of this incarnation that are asked to stop.
        asked: Vec<JobId>,
    },
    /// The incarnation is not registered, or no longer.
    LeaseLost,
}

/// An incarnation and the end of its lease, as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who.
    pub incarnation: Incarnation,
    /// End in milliseconds since 1970 by the broker's clock; 0 when it is condemned.
    pub ends_ms: i64,
    /// How long until the end, by the broker's clock; zero when it has passed.
    pub left: Duration,
}

/// What a condemned incarnation leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condemned {
    /// How many jobs were on loan to it, these included.
    pub on_board: usize,
    /// Some of them, with the beginning of their envelopes.
    pub jobs: Vec<Claim>,
}

/// Where a recovered job goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Among the few that were on board of a crash.
    Few {
        /// Which.
        id: JobId,
        /// The record beside it.
        state: Vec<u8>,
    },
    /// To a worker that runs nothing else.
    Alone {
        /// Which.
        id: JobId,
        /// The record beside it.
        state: Vec<u8>,
    },
    /// It is dead.
    Dead {
        /// Which.
        id: JobId,
        /// The record beside it.
        state: Vec<u8>,
    },
}

/// The answer to a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not started and never will.
    Cancelled,
    /// It runs, and is asked to stop.
    Asked,
    /// It had ended before.
    Ended,
    /// It is dead.
    Dead,
    /// No such job is known.
    NotFound,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It becomes ready later: in milliseconds since 1970 by the broker's clock.
    Scheduled {
        /// When.
        due_ms: i64,
        /// The record beside it.
        state: Option<Vec<u8>>,
    },
    /// It waits to be claimed.
    Ready,
    /// A worker has it on loan.
    Running,
    /// No live worker knows its task.
    Parked {
        /// The record beside it, which says why.
        state: Option<Vec<u8>>,
    },
    /// It ended: completed or cancelled.
    Ended {
        /// The end record.
        record: Vec<u8>,
    },
    /// It failed for good.
    Dead {
        /// The record beside it, which says why.
        state: Option<Vec<u8>>,
    },
    /// No such job is known: it never was, or has been forgotten.
    Unknown,
}

/// The answer to a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Its end will be told.
    Waiting,
    /// It ended: completed or cancelled.
    Ended {
        /// The end record.
        record: Vec<u8>,
    },
    /// It failed for good.
    Dead {
        /// The record beside it.
        state: Option<Vec<u8>>,
    },
    /// No such job is known.
    Unknown,
}

/// Ids of watched jobs as they end. An error ends the stream: watch anew.
pub type Endings = Pin<Box<dyn Stream<Item = Result<JobId, Error>> + Send>>;

/// How many jobs of a queue are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Due later.
    pub scheduled: usize,
    /// Waiting to be claimed.
    pub ready: usize,
    /// On loan.
    pub running: usize,
    /// Without a worker that knows their task.
    pub parked: usize,
    /// Failed for good.
    pub dead: usize,
    /// End records that are kept.
    pub finished: usize,
    /// Live incarnations of workers.
    pub workers: usize,
    /// Whether claiming is stopped.
    pub paused: bool,
}
