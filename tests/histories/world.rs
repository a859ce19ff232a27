//! One history under way: the brokers, everyone who asks them, and what is under way between.

use std::collections::BTreeMap;
use std::time::Duration;

use task_runtime::Error;
use task_runtime::broker::{Clock, Flaw, Incarnation, Lease, NewJob, Recovered, Repair, Retention, Turn, TurnAnswer};
use task_runtime::job::{Header, JobId, QueueName};

use crate::ledger::{Ledger, Step};
use crate::operation::{Fate, History, Keep};
use crate::request::{Reply, Request};
use crate::site::Site;
use crate::worker::Worker;
use support::{View, eventually};

/// The time at which every history begins, in milliseconds since 1970.
const START_MS: i64 = 1_700_000_000_000;
/// How often the verbs that only look are asked too.
const LOOK_EVERY: u64 = 8;
/// How often the check of a queue is asked of the servers, where it takes many calls.
const CHECK_EVERY: u64 = 32;

/// How long a server may be away.
const AWAY_LIMIT: Duration = Duration::from_secs(20);

/// A sweeper that is slow, and may end at any moment.
#[derive(Debug, Default)]
pub(crate) struct Recoverer {
    pub(crate) seen: Vec<Lease>,
    pub(crate) plan: Option<(Incarnation, Vec<Recovered>)>,
}

/// What a caller knows of one id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// The number of the last call with the id; what is sent again belongs to the same call.
    pub(crate) call: u32,
    /// When its first request left, while no answer came.
    pub(crate) since_ms: Option<i64>,
    pub(crate) job: Option<NewJob>,
}

/// Everything in one history.
pub(crate) struct World {
    pub(crate) sites: Vec<Site>,
    pub(crate) queue: QueueName,
    pub(crate) clock: Clock,
    pub(crate) now_ms: i64,
    pub(crate) keep: Keep,
    pub(crate) ids: Vec<JobId>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) recoverers: [Recoverer; 2],
    pub(crate) sent: BTreeMap<JobId, Sent>,
    pub(crate) late: Vec<Request>,
    pub(crate) ledger: Ledger,
    pub(crate) replica: Option<Ledger>,
    pub(crate) view: View,
    /// Numbers the claims.
    serial: u64,
    /// Requests that were carried out.
    pub(crate) carried_out: u64,
}

impl World {
    /// The beginning of a history, on brokers without jobs that all go by `clock`.
    pub(crate) fn new(history: &History, sites: Vec<Site>, clock: Clock, queue: QueueName) -> Self {
        clock.set(START_MS);
        let ids: Vec<JobId> =
            (0..history.jobs).map(|n| JobId::new(format!("job{n}")).expect("the id is valid")).collect();
        Self {
            sites,
            queue,
            clock,
            now_ms: START_MS,
            keep: history.keep,
            sent: ids.iter().map(|id| (id.clone(), Sent::default())).collect(),
            ids,
            workers: (0..history.workers).map(|_| Worker::default()).collect(),
            recoverers: Default::default(),
            late: Vec::new(),
            ledger: Ledger::default(),
            replica: None,
            view: View::default(),
            serial: 0,
            carried_out: 0,
        }
    }

    pub(crate) fn retention(&self) -> Retention {
        let floor = task_runtime::broker::FLOOR;
        match self.keep {
            Keep::Default => Retention::default(),
            Keep::Little => Retention { age: floor, dead: 1, dead_age: floor, ..Retention::default() },
            Keep::Nothing => Retention { finished: 0, ..Retention::default() },
        }
    }

    /// Sends a request. The answer is none when it does not arrive.
    pub(crate) async fn send(&mut self, request: Request, fate: Fate) -> Result<Option<(Reply, Vec<u64>)>, String> {
        match fate {
            Fate::Answered => self.carry_out(&request).await.map(Some),
            Fate::Twice => {
                let answer = self.carry_out(&request).await?;
                self.late.push(request);
                Ok(Some(answer))
            }
            Fate::Unanswered => self.carry_out(&request).await.map(|_| None),
            Fate::Late => {
                self.late.push(request);
                Ok(None)
            }
            Fate::Lost => Ok(None),
        }
    }

