//! What the journals tell, job by job.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::journal::{Answer, How, Line, Order, What};

/// Everything that was written down.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) jobs: BTreeMap<String, Life>,
    pub(crate) faults: Vec<Fault>,
    /// When a process was seen to be no more.
    pub(crate) gone: BTreeMap<String, u64>,
    lines: Vec<Line>,
}

/// One job.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) order: Option<Order>,
    pub(crate) calls: Vec<Call>,
    /// In the order of their tokens.
    pub(crate) runs: Vec<Run>,
    /// What was told of each cancel; nothing when its caller was gone before.
    pub(crate) cancels: Vec<Option<String>>,
    pub(crate) values: Vec<Option<u64>>,
}

/// One call of `enqueue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) at_us: u64,
    /// By whom, so that the answer is found.
    who: String,
    /// Nothing when the caller was gone before.
    pub(crate) answer: Option<Answer>,
}

/// One start of the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) who: String,
    pub(crate) attempt: u32,
    pub(crate) token: u64,
    pub(crate) start_us: u64,
    pub(crate) end: Option<(u64, How)>,
}

/// A fault of a process or of the server.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) of: String,
    pub(crate) name: String,
    pub(crate) from_us: u64,
    /// The end of time when it did not end.
    pub(crate) until_us: u64,
}

/// What is known of whether a job was enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    Yes,
    /// Every call was told that nothing happened.
    No,
    Unknown,
}

impl History {
    /// Reads every journal of a folder.
    pub(crate) fn read(folder: &Path) -> History {
        let mut lines = Vec::new();
        for entry in fs::read_dir(folder).expect("the folder of the journals is there").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "journal") {
                lines.extend(read(&entry.path()));
            }
        }
        History::of(lines)
    }

    pub(crate) fn of(mut lines: Vec<Line>) -> History {
        lines.sort_by_key(|line| line.at_us);
        let mut history = History::default();
        for line in &lines {
            history.take_down(line);
        }
        for life in history.jobs.values_mut() {
            life.runs.sort_by_key(|run| run.token);
        }
        history.lines = lines;
        history
    }

    fn take_down(&mut self, Line { at_us, who, what }: &Line) {
        match what {
            What::Call { id, order } => {
                let life = self.life(id);
                life.order.get_or_insert_with(|| order.clone());
                life.calls.push(Call { at_us: *at_us, who: who.clone(), answer: None });
            }
            What::Told { id, answer } => {
                let open = |call: &&mut Call| call.who == *who && call.answer.is_none();
                if let Some(call) = self.life(id).calls.iter_mut().rev().find(open) {
                    call.answer = Some(answer.clone());
                }
            }
            What::Cancel { id, answer: None } => self.life(id).cancels.push(None),
            What::Cancel { id, answer } => {
                if let Some(cancel) = self.life(id).cancels.iter_mut().find(|cancel| cancel.is_none()) {
                    cancel.clone_from(answer);
                }
            }
            What::Value { id, token } => self.life(id).values.push(*token),
            What::Start { id, attempt, token } => {
                let run = Run { who: who.clone(), attempt: *attempt, token: *token, start_us: *at_us, end: None };
                self.life(id).runs.push(run);
            }
            What::End { id, token, how } => {
                let this = |run: &&mut Run| run.who == *who && run.token == *token && run.end.is_none();
                if let Some(run) = self.life(id).runs.iter_mut().find(this) {
                    run.end = Some((*at_us, *how));
                }
            }
            What::Fault { of, fault, begins: true } => {
                let (of, name) = (of.clone(), fault.clone());
                self.faults.push(Fault { of, name, from_us: *at_us, until_us: u64::MAX });
            }
            What::Fault { of, fault, begins: false } => {
                let open = |one: &&mut Fault| one.of == *of && one.name == *fault && one.until_us == u64::MAX;
                if let Some(one) = self.faults.iter_mut().find(open) {
                    one.until_us = *at_us;
                }
            }
            What::Gone { process, .. } => drop(self.gone.insert(process.clone(), *at_us)),
        }
    }

    fn life(&mut self, id: &str) -> &mut Life {
        if !self.jobs.contains_key(id) {
            self.jobs.insert(id.to_owned(), Life::default());
        }
        self.jobs.get_mut(id).expect("it was just put there")
    }

    /// Whether a process, or its line to the server, was disturbed at some time between the two.
    pub(crate) fn disturbed(&self, process: &str, from_us: u64, until_us: u64) -> bool {
        let slot = slot(process);
        let gone = self.gone.get(process).is_some_and(|at_us| *at_us >= from_us);
        gone || self
            .faults
            .iter()
            .any(|fault| fault.of == slot && fault.from_us <= until_us && fault.until_us >= from_us)
    }

    /// All that was written down of a job, with what befell its processes meanwhile, in the order of time.
    pub(crate) fn tell(&self, id: &str) -> String {
        let Some(life) = self.jobs.get(id) else { return format!("  nothing was written down of {id}\n") };
        let of_job = |line: &&Line| line.what.id() == Some(id);
        let (Some(first), Some(last)) = (self.lines.iter().find(of_job), self.lines.iter().rfind(of_job)) else {
            return String::new();
        };
        let window = first.at_us.saturating_sub(BEFORE_US)..=last.at_us + AFTER_US;
        let touches = |of: &str| {
            let ran = life.runs.iter().any(|run| slot(&run.who) == slot(of));
            ran || life.calls.iter().any(|call| slot(&call.who) == slot(of)) || of == "server"
        };
        let mut text = String::new();
        for line in &self.lines {
            let told = match &line.what {
                What::Fault { of: it, .. } | What::Gone { process: it, .. } => {
                    window.contains(&line.at_us) && touches(it)
                }
                what => what.id() == Some(id),
            };
            if told {
                let after = line.at_us as f64 / 1e6 - first.at_us as f64 / 1e6;
                let _ = writeln!(text, "  {after:+10.4} s {:>6}  {:?}", line.who, line.what);
            }
        }
        text
    }
}

