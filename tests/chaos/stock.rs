//! What a server holds of every job at the end, and what is wrong with that by itself.

use std::collections::BTreeMap;

use support::redis::Connection;
use support::{Server, View, unknown_keys};
use task_runtime::job::{EndRecord, Ended, JobId, State};

use crate::journal::QUEUES;

/// Where a job is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// `token` is the value that it returned, if any.
    Completed {
        attempts: u32,
        token: Option<u64>,
    },
    Cancelled,
    Dead {
        attempts: u32,
        crashes: u32,
        error: String,
    },
    /// It has not ended.
    Held,
    /// Nothing is known of it.
    Gone,
}

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) fates: BTreeMap<String, Fate>,
    /// What is wrong whatever happened to get there.
    pub(crate) faults: Vec<String>,
}

impl Stock {
    /// Reads every queue of a server on which nothing moves.
    pub(crate) fn take(server: &Server) -> Stock {
        let mut stock = Stock::default();
        let mut connection = server.connection().expect("the server is up");
        for queue in QUEUES {
            match read(&mut connection, queue) {
                Ok(view) => stock.add(queue, &view),
                Err(fault) => stock.faults.push(format!("queue {queue}: {fault}")),
            }
        }
        let unknown = unknown_keys(server).into_iter();
        stock.faults.extend(unknown.map(|key| format!("the key {key} is left behind, or on loan")));
        stock
    }

    pub(crate) fn add(&mut self, queue: &str, view: &View) {
        let left = [("mark", view.marks.len()), ("asked cancel", view.asked.len()), ("lease", view.workers.len())];
        let left = left.into_iter().filter(|(_, count)| *count > 0);
        let beside = left.map(|(what, count)| format!("queue {queue}: {count} × {what} left although nothing runs"));
        self.faults.extend(beside);
        self.faults.extend(view.fault().map(|fault| format!("queue {queue}: {fault}")));
        self.fates.extend(view.finished.iter().map(|(id, record)| (id.to_string(), ended(record))));
        self.fates.extend(view.jobs.keys().map(|id| (id.to_string(), held(view, id))));
    }

    pub(crate) fn fate(&self, id: &str) -> &Fate {
        self.fates.get(id).unwrap_or(&Fate::Gone)
    }
}

/// What a server holds of a queue.
pub(crate) fn read(connection: &mut Connection, queue: &str) -> Result<View, String> {
    View::read(connection, &format!("{{task:{queue}}}"))
}

fn ended(record: &str) -> Fate {
    match serde_json::from_str::<EndRecord>(record) {
        Ok(EndRecord { end: Ended::Completed, attempts, result, .. }) => {
            Fate::Completed { attempts, token: result.and_then(|value| serde_json::from_str(value.get()).ok()) }
        }
        _ => Fate::Cancelled,
    }
}

fn held(view: &View, id: &JobId) -> Fate {
    if !view.dead.contains_key(id) {
        return Fate::Held;
    }
    let State { attempts, crashes, error } = State::decode(view.states.get(id).map(String::as_bytes));
    Fate::Dead { attempts, crashes, error: error.unwrap_or_default() }
}
