//! One turn of a lane: what it tells and asks, and what it makes of the answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::poll_immediate;
use tokio::time::Instant;

use crate::broker::{Claim, MAX_TURN, Turn, TurnAnswer, TurnDone};
use crate::error::Error;
use crate::job::{Header, MAX_PRIORITY, PutBack, State};

use super::executor::Arrived;
use super::lane::{Lane, next_look};
use super::shutdown::Stage;

/// One turn in so many looks at the priorities in another order, so that none starves.
const OTHER_ORDER: u64 = 8;
/// Most jobs that are adopted at a time: their envelopes come in one answer of at most about 1 MiB.
pub(super) const MAX_ADOPT: usize = 4;
/// How long a worker that has other jobs leaves a job alone that must run alone, in seconds; drawn
/// anew each time, so that not every worker stops claiming.
const PATIENCE: std::ops::RangeInclusive<u64> = 10..=30;

impl Lane {
    /// Makes the next turn, and everything that must come before it.
    pub(super) async fn turn(&mut self, stage: Stage) {
        // After a turn that failed, one that asks for nothing goes first, so that no permit waits for its answer.
        let probes = self.pause.is_failing() && !self.probed;
        (self.asked, self.found_no_room) = (false, false);
        match self.exchange(stage, probes).await {
            // An answer that carried nothing out ends no pause: a turn that fails in the middle on the
            // server is out of step the next time, again and again.
            Ok(false) => {}
            // Nor does one that did not ask for what there is: it may be the claim that fails.
            Ok(true) if probes => {
                self.probed = true;
                self.must_turn = true;
            }
            // Claims failed, and this says nothing of them. The next one that has room asks.
            Ok(true) if self.claims_fail() && !self.asked && stage == Stage::Running => {}
            Ok(true) if self.pause.is_failing() && self.found_no_room => {
                self.must_turn = true;
                self.pause.again();
            }
            Ok(true) => {
                self.probed = false;
                if self.asked {
                    self.failed_claims = 0;
                }
                if self.asked || self.leads() {
                    self.shared.handle.vitals().done(self.queue_at(), self.asked);
                }
                if self.pause.success() {
                    self.wake.answered_again();
                    self.shared.handle.vitals().answered_again(self.queue_at());
                    tracing::info!(queue = %self.queue, "the broker answers again");
                }
            }
            Err(error) => {
                if self.pause.after_failure().is_power_of_two() {
                    tracing::warn!(queue = %self.queue, %error, "no answer from the broker, trying again");
                }
                self.shared.handle.vitals().failed(self.queue_at(), error.to_string());
                self.failed_claims = if self.asked { self.failed_claims.saturating_add(1) } else { 0 };
                if self.claims_fail() {
                    self.shared.handle.vitals().claims_fail(self.queue_at());
                }
                // The other queues of this worker may be on another server, and need not wait for this one. What this
                // one may have claimed takes new permits when the next turn finds it.
                self.probed = false;
                self.reserved.clear();
                self.alone_until = None;
                self.shared.permits.set_hungry(self.at, false);
                self.shared.permits.withdraw_exclusive(self.at);
            }
        }
    }

