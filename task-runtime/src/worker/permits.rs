//! How many jobs a worker runs at a time, and which of its queues may claim the next ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::broker::MAX_TURN;

use super::inbox::Inbox;

/// A lane that helps makes a turn to claim only where there is room for so many jobs: many small turns would cost more
/// than they bring. A turn that it makes anyway claims what it may.
const HELP_FROM: usize = MAX_TURN / 2;

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
    /// Permits that turns hold which are under way.
    reserved: usize,
    /// Permits of jobs that were on board of a crash.
    few: usize,
    sharing: Sharing,
    queues: Vec<Share>,
    /// The lane that leads each queue, at the place of the queue; then those that help.
    lanes: Vec<Seat>,
    /// The lane that is to run one job with nothing beside it, and whether it does.
    exclusive: Option<(usize, bool)>,
    /// Whether every lane looks again whenever anything moved.
    burst: bool,
    /// Grows with every claim and every end: what has not grown since a look was nothing.
    moves: u64,
}

/// What one queue has of the permits.
struct Share {
    weight: u32,
    held: usize,
    /// Whether the queue is believed to have jobs to claim.
    hungry: bool,
    /// What it was granted, by its weight: of two hungry queues the one with less goes first.
    served: f64,
}

/// One lane.
pub(super) struct Seat {
    queue: usize,
    helps: bool,
    inbox: Arc<Inbox>,
    held: usize,
    /// Whether it would claim, had it room.
    hungry: bool,
    /// `moves` when it last looked and found nothing.
    idle_at: Option<u64>,
}

impl Seat {
    /// The lane that leads a queue.
    pub(super) fn leads(queue: usize, inbox: Arc<Inbox>) -> Self {
        Self { queue, helps: false, inbox, held: 0, hungry: true, idle_at: None }
    }

    /// One that helps it.
    pub(super) fn helps(queue: usize, inbox: Arc<Inbox>) -> Self {
        Self { queue, helps: true, inbox, held: 0, hungry: false, idle_at: None }
    }
}

