//! What a run has seen, in a few lines, and what was wrong, with all that is known of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::checker::{Checker, Violation};
use crate::history::{Acknowledged, History};
use crate::stock::Fate;

/// Violations whose history is printed.
const TOLD: usize = 5;
/// Violations that are named.
const NAMED: usize = 50;

/// The figures of a run.
pub(crate) struct Report<'a> {
    pub(crate) checker: &'a Checker<'a>,
    pub(crate) struck: &'a BTreeMap<&'static str, usize>,
    /// How long it took once the faults were over.
    pub(crate) drained: Option<Duration>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checker { history, stock, .. } = self.checker;
        let jobs = history.jobs.values();
        let told = |what: Acknowledged| jobs.clone().filter(|life| life.acknowledged() == what).count();
        let attempts: usize = jobs.clone().map(|life| life.runs.len()).sum();
        let fates = |is: fn(&Fate) -> bool| stock.fates.values().filter(|fate| is(fate)).count();
        let crashed = |fate: &Fate| matches!(fate, Fate::Dead { error, .. } if error.contains("crashed its worker"));
        let in_doubt = history.jobs.iter().filter(|(_, life)| life.acknowledged() == Acknowledged::Unknown);
        let there = in_doubt.filter(|(id, _)| *stock.fate(id) != Fate::Gone).count();
        writeln!(
            f,
            "{} jobs: {} acknowledged, {} refused, {} in doubt, {there} of which are there",
            history.jobs.len(),
            told(Acknowledged::Yes),
            told(Acknowledged::No),
            told(Acknowledged::Unknown),
        )?;
        writeln!(f, "{attempts} attempts, {} of them again, each for a reason", self.checker.repetitions(),)?;
        writeln!(
            f,
            "{} completed, {} cancelled, {} dead, {} of these because they end their process",
            fates(|fate| matches!(fate, Fate::Completed { .. })),
            fates(|fate| *fate == Fate::Cancelled),
            fates(|fate| matches!(fate, Fate::Dead { .. })),
            stock.fates.values().filter(|fate| crashed(fate)).count(),
        )?;
        writeln!(f, "{} processes ended", history.gone.len())?;
        for (name, count) in self.struck {
            writeln!(f, "{count:>5} × {name}")?;
        }
        match self.drained {
            Some(time) => write!(f, "drained {:.1} s after the faults", time.as_secs_f64()),
            None => write!(f, "not drained"),
        }
    }
}

/// What was wrong, and the histories of the first jobs of which it was.
pub(crate) fn violations(violations: &[Violation], history: &History) -> String {
    let mut text = format!("{} violations\n", violations.len());
    for Violation { rule, id, what } in violations.iter().take(NAMED) {
        let of = id.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
        let _ = writeln!(text, "{rule}{of}: {what}");
    }
    let mut ids: Vec<&String> = violations.iter().filter_map(|violation| violation.id.as_ref()).collect();
    ids.dedup();
    for id in ids.into_iter().take(TOLD) {
        let _ = write!(text, "all that was written down of {id}:\n{}", history.tell(id));
    }
    text
}
