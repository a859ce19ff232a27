//! The keys of a queue, read from its server and held against the table that documents them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use redis::{Connection, Pipeline, Value, cmd, from_redis_value, pipe};
use task_runtime::job::JobId;

use super::View;

/// The table of keys: its documentation is what the names and types are held against.
const KEYS: &str = include_str!("../../../task-runtime/src/broker/redis/keys.rs");

impl View {
    /// Everything that a server holds of the queue whose keys share the hash tag `tag`, braces included.
    ///
    /// # Errors
    /// A key that is not in the table, or that holds something else than the table says.
    pub fn read(connection: &mut Connection, tag: &str) -> Result<View, String> {
        let names: Vec<String> =
            cmd("KEYS").arg(format!("{tag}:*")).query(connection).map_err(|error| error.to_string())?;
        let mut view = View::default();
        let mut pipe = pipe();
        let mut read = Vec::new();
        for key in &names {
            let name = key.strip_prefix(tag).and_then(|name| name.strip_prefix(':')).unwrap_or(key);
            let kind = kind(name).ok_or_else(|| format!("the key `{key}` is not in the table"))?;
            read_all(&mut pipe, kind, key);
            read.push(name.to_owned());
        }
        if names.is_empty() {
            return Ok(view);
        }
        let values: Vec<Value> = pipe.query(connection).map_err(|error| error.to_string())?;
        for (name, value) in read.into_iter().zip(values) {
            view.set(&name, value).map_err(|fault| format!("the key `{name}`: {fault}"))?;
        }
        Ok(view)
    }
}

/// The type that the table gives a key.
fn kind(name: &str) -> Option<&'static str> {
    static TABLE: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let general = match name.split_once(':') {
        Some(("running", _)) => "running:INCARNATION",
        Some(("ready", "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")) => "ready:0",
        _ => name,
    };
    TABLE.get_or_init(table).get(general).map(String::as_str)
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
pub(super) fn pairs(value: Value) -> Result<BTreeMap<String, String>, String> {
    from_redis_value(value).map_err(|error| error.to_string())
}

pub(super) fn list(value: Value) -> Result<Vec<JobId>, String> {
    let ids: Vec<String> = from_redis_value(value).map_err(|error| error.to_string())?;
    ids.into_iter().map(|id| JobId::new(id).map_err(|error| error.to_string())).collect()
}

pub(super) fn set(value: Value) -> Result<BTreeSet<JobId>, String> {
    Ok(list(value)?.into_iter().collect())
}