impl Permits {
    /// `total` permits, for queues in order with their weights, and the lanes of these queues: first
    /// those that lead, in the same order.
    pub(super) fn new(total: usize, sharing: Sharing, burst: bool, weights: &[u32], lanes: Vec<Seat>) -> Arc<Self> {
        let share = |weight: &u32| Share { weight: (*weight).max(1), held: 0, hungry: true, served: 0.0 };
        let queues = weights.iter().map(share).collect();
        let state =
            State { total, free: total, reserved: 0, few: 0, sharing, queues, lanes, exclusive: None, burst, moves: 0 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Reserves permits for a turn of `lane`, `most` in all with those that `reserved` has.
    pub(super) fn reserve(self: &Arc<Self>, lane: usize, reserved: &mut Reserved, most: usize) {
        let mut state = self.lock();
        let count = state.room(lane).min(most.saturating_sub(reserved.count));
        state.free -= count;
        state.reserved += count;
        state.lanes[lane].held += count;
        state.share(lane).held += count;
        reserved.count += count;
        if count > 0 && state.sharing == Sharing::Weighted {
            // Those that had to let this one go first may take their part now.
            state.ring(lane, false);
        }
    }

    /// Whether a turn of `lane` could claim anything that is worth a turn.
    pub(super) fn has_room(&self, lane: usize) -> bool {
        let state = self.lock();
        state.room(lane) >= if state.lanes[lane].helps { HELP_FROM } else { 1 }
    }

    /// No permits yet, for the turns of `lane`.
    pub(super) fn none(self: &Arc<Self>, lane: usize) -> Reserved {
        Reserved { of: Arc::clone(self), lane, count: 0 }
    }

    /// Says whether `lane` has jobs to claim. Only what leads a queue speaks for it.
    pub(super) fn set_hungry(&self, lane: usize, hungry: bool) {
        let mut state = self.lock();
        let seat = &mut state.lanes[lane];
        let was = std::mem::replace(&mut seat.hungry, hungry);
        if seat.helps {
            if was && !hungry {
                // Whoever leads has all the room again.
                let leads = seat.queue;
                state.lanes[leads].inbox.ring();
            }
            return;
        }
        let least = state.queues.iter().filter(|share| share.hungry).map(|share| share.served).reduce(f64::min);
        let share = state.share(lane);
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

    /// Whether the one job of `lane` runs for which the whole worker was reserved.
    pub(super) fn runs_alone(&self, lane: usize) -> bool {
        self.lock().exclusive == Some((lane, true))
    }

    /// Whether turns that are under way hold permits.
    pub(super) fn are_reserved(&self) -> bool {
        self.lock().reserved > 0
    }

    /// Whether nothing runs and nothing is being claimed.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.free == state.total
    }

    /// How many more jobs may run that were on board of a crash: the square root of all.
    pub(super) fn few_room(&self) -> usize {
        self.lock().few_room()
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
        state.free + stuck >= state.total && state.lanes.iter().all(|seat| seat.idle_at == Some(now))
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
        state.share(lane).held -= count;
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
        let seat = &self.lanes[lane];
        let at = seat.queue;
        let mut hungry = self.queues.iter().enumerate().filter(|(other, share)| share.hungry && *other != at);
        let (free, most) = match self.sharing {
            Sharing::Strict if hungry.any(|(other, _)| other < at) => return 0,
            Sharing::Strict => (self.free, self.total),
            Sharing::Weighted => {
                let mine = &self.queues[at];
                let others: Vec<_> = hungry.map(|(_, share)| share).collect();
                let weight = |share: &Share| share.weight as usize;
                let all = others.iter().map(|share| weight(share)).sum::<usize>() + weight(mine);
                let part = |share: &Share| (self.total * weight(share) / all).max(1);
                if others.iter().any(|share| share.held < part(share) && share.served < mine.served) {
                    return 0;
                }
                let most = if others.is_empty() { self.total } else { part(mine) };
                (self.free.min(most.saturating_sub(mine.held)), most)
            }
        };
        // With help, each of the two has its half: else the turns of one would leave the other none.
        let half = most / 2;
        let is_help = |other: &&Seat| other.queue == at && other.helps && other.hungry;
        match self.lanes.iter().find(is_help) {
            // There is no help where it has no room to begin.
            Some(help) if help.held > 0 || free.min(half) >= HELP_FROM => free.min(half.saturating_sub(seat.held)),
            _ if seat.helps => 0,
            _ => free,
        }
    }

    fn few_room(&self) -> usize {
        self.total.isqrt().max(1).saturating_sub(self.few)
    }

    /// What the queue of `lane` has.
    fn share(&mut self, lane: usize) -> &mut Share {
        &mut self.queues[self.lanes[lane].queue]
    }

    /// Has every lane look again that may want permits: `lane`, whose permits they were, those that
    /// are hungry, or all.
    fn ring(&self, lane: usize, to_all: bool) {
        for (at, seat) in self.lanes.iter().enumerate() {
            let concerned = at == lane || seat.hungry || self.exclusive == Some((at, false));
            if concerned || to_all || self.burst {
                seat.inbox.ring();
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

    /// One of them for each job that is to run, as far as they go. Each job says whether it was on board of a crash;
    /// of those only so many get one as may run.
    pub(super) fn take(&mut self, jobs: impl ExactSizeIterator<Item = bool>) -> Vec<Option<Permit>> {
        let mut state = self.of.lock();
        let before = self.count;
        let mut take = |few: bool| {
            if self.count == 0 || few && state.few_room() == 0 {
                return None;
            }
            self.count -= 1;
            state.few += usize::from(few);
            Some(Permit { of: Arc::clone(&self.of), lane: self.lane, few })
        };
        let permits: Vec<_> = jobs.map(&mut take).collect();
        let taken = before - self.count;
        state.reserved -= taken;
        let share = state.share(self.lane);
        share.served += taken as f64 / f64::from(share.weight);
        state.moves += taken as u64;
        let alone = taken == 1 && state.total - state.free == 1 + self.count;
        if let Some((lane, taken)) = &mut state.exclusive {
            *taken |= *lane == self.lane && alone;
        }
        permits
    }

    /// Gives back what was not used.
    pub(super) fn clear(&mut self) {
        self.of.lock().reserved -= self.count;
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
    few: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.give_back(self.lane, 1, usize::from(self.few), true);
    }
}

#[cfg(test)]
mod tests;
