//! What may happen in a history, and how often: the operations with their profiles.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::operation::Op::*;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is carried out, and its answer arrives.
    Answered,
    /// It is carried out, and its answer does not arrive.
    Unanswered,
    /// Its sender gives it up; it may be carried out later.
    Late,
    /// It is carried out, and its answer arrives; so does what was sent before of the same, later.
    Twice,
    /// It never arrives.
    Lost,
}

/// What makes a job one that matters to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// It is on loan.
    Running,
    /// Nobody knows it.
    Absent,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With success, and nothing to keep.
    Done,
    /// With a result that is kept for two minutes.
    Result,
    /// It is to run again after so many seconds; none means at once.
    Retry(u8),
    Dead,
    Released,
    /// No worker here knows its task, one of two.
    Parked(u8),
}

/// One step of a history. Whatever is chosen by number is chosen among those that there are, so that
/// a history from which a step was left out is a history too; mostly it is one for which the step changes
/// something. A number of a job that is beyond them names one of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A caller sends jobs: number, priority, seconds until due. One whose answer is missing is sent again.
    Send {
        jobs: Vec<(u8, u8, u8)>,
        fate: Fate,
    },
    Begin {
        worker: u8,
        fate: Fate,
    },
    Turn {
        worker: u8,
        want: u8,
        few: u8,
        empty: bool,
        first: u8,
        fate: Fate,
    },
    /// A handler ends; the worker may be told of it long after it lost its lease.
    End {
        worker: u8,
        handler: u8,
        how: How,
    },
    Beat {
        worker: u8,
        fate: Fate,
    },
    /// A process ends without a word; another one takes its place.
    Die {
        worker: u8,
    },
    /// A worker stops in good order; another one takes its place.
    Leave {
        worker: u8,
        fate: Fate,
    },
    /// A request that its sender gave up is carried out.
    Arrive {
        late: u8,
    },
    /// It never will be.
    Vanish {
        late: u8,
    },
    /// A recoverer looks at the leases.
    Look {
        recoverer: u8,
    },
    /// It ends one of those that it saw, however long ago, and decides about the jobs.
    Condemn {
        recoverer: u8,
        lease: u8,
        stale: bool,
        fate: Fate,
    },
    /// It moves the first of the jobs about which it decided, however long ago.
    SettleFor {
        recoverer: u8,
        count: u8,
        fate: Fate,
    },
    /// It ends in the middle of its work.
    Forget {
        recoverer: u8,
    },
    Cancel {
        job: u8,
        fate: Fate,
    },
    Promote,
    Sweep,
    Pause {
        paused: bool,
    },
    Forward {
        seconds: u8,
    },
    /// The server's clock goes on to a moment at which something changes by itself, or 1 ms before or after it.
    Until {
        moment: u8,
        off_ms: i8,
    },
    /// The server's clock is set back.
    Back {
        seconds: u8,
    },
    /// The server forgets its scripts.
    Flush,
    /// A worker takes a wake token, also one that has no room any more.
    Token {
        worker: u8,
    },
    Watch {
        job: u8,
    },
    /// A replica stands as the server does now.
    Replicate,
    /// That replica takes over.
    Failover,
}

/// How long the workers of a history remember ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Default,
    /// One dead job, and no end for longer than the floor.
    Little,
    /// No finished job without a result.
    Nothing,
}

/// A whole history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) workers: u8,
    pub(crate) jobs: u8,
    pub(crate) keep: Keep,
    pub(crate) ops: Vec<Op>,
}

/// What happens often in one kind of history.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    workers: u8,
    jobs: u8,
    network: u32,
    deaths: u32,
    recovery: u32,
    cancels: u32,
    ends: u32,
    sends: u32,
    clock: u32,
    failover: u32,
    most: usize,
}

const CALM: Profile = Profile {
    workers: 2,
    jobs: 3,
    network: 0,
    deaths: 0,
    recovery: 0,
    cancels: 0,
    ends: 12,
    sends: 6,
    clock: 2,
    failover: 0,
    most: 60,
};

/// The kinds of histories. Few jobs and workers meet more often than many.
pub(crate) const PROFILES: [Profile; 7] = [
    Profile { network: 3, jobs: 2, workers: 1, ..CALM },
    Profile { deaths: 2, recovery: 6, workers: 3, ..CALM },
    Profile { network: 2, deaths: 1, recovery: 4, ..CALM },
    Profile { cancels: 4, network: 1, recovery: 3, ..CALM },
    Profile { sends: 14, jobs: 1, workers: 1, network: 4, cancels: 2, clock: 6, ..CALM },
    Profile { recovery: 8, deaths: 2, jobs: 6, workers: 3, ..CALM },
    Profile { network: 2, deaths: 1, recovery: 3, cancels: 2, clock: 4, jobs: 8, workers: 3, most: 150, ..CALM },
];

