//! One broker of a history, and for those on a server the keys behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use support::redis::{Connection, Pipeline, Value, cmd, from_redis_value, pipe};
use task_runtime::broker::Broker;
use task_runtime::job::JobId;

use crate::view::View;

/// The table of keys: its documentation is what the names and types are held against.
const KEYS: &str = include_str!("../../task-runtime/src/broker/redis/keys.rs");

/// A broker under test.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) raw: Option<Raw>,
}

/// The keys of the queue, looked at from beside the broker.
pub(crate) struct Raw {
    connection: Connection,
    tag: String,
    table: BTreeMap<String, String>,
    replica: Option<Vec<(String, Vec<u8>)>>,
}

impl Raw {
    pub(crate) fn new(connection: Connection, tag: String) -> Self {
        Self { connection, tag, table: table(), replica: None }
    }

    /// Everything that the server holds of the queue.
    pub(crate) fn view(&mut self) -> Result<View, String> {
        let names: Vec<String> = self.ask(cmd("KEYS").arg(format!("{}*", self.tag)))?;
        let mut view = View::default();
        let mut pipe = pipe();
        let mut read = Vec::new();
        for key in &names {
            let name = key.strip_prefix(&self.tag).and_then(|name| name.strip_prefix(':')).unwrap_or(key);
            let kind = self.kind(name).ok_or_else(|| format!("the key `{key}` is not in the table"))?;
            read_all(&mut pipe, &kind, key);
            read.push(name.to_owned());
        }
        if names.is_empty() {
            return Ok(view);
        }
        let values: Vec<Value> = pipe.query(&mut self.connection).map_err(|error| error.to_string())?;
        for (name, value) in read.into_iter().zip(values) {
            view.set(&name, value).map_err(|fault| format!("the key `{name}`: {fault}"))?;
        }
        Ok(view)
    }

    /// The type that the table gives a key.
    fn kind(&self, name: &str) -> Option<String> {
        let general = match name.split_once(':') {
            Some(("running", _)) => "running:INCARNATION",
            Some(("ready", "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")) => "ready:0",
            _ => name,
        };
        self.table.get(general).cloned()
    }

    /// Keeps what is there now, for [`Raw::restore`].
    pub(crate) fn replicate(&mut self) -> Result<(), String> {
        let names: Vec<String> = self.ask(cmd("KEYS").arg(format!("{}*", self.tag)))?;
        let mut dumps = Vec::with_capacity(names.len());
        for name in names {
            let dump = self.ask(cmd("DUMP").arg(&name))?;
            dumps.push((name, dump));
        }
        self.replica = Some(dumps);
        Ok(())
    }

    /// Puts back what was there at the last [`Raw::replicate`].
    pub(crate) fn restore(&mut self) -> Result<(), String> {
        let Some(dumps) = self.replica.take() else { return Ok(()) };
        self.clear()?;
        for (name, dump) in dumps {
            self.ask::<String>(cmd("RESTORE").arg(name).arg(0).arg(dump))?;
        }
        Ok(())
    }

    /// Removes all keys of the server.
    pub(crate) fn clear(&mut self) -> Result<(), String> {
        self.ask(&mut cmd("FLUSHALL"))
    }

    /// Makes the server forget its scripts.
    pub(crate) fn flush_scripts(&mut self) -> Result<(), String> {
        self.ask(cmd("SCRIPT").arg("FLUSH"))
    }

    fn ask<T: support::redis::FromRedisValue>(&mut self, command: &mut support::redis::Cmd) -> Result<T, String> {
        command.query(&mut self.connection).map_err(|error| error.to_string())
    }
}

fn read_all(pipe: &mut Pipeline, kind: &str, key: &str) {
    match kind {
        "HASH" => pipe.cmd("HGETALL").arg(key),
        "LIST" => pipe.cmd("LRANGE").arg(key).arg(0).arg(-1),
        "ZSET" => pipe.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
        _ => pipe.cmd("SMEMBERS").arg(key),
    };
}

/// The rows of the table: name and type. A row may name several keys.
fn table() -> BTreeMap<String, String> {
    let rows = KEYS.lines().filter_map(|line| line.trim().strip_prefix("/// | `"));
    let mut table = BTreeMap::new();
    for row in rows {
        let mut cells = row.split(" | ");
        let names = cells.next().unwrap_or_default();
        let kind = cells.next().unwrap_or_default().to_owned();
        for name in names.split(['`', ',', ' ', '…']).filter(|name| !name.is_empty()) {
            table.insert(name.to_owned(), kind.clone());
        }
    }
    assert!(table.len() > 15, "the table of keys is not where it was: {table:?}");
    table
}

/// A hash, a sorted set, a list or a set, as text.
pub(crate) fn pairs(value: Value) -> Result<BTreeMap<String, String>, String> {
    from_redis_value(value).map_err(|error| error.to_string())
}

pub(crate) fn list(value: Value) -> Result<Vec<JobId>, String> {
    let ids: Vec<String> = from_redis_value(value).map_err(|error| error.to_string())?;
    ids.into_iter().map(|id| JobId::new(id).map_err(|error| error.to_string())).collect()
}

pub(crate) fn set(value: Value) -> Result<BTreeSet<JobId>, String> {
    Ok(list(value)?.into_iter().collect())
}