/// How long before the first line of a job faults are told, and after the last.
const BEFORE_US: u64 = 5_000_000;
const AFTER_US: u64 = 20_000_000;

/// A process without the number of its start.
pub(crate) fn slot(process: &str) -> &str {
    process.split('.').next().unwrap_or(process)
}

impl What {
    fn id(&self) -> Option<&str> {
        match self {
            What::Call { id, .. }
            | What::Told { id, .. }
            | What::Cancel { id, .. }
            | What::Value { id, .. }
            | What::Start { id, .. }
            | What::End { id, .. } => Some(id),
            What::Fault { .. } | What::Gone { .. } => None,
        }
    }
}

impl Life {
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        let is = |call: &Call, one: fn(&Answer) -> bool| call.answer.as_ref().is_some_and(one);
        if self.calls.iter().any(|call| is(call, |answer| *answer == Answer::Ok)) {
            Acknowledged::Yes
        } else if self.calls.iter().all(|call| is(call, |answer| matches!(answer, Answer::Rejected { .. }))) {
            Acknowledged::No
        } else {
            Acknowledged::Unknown
        }
    }

    /// Those that ended by themselves.
    pub(crate) fn done(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.how() == Some(How::Done))
    }
}

impl Run {
    pub(crate) fn how(&self) -> Option<How> {
        self.end.map(|(_, how)| how)
    }

    /// Whether it may have ended as a failed attempt: of one that was dropped the reason is not known.
    pub(crate) fn may_have_failed(&self) -> bool {
        matches!(self.how(), Some(How::Failed | How::Panicked | How::Dropped))
    }
}

/// The lines of a journal; the last one may be cut off when its process was killed.
fn read(path: &Path) -> Vec<Line> {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    // Behind the last newline is nothing, or a line that was not written to its end.
    lines.pop();
    let each = |line: &[u8]| {
        serde_json::from_slice(line)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", path.display(), line.escape_ascii()))
    };
    lines.into_iter().map(each).collect()
}
