//! Members that are there once, as in a SET of Redis.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Collection, Told, Value, bytes, count, int, wrong_arguments};
use crate::cache::raw::Reply;

/// Bytes that a member costs beside itself, roughly.
const MEMBER_COST: usize = 80;

/// The members of a set, one of which can be taken by chance without a look at the others.
#[derive(Default)]
pub(in super::super) struct Members {
    list: Vec<Arc<[u8]>>,
    /// Where each of them is in the list.
    places: HashMap<Arc<[u8]>, usize>,
    /// What they cost together.
    cost: usize,
}

impl Members {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(in super::super) fn cost(&self) -> usize {
        self.cost
    }

    fn add(&mut self, member: &[u8]) -> bool {
        if self.places.contains_key(member) {
            return false;
        }
        let member: Arc<[u8]> = member.into();
        self.cost += MEMBER_COST + member.len();
        self.places.insert(Arc::clone(&member), self.list.len());
        self.list.push(member);
        true
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let Some(&place) = self.places.get(member) else { return false };
        self.remove_at(place);
        true
    }

    /// Removes a member, whose place the last one takes.
    fn remove_at(&mut self, place: usize) -> Arc<[u8]> {
        let member = self.list.swap_remove(place);
        self.places.remove(&member);
        if let Some(moved) = self.list.get(place) {
            self.places.insert(Arc::clone(moved), place);
        }
        self.cost -= MEMBER_COST + member.len();
        member
    }

    fn pop(&mut self) -> Option<Arc<[u8]>> {
        let count = self.list.len();
        (count > 0).then(|| self.remove_at(fastrand::usize(..count)))
    }
}

impl Collection for Members {
    const LOOKS: &'static [&'static str] = &["SISMEMBER", "SMISMEMBER", "SCARD", "SMEMBERS", "SRANDMEMBER"];
    const CHANGES: &'static [&'static str] = &["SADD", "SREM", "SPOP"];

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Set(members) => Some(members),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Set(self)
    }

    fn look(&self, name: &str, args: &[Vec<u8>]) -> Told {
        let is_member = |member: &Vec<u8>| Reply::Int(self.places.contains_key(member.as_slice()).into());
        let list = |members: &[Arc<[u8]>]| Reply::List(members.iter().map(|member| bytes(member)).collect());
        Ok(match (name, args) {
            ("SISMEMBER", [member]) => is_member(member),
            ("SMISMEMBER", members @ [_, ..]) => Reply::List(members.iter().map(is_member).collect()),
            ("SCARD", []) => int(self.list.len()),
            ("SMEMBERS", []) => list(&self.list),
            ("SRANDMEMBER", [most]) => list(&fastrand::choose_multiple(self.list.iter().cloned(), count(most)?)),
            _ => return Err(wrong_arguments(name)),
        })
    }

    fn change(&mut self, name: &str, args: &[Vec<u8>]) -> Told {
        Ok(match (name, args) {
            ("SADD", members @ [_, ..]) => int(members.iter().filter(|member| self.add(member)).count()),
            ("SREM", members @ [_, ..]) => int(members.iter().filter(|member| self.remove(member)).count()),
            ("SPOP", [most]) => {
                let popped = (0..count(most)?).map_while(|_| self.pop());
                Reply::List(popped.map(|member| bytes(&member)).collect())
            }
            _ => return Err(wrong_arguments(name)),
        })
    }
}