/// Histories in which an older state comes back.
pub(crate) const FAILOVERS: [Profile; 3] = [
    Profile { failover: 3, workers: 1, ..CALM },
    Profile { failover: 2, recovery: 3, deaths: 1, ..CALM },
    Profile { failover: 1, recovery: 3, network: 2, cancels: 2, jobs: 6, workers: 3, most: 120, ..CALM },
];

impl Profile {
    /// Histories of this kind.
    pub(crate) fn histories(self) -> impl Strategy<Value = History> {
        let keep = prop_oneof![4 => Just(Keep::Default), 3 => Just(Keep::Little), 1 => Just(Keep::Nothing)];
        (keep, vec(self.op(), self.most / 3..=self.most)).prop_map(move |(keep, ops)| History {
            workers: self.workers,
            jobs: self.jobs,
            keep,
            ops,
        })
    }

    fn fate(self) -> BoxedStrategy<Fate> {
        let n = self.network;
        if n == 0 {
            return Just(Fate::Answered).boxed();
        }
        prop_oneof![
            8 => Just(Fate::Answered), n => Just(Fate::Unanswered), n => Just(Fate::Late), n => Just(Fate::Twice),
            1 => Just(Fate::Lost),
        ]
        .boxed()
    }

    fn op(self) -> impl Strategy<Value = Op> {
        let some = 0..self.jobs.max(self.workers);
        let fate = || self.fate();
        // Half of them beyond the jobs.
        let aimed = 0..2 * self.jobs;
        let job = (aimed.clone(), 3..=5_u8, prop_oneof![3 => Just(0_u8), 1 => 1..=30_u8]);
        let how = prop_oneof![
            5 => Just(How::Done), 2 => Just(How::Result), 4 => Just(How::Retry(0)), 2 => (1..=30_u8).prop_map(How::Retry),
            1 => Just(How::Dead), 1 => Just(How::Released), 1 => (0..2_u8).prop_map(How::Parked),
        ];
        let turn = (some.clone(), 0..=3_u8, 0..=2_u8, any::<bool>(), 0..=9_u8, fate());
        let send = (vec(job, 1..=2), fate());
        let quiet = u32::from(self.failover == 0);
        let n = self.network;
        let all: Vec<(u32, BoxedStrategy<Op>)> = vec![
            (self.sends, send.prop_map(|(jobs, fate)| Send { jobs, fate }).boxed()),
            (1, (some.clone(), fate()).prop_map(|(worker, fate)| Begin { worker, fate }).boxed()),
            (
                16,
                turn.prop_map(|(worker, want, few, empty, first, fate)| Turn { worker, want, few, empty, first, fate })
                    .boxed(),
            ),
            (
                self.ends,
                (some.clone(), some.clone(), how)
                    .prop_map(|(worker, handler, how)| End { worker, handler, how })
                    .boxed(),
            ),
            (2, (some.clone(), fate()).prop_map(|(worker, fate)| Beat { worker, fate }).boxed()),
            (self.deaths, some.clone().prop_map(|worker| Die { worker }).boxed()),
            (self.deaths.min(1), (some.clone(), fate()).prop_map(|(worker, fate)| Leave { worker, fate }).boxed()),
            (2 * n, any::<u8>().prop_map(|late| Arrive { late }).boxed()),
            (n.min(1), any::<u8>().prop_map(|late| Vanish { late }).boxed()),
            (self.recovery, (0..2_u8).prop_map(|recoverer| Look { recoverer }).boxed()),
            (
                2 * self.recovery,
                (0..2_u8, some.clone(), prop::bool::weighted(0.6), fate())
                    .prop_map(|(recoverer, lease, stale, fate)| Condemn { recoverer, lease, stale, fate })
                    .boxed(),
            ),
            (
                2 * self.recovery,
                (0..2_u8, 1..=3_u8, fate())
                    .prop_map(|(recoverer, count, fate)| SettleFor { recoverer, count, fate })
                    .boxed(),
            ),
            (self.recovery.min(1), (0..2_u8).prop_map(|recoverer| Forget { recoverer }).boxed()),
            (self.cancels, (aimed, fate()).prop_map(|(job, fate)| Cancel { job, fate }).boxed()),
            (1, Just(Promote).boxed()),
            (1, Just(Sweep).boxed()),
            (1, any::<bool>().prop_map(|paused| Pause { paused }).boxed()),
            (self.clock, (1..=100_u8).prop_map(|seconds| Forward { seconds }).boxed()),
            (self.clock, (any::<u8>(), -1..=1_i8).prop_map(|(moment, off_ms)| Until { moment, off_ms }).boxed()),
            (quiet, (1..=40_u8).prop_map(|seconds| Back { seconds }).boxed()),
            (1, Just(Flush).boxed()),
            (1, some.clone().prop_map(|worker| Token { worker }).boxed()),
            (1, (0..self.jobs).prop_map(|job| Watch { job }).boxed()),
            (self.failover, Just(Replicate).boxed()),
            (self.failover, Just(Failover).boxed()),
        ];
        Union::new_weighted(all.into_iter().filter(|(weight, _)| *weight > 0).collect())
    }
}
