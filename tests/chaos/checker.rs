//! What must hold of every job, whatever happened to the processes and the server: one function a rule.

use std::collections::BTreeMap;

use crate::fleet;
use crate::history::{Acknowledged, History, Life, Run, slot};
use crate::journal::{Act, How, Order, QUEUES};
use crate::stock::{Fate, Stock};

/// For how long the end of a job is kept at least.
const FLOOR_S: u64 = 60;
/// For how long a result is kept unless its job says else.
const KEPT_S: u64 = 3_600;
/// How many ends without a result a queue keeps, of any age.
const FINISHED: usize = 10_000;
/// What was claimed before the lease of a worker ended may begin so much later.
const LATE_US: u64 = 20_000_000;
/// The scripts count milliseconds.
const MILLISECOND_US: u64 = 1_000;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    /// Whose.
    pub(crate) id: Option<String>,
    pub(crate) what: String,
}

/// What the rules look at.
pub(crate) struct Checker<'a> {
    pub(crate) history: &'a History,
    pub(crate) stock: &'a Stock,
    /// When the stock was taken.
    pub(crate) now_us: u64,
}

type Rule<'a> = fn(&Checker<'a>, &Life, &Fate) -> Result<(), String>;

impl<'a> Checker<'a> {
    /// The rules of a single job.
    const RULES: [(&'static str, Rule<'a>); 11] = [
        ("lost", Self::is_not_lost),
        ("stuck", Self::has_ended),
        ("refused", Self::refused_is_not_there),
        ("unknown", Self::was_enqueued),
        ("token", Self::tokens_increase),
        ("second end", Self::the_last_claim_ended_it),
        ("attempts", Self::attempts_are_counted),
        ("crashes", Self::crashes_are_bounded),
        ("due", Self::nothing_is_early),
        ("cancel", Self::cancels_are_kept),
        ("again", Self::each_repetition_has_a_reason),
    ];

