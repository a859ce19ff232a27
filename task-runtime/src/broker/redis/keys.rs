//! Every key of a queue, by the name that the scripts use.

use crate::broker::Incarnation;
use crate::job::{Namespace, QueueName};

/// The keys of one queue; they share a hash tag, so that a cluster keeps them on one node.
///
/// | key | type | holds |
/// |---|---|---|
/// | `jobs` | HASH | id → envelope of an unfinished or dead job; of one that ended `=` and its end record, as long as that is kept |
/// | `state` | HASH | id → attempts, crashes, last error; absent while all goes well |
/// | `ready:0` … `ready:9` | LIST | ids to be claimed, by priority |
/// | `few`, `alone` | LIST | ids that were on board of a crash |
/// | `scheduled` | ZSET | id by due ms × 10 + (9 − priority) |
/// | `workers` | ZSET | incarnation by lease end; 0 when condemned |
/// | `steps` | HASH | incarnation → number of its last turn; there while it is registered |
/// | `running:INCARNATION` | SET | ids on loan to it |
/// | `asked` | SET | running ids whose cancel was asked |
/// | `marks` | HASH | id → `cancelled` while an entry is left in a list, or `parked MEMBER` |
/// | `parked` | ZSET | `TASK\0PRIORITY\0ID`, score 0 |
/// | `parked_tasks` | HASH | task → when a worker that knows it was last seen, in ms |
/// | `done` | LIST | records kept by number and age, in the order of their ends: an entry for those of one call |
/// | `kept` | ZSET | records with a result: an entry for those of one call, by forget-at ms |
/// | `dead` | ZSET | id by time of death in ms |
/// | `watched` | SET | ids whose end someone waits for |
/// | `wake` | LIST | wake tokens, at most 8 |
/// | `meta` | HASH | `paused`, `token`, `timer`, `step` (after which new incarnations number their turns), `forgotten`, `done` and `kept` (how many records the two have; of `done` the age too), `board:INCARNATION` (jobs on board when it was condemned) |
#[derive(Clone, Debug)]
pub(super) struct Keys {
    tag: String,
}

impl Keys {
    pub(super) fn new(namespace: &Namespace, queue: &QueueName) -> Self {
        Self { tag: format!("{{{namespace}:{queue}}}") }
    }

    /// What a cluster goes by when it chooses the node of a key.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// A key of the queue.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.tag)
    }

    /// What every key of the queue begins with.
    pub(super) fn prefix(&self) -> String {
        self.key("")
    }

    /// The jobs on loan to an incarnation.
    pub(super) fn running(&self, incarnation: &Incarnation) -> String {
        format!("{}:running:{incarnation}", self.tag)
    }

    /// The channel on which the endings of watched jobs are told.
    pub(super) fn endings(&self) -> String {
        self.key("ended")
    }
}

/// How the keys of jobs on loan begin; the incarnation follows.
pub(super) const RUNNING: &str = "running:";

/// The type of a key that the table has, as a server names types.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "jobs" | "state" | "steps" | "marks" | "parked_tasks" | "meta" => "hash",
        "few" | "alone" | "done" | "wake" => "list",
        "scheduled" | "workers" | "parked" | "kept" | "dead" => "zset",
        "asked" | "watched" => "set",
        name if name.starts_with(RUNNING) => "set",
        name => match name.strip_prefix("ready:")?.as_bytes() {
            [b'0'..=b'9'] => "list",
            _ => return None,
        },
    })
}

/// The names of all keys of a queue, but for those that name an incarnation; and those of the floor.
#[cfg(feature = "cli")]
pub(super) const NAMES: [&str; 30] = [
    "jobs",
    "state",
    "ready:0",
    "ready:1",
    "ready:2",
    "ready:3",
    "ready:4",
    "ready:5",
    "ready:6",
    "ready:7",
    "ready:8",
    "ready:9",
    "few",
    "alone",
    "scheduled",
    "workers",
    "steps",
    "asked",
    "marks",
    "parked",
    "parked_tasks",
    "done",
    "kept",
    "dead",
    "watched",
    "wake",
    "meta",
    "list",
    "on_loan",
    "bell",
];

/// The set of queues that were used in a namespace; the only key outside of a queue. It has a hash
/// tag of its own, which comes first.
pub(super) fn queues(namespace: &Namespace) -> (String, String) {
    let tag = format!("{{{namespace}}}");
    let key = format!("{tag}:queues");
    (tag, key)
}
