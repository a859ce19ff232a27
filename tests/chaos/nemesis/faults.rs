//! What each fault does, and what ends it.

use std::time::{Duration, Instant};

use support::{Fault, Line, On, Way, When};

use super::Nemesis;
use crate::fleet::Fleet;
use crate::journal::QUEUES;
use crate::process::Kind;

/// Faults of processes.
impl Nemesis {
    pub(super) fn kill(&mut self, fleet: &mut Fleet, kind: Kind) -> bool {
        let Some(at) = self.pick(fleet, Some(kind)) else { return false };
        let again = self.millis(0, 2_000);
        fleet.processes[at].kill9(&fleet.journal, again);
        true
    }

    pub(super) fn kill_worker(&mut self, fleet: &mut Fleet) -> bool {
        self.kill(fleet, Kind::Worker)
    }

    pub(super) fn kill_producer(&mut self, fleet: &mut Fleet) -> bool {
        self.kill(fleet, Kind::Producer)
    }

    /// Shorter and longer than a lease.
    pub(super) fn freeze(&mut self, fleet: &mut Fleet, kind: Kind) -> bool {
        let Some(at) = self.pick(fleet, Some(kind)) else { return false };
        fleet.processes[at].signal(libc::SIGSTOP);
        let time = self.millis(200, 9_000);
        self.disturb(fleet, at, "stands still", time, move |fleet| {
            fleet.processes[at].signal(libc::SIGCONT);
        })
    }

    pub(super) fn freeze_worker(&mut self, fleet: &mut Fleet) -> bool {
        self.freeze(fleet, Kind::Worker)
    }

    pub(super) fn freeze_producer(&mut self, fleet: &mut Fleet) -> bool {
        self.freeze(fleet, Kind::Producer)
    }

    /// Once, or twice within its grace.
    pub(super) fn terminate_worker(&mut self, fleet: &mut Fleet) -> bool {
        let Some(at) = self.pick(fleet, Some(Kind::Worker)) else { return false };
        self.terminate(fleet, at, Duration::ZERO)
    }

    pub(super) fn terminate(&mut self, fleet: &mut Fleet, at: usize, after: Duration) -> bool {
        let twice = self.random.bool();
        let tell = move |fleet: &mut Fleet| fleet.processes[at].signal(libc::SIGTERM);
        self.later.push((Instant::now() + after, Box::new(tell)));
        let second = self.millis(10, 1_000);
        self.disturb(fleet, at, "SIGTERM", after + second, move |fleet| {
            if twice {
                tell(fleet);
            }
        })
    }

    pub(super) fn rolling_restart(&mut self, fleet: &mut Fleet) -> bool {
        let workers = 0..fleet.processes.len();
        let workers: Vec<usize> =
            workers.filter(|at| fleet.processes[*at].kind == Kind::Worker && !fleet.processes[*at].disturbed).collect();
        for (turn, at) in workers.iter().enumerate() {
            self.terminate(fleet, *at, Duration::from_millis(700) * turn as u32);
        }
        !workers.is_empty()
    }

    /// The next start of a worker crashes or dies at an exact place.
    pub(super) fn fail_point(&mut self, fleet: &mut Fleet) -> bool {
        let Some(at) = self.pick(fleet, Some(Kind::Worker)) else { return false };
        let point = ["claimed", "turn-answered", "recovery", "lane", "heartbeat"][self.random.usize(0..5)];
        let (after, what) = (self.random.u32(0..20), ["return", "panic"][self.random.usize(0..2)]);
        // The last three places are passed once, when the part begins.
        let after = if ["claimed", "turn-answered"].contains(&point) { after } else { after % 3 };
        fleet.processes[at].points = Some(format!("{point}={after}*off->1*{what}->off"));
        fleet.fault(&fleet.processes[at].name.clone(), point, true);
        fleet.processes[at].kill9(&fleet.journal, Duration::ZERO);
        fleet.fault(&fleet.processes[at].name.clone(), point, false);
        true
    }
}

/// Faults of the server.
impl Nemesis {
    pub(super) fn kill_server(&mut self, fleet: &mut Fleet) -> bool {
        if fleet.server_disturbed {
            return false;
        }
        fleet.server.kill9();
        let time = self.millis(0, 3_000);
        self.disturb_server(fleet, "kill -9", time, |fleet| fleet.server.restart())
    }

    pub(super) fn freeze_server(&mut self, fleet: &mut Fleet) -> bool {
        if fleet.server_disturbed {
            return false;
        }
        fleet.server.freeze();
        let time = self.millis(200, 5_000);
        self.disturb_server(fleet, "stands still", time, |fleet| fleet.server.thaw())
    }

    /// It becomes a replica of a primary that is not there, and a primary again.
    pub(super) fn demote_server(&mut self, fleet: &mut Fleet) -> bool {
        if fleet.server_disturbed {
            return false;
        }
        fleet.server.command(&["REPLICAOF", "127.0.0.1", "1"]);
        let time = self.millis(100, 3_000);
        self.disturb_server(fleet, "READONLY", time, |fleet| {
            fleet.server.command(&["REPLICAOF", "NO", "ONE"]);
        })
    }