    /// Answers whether a turn was carried out.
    async fn exchange(&mut self, stage: Stage, probes: bool) -> Result<bool, Error> {
        self.begin().await?;
        self.adopt().await?;
        self.shared.departures.wait().await;
        let moves = self.shared.permits.moves();
        let turn = Arc::new(self.next_turn(stage == Stage::Running && !probes));
        self.sent = self.sent.max(turn.step);
        self.under_way = Some(Arc::clone(&turn));
        let (broker, queue) = (Arc::clone(&self.shared.broker), self.queue.clone());
        let answer = {
            let mut asked = broker.turn(&queue, &turn);
            let at_once = poll_immediate(&mut asked).await;
            if at_once.is_none() && !self.arrived.is_empty() {
                self.shared.departures.depart().await;
            }
            // What the last turn claimed begins while the broker works on this one.
            self.begin_arrived();
            match at_once {
                Some(answer) => answer,
                None => asked.await,
            }
        };
        fail_point!("turn-answered");
        self.under_way = None;
        let turn = Arc::unwrap_or_clone(turn);
        self.must_turn = false;
        match answer {
            Ok(TurnAnswer::Done(done)) => {
                self.done(&turn, done);
                self.stop_when_drained(moves);
                return Ok(true);
            }
            // A number that it never sent: a begin of it arrived once more after it was condemned.
            Ok(TurnAnswer::OutOfStep { last, .. }) if last > self.sent => self.begin_anew(),
            Ok(TurnAnswer::OutOfStep { last, running }) => {
                tracing::debug!(queue = %self.queue, step = turn.step, last, "out of step");
                self.board.put_back(turn.settlements);
                self.set_step(last);
                self.to_adopt = self.board.reconcile(running);
                // What this turn was to tell is still to be told.
                self.must_turn = true;
            }
            Ok(TurnAnswer::LeaseLost) => self.begin_anew(),
            Err(error) => {
                self.board.put_back(turn.settlements);
                self.must_turn = true;
                return Err(error);
            }
        }
        Ok(false)
    }

    /// The turn that was under way is waited for no longer.
    pub(super) fn doubt(&mut self) {
        if let Some(turn) = self.under_way.take() {
            self.board.put_back(Arc::unwrap_or_clone(turn).settlements);
        }
    }

    /// Registers the incarnation, unless it is.
    async fn begin(&mut self) -> Result<(), Error> {
        if !self.registered {
            let step = self.shared.broker.begin(&self.queue, &self.incarnation, self.shared.lease).await?;
            self.registered = true;
            self.sent = step;
            self.beat.start(self.incarnation.clone());
            self.set_step(step);
        }
        Ok(())
    }

    /// Takes over the jobs on loan of which nothing is known here: the answer that lent them was
    /// lost.
    async fn adopt(&mut self) -> Result<(), Error> {
        while !self.to_adopt.is_empty() {
            let some = &self.to_adopt[..self.to_adopt.len().min(MAX_ADOPT)];
            let claims = self.shared.broker.adopt(&self.queue, &self.incarnation, some).await?;
            let count = some.len();
            self.to_adopt.drain(..count);
            // After a loop died its permits come back one by one.
            let needed = self.reserved.count().max(claims.len());
            self.shared.permits.reserve(self.at, &mut self.reserved, needed);
            self.claimed(claims);
            self.begin_arrived();
        }
        Ok(())
    }

    fn next_turn(&mut self, asks: bool) -> Turn {
        let permits = &self.shared.permits;
        if asks {
            permits.reserve(self.at, &mut self.reserved, MAX_TURN);
        } else {
            self.reserved.clear();
        }
        let want = self.reserved.count();
        self.asked = want > 0;
        self.found_no_room = asks && !self.asked && self.leads() && permits.are_reserved();
        Turn {
            settlements: self.board.take_unsent(),
            want,
            few_room: permits.few_room(),
            empty: want > 0 && permits.is_exclusive(self.at, &self.reserved),
            on_loan: Some(self.board.len() + self.arrived.len()),
            ..self.empty_turn()
        }
    }

    /// The next turn, when it neither tells nor asks for anything.
    pub(super) fn empty_turn(&self) -> Turn {
        Turn {
            incarnation: self.incarnation.clone(),
            step: self.step + 1,
            lease: self.shared.lease,
            settlements: Vec::new(),
            want: 0,
            few_room: 0,
            empty: false,
            order: order(self.step),
            take: self.take.clone(),
            retention: self.shared.retention,
            on_loan: None,
        }
    }

