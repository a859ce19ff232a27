//! Which request meets which fault.

use std::collections::BTreeMap;
use std::time::Duration;

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// All of them.
    Any,
    /// Those of one command, in capitals: `On::Command("BLPOP")`.
    Command(&'static str),
    /// Those that run one of our scripts, by the name of its file: `On::Script("turn")`.
    Script(&'static str),
    /// Those that run any of our scripts.
    AnyScript,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// All.
    Always,
    /// The one with this number, from 1 on.
    Nth(u64),
    /// The first so many.
    First(u64),
    /// One in so many.
    Every(u64),
    /// Each with this chance, between 0 and 1.
    Chance(f64),
}

/// What happens to a request or to its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The request never arrives, and both sides of the connection are reset.
    Refuse,
    /// The request, and all behind it, waits so long and then arrives, even if its client is gone by then.
    Late(Duration),
    /// The proxy answers in the server's place with this line, such as `-LOADING busy`, and the request never arrives.
    Answer(String),
    /// The request is carried out and its answer is lost with the connection, which is reset.
    Cut,
    /// The request is carried out, and from its answer on nothing more comes over the connection.
    Mute,
    /// The request is carried out and its answer alone is lost: the next answer takes its place.
    DropReply,
    /// The answer comes twice.
    Duplicate,
    /// The answer and the next one, if it is awaited already, change places.
    Swap,
    /// This line, which nobody asked for, comes ahead of the answer.
    Extra(String),
    /// Only so many bytes of the answer come, then the connection ends.
    Truncate(usize),
    /// A byte of the answer outside of its payload is another one.
    Corrupt,
    /// The answer comes and is the last: the server's side of the connection is closed, the other stays open.
    HalfClose,
}

/// The faults of a proxy, and what it has seen.
#[derive(Debug)]
pub(super) struct Rules {
    list: Vec<Option<Rule>>,
    hits: Vec<u64>,
    seen: BTreeMap<String, u64>,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Rule {
    on: On,
    when: When,
    fault: Fault,
    /// How many requests it was for.
    matched: u64,
}

impl Rules {
    pub(super) fn new(seed: u64) -> Rules {
        let random = fastrand::Rng::with_seed(seed);
        Rules { list: Vec::new(), hits: Vec::new(), seen: BTreeMap::new(), random }
    }

    /// Adds a rule; answers its number.
    pub(super) fn add(&mut self, on: On, when: When, fault: Fault) -> usize {
        self.list.push(Some(Rule { on, when, fault, matched: 0 }));
        self.hits.push(0);
        self.list.len() - 1
    }

    pub(super) fn lift(&mut self, number: usize) {
        self.list[number] = None;
    }

    pub(super) fn clear(&mut self) {
        self.list.iter_mut().for_each(|rule| *rule = None);
    }

    pub(super) fn hits(&self, number: usize) -> u64 {
        self.hits[number]
    }

    pub(super) fn seen(&self, on: On) -> u64 {
        self.seen.iter().filter(|(name, _)| on.is(name)).map(|(_, count)| count).sum()
    }

    /// Takes down a request of this name; answers the fault that it meets.
    pub(super) fn choose(&mut self, name: &str) -> Option<Fault> {
        *self.seen.entry(name.to_owned()).or_default() += 1;
        let mut fault = None;
        for (rule, hits) in self.list.iter_mut().zip(&mut self.hits) {
            let Some(rule) = rule.as_mut().filter(|rule| rule.on.is(name)) else { continue };
            rule.matched += 1;
            if fault.is_none() && rule.when.is(rule.matched, &mut self.random) {
                *hits += 1;
                fault = Some(rule.fault.clone());
            }
        }
        fault
    }

    /// A number between 0 and 1.
    pub(super) fn chance(&mut self) -> f64 {
        self.random.f64()
    }

    /// A number below `end`.
    pub(super) fn draw(&mut self, end: usize) -> usize {
        self.random.usize(..end)
    }
}

impl On {
    /// Commands are in capitals, and the names of scripts are not.
    fn is(self, name: &str) -> bool {
        match self {
            On::Any => true,
            On::Command(this) | On::Script(this) => this == name,
            On::AnyScript => name.starts_with(|first: char| first.is_ascii_lowercase()),
        }
    }
}

impl When {
    fn is(self, number: u64, random: &mut fastrand::Rng) -> bool {
        match self {
            When::Always => true,
            When::Nth(this) => number == this,
            When::First(most) => number <= most,
            When::Every(so_many) => number.is_multiple_of(so_many),
            When::Chance(chance) => random.f64() < chance,
        }
    }
}
