//! What a check of the stored data of a queue finds.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Most examples that are kept of one finding: there may be as many as there are jobs.
pub const MAX_EXAMPLES: usize = 10;

/// Whether a check only looks, or also mends what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing changes.
    No,
    /// What is wrong is put right where that loses no job; the rest is told.
    Yes,
}

/// One way in which stored data can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flaw {
    /// A job that no index holds: it would never run. Repair puts it back, to run again.
    Lost,
    /// An id in an index without a job: its job was deleted. Repair removes the id.
    Dangling,
    /// A job in two places: it might run twice. Repair leaves it in the one where it runs, or runs first.
    Twice,
    /// A job that has ended and is in an index all the same. Repair removes it there.
    Ended,
    /// Jobs on loan to a worker that nobody watches: they would stay if it vanished. Repair has it
    /// watched, and recovered if it is gone.
    Unwatched,
    /// A worker whose lease and registration contradict each other. Repair ends its lease for good; a
    /// live worker begins anew.
    HalfRegistered,
    /// A parked job that is not found by a worker which knows its task. Repair makes it known again.
    Untold,
    /// An end record that nothing would ever forget. Repair has it forgotten in its time.
    NeverForgotten,
    /// A note of an end without its record. Repair removes the note.
    EndOfNothing,
    /// A number of kept ends that is not right. Repair counts again.
    Miscounted,
    /// What stands beside a job, and is left of one that is not there. Repair removes it.
    Leftover,
    /// What the queue remembers of itself is gone: fencing tokens, counts, whether it is paused. Repair
    /// writes what can be known; who had paused the queue has to do it again.
    Forgetful,
    /// The queue is not in the list of queues. Repair adds it.
    Unlisted,
    /// A key, a field or an entry that this version does not know. It is never touched.
    Unknown,
    /// A key of another type than it must have. It is never touched. If it is one of the queue's own, nothing
    /// else is looked at.
    WrongType,
}

impl Flaw {
    /// What is wrong, in words that need no knowledge of how jobs are stored.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Lost => "jobs that would never run: no index holds them",
            Self::Dangling => "entries of jobs that are gone",
            Self::Twice => "jobs in two places at once",
            Self::Ended => "ended jobs that are still in line",
            Self::Unwatched => "workers that nobody would notice to vanish",
            Self::HalfRegistered => "workers that are only half registered",
            Self::Untold => "parked jobs that no worker would find",
            Self::NeverForgotten => "ends that would never be forgotten",
            Self::EndOfNothing => "notes of ends whose records are gone",
            Self::Miscounted => "wrong counts of kept ends",
            Self::Leftover => "leftovers of jobs that are gone",
            Self::Forgetful => "lost facts of the queue (also whether it was paused)",
            Self::Unlisted => "queue missing in the list of queues",
            Self::Unknown => "things that this version does not know; never touched",
            Self::WrongType => "keys of the wrong type; with one in `keys`, nothing else was looked at",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// All that is wrong in one way at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// In which way.
    pub flaw: Flaw,
    /// Where: the key of the queue without its prefix, such as `ready:5`.
    pub place: String,
    /// How often.
    pub count: u64,
    /// How many of them were put right.
    pub repaired: u64,
    /// Some of them, at most [`MAX_EXAMPLES`]: ids of jobs, workers, fields or keys.
    pub examples: Vec<String>,
}

/// What a check found in one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Unfinished and dead jobs that were looked at.
    pub jobs: u64,
    /// End records that were looked at.
    pub ended: u64,
    /// What is wrong, in a fixed order.
    pub findings: Vec<Finding>,
    /// What could not be decided, because jobs moved or there was too much of it: it may be wrong. Another
    /// check decides it, best at a quieter time; of too much, after a repair.
    pub undecided: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong, or nothing any more, and all of it was decided.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.is_repaired() && self.undecided.is_empty()
    }

    /// Whether all that was found was put right.
    pub(crate) fn is_repaired(&self) -> bool {
        self.findings.iter().all(|finding| finding.repaired == finding.count)
    }
}

/// Findings as they come.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) jobs: u64,
    pub(super) ended: u64,
    findings: BTreeMap<(Flaw, String), Finding>,
    pub(super) undecided: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, flaw: Flaw, place: &str, what: impl Into<String>, repaired: bool) {
        let empty = || Finding { flaw, place: place.to_owned(), count: 0, repaired: 0, examples: Vec::new() };
        let finding = self.findings.entry((flaw, place.to_owned())).or_insert_with(empty);
        finding.count += 1;
        finding.repaired += u64::from(repaired);
        if finding.examples.len() < MAX_EXAMPLES {
            finding.examples.push(what.into());
        }
    }

    pub(super) fn report(self) -> Report {
        let findings = self.findings.into_values().collect();
        Report { jobs: self.jobs, ended: self.ended, findings, undecided: self.undecided }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_sound_when_all_is_repaired_and_keeps_a_few_examples() {
        let mut tally = Tally::default();
        assert!(Tally::default().report().is_sound());
        for n in 0..100 {
            tally.add(Flaw::Lost, "jobs", n.to_string(), true);
        }
        let report = tally.report();
        assert!(report.is_sound());
        assert_eq!((report.findings[0].count, report.findings[0].examples.len()), (100, MAX_EXAMPLES));
        let mut tally = Tally::default();
        tally.add(Flaw::Lost, "jobs", "a", false);
        tally.add(Flaw::Lost, "jobs", "b", true);
        assert!(!tally.report().is_sound());
        let tally = Tally { undecided: vec!["whether it is".into()], ..Tally::default() };
        assert!(!tally.report().is_sound());
    }
}
