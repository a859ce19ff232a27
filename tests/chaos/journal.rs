//! What workers, producers and the supervisor write down: one line each, at once, in a file for each of them.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The environment variable of a process that names its journal.
pub(crate) const JOURNAL: &str = "TASK_CHAOS_JOURNAL";
/// The environment variable of a process with its own name.
pub(crate) const NAME: &str = "TASK_CHAOS_NAME";
/// The environment variable of a producer with the seed of what it draws.
pub(crate) const SEED: &str = "TASK_CHAOS_SEED";
/// The environment variable of a producer that says until when it enqueues jobs that end their process, in µs since 1970.
pub(crate) const POISON_UNTIL: &str = "TASK_CHAOS_POISON_UNTIL";

/// The queues; jobs that end their process are in the last.
pub(crate) const QUEUES: [&str; 3] = ["mail", "media", "rough"];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// µs since 1970, by the one clock of the machine.
    pub(crate) at_us: u64,
    /// A process by its name and which start of it: `w1.3`.
    pub(crate) who: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// A producer is about to enqueue a job.
    Call { id: String, order: Order },
    /// What it was told.
    Told { id: String, answer: Answer },
    /// A producer is about to cancel a job, or was told what became of that.
    Cancel { id: String, answer: Option<String> },
    /// A producer was given the value of a job.
    Value { id: String, token: Option<u64> },
    /// A handler begins.
    Start { id: String, attempt: u32, token: u64 },
    /// A handler ends. What it returns is yet to be settled.
    End { id: String, token: u64, how: How },
    /// The supervisor begins or ends a fault of a process or of the server.
    Fault { of: String, fault: String, begins: bool },
    /// A process is no more.
    Gone { process: String, why: String },
}

/// A job, as it is enqueued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) queue: String,
    pub(crate) act: Act,
    /// Whether it returns the token of its claim, or nothing.
    pub(crate) value: bool,
    pub(crate) priority: u8,
    pub(crate) delay_ms: u64,
    pub(crate) max_attempts: u32,
    pub(crate) max_crashes: u32,
    /// Between two attempts.
    pub(crate) pause_ms: u64,
    /// For how long its result is asked to be kept.
    pub(crate) keep_s: Option<u64>,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Takes so long.
    Works { millis: u64 },
    /// Returns an error, so many times.
    Fails { times: u32 },
    /// Panics, so many times.
    Panics { times: u32 },
    /// Does not end within its time limit, so many times.
    Hangs { times: u32 },
    /// Ends its process.
    Aborts,
    /// Blocks its thread.
    Blocks { millis: u64 },
}

/// What a producer was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Ok,
    /// Nothing happened.
    Rejected {
        error: String,
    },
    /// It may have happened.
    Unknown {
        error: String,
    },
}

/// How a handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    Done,
    Failed,
    Panicked,
    /// It was asked to stop, and did.
    Stopped,
    /// Its future was dropped: out of time, or no longer its worker's.
    Dropped,
}

/// A file to which one process appends.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    who: String,
}

impl Journal {
    pub(crate) fn open(path: &Path, who: String) -> Journal {
        let file = File::options().create(true).append(true).open(path);
        Journal { file: file.unwrap_or_else(|error| panic!("{}: {error}", path.display())), who }
    }

    /// Writes one line with one call of the system: a process that is killed leaves whole lines behind.
    pub(crate) fn write(&self, what: What) {
        let line = Line { at_us: now_us(), who: self.who.clone(), what };
        let mut text = serde_json::to_vec(&line).expect("a line holds only numbers and text");
        text.push(b'\n');
        (&self.file).write_all(&text).expect("the folder of the journals is writable");
    }
}

/// The journal of this process, which its environment names.
pub(crate) fn journal() -> &'static Journal {
    static THIS: OnceLock<Journal> = OnceLock::new();
    THIS.get_or_init(|| {
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        Journal::open(Path::new(&variable(JOURNAL)), variable(NAME))
    })
}

pub(crate) fn now_us() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX)
}
