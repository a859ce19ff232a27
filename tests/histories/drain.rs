//! The end of every history: faults stop, and what is left must come to its end with live workers.

use task_runtime::broker::{Lease, Repair};

use crate::operation::{Fate, How};
use crate::play::decide;
use crate::request::{Reply, Request};
use crate::worker::Worker;
use crate::world::World;

/// Rounds after which a queue that still holds jobs never will be empty.
const MAX_ROUNDS: usize = 40;
/// What the clock moves on in a round: longer than a lease, a retry and a delay.
const ROUND_MS: i64 = 35_000;

impl World {
    /// Lets everyone who lives go on in good order until nothing is left, and a fresh worker help.
    pub(crate) async fn drain(&mut self) -> Result<(), String> {
        self.look().await?;
        let before = self.view.clone();
        self.check(true, Repair::Yes).await?;
        self.look().await?;
        if self.view != before {
            return Err(format!("the repair of a sound queue changed it:\n{before:?}\n{:?}", self.view));
        }
        while !self.late.is_empty() {
            let request = self.late.remove(0);
            self.carry_out(&request).await?;
        }
        self.carry_out(&Request::Pause { paused: false }).await?;
        for sent in self.sent.values().cloned().collect::<Vec<_>>() {
            if let (Some(since_ms), Some(job)) = (sent.since_ms, sent.job) {
                self.send_again(job, since_ms, Fate::Answered).await?;
            }
        }
        let live = self.workers.len();
        self.workers.push(Worker::default());
        for round in 0..MAX_ROUNDS {
            if self.is_done() {
                return self.rest().await;
            }
            for at in 0..live {
                self.go_on(at).await?;
            }
            self.recover_the_dead().await?;
            self.help(live, round).await?;
            self.set_clock(self.now_ms + ROUND_MS);
        }
        Err(format!("drain: still there after {MAX_ROUNDS} rounds: {:?}", self.view))
    }

    fn is_done(&self) -> bool {
        let who = |worker: &Worker| worker.incarnation.clone().map(|one| one.to_string());
        let live: Vec<String> = self.workers.iter().filter_map(who).collect();
        self.view.is_drained()
            && self.workers.iter().all(|worker| worker.own().next().is_none())
            && self.view.workers.keys().all(|one| live.contains(one))
    }

    /// One that was there before: it ends what it runs, and tells it.
    async fn go_on(&mut self, at: usize) -> Result<(), String> {
        if self.workers[at].incarnation.is_none() {
            self.workers[at].handlers.clear();
            return Ok(());
        }
        if !self.prepare(at, Fate::Answered).await? {
            return Ok(());
        }
        for _ in 0..self.workers[at].handlers.len() {
            self.workers[at].end(0, How::Done);
        }
        let request = self.turn_of(at);
        self.turn(at, request, Fate::Answered).await
    }

    /// Every incarnation of which no worker knows any more is ended, and its jobs are freed.
    async fn recover_the_dead(&mut self) -> Result<(), String> {
        let (Reply::Leases(leases), _) = self.carry_out(&Request::Workers).await? else { return Ok(()) };
        let live: Vec<_> = self.workers.iter().filter_map(|worker| worker.incarnation.clone()).collect();
        for Lease { incarnation: who, ends_ms, left } in leases {
            if live.contains(&who) && ends_ms != 0 {
                continue;
            }
            let lease = Lease { incarnation: who.clone(), ends_ms, left };
            let answer = self.carry_out(&Request::Condemn { lease, stale: true }).await?;
            if let (Reply::Condemned(Some(condemned)), _) = answer {
                self.carry_out(&Request::SettleFor { who, recovered: decide(&condemned) }).await?;
            }
        }
        Ok(())
    }

    /// The fresh worker takes whatever it can get, now these and now the ones on their last chance.
    async fn help(&mut self, at: usize, round: usize) -> Result<(), String> {
        self.prepare(at, Fate::Answered).await?;
        let mut request = self.turn_of(at);
        if let Request::Turn { turn, .. } = &mut request {
            turn.few_room = turn.want;
            turn.empty = round.is_multiple_of(2) && self.workers[at].own().next().is_none();
        }
        self.turn(at, request, Fate::Answered).await?;
        for _ in 0..self.workers[at].handlers.len() {
            self.workers[at].end(0, How::Done);
        }
        Ok(())
    }

    /// Nothing is left but what is to be remembered.
    async fn rest(&mut self) -> Result<(), String> {
        let (view, marks) = (&self.view, self.view.marks.len());
        if marks > 0 || !view.asked.is_empty() || view.states.len() != view.dead.len() {
            return Err(format!("drain: something is left of jobs that ended: {view:?}"));
        }
        for worker in std::mem::take(&mut self.workers) {
            if let Some(who) = worker.incarnation {
                self.carry_out(&Request::Leave { who, jobs: Vec::new() }).await?;
            }
        }
        let left = (&self.view.workers, &self.view.steps, &self.view.running);
        match self.view.workers.is_empty() && self.view.steps.is_empty() {
            true => Ok(()),
            false => Err(format!("drain: workers are left that nobody is: {left:?}")),
        }
    }
}
