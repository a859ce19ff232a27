//! What is asked of every broker of a history, and what each answers in a form that can be compared.

use std::time::Duration;

use task_runtime::Error;
use task_runtime::broker::{
    Broker, Cancelled, Claim, Condemned, Enqueued, Heartbeat, Incarnation, Lease, NewJob, Recovered, Retention, Turn,
    TurnAnswer, Watched,
};
use task_runtime::job::{JobId, PutBack, QueueName};

use support::View;

/// How long a lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// After how long a parked job is dead when nobody knows its task.
pub(crate) const UNKNOWN_GRACE: Duration = Duration::from_secs(200);

/// One call of a verb.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Enqueue { jobs: Vec<NewJob>, again: Option<Duration>, calls: Vec<u32>, sent_ms: i64 },
    Begin { who: Incarnation },
    Turn { turn: Turn, claims: Vec<u64> },
    Adopt { who: Incarnation, ids: Vec<JobId> },
    Beat { who: Incarnation },
    Leave { who: Incarnation, jobs: Vec<(JobId, PutBack)> },
    Promote,
    Workers,
    Condemn { lease: Lease, stale: bool },
    SettleFor { who: Incarnation, recovered: Vec<Recovered> },
    Cancel { id: JobId },
    Watch { id: JobId },
    Pause { paused: bool },
    Sweep { retention: Retention },
    Token,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Nothing,
    Step(u64),
    Enqueued(Vec<Enqueued>),
    Turn(TurnAnswer),
    Claims(Vec<Claim>),
    Beat(Heartbeat),
    Yes(bool),
    Number(usize),
    Leases(Vec<Lease>),
    Condemned(Option<Condemned>),
    Cancelled(Cancelled),
    Watched(Watched),
}

impl Request {
    /// Asks one broker.
    pub(crate) async fn ask(&self, broker: &dyn Broker, queue: &QueueName) -> Result<Reply, Error> {
        Ok(match self {
            Self::Enqueue { jobs, again, .. } => Reply::Enqueued(broker.enqueue(queue, jobs, *again).await?),
            Self::Begin { who } => Reply::Step(broker.begin(queue, who, LEASE).await?),
            Self::Turn { turn, .. } => Reply::Turn(sorted(broker.turn(queue, turn).await?)),
            Self::Adopt { who, ids } => Reply::Claims(broker.adopt(queue, who, ids).await?),
            Self::Beat { who } => Reply::Beat(match broker.heartbeat(queue, who, LEASE).await? {
                Heartbeat::Alive { step, mut asked } => {
                    asked.sort();
                    Heartbeat::Alive { step, asked }
                }
                lost => lost,
            }),
            Self::Leave { who, jobs } => Reply::Yes(broker.leave(queue, who, jobs).await?),
            Self::Promote => Reply::Number(broker.promote(queue).await?),
            Self::Workers => {
                let mut leases = broker.workers(queue).await?;
                leases.sort_by(|one, other| one.incarnation.cmp(&other.incarnation));
                Reply::Leases(leases)
            }
            Self::Condemn { lease, stale } => {
                let mut condemned = broker.condemn(queue, lease, *stale).await?;
                if let Some(condemned) = &mut condemned {
                    condemned.jobs.sort_by(|one, other| one.id.cmp(&other.id));
                }
                Reply::Condemned(condemned)
            }
            Self::SettleFor { who, recovered } => {
                broker.settle_for(queue, who, recovered).await?;
                Reply::Nothing
            }
            Self::Cancel { id } => Reply::Cancelled(broker.cancel(queue, id).await?),
            Self::Watch { id } => Reply::Watched(broker.watch(queue, id).await?),
            Self::Pause { paused } => {
                broker.pause(queue, *paused).await?;
                Reply::Nothing
            }
            Self::Sweep { retention } => {
                broker.sweep(queue, retention, UNKNOWN_GRACE).await?;
                Reply::Nothing
            }
            Self::Token => Reply::Yes(broker.wake(queue, Duration::from_millis(1)).await?),
        })
    }

    /// Whether it may be this that took a job away.
    pub(crate) fn may_end(&self, id: &JobId, before: &View) -> bool {
        match self {
            Self::Turn { turn, .. } => {
                let settled = turn.settlements.iter().any(|(one, _)| one == id);
                settled && before.runs_on(id, turn.incarnation.as_str()) || before.dead.contains_key(id)
            }
            Self::Leave { who, .. } | Self::SettleFor { who, .. } => {
                before.asked.contains(id) && before.runs_on(id, who.as_str())
            }
            Self::Cancel { id: one } => one == id,
            Self::Sweep { .. } => before.dead.contains_key(id),
            _ => false,
        }
    }

    /// The incarnation in whose name it is.
    pub(crate) fn turn(&self) -> Option<&Turn> {
        match self {
            Self::Turn { turn, .. } => Some(turn),
            _ => None,
        }
    }
}

/// What has no order, in one that can be compared.
fn sorted(answer: TurnAnswer) -> TurnAnswer {
    match answer {
        TurnAnswer::Done(mut done) => {
            done.asked.sort();
            done.parked.sort();
            TurnAnswer::Done(done)
        }
        TurnAnswer::OutOfStep { last, mut running } => {
            running.sort();
            TurnAnswer::OutOfStep { last, running }
        }
        lost => lost,
    }
}