    /// Asks every broker, compares what they answer and what is there then, and takes it down.
    pub(crate) async fn carry_out(&mut self, request: &Request) -> Result<(Reply, Vec<u64>), String> {
        self.carried_out += 1;
        let mut replies = Vec::with_capacity(self.sites.len());
        for site in &self.sites {
            let reply = available(|| request.ask(&*site.broker, &self.queue)).await;
            replies.push(reply.map_err(|error| format!("{} answered {request:?} with {error}", site.name))?);
        }
        let before = std::mem::take(&mut self.view);
        self.look().await?;
        for reply in &mut replies {
            self.without_empty_names(reply);
        }
        for (site, reply) in self.sites.iter().zip(&replies).skip(1) {
            if *reply != replies[0] {
                let (first, name) = (self.sites[0].name, site.name);
                return Err(format!("after {request:?}\n{first} answered {:?}\n{name} answered {reply:?}", replies[0]));
            }
        }
        let reply = replies.swap_remove(0);
        let step = Step { request, reply: &reply, before: &before, after: &self.view, now_ms: self.now_ms };
        let numbers = self.ledger.take_down(&step, &mut self.serial)?;
        match self.ledger.fault(&self.view) {
            Some(fault) => Err(format!("after {request:?}: {fault}")),
            None => Ok((reply, numbers)),
        }
    }

    /// A name under which nothing is parked any more may still be told once.
    fn without_empty_names(&self, reply: &mut Reply) {
        if let Reply::Turn(TurnAnswer::Done(done)) = reply {
            let there = |task: &String| self.view.parked.iter().any(|member| member.split('\0').next() == Some(task));
            done.parked.retain(there);
        }
    }

    /// Looks at what the servers hold, and at what every broker says of each job.
    pub(crate) async fn look(&mut self) -> Result<(), String> {
        let mut views = Vec::new();
        for site in &mut self.sites {
            if let Some(raw) = &mut site.raw {
                let view = raw.view().map_err(|fault| format!("{}: {fault}", site.name))?;
                if let Some(fault) = view.fault() {
                    return Err(format!("{}: {fault}", site.name));
                }
                views.push(view);
            }
        }
        let view = views.pop().expect("one broker is on a server");
        if views.iter().any(|other| *other != view) {
            return Err(format!("two servers differ:\n{view:?}\n{views:?}"));
        }
        let every_verb = self.carried_out.is_multiple_of(LOOK_EVERY);
        for site in self.sites.iter().filter(|site| site.raw.is_none() || every_verb) {
            for id in &self.ids {
                let status =
                    available(|| site.broker.status(&self.queue, id)).await.map_err(|error| error.to_string())?;
                if status != view.status(id) {
                    return Err(format!("{} says of {id} {status:?}, it is {:?}", site.name, view.status(id)));
                }
            }
            let counts = available(|| site.broker.counts(&self.queue)).await.map_err(|error| error.to_string())?;
            if counts != view.counts() {
                return Err(format!("{} counts {counts:?}, there are {:?}", site.name, view.counts()));
            }
        }
        self.view = view;
        self.check(self.carried_out.is_multiple_of(CHECK_EVERY), Repair::No).await
    }

    /// What is sound by the rules of these tests is sound by the check that users have.
    pub(crate) async fn check(&self, everywhere: bool, repair: Repair) -> Result<(), String> {
        for site in self.sites.iter().filter(|site| site.raw.is_none() || everywhere) {
            let mut report =
                available(|| site.broker.fsck(&self.queue, repair)).await.map_err(|error| error.to_string())?;
            // The state that comes back may be older than the first use of the queue.
            report.findings.retain(|one| one.flaw != Flaw::Unlisted);
            if !report.findings.is_empty() || !report.undecided.is_empty() {
                return Err(format!("{}: a sound queue is found to be wrong: {report:?}", site.name));
            }
        }
        Ok(())
    }

    /// No job waits beside a worker that waits: there is a token, or someone who makes a turn by itself.
    pub(crate) fn stranded(&self) -> Result<(), String> {
        let view = &self.view;
        let ready = view.lists.iter().filter(|(name, _)| name.starts_with("ready:")).flat_map(|(_, list)| list);
        let waits = ready.filter(|id| view.jobs.contains_key(*id)).collect::<Vec<_>>();
        let moves = view.wake > 0 || view.meta.contains_key("paused") || self.workers.iter().any(Worker::is_awake);
        match self.workers.iter().find(|worker| worker.is_idle()) {
            Some(idle) if !waits.is_empty() && !moves => Err(format!("wake: {waits:?} wait beside {idle:?}")),
            _ => Ok(()),
        }
    }

