//! Plays the operations of a history.

use std::time::Duration;

use task_runtime::broker::{Claim, Condemned, Due, Enqueued, Heartbeat, NewJob, Recovered};
use task_runtime::job::{DEFAULT_MAX_CRASHES, JobId, PutBack, State, Verdict, after_crash};

use crate::operation::{About, Fate, Keep, Op};
use crate::request::{Reply, Request};
use crate::worker::Worker;
use crate::world::{Recoverer, Sent, World, envelope};

impl World {
    /// Plays one operation; the error says what is wrong.
    pub(crate) async fn play(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Send { ref jobs, fate } => self.play_send(jobs, fate).await,
            Op::Begin { worker, fate } => {
                let at = self.worker(worker);
                self.prepare(at, fate).await.map(drop)
            }
            Op::Turn { worker, want, few, empty, first, fate } => {
                let at = self.worker(worker);
                if !self.prepare(at, Fate::Answered).await? {
                    return Ok(());
                }
                let mut request = self.turn_of(at);
                if let Request::Turn { turn, .. } = &mut request {
                    turn.want = turn.want.min(want.into());
                    turn.few_room = few.into();
                    turn.empty = empty && self.workers[at].own().next().is_none();
                    turn.order.rotate_left(first.into());
                }
                self.turn(at, request, fate).await
            }
            Op::End { worker, handler, how } => {
                let at = self.worker_that(worker, Worker::runs);
                self.workers[at].end(handler, how);
                Ok(())
            }
            Op::Beat { worker, fate } => self.play_beat(worker, fate).await,
            Op::Die { worker } => {
                let at = self.worker_that(worker, Worker::runs);
                let gone = std::mem::take(&mut self.workers[at]);
                self.lost_a_turn_of(&gone);
                Ok(())
            }
            Op::Leave { worker, fate } => self.play_leave(worker, fate).await,
            Op::Arrive { late } => match self.late.len() {
                0 => Ok(()),
                there => {
                    let request = self.late.remove(usize::from(late) % there);
                    self.carry_out(&request).await.map(drop)
                }
            },
            Op::Vanish { late } => {
                if !self.late.is_empty() {
                    self.late.remove(usize::from(late) % self.late.len());
                }
                Ok(())
            }
            Op::Look { recoverer } => self.play_look(recoverer).await,
            Op::Condemn { recoverer, lease, stale, fate } => self.play_condemn(recoverer, lease, stale, fate).await,
            Op::SettleFor { recoverer, count, fate } => self.play_settle_for(recoverer, count, fate).await,
            Op::Forget { recoverer } => {
                self.recoverers[usize::from(recoverer) % 2] = Recoverer::default();
                Ok(())
            }
            _ => self.play_at_large(op).await,
        }
    }

    async fn play_at_large(&mut self, op: &Op) -> Result<(), String> {
        let retention = self.retention();
        match *op {
            Op::Cancel { job, fate } => {
                let id = self.job_that(job, About::Running);
                self.send(Request::Cancel { id }, fate).await.map(drop)
            }
            Op::Promote => self.carry_out(&Request::Promote).await.map(drop),
            Op::Sweep => self.carry_out(&Request::Sweep { retention }).await.map(drop),
            Op::Pause { paused } => self.carry_out(&Request::Pause { paused }).await.map(drop),
            Op::Forward { seconds } => {
                self.set_clock(self.now_ms + i64::from(seconds) * 1000);
                Ok(())
            }
            Op::Until { moment, off_ms } => {
                if let Some(at_ms) = self.moment(moment) {
                    self.set_clock(at_ms + i64::from(off_ms));
                }
                Ok(())
            }
            Op::Back { seconds } => {
                self.set_clock(self.now_ms - i64::from(seconds) * 1000);
                Ok(())
            }
            Op::Token { worker } => {
                let at = self.worker(worker);
                if let (Reply::Yes(true), _) = self.carry_out(&Request::Token).await? {
                    self.workers[at].more = None;
                }
                Ok(())
            }
            Op::Watch { job } => {
                let id = self.job(job);
                self.carry_out(&Request::Watch { id }).await.map(drop)
            }
            Op::Flush => self.on_servers(|raw| raw.flush_scripts()),
            Op::Replicate => {
                self.replica = Some(self.ledger.clone());
                self.on_servers(|raw| raw.replicate())
            }
            Op::Failover => self.play_failover().await,
            _ => Ok(()),
        }
    }

    fn on_servers(&mut self, each: impl Fn(&mut crate::site::Raw) -> Result<(), String>) -> Result<(), String> {
        self.sites.iter_mut().filter_map(|site| site.raw.as_mut()).try_for_each(each)
    }

    pub(crate) fn worker(&self, which: u8) -> usize {
        usize::from(which) % self.workers.len()
    }

    pub(crate) fn job(&self, which: u8) -> JobId {
        self.ids[usize::from(which) % self.ids.len()].clone()
    }

    /// A caller sends jobs, or again one of which it does not know what became.
    async fn play_send(&mut self, jobs: &[(u8, u8, u8)], fate: Fate) -> Result<(), String> {
        let ids: Vec<JobId> = jobs.iter().map(|(job, ..)| self.job_that(*job, About::Absent)).collect();
        let again = self.sent[&ids[0]].since_ms;
        if let (Some(since_ms), Some(job)) = (again, self.sent[&ids[0]].job.clone()) {
            return self.send_again(job, since_ms, fate).await;
        }
        let mut fresh = Vec::new();
        for (id, (_, priority, delay)) in ids.into_iter().zip(jobs) {
            if self.sent[&id].since_ms.is_some() {
                continue;
            }
            // The same job may be in a call twice, but not two jobs of one id.
            if let Some(twin) = fresh.iter().find(|job: &&NewJob| job.id == id).cloned() {
                fresh.push(twin);
                continue;
            }
            let due = match delay {
                0 => Due::Now,
                seconds => Due::After(Duration::from_secs((*seconds).into())),
            };
            let sent = self.sent.get_mut(&id).expect("every id has an entry");
            sent.call += 1;
            let job = NewJob { id: id.clone(), priority: *priority, due, envelope: envelope() };
            sent.job = Some(job.clone());
            fresh.push(job);
        }
        self.send_jobs(fresh, None, self.now_ms, fate).await
    }

    /// Sends a job again whose answer did not come.
    pub(crate) async fn send_again(&mut self, job: NewJob, since_ms: i64, fate: Fate) -> Result<(), String> {
        let again = Duration::from_millis(u64::try_from(self.now_ms - since_ms).unwrap_or(0));
        self.send_jobs(vec![job], Some(again), since_ms, fate).await
    }

    async fn send_jobs(
        &mut self,
        jobs: Vec<NewJob>,
        again: Option<Duration>,
        since_ms: i64,
        fate: Fate,
    ) -> Result<(), String> {
        // Who keeps no records cannot tell a request that comes late from a new one.
        let fate = match (self.keep, fate) {
            (Keep::Nothing, Fate::Late) => Fate::Lost,
            (Keep::Nothing, Fate::Twice) => Fate::Answered,
            _ => fate,
        };
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        let calls = ids.iter().map(|id| self.sent[id].call).collect();
        let answer = self.send(Request::Enqueue { jobs, again, calls, sent_ms: self.now_ms }, fate).await?;
        let answers = match answer {
            Some((Reply::Enqueued(answers), _)) => Some(answers),
            _ => None,
        };
        for (at, id) in ids.iter().enumerate() {
            let Sent { since_ms: since, .. } = self.sent.get_mut(id).expect("every id has an entry");
            *since = answers.is_none().then_some(since_ms);
            if answers.as_ref().is_some_and(|answers| answers[at] == Enqueued::Unknown && again.is_none()) {
                return Err(format!("a first enqueue of {id} was answered with unknown"));
            }
        }
        Ok(())
    }

    async fn play_beat(&mut self, worker: u8, fate: Fate) -> Result<(), String> {
        let at = self.worker(worker);
        let Some(who) = self.workers[at].incarnation.clone().filter(|_| self.workers[at].registered) else {
            return Ok(());
        };
        match self.send(Request::Beat { who }, fate).await? {
            Some((Reply::Beat(Heartbeat::LeaseLost), _)) => self.workers[at].lease_lost(),
            Some((Reply::Beat(Heartbeat::Alive { asked, .. }), _)) => self.workers[at].ask(&asked),
            _ => {}
        }
        Ok(())
    }

    /// Whoever leaves makes no turn any more, whatever is answered.
    async fn play_leave(&mut self, worker: u8, fate: Fate) -> Result<(), String> {
        let at = self.worker(worker);
        let leaving = std::mem::take(&mut self.workers[at]);
        let Some(who) = leaving.incarnation.clone() else { return Ok(()) };
        let jobs = leaving.own().map(|one| (one.id.clone(), PutBack::of(None, &one.state))).collect();
        match self.send(Request::Leave { who, jobs }, fate).await? {
            Some((Reply::Yes(true), _)) => {}
            _ => self.lost_a_turn_of(&leaving),
        }
        Ok(())
    }

    /// One that would have made a turn does not; others are no worse off than until their next one, which they make
    /// in any case.
    fn lost_a_turn_of(&mut self, gone: &Worker) {
        if gone.is_awake() {
            self.workers.iter_mut().for_each(|worker| worker.more = None);
        }
    }

    async fn play_look(&mut self, recoverer: u8) -> Result<(), String> {
        if let (Reply::Leases(seen), _) = self.carry_out(&Request::Workers).await? {
            self.recoverers[usize::from(recoverer) % 2].seen = seen;
        }
        Ok(())
    }

    async fn play_condemn(&mut self, recoverer: u8, lease: u8, stale: bool, fate: Fate) -> Result<(), String> {
        let at = usize::from(recoverer) % 2;
        if self.recoverers[at].seen.is_empty() {
            self.play_look(recoverer).await?;
        }
        let seen = &self.recoverers[at].seen;
        let Some(lease) = self.lease_of(lease, seen) else { return Ok(()) };
        let answer = self.send(Request::Condemn { lease: lease.clone(), stale }, fate).await?;
        if let Some((Reply::Condemned(Some(condemned)), _)) = answer {
            self.recoverers[at].plan = Some((lease.incarnation.clone(), decide(&condemned)));
            if let Some(seen) = self.recoverers[at].seen.iter_mut().find(|one| **one == lease) {
                seen.ends_ms = 0;
            }
        }
        Ok(())
    }

    async fn play_settle_for(&mut self, recoverer: u8, count: u8, fate: Fate) -> Result<(), String> {
        let at = self.recoverer_that_decided(recoverer);
        let Some((who, plan)) = self.recoverers[at].plan.clone() else { return Ok(()) };
        let recovered: Vec<Recovered> = plan.iter().take(count.into()).cloned().collect();
        let sent = recovered.len();
        if self.send(Request::SettleFor { who, recovered }, fate).await?.is_some()
            && let Some((_, plan)) = &mut self.recoverers[at].plan
        {
            plan.drain(..sent);
        }
        Ok(())
    }

    /// An older state comes back. What was under way to the old server ends with it.
    async fn play_failover(&mut self) -> Result<(), String> {
        let Some(ledger) = self.replica.take() else { return Ok(()) };
        self.on_servers(|raw| raw.restore())?;
        self.late.clear();
        self.ledger = ledger;
        self.ledger.older = true;
        self.workers.iter_mut().for_each(|worker| worker.more = None);
        self.look().await?;
        // Where a worker runs a job again that it ran then, the claim is that of then.
        for handler in self.workers.iter_mut().flat_map(|worker| &mut worker.handlers) {
            if self.view.runs_on(&handler.id, handler.incarnation.as_str()) {
                handler.claim = self.ledger.claim_of(&handler.id);
            }
        }
        Ok(())
    }
}

/// What a recoverer decides about each job.
pub(crate) fn decide(condemned: &Condemned) -> Vec<Recovered> {
    let one = |claim: &Claim| {
        let id = claim.id.clone();
        match after_crash(State::decode(claim.state.as_deref()), condemned.on_board, DEFAULT_MAX_CRASHES) {
            Verdict::Few(state) => Recovered::Few { id, state: state.encode() },
            Verdict::Alone(state) => Recovered::Alone { id, state: state.encode() },
            Verdict::Dead(state) => Recovered::Dead { id, state: state.encode() },
        }
    };
    condemned.jobs.iter().map(one).collect()
}
