//! The verbs as calls of their scripts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::call::look;
use super::fsck::Check;
use super::{Call, RedisBroker, keys, reply, script};
use crate::broker::bounds;
use crate::broker::{
    Answer, Broker, Cancelled, Claim, Condemned, Counts, Endings, Enqueued, Heartbeat, Incarnation, Inspect, Lease,
    MAX_WAKE_WAIT, MAX_WORKERS, NewJob, Recovered, Repair, Report, Retention, Status, Storage, Turn, TurnAnswer,
    Watched, WhenFull,
};
use crate::connection::{Fault, Request};
use crate::error::Error;
use crate::job::{JobId, MAX_PRIORITY, PutBack, QueueName};

/// How long it counts as known that the server has a queue in its list.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// How often `status` and `cancel` look again because a worker came in between.
pub(super) const WORKER_ROUNDS: usize = 8;

impl Broker for RedisBroker {
    fn apart(&self) -> Arc<dyn Broker> {
        Arc::new(Self::on(self.target.clone(), self.namespace.clone(), self.clock.clone()))
    }

    fn enqueue<'a>(
        &'a self,
        queue: &'a QueueName,
        jobs: &'a [NewJob],
        again: Option<Duration>,
    ) -> Answer<'a, Vec<Enqueued>> {
        Box::pin(async move {
            if jobs.is_empty() {
                return Ok(Vec::new());
            }
            bounds::check_enqueue(jobs)?;
            self.remember(queue).await?;
            let of = self.keys(queue);
            // Those of one priority and time go together, in their order.
            let mut order: Vec<usize> = (0..jobs.len()).collect();
            order.sort_by_key(|at| (jobs[*at].priority, jobs[*at].due));
            let mut call = Call::new(self, &script::ENQUEUE, &of, &[]);
            call = match again {
                Some(again) => call.ms(again),
                None => call.arg(""),
            };
            for group in order.chunk_by(|one, other| {
                (jobs[*one].priority, jobs[*one].due) == (jobs[*other].priority, jobs[*other].due)
            }) {
                call = call.group(group.len(), &jobs[group[0]]);
                for job in group.iter().map(|at| &jobs[*at]) {
                    call = call.id(&job.id).arg(&*job.envelope);
                }
            }
            self.call(call, |reply| reply::enqueued(reply, &order)).await
        })
    }

    fn begin<'a>(&'a self, queue: &'a QueueName, incarnation: &'a Incarnation, lease: Duration) -> Answer<'a, u64> {
        Box::pin(async move {
            // Whoever begins anew may do so because all that the server had is gone, its list of queues too.
            match self.list(queue).await {
                // A server that takes no new jobs still has those that are to run.
                Ok(()) | Err(Error::QueueFull) => {}
                Err(refused) => return Err(refused),
            }
            let of = self.keys(queue);
            let call = Call::new(self, &script::BEGIN, &of, &[]).incarnation(incarnation).ms(lease).arg(MAX_WORKERS);
            let answer = self.call(call, |reply| reply::number("begin", reply)).await?;
            u64::try_from(answer).map_err(|_| bounds::too_many_workers(answer.unsigned_abs()))
        })
    }

    fn turn<'a>(&'a self, queue: &'a QueueName, turn: &'a Turn) -> Answer<'a, TurnAnswer> {
        Box::pin(async move {
            bounds::check_turn(turn)?;
            let of = self.keys(queue);
            let running = std::slice::from_ref(&turn.incarnation);
            let order = turn.order.map(|priority| b'0' + priority.min(MAX_PRIORITY));
            let call = Call::new(self, &script::TURN, &of, running)
                .arg(of.endings())
                .incarnation(&turn.incarnation)
                .arg(turn.step)
                .ms(turn.lease)
                .arg(turn.want)
                .arg(turn.few_room)
                .flag(turn.empty)
                .arg(&order[..])
                .retention(&turn.retention)
                .optional(turn.on_loan)
                .arg(turn.take.len())
                .texts(&turn.take)
                .settlements(&turn.settlements, turn.retention.finished > 0);
            self.call(call, reply::turn).await
        })
    }

    fn adopt<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        ids: &'a [JobId],
    ) -> Answer<'a, Vec<Claim>> {
        Box::pin(async move {
            let of = self.keys(queue);
            let running = std::slice::from_ref(incarnation);
            let call = Call::new(self, &script::ADOPT, &of, running).incarnation(incarnation).ids(ids);
            self.call(call, |reply| reply::claims("adopt", reply)).await
        })
    }

    fn heartbeat<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        lease: Duration,
    ) -> Answer<'a, Heartbeat> {
        Box::pin(async move {
            let of = self.keys(queue);
            let running = std::slice::from_ref(incarnation);
            let call = Call::new(self, &script::HEARTBEAT, &of, running).incarnation(incarnation).ms(lease);
            self.call(call, reply::heartbeat).await
        })
    }

    fn leave<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        jobs: &'a [(JobId, PutBack)],
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let of = self.keys(queue);
            let running = std::slice::from_ref(incarnation);
            let mut call = Call::new(self, &script::LEAVE, &of, running).arg(of.endings()).incarnation(incarnation);
            for (id, to) in jobs {
                call = call.released(id, *to);
            }
            Ok(self.call(call, |reply| reply::number("leave", reply)).await? == 1)
        })
    }

    fn promote<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, usize> {
        Box::pin(async move {
            let call = Call::new(self, &script::PROMOTE, &self.keys(queue), &[]);
            let number = self.call(call, |reply| reply::number("promote", reply)).await?;
            Ok(usize::try_from(number).unwrap_or(0))
        })
    }

    fn workers<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Vec<Lease>> {
        Box::pin(async move {
            let call = Call::new(self, &script::WORKERS, &self.keys(queue), &[]);
            self.call(call, reply::leases).await
        })
    }

    fn condemn<'a>(&'a self, queue: &'a QueueName, lease: &'a Lease, stale: bool) -> Answer<'a, Option<Condemned>> {
        Box::pin(async move {
            let running = std::slice::from_ref(&lease.incarnation);
            let call = Call::new(self, &script::CONDEMN, &self.keys(queue), running)
                .incarnation(&lease.incarnation)
                .arg(lease.ends_ms)
                .flag(stale);
            self.call(call, reply::condemned).await
        })
    }

    fn settle_for<'a>(
        &'a self,
        queue: &'a QueueName,
        incarnation: &'a Incarnation,
        recovered: &'a [Recovered],
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            bounds::check_recovered(recovered)?;
            let of = self.keys(queue);
            let running = std::slice::from_ref(incarnation);
            let mut call =
                Call::new(self, &script::SETTLE_FOR, &of, running).arg(of.endings()).incarnation(incarnation);
            for one in recovered {
                call = match one {
                    Recovered::Few { id, state } => call.moved("w", id, state, "", ""),
                    Recovered::Alone { id, state } => call.moved("a", id, state, "", ""),
                    Recovered::Dead { id, state } => call.moved("d", id, state, "", ""),
                };
            }
            self.call(call, |reply| reply::number("settle_for", reply)).await.map(drop)
        })
    }

    fn cancel<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Cancelled> {
        Box::pin(async move {
            let of = self.keys(queue);
            let mut others = Vec::new();
            for _ in 0..WORKER_ROUNDS {
                let call = Call::new(self, &script::CANCEL, &of, &others).arg(of.endings()).id(id);
                match self.call(call.incarnations(&others), reply::cancelled).await? {
                    Ok(word) => return Ok(word),
                    Err(there) => others = there,
                }
            }
            Err(workers_keep_changing())
        })
    }

    fn status<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Status> {
        Box::pin(async move {
            let of = self.keys(queue);
            let mut others = Vec::new();
            for _ in 0..WORKER_ROUNDS {
                let call = Call::new(self, &script::STATUS, &of, &others).id(id).incarnations(&others);
                match self.call(call, reply::status).await? {
                    Ok(status) => return Ok(status),
                    Err(there) => others = there,
                }
            }
            Err(workers_keep_changing())
        })
    }

    fn watch<'a>(&'a self, queue: &'a QueueName, id: &'a JobId) -> Answer<'a, Watched> {
        Box::pin(async move {
            let call = Call::new(self, &script::WATCH, &self.keys(queue), &[]).id(id);
            self.call(call, reply::watched).await
        })
    }

    fn ended<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Endings> {
        Box::pin(async move {
            let messages = self.servers.subscribe(&self.keys(queue).endings()).await?;
            let ids = messages.map(|message| JobId::new(message.get_payload::<String>().unwrap_or_default()));
            let over = || Err(Error::Unavailable { reason: "the subscription ended".into() });
            let endings = ids.chain(futures_util::stream::once(async move { over() }));
            Ok(Box::pin(endings) as Endings)
        })
    }

    fn wake<'a>(&'a self, queue: &'a QueueName, limit: Duration) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut pop = redis::cmd("BLPOP");
            // Zero would mean for ever.
            let limit = limit.clamp(Duration::from_millis(1), MAX_WAKE_WAIT).as_secs_f64();
            let of = self.keys(queue);
            let wake = of.key("wake");
            pop.arg(&wake).arg(limit);
            Ok(self.servers.block(of.tag(), &Request::plain(pop), |reply| reply::popped(&wake, reply)).await?)
        })
    }

    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            let call = Call::new(self, &script::PAUSE, &self.keys(queue), &[]);
            self.call(call.flag(paused), |reply| reply::number("pause", reply)).await.map(drop)
        })
    }

    fn sweep<'a>(&'a self, queue: &'a QueueName, retention: &'a Retention, unknown_grace: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let of = self.keys(queue);
            let call =
                Call::new(self, &script::SWEEP, &of, &[]).arg(of.endings()).retention(retention).ms(unknown_grace);
            self.call(call, |reply| reply::number("sweep", reply)).await.map(drop)
        })
    }

    fn fsck<'a>(&'a self, queue: &'a QueueName, repair: Repair) -> Answer<'a, Report> {
        Box::pin(Check::new(self, queue, repair).run())
    }
}