    /// Moves the clock of all brokers. A request to enqueue is not under way for longer than ends
    /// are surely remembered.
    pub(crate) fn set_clock(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.clock.set(now_ms);
        let floor_ms = task_runtime::broker::FLOOR.as_millis() as i64;
        self.late.retain(|late| !matches!(late, Request::Enqueue { sent_ms, .. } if now_ms - sent_ms >= floor_ms));
        for sent in self.sent.values_mut() {
            // Its caller has given up, and does not know.
            if sent.since_ms.is_some_and(|since| now_ms - since >= floor_ms) {
                sent.since_ms = None;
            }
        }
    }

    /// The next turn of a worker.
    pub(crate) fn turn_of(&mut self, worker: usize) -> Request {
        let retention = self.retention();
        let worker = &mut self.workers[worker];
        let (settlements, claims) = worker.outcomes();
        let turn = Turn {
            incarnation: worker.incarnation(),
            step: worker.step + 1,
            lease: crate::request::LEASE,
            settlements,
            want: worker.room(),
            few_room: 0,
            empty: false,
            order: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
            take: worker.take.clone(),
            retention,
            on_loan: Some(worker.own().count()),
        };
        Request::Turn { turn, claims }
    }

    /// Registers a worker, and takes over what it has on loan without knowing it.
    pub(crate) async fn prepare(&mut self, at: usize, fate: Fate) -> Result<bool, String> {
        let who = self.workers[at].incarnation();
        if !self.workers[at].registered {
            let answer = self.send(Request::Begin { who: who.clone() }, fate).await?;
            if let Some((Reply::Step(last), _)) = answer {
                self.workers[at].begun(last);
            }
        }
        let mut ids = self.workers[at].to_adopt.clone();
        if self.workers[at].registered && !ids.is_empty() {
            ids.sort();
            if let Some((Reply::Claims(claims), numbers)) = self.send(Request::Adopt { who, ids }, fate).await? {
                self.workers[at].to_adopt.clear();
                self.workers[at].claimed(claims.into_iter().zip(numbers).collect())?;
            }
        }
        Ok(self.workers[at].registered && self.workers[at].to_adopt.is_empty())
    }

    /// Makes a turn, and does with the answer what the rules say.
    pub(crate) async fn turn(&mut self, at: usize, request: Request, fate: Fate) -> Result<(), String> {
        let step = request.turn().map_or(0, |turn| turn.step);
        let told = match &request {
            Request::Turn { claims, .. } => claims.clone(),
            _ => Vec::new(),
        };
        self.workers[at].sent = step.max(self.workers[at].sent);
        let answer = self.send(request, fate).await?;
        let worker = &mut self.workers[at];
        worker.more = None;
        let Some((Reply::Turn(answer), numbers)) = answer else { return Ok(()) };
        match answer {
            TurnAnswer::Done(done) => {
                worker.told(step, &told);
                worker.more = Some(done.more);
                worker.claimed(done.claims.into_iter().zip(numbers).collect())?;
                worker.ask(&done.asked);
                worker.take = done.parked;
            }
            TurnAnswer::OutOfStep { last, .. } if last > worker.sent => worker.lease_lost(),
            TurnAnswer::OutOfStep { last, running } => worker.reconcile(last, &running),
            TurnAnswer::LeaseLost => worker.lease_lost(),
        }
        Ok(())
    }
}

/// Asks again while nothing happened because the server could not be reached: that of a machine which has other things
/// to do is slow now and then, and that is no fault of a history.
async fn available<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> Result<T, Error> {
    eventually("the server can be reached", AWAY_LIMIT, async || match ask().await {
        Err(Error::Unavailable { .. }) => None,
        answer => Some(answer),
    })
    .await
}

/// The envelope of a job, of which only the beginning matters here.
pub(crate) fn envelope() -> Vec<u8> {
    task_runtime::job::Envelope { header: Header::new("task"), args: b"{}".to_vec() }.encode()
}