    pub(super) fn pause_clients(&mut self, fleet: &mut Fleet) -> bool {
        if fleet.server_disturbed {
            return false;
        }
        let time = self.millis(100, 3_000);
        let whom = ["ALL", "WRITE"][self.random.usize(0..2)];
        fleet.server.command(&["CLIENT", "PAUSE", &time.as_millis().to_string(), whom]);
        self.disturb_server(fleet, "CLIENT PAUSE", time, |_| {})
    }

    pub(super) fn kill_clients(&mut self, fleet: &mut Fleet) -> bool {
        if fleet.server_disturbed {
            return false;
        }
        let kind = ["normal", "pubsub"][self.random.usize(0..2)];
        fleet.server.command(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
        true
    }

    pub(super) fn flush_scripts(&mut self, fleet: &mut Fleet) -> bool {
        if fleet.server_disturbed {
            return false;
        }
        fleet.server.command(&["SCRIPT", "FLUSH"]);
        true
    }

    pub(super) fn pause_queue(&mut self, fleet: &mut Fleet) -> bool {
        let queue = QUEUES[self.random.usize(0..QUEUES.len())];
        if fleet.server_disturbed || !fleet.pause(queue, true) {
            return false;
        }
        let time = self.millis(200, 3_000);
        self.disturb_server(fleet, "paused queue", time, move |fleet| while !fleet.pause(queue, false) {})
    }
}

/// Faults of lines: those of one process.
impl Nemesis {
    pub(super) fn line(&mut self, fleet: &mut Fleet, name: &'static str, line: Line, most: u64) -> bool {
        let Some(at) = self.pick(fleet, None) else { return false };
        let ways: &[Way] =
            [&[Way::Requests][..], &[Way::Replies], &[Way::Requests, Way::Replies]][self.random.usize(0..3)];
        ways.iter().for_each(|way| fleet.processes[at].proxy.set(*way, line));
        let time = self.millis(200, most);
        self.disturb(fleet, at, name, time, move |fleet| fleet.processes[at].proxy.heal())
    }

    pub(super) fn slow_line(&mut self, fleet: &mut Fleet) -> bool {
        let (least, most) = (self.millis(0, 200), self.millis(200, 1_500));
        self.line(fleet, "slow line", Line::Delay { least, most }, 6_000)
    }

    pub(super) fn narrow_line(&mut self, fleet: &mut Fleet) -> bool {
        let bytes_per_second = self.random.u32(2_000..50_000);
        self.line(fleet, "narrow line", Line::Throttle { bytes_per_second }, 6_000)
    }

    pub(super) fn hold_line(&mut self, fleet: &mut Fleet) -> bool {
        self.line(fleet, "partition", Line::Hold, 8_000)
    }

    pub(super) fn black_hole(&mut self, fleet: &mut Fleet) -> bool {
        self.line(fleet, "black hole", Line::Vanish, 4_000)
    }

    pub(super) fn reset(&mut self, fleet: &mut Fleet) -> bool {
        let Some(at) = self.pick(fleet, None) else { return false };
        fleet.processes[at].proxy.reset_all();
        self.disturb(fleet, at, "reset", Duration::ZERO, |_| {})
    }

    /// Nobody listens there.
    pub(super) fn retarget(&mut self, fleet: &mut Fleet) -> bool {
        let Some(at) = self.pick(fleet, None) else { return false };
        fleet.processes[at].proxy.retarget(1);
        fleet.processes[at].proxy.reset_all();
        let time = self.millis(100, 5_000);
        self.disturb(fleet, at, "another address", time, move |fleet| {
            fleet.processes[at].proxy.retarget(fleet.server.port());
        })
    }

    /// One request in so many meets a fault.
    pub(super) fn inject(&mut self, fleet: &mut Fleet, name: &'static str, faults: &[Fault]) -> bool {
        let Some(at) = self.pick(fleet, None) else { return false };
        let on = [On::Any, On::AnyScript, On::Script("turn"), On::Script("enqueue")][self.random.usize(0..4)];
        let fault = faults[self.random.usize(0..faults.len())].clone();
        fleet.processes[at].proxy.inject(on, When::Chance(0.05 + self.random.f64() / 2.0), fault);
        let time = self.millis(300, 5_000);
        self.disturb(fleet, at, name, time, move |fleet| fleet.processes[at].proxy.heal())
    }

    pub(super) fn lose_answers(&mut self, fleet: &mut Fleet) -> bool {
        let length = self.random.usize(0..40);
        let faults = [Fault::Cut, Fault::Mute, Fault::HalfClose, Fault::Truncate(length)];
        self.inject(fleet, "lost answers", &faults)
    }

    pub(super) fn late_requests(&mut self, fleet: &mut Fleet) -> bool {
        let late = self.millis(100, 4_000);
        self.inject(fleet, "late requests", &[Fault::Late(late)])
    }

    pub(super) fn refuse_requests(&mut self, fleet: &mut Fleet) -> bool {
        let answers = ["-LOADING loading", "-BUSY busy", "-TRYAGAIN try again", "-MASTERDOWN down"];
        let answer = answers[self.random.usize(0..answers.len())].to_owned();
        self.inject(fleet, "refused requests", &[Fault::Refuse, Fault::Answer(answer)])
    }

    /// An answer that takes the place of another one is told by its number.
    pub(super) fn damage_answers(&mut self, fleet: &mut Fleet) -> bool {
        self.inject(fleet, "damaged answers", &[Fault::DropReply, Fault::Duplicate, Fault::Corrupt])
    }
}