    fn done(&mut self, turn: &Turn, done: TurnDone) {
        self.set_step(turn.step);
        self.board.told(&turn.settlements);
        let claimed = done.claims.len();
        self.claimed(done.claims);
        if claimed > 0 {
            fail_point!("claimed");
        }
        self.reserved.clear();
        done.asked.iter().for_each(|id| self.board.ask(id));
        self.paused = done.paused;
        // Also while paused: that a worker knows them keeps parked jobs from being dead.
        self.take = done.parked.into_iter().filter(|task| self.executor.registry.get(task).is_some()).collect();
        let look = next_look(!self.has_nothing());
        self.turn_by = done.next_due.map_or(look, |due| look.min(Instant::now() + due + Duration::from_millis(1)));
        self.set_hungry(done.more);
        self.call_help(done.more && claimed == MAX_TURN);
        if !done.alone || (turn.empty && claimed == 0) {
            self.shared.permits.withdraw_exclusive(self.at);
        }
        self.alone_until = match self.alone_until {
            _ if turn.empty || !done.alone || !self.leads() => None,
            _ if self.shared.permits.is_idle() && !done.more => Some(Instant::now()),
            None => Some(Instant::now() + Duration::from_secs(fastrand::u64(PATIENCE))),
            until => until,
        };
    }

    /// Takes permits for claims, which begin as soon as no turn has to be sent before. What was claimed by a turn whose
    /// answer was lost may find none, or a job on its last chance may find others: it goes back to the queue.
    fn claimed(&mut self, claims: Vec<Claim>) {
        let states: Vec<_> = claims.iter().map(|claim| State::decode(claim.state.as_deref())).collect();
        let permits = self.reserved.take(states.iter().map(|state| state.crashes > 0));
        let alone = self.shared.permits.runs_alone(self.at);
        for ((claim, state), permit) in claims.into_iter().zip(states).zip(permits) {
            let in_company = || state.crashes > 0 && !alone && back(&claim.envelope, &state) == PutBack::Alone;
            match permit {
                Some(permit) if !in_company() => self.arrived.push(Arrived { claim, state, permit }),
                _ => self.board.refuse(claim.id, back(&claim.envelope, &state)),
            }
        }
    }

    /// Runs what was claimed, or gives it back at once when the worker stops meanwhile.
    pub(super) fn begin_arrived(&mut self) {
        let running = *self.stages.borrow() == Stage::Running;
        for arrived in self.arrived.drain(..) {
            if running {
                let (id, job) = self.executor.begin(arrived);
                self.board.add(id, job);
            } else {
                let Arrived { claim, state, .. } = arrived;
                self.board.refuse(claim.id, back(&claim.envelope, &state));
            }
        }
    }

    pub(super) fn set_step(&mut self, step: u64) {
        self.step = step;
        self.beat.set_step(step);
    }

    /// In a burst, stops the worker when no queue has anything left to do.
    fn stop_when_drained(&mut self, moves: u64) {
        if !self.shared.burst || !self.has_nothing() {
            return;
        }
        self.looked_at = Some(moves);
        let nothing = !self.wants_jobs() && self.alone_until.is_none();
        if nothing && self.shared.permits.found_nothing(self.at, moves, self.shared.handle.vitals().stuck()) {
            self.shared.handle.stop();
        }
    }
}

/// Where a job goes back to.
pub(super) fn back(envelope: &[u8], state: &State) -> PutBack {
    PutBack::of(Header::decode(envelope).ok().as_ref(), state)
}

/// The priorities in the order in which the turn after `step` looks at them.
fn order(step: u64) -> [u8; 10] {
    let first = if step % OTHER_ORDER == OTHER_ORDER - 1 { fastrand::u8(0..=MAX_PRIORITY) } else { MAX_PRIORITY };
    let rest = (0..=MAX_PRIORITY).rev().filter(|priority| *priority != first);
    let mut order = [first; 10];
    order[1..].iter_mut().zip(rest).for_each(|(place, priority)| *place = priority);
    order
}
