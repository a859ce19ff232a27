//! How many jobs a worker runs at a time, and which of its queues may claim the next ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::inbox::Inbox;

/// How the queues of a worker share its permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// A queue claims only while those before it have nothing to claim.
    Strict,
    /// Each queue that has something to claim gets its part.
    Weighted,
}

/// One permit for each job that may run.
pub(super) struct Permits {
    state: Mutex<State>,
}

struct State {
    total: usize,
    free: usize,
    /// Permits of jobs that were on board of a crash.
    few: usize,
    sharing: Sharing,
    lanes: Vec<Share>,
    /// The lane that is to run one job with nothing beside it, and whether it does.
    exclusive: Option<(usize, bool)>,
    /// Whether every lane looks again whenever anything moved.
    burst: bool,
    /// Grows with every claim and every end: what has not grown since a look was nothing.
    moves: u64,
}

/// What one queue has of the permits.
struct Share {
    inbox: Arc<Inbox>,
    weight: u32,
    held: usize,
    /// Whether the queue is believed to have jobs to claim.
    hungry: bool,
    /// What it was granted, by its weight: of two hungry queues the one with less goes first.
    served: f64,
    /// `moves` when it last looked and found nothing.
    idle_at: Option<u64>,
}

impl Permits {
    /// `total` permits, for queues in order with their weights.
    pub(super) fn new(total: usize, sharing: Sharing, burst: bool, lanes: Vec<(Arc<Inbox>, u32)>) -> Arc<Self> {
        let share = |(inbox, weight): (Arc<Inbox>, u32)| Share {
            inbox,
            weight: weight.max(1),
            held: 0,
            hungry: true,
            served: 0.0,
            idle_at: None,
        };
        let lanes = lanes.into_iter().map(share).collect();
        let state = State { total, free: total, few: 0, sharing, lanes, exclusive: None, burst, moves: 0 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Reserves permits for a turn of `lane`, `most` in all with those that `reserved` has.
    pub(super) fn reserve(self: &Arc<Self>, lane: usize, reserved: &mut Reserved, most: usize) {
        let mut state = self.lock();
        let count = state.room(lane).min(most.saturating_sub(reserved.count));
        state.free -= count;
        let share = &mut state.lanes[lane];
        share.held += count;
        reserved.count += count;
        if count > 0 && state.sharing == Sharing::Weighted {
            // Those that had to let this one go first may take their part now.
            state.ring(lane, false);
        }
    }

    /// Whether a turn of `lane` could claim anything.
    pub(super) fn has_room(&self, lane: usize) -> bool {
        self.lock().room(lane) > 0
    }

    /// No permits yet, for the turns of `lane`.
    pub(super) fn none(self: &Arc<Self>, lane: usize) -> Reserved {
        Reserved { of: Arc::clone(self), lane, count: 0 }
    }

    /// Says whether `lane` has jobs to claim.
    pub(super) fn set_hungry(&self, lane: usize, hungry: bool) {
        let mut state = self.lock();
        let least = state.lanes.iter().filter(|share| share.hungry).map(|share| share.served).reduce(f64::min);
        let share = &mut state.lanes[lane];
        if hungry && !share.hungry {
            // Whoever was idle has saved up nothing.
            share.served = share.served.max(least.unwrap_or(0.0));
        }
        let was = std::mem::replace(&mut share.hungry, hungry);
        if was && !hungry {
            state.ring(lane, true);
        }
    }

    /// Reserves the whole worker for one job of `lane`, as soon as nothing runs any more.
    pub(super) fn ask_exclusive(&self, lane: usize) {
        let mut state = self.lock();
        if state.exclusive.is_none() {
            state.exclusive = Some((lane, false));
            state.lanes[lane].inbox.ring();
        }
    }

    /// Lets all lanes claim again, unless the job that was waited for runs.
    pub(super) fn withdraw_exclusive(&self, lane: usize) {
        let mut state = self.lock();
        if state.exclusive == Some((lane, false)) {
            state.exclusive = None;
            state.ring(lane, true);
        }
    }

    /// Whether the whole worker is reserved for `lane` and runs nothing but what `reserved` is for.
    pub(super) fn is_exclusive(&self, lane: usize, reserved: &Reserved) -> bool {
        let state = self.lock();
        state.exclusive == Some((lane, false)) && state.total - state.free == reserved.count
    }

    /// Whether nothing runs and nothing is being claimed.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.free == state.total
    }

    /// How many more jobs may run that were on board of a crash: the square root of all.
    pub(super) fn few_room(&self) -> usize {
        let state = self.lock();
        state.total.isqrt().max(1).saturating_sub(state.few)
    }

    /// What [`found_nothing`](Self::found_nothing) is to be told of a look that begins now.
    pub(super) fn moves(&self) -> u64 {
        self.lock().moves
    }

    /// Tells that `lane` looked, beginning at `moves`, and has nothing to do; answers whether that
    /// now is so of all lanes. Jobs that are `stuck` are not waited for.
    pub(super) fn found_nothing(&self, lane: usize, moves: u64, stuck: usize) -> bool {
        let mut state = self.lock();
        state.lanes[lane].idle_at = Some(moves);
        let now = state.moves;
        state.free + stuck >= state.total && state.lanes.iter().all(|share| share.idle_at == Some(now))
    }

    fn give_back(&self, lane: usize, count: usize, few: usize, ran: bool) {
        if count == 0 {
            return;
        }
        let mut state = self.lock();
        // Who found no room did not wait for jobs, and must begin to.
        let mut to_all = state.free == 0;
        state.free += count;
        state.few -= few;
        state.lanes[lane].held -= count;
        state.moves += u64::from(ran);
        if ran && state.exclusive == Some((lane, true)) {
            state.exclusive = None;
            to_all = true;
        }
        state.ring(lane, to_all);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many permits `lane` may take now.
    fn room(&self, lane: usize) -> usize {
        match self.exclusive {
            Some((owner, false)) if owner == lane => return usize::from(self.free == self.total),
            Some(_) => return 0,
            None => {}
        }
        let mut hungry = self.lanes.iter().enumerate().filter(|(at, share)| share.hungry && *at != lane);
        match self.sharing {
            Sharing::Strict if hungry.any(|(at, _)| at < lane) => 0,
            Sharing::Strict => self.free,
            Sharing::Weighted => {
                let mine = &self.lanes[lane];
                let others: Vec<_> = hungry.map(|(_, share)| share).collect();
                let weight = |share: &Share| share.weight as usize;
                let all = others.iter().map(|share| weight(share)).sum::<usize>() + weight(mine);
                let part = |share: &Share| (self.total * weight(share) / all).max(1);
                if others.iter().any(|share| share.held < part(share) && share.served < mine.served) {
                    return 0;
                }
                let most = if others.is_empty() { self.total } else { part(mine) };
                self.free.min(most.saturating_sub(mine.held))
            }
        }
    }

    /// Has every lane look again that may want permits: `lane`, whose permits they were, those that
    /// are hungry, or all.
    fn ring(&self, lane: usize, to_all: bool) {
        for (at, share) in self.lanes.iter().enumerate() {
            let concerned = at == lane || share.hungry || self.exclusive == Some((at, false));
            if concerned || to_all || self.burst {
                share.inbox.ring();
            }
        }
    }
}

/// Permits that a turn may use; what is left of them goes back when this is dropped.
pub(super) struct Reserved {
    of: Arc<Permits>,
    lane: usize,
    count: usize,
}

impl Reserved {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// One of them for each job that is to run, each of which says whether it was on board of a
    /// crash. A job that a lost answer had claimed beyond them runs all the same.
    pub(super) fn take(&mut self, jobs: impl ExactSizeIterator<Item = bool>) -> Vec<Permit> {
        let mut permits = Vec::with_capacity(jobs.len());
        let mut state = self.of.lock();
        for few in jobs {
            let within = self.count > 0;
            self.count -= usize::from(within);
            state.few += usize::from(few);
            permits.push(Permit { of: Arc::clone(&self.of), lane: self.lane, within, few });
        }
        let share = &mut state.lanes[self.lane];
        share.served += permits.len() as f64 / f64::from(share.weight);
        state.moves += permits.len() as u64;
        if let Some((lane, taken)) = &mut state.exclusive {
            *taken |= *lane == self.lane && !permits.is_empty();
        }
        permits
    }

    /// Gives back what was not used.
    pub(super) fn clear(&mut self) {
        self.of.give_back(self.lane, std::mem::take(&mut self.count), 0, false);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The right of one job to run; it goes back when this is dropped.
pub(super) struct Permit {
    of: Arc<Permits>,
    lane: usize,
    within: bool,
    few: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.within {
            self.of.give_back(self.lane, 1, usize::from(self.few), true);
        } else {
            let mut state = self.of.lock();
            state.few -= usize::from(self.few);
            state.moves += 1;
            state.ring(self.lane, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(total: usize, sharing: Sharing, weights: &[u32]) -> Arc<Permits> {
        Permits::new(total, sharing, false, weights.iter().map(|weight| (Inbox::new(), *weight)).collect())
    }

    fn take(permits: &Arc<Permits>, lane: usize, most: usize) -> Vec<Permit> {
        let mut reserved = permits.none(lane);
        permits.reserve(lane, &mut reserved, most);
        reserved.take(vec![false; reserved.count()].into_iter())
    }

    #[test]
    fn in_strict_order_a_queue_waits_while_one_before_it_is_hungry() {
        let permits = permits(4, Sharing::Strict, &[1, 1]);
        assert!(!permits.has_room(1));
        assert_eq!(take(&permits, 0, 3).len(), 3);
        permits.set_hungry(0, false);
        assert_eq!(take(&permits, 1, 9).len(), 4);
    }

    #[test]
    fn hungry_queues_share_by_weight_and_a_lone_one_takes_all() {
        let permits = permits(8, Sharing::Weighted, &[3, 1]);
        let first = take(&permits, 0, 128);
        let second = take(&permits, 1, 128);
        assert_eq!((first.len(), second.len()), (6, 2));
        drop((first, second));
        permits.set_hungry(0, false);
        assert_eq!(take(&permits, 1, 128).len(), 8);
    }

    #[test]
    fn with_one_permit_the_weights_hold_over_time() {
        let permits = permits(1, Sharing::Weighted, &[3, 1]);
        let mut runs = [0, 0];
        for _ in 0..400 {
            let lane = usize::from(!permits.has_room(0));
            runs[lane] += take(&permits, lane, 1).len();
        }
        assert!((298..=302).contains(&runs[0]) && runs[0] + runs[1] == 400, "{runs:?}");
    }

    #[test]
    fn a_queue_that_found_no_room_looks_again_when_there_is_some() {
        use futures_util::FutureExt as _;

        let inboxes = [Inbox::new(), Inbox::new()];
        let lanes = inboxes.iter().map(|inbox| (Arc::clone(inbox), 1)).collect();
        let permits = Permits::new(1, Sharing::Strict, false, lanes);
        let running = take(&permits, 0, 1);
        permits.set_hungry(0, false);
        permits.set_hungry(1, false);
        let _ = inboxes[1].rung().now_or_never();
        drop(running);
        assert!(inboxes[1].rung().now_or_never().is_some());
    }

    #[test]
    fn an_exclusive_job_waits_for_an_empty_worker_and_keeps_it_empty() {
        let permits = permits(4, Sharing::Strict, &[1, 1]);
        let running = take(&permits, 0, 1);
        permits.ask_exclusive(1);
        assert!(!permits.has_room(0) && !permits.has_room(1));
        drop(running);
        assert!(!permits.has_room(0));
        let alone = take(&permits, 1, 4);
        assert_eq!(alone.len(), 1);
        assert!(!permits.has_room(0) && !permits.has_room(1));
        drop(alone);
        assert!(permits.has_room(0));
    }

    #[test]
    fn all_lanes_are_idle_only_when_each_looked_after_the_last_end() {
        let permits = permits(2, Sharing::Weighted, &[1, 1]);
        let running = take(&permits, 0, 1);
        let before = permits.moves();
        assert!(!permits.found_nothing(1, before, 0));
        drop(running);
        let after = permits.moves();
        assert!(!permits.found_nothing(0, after, 0));
        assert!(permits.found_nothing(1, after, 0));
    }
}
