//! One session in the memory of the process: the rules of `write.lua`, in the same order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::changes::{Change, Keep};
use super::super::field::whole_number;
use super::super::limits::{Life, millis};
use super::super::store::{Head, Read, Whole, Write, Written};

/// Room that is counted for a number that is counted up.
const NUMBER_BYTES: usize = 20;

#[derive(Clone, Debug)]
struct Field {
    value: Vec<u8>,
    ends_ms: Option<i64>,
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Record {
    created_ms: i64,
    seen_ms: i64,
    /// When the cookie was last to be sent.
    told_ms: i64,
    /// How long it lives, if not as long as all.
    ttl: Option<Duration>,
    pub(super) ends_ms: i64,
    pub(super) user: Option<String>,
    fields: BTreeMap<String, Field>,
    /// Of all names and values.
    pub(super) bytes: usize,
}

impl Record {
    pub(super) fn new(now: i64) -> Self {
        Self {
            created_ms: now,
            seen_ms: now,
            // What is new is due: its cookie is to be sent.
            told_ms: 0,
            ttl: None,
            ends_ms: now,
            user: None,
            fields: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(super) fn head(&self, moved: bool) -> Head {
        let (created_ms, seen_ms, user) = (self.created_ms, self.seen_ms, self.user.clone());
        Head { created_ms, seen_ms, user, ttl: self.ttl, moved }
    }

    pub(super) fn read(&mut self, fields: &[String], life: Option<Life>, now: i64) -> Read {
        let moved = life.is_some_and(|life| self.is_due(life, now) && self.touch(life, now));
        let values = fields.iter().map(|name| self.value(name, now).map(<[u8]>::to_vec)).collect();
        Read { head: self.head(moved), values }
    }

    pub(super) fn whole(&self, now: i64) -> Whole {
        let lasting = self.fields.iter().filter(|(_, field)| field.lasts(now));
        Whole {
            head: self.head(false),
            fields: lasting.map(|(name, field)| (name.clone(), field.value.clone())).collect(),
        }
    }

    /// Checks everything, then writes everything or nothing.
    pub(super) fn write(&mut self, write: &Write, now: i64) -> Written {
        self.forget_what_has_ended(now);
        if let Some((name, expected)) = &write.guard {
            let value = self.value(name, now);
            if value != expected.as_deref() {
                return Written::Differs(value.map(<[u8]>::to_vec));
            }
        }
        if let Some(refused) = self.check(write) {
            return refused;
        }
        let sum = match &write.add {
            None => None,
            Some((name, by)) => {
                let held = self.value(name, now).map_or(Some(0), whole_number);
                match held.and_then(|held| held.checked_add(*by)) {
                    None => return Written::NotANumber,
                    sum => sum,
                }
            }
        };
        if write.replace {
            let named = |name: &String| write.fields.iter().any(|(kept, _)| kept == name);
            self.fields.retain(|name, _| named(name));
        }
        for (name, change) in &write.fields {
            self.change(name, change, now);
        }
        if let (Some((name, _)), Some(sum)) = (&write.add, sum) {
            self.change(name, &Change::Set { value: sum.to_string().into_bytes(), keep: Keep::AsBefore }, now);
        }
        self.bytes = self.fields.iter().map(|(name, field)| name.len() + field.value.len()).sum();
        if let Some(user) = &write.user {
            self.user.clone_from(user);
        }
        self.ttl = write.ttl.or(self.ttl);
        let due = self.is_due(write.life, now);
        let moved = self.touch(write.life, now) && due;
        Written::Done { head: self.head(moved), sum }
    }

    /// What keeps the write from being made.
    fn check(&self, write: &Write) -> Option<Written> {
        let size = |name: &String| self.fields.get(name).map(|field| name.len() + field.value.len());
        let (mut fields, mut bytes) = match write.replace {
            true => (0, 0),
            false => (self.fields.len(), self.bytes),
        };
        for (name, change) in &write.fields {
            if let (false, Some(before)) = (write.replace, size(name)) {
                (fields, bytes) = (fields - 1, bytes - before);
            }
            if let Change::Set { value, .. } = change {
                if value.len() > write.limits.field_bytes {
                    return Some(Written::LongField { name: name.clone(), bytes: value.len() });
                }
                (fields, bytes) = (fields + 1, bytes + name.len() + value.len());
            }
        }
        if let Some((name, _)) = &write.add
            && size(name).is_none()
        {
            (fields, bytes) = (fields + 1, bytes + name.len() + NUMBER_BYTES);
        }
        // A session that is over a limit, because that was lowered, may shrink.
        if fields > write.limits.fields && fields > self.fields.len() {
            return Some(Written::ManyFields(fields));
        }
        (bytes > write.limits.session_bytes && bytes > self.bytes).then_some(Written::ManyBytes(bytes))
    }

    fn change(&mut self, name: &str, change: &Change, now: i64) {
        match change {
            Change::Remove => drop(self.fields.remove(name)),
            Change::Set { value, keep } => {
                let ends_ms = match keep {
                    Keep::WithSession => None,
                    Keep::For(time) => Some(now.saturating_add(millis(*time))),
                    Keep::AsBefore => self.fields.get(name).and_then(|field| field.ends_ms),
                };
                self.fields.insert(name.to_owned(), Field { value: value.clone(), ends_ms });
            }
        }
    }

    fn value(&self, name: &str, now: i64) -> Option<&[u8]> {
        self.fields.get(name).filter(|field| field.lasts(now)).map(|field| &*field.value)
    }

    fn forget_what_has_ended(&mut self, now: i64) {
        self.fields.retain(|_, field| field.lasts(now));
        self.bytes = self.fields.iter().map(|(name, field)| name.len() + field.value.len()).sum();
    }

    /// Whether so much time has passed that the end is to be moved on and the cookie sent anew; also when the clock was
    /// set back.
    fn is_due(&self, life: Life, now: i64) -> bool {
        let (passed, ttl) = (now - self.told_ms, self.ttl.unwrap_or(life.ttl));
        passed < 0 || passed.saturating_mul(100) >= millis(ttl).saturating_mul(i64::from(life.touch_percent))
    }

    /// Moves the end on; true, so that it can stand in a condition.
    fn touch(&mut self, life: Life, now: i64) -> bool {
        if self.is_due(life, now) {
            self.told_ms = now;
        }
        self.seen_ms = now;
        let end = now.saturating_add(millis(self.ttl.unwrap_or(life.ttl)));
        let last = life.lifetime.map(|lifetime| self.created_ms.saturating_add(millis(lifetime)));
        self.ends_ms = last.map_or(end, |last| end.min(last));
        true
    }
}

impl Field {
    fn lasts(&self, now: i64) -> bool {
        self.ends_ms.is_none_or(|end| end > now)
    }
}
