//! The faults: which comes when, to whom and for how long is drawn from a seed.

mod faults;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::fleet::{Fleet, pass};
use crate::process::Kind;

/// Between the beginnings of two faults, at most.
const PAUSE: Duration = Duration::from_millis(1_500);
/// How often it is looked what is due.
const LOOK: Duration = Duration::from_millis(10);

/// Brings a fault about; answers whether it did, for what is disturbed already is left alone.
type Strike = fn(&mut Nemesis, &mut Fleet) -> bool;

/// Every kind of fault, with how likely it is.
const FAULTS: [(&str, u32, Strike); 24] = [
    ("kill -9 of a worker", 8, Nemesis::kill_worker),
    ("SIGSTOP of a worker", 8, Nemesis::freeze_worker),
    ("SIGTERM of a worker", 5, Nemesis::terminate_worker),
    ("rolling restart", 1, Nemesis::rolling_restart),
    ("fail point", 6, Nemesis::fail_point),
    ("kill -9 of a producer", 3, Nemesis::kill_producer),
    ("SIGSTOP of a producer", 3, Nemesis::freeze_producer),
    ("kill -9 of the server", 3, Nemesis::kill_server),
    ("SIGSTOP of the server", 2, Nemesis::freeze_server),
    ("READONLY", 2, Nemesis::demote_server),
    ("CLIENT PAUSE", 2, Nemesis::pause_clients),
    ("CLIENT KILL", 3, Nemesis::kill_clients),
    ("SCRIPT FLUSH", 3, Nemesis::flush_scripts),
    ("paused queue", 2, Nemesis::pause_queue),
    ("slow line", 4, Nemesis::slow_line),
    ("narrow line", 2, Nemesis::narrow_line),
    ("partition", 4, Nemesis::hold_line),
    ("black hole", 3, Nemesis::black_hole),
    ("reset", 4, Nemesis::reset),
    ("another address", 2, Nemesis::retarget),
    ("lost answers", 6, Nemesis::lose_answers),
    ("late requests", 3, Nemesis::late_requests),
    ("refused requests", 2, Nemesis::refuse_requests),
    ("damaged answers", 3, Nemesis::damage_answers),
];

type Undo = Box<dyn FnOnce(&mut Fleet)>;

pub(crate) struct Nemesis {
    seed: u64,
    /// Of the fault that is drawn: what one finds disturbed changes nothing of the next.
    random: Rng,
    drawn: u64,
    /// Until the next one.
    pause: Duration,
    /// What is still to be ended.
    later: Vec<(Instant, Undo)>,
    /// How many of each kind there were.
    pub(crate) struck: BTreeMap<&'static str, usize>,
}

impl Nemesis {
    pub(crate) fn new(seed: u64) -> Nemesis {
        Nemesis {
            seed,
            random: Rng::with_seed(seed),
            drawn: 0,
            pause: PAUSE,
            later: Vec::new(),
            struck: BTreeMap::new(),
        }
    }

    /// Brings one fault after the other for so long, then ends them all.
    pub(crate) fn rage(&mut self, fleet: &mut Fleet, time: Duration) {
        let end = Instant::now() + time;
        let mut next = Instant::now();
        while Instant::now() < end {
            fleet.keep_up();
            self.undo(fleet, Instant::now());
            if next <= Instant::now() {
                self.strike(fleet);
                next = Instant::now() + self.pause;
            }
            pass(LOOK);
        }
        self.later.sort_by_key(|(due, _)| *due);
        for (_, undo) in std::mem::take(&mut self.later) {
            undo(fleet);
        }
        for process in &mut fleet.processes {
            process.proxy.heal();
            process.start_now(&fleet.journal);
        }
    }

    fn undo(&mut self, fleet: &mut Fleet, now: Instant) {
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(due, _)| *due <= now);
        self.later = later;
        for (_, undo) in Vec::from_iter::<Vec<(Instant, Undo)>>(due) {
            undo(fleet);
        }
    }

    fn strike(&mut self, fleet: &mut Fleet) {
        self.drawn += 1;
        self.random = Rng::with_seed(self.seed.wrapping_add(self.drawn << 32));
        self.pause = PAUSE.mul_f64(self.random.f64());
        let all = FAULTS.iter().map(|(_, weight, _)| weight).sum();
        let mut drawn = self.random.u32(0..all);
        for (name, weight, strike) in FAULTS {
            if drawn < weight {
                if strike(self, fleet) {
                    *self.struck.entry(name).or_default() += 1;
                }
                return;
            }
            drawn -= weight;
        }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.u64(least..most))
    }

    /// One of this kind that is not disturbed yet.
    fn pick(&mut self, fleet: &Fleet, kind: Option<Kind>) -> Option<usize> {
        let may = |at: &usize| {
            let process = &fleet.processes[*at];
            kind.is_none_or(|kind| process.kind == kind) && !process.disturbed && process.runs()
        };
        // Workers come first, and more often: producers that are cut off produce nothing.
        let count = fleet.processes.len();
        let first = self.random.usize(0..count) * self.random.usize(0..count) / count;
        (first..first + count).map(|at| at % count).find(may)
    }

    /// A fault of one process, which ends after `time` with `undo`.
    fn disturb(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        name: &'static str,
        time: Duration,
        undo: impl FnOnce(&mut Fleet) + 'static,
    ) -> bool {
        let of = fleet.processes[at].name.clone();
        fleet.processes[at].disturbed = true;
        fleet.fault(&of, name, true);
        let undo = move |fleet: &mut Fleet| {
            undo(fleet);
            fleet.processes[at].disturbed = false;
            fleet.fault(&of, name, false);
        };
        self.later.push((Instant::now() + time, Box::new(undo)));
        true
    }

    /// A fault of the server, likewise; there is one at a time.
    fn disturb_server(
        &mut self,
        fleet: &mut Fleet,
        name: &'static str,
        time: Duration,
        undo: impl FnOnce(&mut Fleet) + 'static,
    ) -> bool {
        fleet.server_disturbed = true;
        fleet.fault("server", name, true);
        let undo = move |fleet: &mut Fleet| {
            undo(fleet);
            fleet.server_disturbed = false;
            fleet.fault("server", name, false);
        };
        self.later.push((Instant::now() + time, Box::new(undo)));
        true
    }
}