pub(super) fn workers_keep_changing() -> Error {
    let reason = format!("workers came and went {WORKER_ROUNDS} times while it was looked for");
    Error::Rejected { reason }
}

impl Inspect for RedisBroker {
    fn queues(&self) -> Answer<'_, Vec<QueueName>> {
        Box::pin(async move {
            let mut members = redis::cmd("SMEMBERS");
            let (tag, key) = keys::queues(&self.namespace);
            members.arg(&key);
            let request = Request::plain(members);
            let ask = || async {
                match self.servers.send(&tag, &request, reply::queues).await {
                    Err(Fault::WrongKind(reason)) => Ok(Err(Error::WrongKind { key: key.clone(), reason })),
                    names => names.map(Ok),
                }
            };
            let mut names = look(ask).await??;
            names.sort();
            Ok(names)
        })
    }

    fn counts<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Counts> {
        Box::pin(async move {
            let of = self.keys(queue);
            let mut running = 0;
            for lease in self.workers(queue).await? {
                let mut count = redis::cmd("SCARD");
                count.arg(of.running(&lease.incarnation));
                let (request, read) = (Request::plain(count), |reply| reply::number("SCARD", reply));
                let number = look(|| self.servers.send(of.tag(), &request, read)).await?;
                running += usize::try_from(number).unwrap_or(0);
            }
            let call = Call::new(self, &script::COUNTS, &of, &[]);
            self.call(call, |reply| reply::counts(reply, running)).await
        })
    }

    fn storage<'a>(&'a self, queue: &'a QueueName) -> Answer<'a, Storage> {
        Box::pin(async move {
            let mut info = redis::cmd("INFO");
            info.arg("memory").arg("persistence");
            let (request, of) = (Request::plain(info), self.keys(queue));
            match look(|| self.servers.send(of.tag(), &request, reply::storage)).await {
                // Whoever serves others may not show what the server is like.
                Err(Fault::Refused(reason)) => {
                    Ok(Storage { when_full: WhenFull::NotKnown { reason }, append_only: None })
                }
                answer => Ok(answer?),
            }
        })
    }
}

impl RedisBroker {
    /// Adds the queue to those that were used; not at each call, but again and again, because someone may
    /// have flushed the server.
    async fn remember(&self, queue: &QueueName) -> Result<(), Error> {
        if self.remembered().get(queue).is_some_and(|added| added.elapsed() < REMEMBERED_FOR) {
            return Ok(());
        }
        self.list(queue).await
    }

    /// Adds the queue to those that were used, known to be there or not. Twice is as good as once.
    async fn list(&self, queue: &QueueName) -> Result<(), Error> {
        let mut add = redis::cmd("SADD");
        let (tag, key) = keys::queues(&self.namespace);
        add.arg(&key).arg(queue.as_str());
        // Repeating it changes nothing, so that an answer that never came is a plain refusal.
        match self.servers.send(&tag, &Request::plain(add), |reply| reply::number("SADD", reply)).await {
            Ok(_) => self.remembered().insert(queue.clone(), Instant::now()),
            Err(Fault::Lost(reason) | Fault::Away(reason)) => {
                return Err(Error::Unavailable { reason });
            }
            Err(Fault::WrongKind(reason)) => return Err(Error::WrongKind { key, reason }),
            Err(fault) => return Err(fault.into()),
        };
        Ok(())
    }
}