    /// Everything that is wrong.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut violations: Vec<Violation> =
            self.stock.faults.iter().map(|what| Violation { rule: "stock", id: None, what: what.clone() }).collect();
        for (id, life) in &self.history.jobs {
            let fate = self.stock.fate(id);
            for (rule, holds) in Self::RULES {
                if let Err(what) = holds(self, life, fate) {
                    violations.push(Violation { rule, id: Some(id.clone()), what });
                }
            }
        }
        let nowhere = self.stock.fates.keys().filter(|id| !self.history.jobs.contains_key(*id));
        violations.extend(nowhere.map(|id| {
            let what = "it is there, and nobody enqueued it".to_owned();
            Violation { rule: "unknown", id: Some(id.clone()), what }
        }));
        violations.extend(self.overfull());
        violations.extend(self.standstills());
        violations
    }

    /// The processes that ran more jobs at a time than they have places, each with the job that was one too many. A run
    /// holds its place until its end is written down; one that has none ended with its process, and so did all others of
    /// that name.
    fn overfull(&self) -> Vec<Violation> {
        let mut moves: BTreeMap<&str, Vec<(u64, bool, &str)>> = BTreeMap::new();
        for (id, life) in &self.history.jobs {
            for run in &life.runs {
                let end_us = run.end.map_or(u64::MAX, |(at_us, _)| at_us);
                moves.entry(&run.who).or_default().extend([(run.start_us, true, &**id), (end_us, false, &**id)]);
            }
        }
        let mut overfull = Vec::new();
        for (who, mut moves) in moves {
            let places = places_of(who);
            // Of one time, ends come first: only then is a place free.
            moves.sort_by_key(|(at_us, begins, _)| (*at_us, *begins));
            let mut free = places;
            for (_, begins, id) in moves {
                if !begins {
                    free += 1;
                } else if free > 0 {
                    free -= 1;
                } else {
                    let what = format!("it began in {who} while each of the {places} places there was taken");
                    overfull.push(Violation { rule: "places", id: Some(id.to_owned()), what });
                    break;
                }
            }
        }
        overfull
    }

    /// What was acknowledged, or was seen to run, is there or was there as long as its end is kept.
    fn is_not_lost(&self, life: &Life, fate: &Fate) -> Result<(), String> {
        let was_there = life.acknowledged() == Acknowledged::Yes || !life.runs.is_empty();
        if *fate != Fate::Gone || !was_there || self.may_be_forgotten(life) {
            return Ok(());
        }
        Err("it was acknowledged, or ran, and is gone".into())
    }

    fn may_be_forgotten(&self, life: &Life) -> bool {
        let Some(order) = &life.order else { return false };
        let ended_us = life.runs.iter().filter_map(|run| run.end.map(|(at_us, _)| at_us)).max();
        let age_s = ended_us.map_or(0, |at_us| self.now_us.saturating_sub(at_us) / 1_000_000);
        let kept_s = order.keep_s.unwrap_or(KEPT_S).max(FLOOR_S);
        let is_old = life.done().next().is_some() && order.value && age_s + 1 >= kept_s;
        is_old || (!order.value && age_s >= FLOOR_S && self.ends_without_a_result(&order.queue) > FINISHED)
    }

    fn ends_without_a_result(&self, queue: &str) -> usize {
        let of_queue = |order: &Order| order.queue == queue && !order.value;
        self.history.jobs.values().filter(|life| life.order.as_ref().is_some_and(of_queue)).count()
    }

    fn has_ended(&self, _: &Life, fate: &Fate) -> Result<(), String> {
        if *fate == Fate::Held { Err("it has not ended although the faults are over".into()) } else { Ok(()) }
    }

    fn refused_is_not_there(&self, life: &Life, fate: &Fate) -> Result<(), String> {
        if life.acknowledged() == Acknowledged::No
            && !life.calls.is_empty()
            && (*fate != Fate::Gone || !life.runs.is_empty())
        {
            return Err(format!(
                "every call was told that nothing happened, and it ran {} times, is {fate:?}",
                life.runs.len()
            ));
        }
        Ok(())
    }

    fn was_enqueued(&self, life: &Life, _: &Fate) -> Result<(), String> {
        match (&life.order, life.calls.first(), life.runs.first()) {
            (Some(order), _, _) if !QUEUES.contains(&&*order.queue) => {
                Err(format!("there is no queue {}", order.queue))
            }
            (Some(_), Some(call), Some(_)) => {
                let first = life.runs.iter().map(|run| run.start_us).min().unwrap_or_default();
                if first < call.at_us { Err("it ran before anybody enqueued it".into()) } else { Ok(()) }
            }
            (None, None, Some(_)) => Err("it ran, and nobody enqueued it".into()),
            _ => Ok(()),
        }
    }

    /// Every claim has a token of its own, larger than those before it. One that begins late, after a later claim of
    /// somebody else, was held up on its way.
    fn tokens_increase(&self, life: &Life, _: &Fate) -> Result<(), String> {
        for pair in life.runs.windows(2) {
            let [before, after] = pair else { continue };
            if before.token == after.token {
                return Err(format!("two claims have the token {}", before.token));
            }
            if after.start_us < before.start_us {
                let from_us = after.start_us.saturating_sub(LATE_US);
                if before.who == after.who || !self.history.disturbed(&before.who, from_us, before.start_us) {
                    return Err(format!("token {} began after token {} did", before.token, after.token));
                }
            }
        }
        Ok(())
    }

    /// Only who holds a job ends it: nobody can have claimed it after the claim that did.
    fn the_last_claim_ended_it(&self, life: &Life, fate: &Fate) -> Result<(), String> {
        let Fate::Completed { attempts, token } = fate else { return Ok(()) };
        let Some(last) = life.runs.last() else { return Err("it is completed and never ran".into()) };
        let wants_value = life.order.as_ref().is_some_and(|order| order.value);
        if wants_value && *token != Some(last.token) {
            return Err(format!("it was ended with token {token:?}, and the last claim has {}", last.token));
        }
        if last.how() != Some(How::Done) || last.attempt != *attempts {
            return Err(format!("it is completed after {attempts} attempts, and the last claim is {last:?}"));
        }
        let told = life.values.iter().find(|told| **told != *token);
        told.map_or(Ok(()), |told| Err(format!("its caller was given {told:?}, and it was ended with {token:?}")))
    }

    fn attempts_are_counted(&self, life: &Life, fate: &Fate) -> Result<(), String> {
        let Some(order) = &life.order else { return Ok(()) };
        for (at, run) in life.runs.iter().enumerate() {
            let before = &life.runs[..at];
            if run.attempt == 0 || run.attempt > order.max_attempts {
                return Err(format!("attempt {} of at most {}", run.attempt, order.max_attempts));
            }
            if before.last().is_some_and(|last| last.attempt > run.attempt) {
                return Err(format!("attempt {} was claimed after attempt {}", run.attempt, run.attempt + 1));
            }
            let follows = |one: &Run| one.attempt + 1 == run.attempt && one.may_have_failed();
            if run.attempt > 1 && !before.iter().any(follows) {
                return Err(format!("attempt {} follows no failed attempt", run.attempt));
            }
        }
        let fails = order.act.failures();
        match fate {
            Fate::Completed { attempts, .. } if *attempts != fails + 1 => {
                Err(format!("it fails {fails} times, and is completed after {attempts} attempts"))
            }
            Fate::Dead { attempts, error, .. } if order.act != Act::Aborts => {
                let right = *attempts == order.max_attempts && fails >= order.max_attempts;
                if right { Ok(()) } else { Err(format!("it is dead after {attempts} attempts: {error}")) }
            }
            _ => Ok(()),
        }
    }

    /// A job that ends its process does so no more often than it may, and is dead for that reason.
    fn crashes_are_bounded(&self, life: &Life, fate: &Fate) -> Result<(), String> {
        let Some(order) = life.order.as_ref().filter(|order| order.act == Act::Aborts) else { return Ok(()) };
        // The first of them may come in company, and only one that comes alone is a verdict.
        let (runs, most) = (life.runs.len(), order.max_crashes.max(2) as usize);
        if runs > most {
            return Err(format!("it ended {runs} processes, at most {most} are allowed"));
        }
        match fate {
            Fate::Dead { error, .. } if error.contains("crashed its worker") => Ok(()),
            Fate::Cancelled | Fate::Held => Ok(()),
            Fate::Gone if runs == 0 => Ok(()),
            other => Err(format!("it ends its process, and is {other:?}")),
        }
    }

    /// By the clock of the server, which is that of the machine.
    fn nothing_is_early(&self, life: &Life, _: &Fate) -> Result<(), String> {
        let (Some(order), Some(call)) = (&life.order, life.calls.first()) else { return Ok(()) };
        for run in &life.runs {
            let failed = life.runs.iter().filter(|one| one.attempt + 1 == run.attempt && one.may_have_failed());
            let due_us = match failed.filter_map(|one| one.end).map(|(at_us, _)| at_us).min() {
                Some(end_us) => end_us + order.pause_ms * 1_000,
                None => call.at_us + order.delay_ms * 1_000,
            };
            if run.start_us + 2 * MILLISECOND_US < due_us {
                return Err(format!("attempt {} began {} µs too early", run.attempt, due_us - run.start_us));
            }
        }
        Ok(())
    }

    fn cancels_are_kept(&self, life: &Life, fate: &Fate) -> Result<(), String> {
        let told = |word: &str| life.cancels.iter().flatten().any(|answer| answer == word);
        match fate {
            Fate::Cancelled if life.cancels.is_empty() => Err("it is cancelled, and nobody asked".into()),
            Fate::Completed { .. } | Fate::Dead { .. } if told("Cancelled") => {
                Err(format!("its cancel was acknowledged, and it is {fate:?}"))
            }
            _ => Ok(()),
        }
    }

    /// An attempt begins again only when its worker lost it: it was given back, or the worker was disturbed.
    fn each_repetition_has_a_reason(&self, life: &Life, _: &Fate) -> Result<(), String> {
        for pair in life.runs.windows(2) {
            let [before, after] = pair else { continue };
            if before.attempt == after.attempt && !self.was_lost(before, after) {
                return Err(format!(
                    "attempt {} began again, and nothing had happened to {}",
                    after.attempt, before.who
                ));
            }
        }
        Ok(())
    }

    fn was_lost(&self, before: &Run, after: &Run) -> bool {
        let given_back = matches!(before.how(), Some(How::Stopped | How::Dropped));
        given_back || self.history.disturbed(&before.who, before.start_us.saturating_sub(LATE_US), after.start_us)
    }

    /// How many attempts began again, each of them with a reason.
    pub(crate) fn repetitions(&self) -> usize {
        let again = |life: &Life| life.runs.windows(2).filter(|pair| pair[0].attempt == pair[1].attempt).count();
        self.history.jobs.values().map(again).sum()
    }
}

/// How many jobs a worker runs at a time, by its name: `w1.3`.
fn places_of(who: &str) -> usize {
    let number = slot(who).strip_prefix('w').and_then(|number| number.parse().ok());
    number.and_then(fleet::places).unwrap_or(0)
}

impl Act {
    /// How often it fails before it succeeds.
    fn failures(self) -> u32 {
        match self {
            Act::Fails { times } | Act::Panics { times } | Act::Hangs { times } => times,
            Act::Works { .. } | Act::Aborts | Act::Blocks { .. } => 0,
        }
    }
}
