//! Fields with their values, as in a HASH of Redis.

use std::collections::HashMap;

use super::{Collection, Told, Value, bytes, int, integer, server, sum, whole_number, wrong_arguments};
use crate::cache::raw::Reply;

/// Bytes that a field costs beside its name and value, roughly.
const FIELD_COST: usize = 80;

/// The fields of a hash.
#[derive(Default)]
pub(in super::super) struct Fields {
    values: HashMap<Vec<u8>, Vec<u8>>,
    /// What they cost together.
    cost: usize,
}

impl Fields {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(in super::super) fn cost(&self) -> usize {
        self.cost
    }

    /// Writes a field, and says whether it is new.
    fn put(&mut self, field: &[u8], value: &[u8]) -> bool {
        let is_new = !self.remove(field);
        self.cost += FIELD_COST + field.len() + value.len();
        self.values.insert(field.to_vec(), value.to_vec());
        is_new
    }

    fn remove(&mut self, field: &[u8]) -> bool {
        let Some(value) = self.values.remove(field) else { return false };
        self.cost -= FIELD_COST + field.len() + value.len();
        true
    }

    fn value(&self, field: &[u8]) -> Reply {
        self.values.get(field).map_or(Reply::Nil, |value| bytes(value))
    }
}

impl Collection for Fields {
    const LOOKS: &'static [&'static str] = &["HGET", "HMGET", "HEXISTS", "HLEN", "HKEYS", "HVALS", "HGETALL"];
    const CHANGES: &'static [&'static str] = &["HSET", "HSETNX", "HDEL", "HINCRBY"];

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Hash(fields) => Some(fields),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Hash(self)
    }

    fn look(&self, name: &str, args: &[Vec<u8>]) -> Told {
        let values = &self.values;
        Ok(match (name, args) {
            ("HGET", [field]) => self.value(field),
            ("HMGET", fields @ [_, ..]) => Reply::List(fields.iter().map(|field| self.value(field)).collect()),
            ("HEXISTS", [field]) => Reply::Int(values.contains_key(field).into()),
            ("HLEN", []) => int(values.len()),
            ("HKEYS", []) => Reply::List(values.keys().map(|field| bytes(field)).collect()),
            ("HVALS", []) => Reply::List(values.values().map(|value| bytes(value)).collect()),
            ("HGETALL", []) => {
                Reply::List(values.iter().flat_map(|(field, value)| [bytes(field), bytes(value)]).collect())
            }
            _ => return Err(wrong_arguments(name)),
        })
    }

    fn change(&mut self, name: &str, args: &[Vec<u8>]) -> Told {
        match (name, args) {
            ("HSET", pairs @ [_, _, ..]) if pairs.len().is_multiple_of(2) => {
                let (pairs, _) = pairs.as_chunks();
                Ok(int(pairs.iter().filter(|[field, value]| self.put(field, value)).count()))
            }
            ("HSETNX", [field, value]) => {
                let is_absent = !self.values.contains_key(field);
                Ok(Reply::Int((is_absent && self.put(field, value)).into()))
            }
            ("HDEL", fields @ [_, ..]) => Ok(int(fields.iter().filter(|field| self.remove(field)).count())),
            ("HINCRBY", [field, by]) => {
                let by = integer(by)?;
                let held = match self.values.get(field) {
                    None => 0,
                    Some(value) => whole_number(value).ok_or_else(|| server("hash value is not an integer"))?,
                };
                let sum = sum(held, by)?;
                self.put(field, sum.to_string().as_bytes());
                Ok(Reply::Int(sum))
            }
            _ => Err(wrong_arguments(name)),
        }
    }
}
