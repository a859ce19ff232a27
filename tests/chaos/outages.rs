//! What must hold of each outage of the server: soon after its end somebody begins a job again, with no restart.

use crate::checker::{Checker, Violation};
use crate::history::{Acknowledged, Life};

/// How soon, after the server answers again.
const RESUMED_US: u64 = 10_000_000;

impl Checker<'_> {
    /// The outages after which jobs waited for too long, though the server was not disturbed again.
    pub(crate) fn standstills(&self) -> Vec<Violation> {
        let of_server = || self.history.faults.iter().filter(|fault| fault.of == "server");
        let mut starts: Vec<u64> = self.history.jobs.values().flat_map(starts).collect();
        starts.sort_unstable();
        let mut standstills = Vec::new();
        for fault in of_server() {
            let (over_us, late_us) = (fault.until_us, fault.until_us.saturating_add(RESUMED_US));
            let again = of_server().any(|other| other.until_us > over_us && other.from_us < late_us);
            let next = starts.partition_point(|start_us| *start_us <= over_us);
            let next_us = starts.get(next).copied().unwrap_or(u64::MAX);
            let waited = || self.history.jobs.values().any(|life| waits(life, over_us, late_us));
            if !again && next_us > late_us && waited() {
                let what =
                    format!("no job began within 10 s of the end of `{}` at {over_us}, and some waited", fault.name);
                standstills.push(Violation { rule: "resumption", id: None, what });
            }
        }
        standstills
    }
}

fn starts(life: &Life) -> impl Iterator<Item = u64> {
    life.runs.iter().map(|run| run.start_us)
}

/// Whether a job was there and due when an outage ended, and began only when it was late.
fn waits(life: &Life, over_us: u64, late_us: u64) -> bool {
    let due = life.order.as_ref().is_some_and(|order| order.delay_ms == 0);
    let there = life.acknowledged() == Acknowledged::Yes && life.calls.iter().all(|call| call.at_us < over_us);
    due && there && starts(life).next().is_some() && starts(life).all(|start_us| start_us > late_us)
}
