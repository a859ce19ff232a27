//! Which keys a queue has, and which workers.

use std::collections::BTreeSet;

use super::{Check, MAX_PAGES, answer, shown};
use crate::broker::redis::keys::{RUNNING, kind, queues};
use crate::broker::redis::script;
use crate::broker::{Flaw, Incarnation};
use crate::error::Error;

/// The lease of one that has none, until its worker moves it on.
const LEASE_MS: u64 = 30_000;
/// How many keys of the server are looked at in one step.
const KEYS_A_STEP: &str = "500";
/// How a field of `meta` begins that belongs to an incarnation.
const BOARD: &str = "board:";

impl Check<'_> {
    /// Looks at the names and types of all keys; answers whether the types are right, without which no
    /// script could read them.
    pub(super) async fn names(&mut self) -> Result<bool, Error> {
        // Teaches which node of a cluster has the queue: `SCAN` names no key.
        self.command::<String>(&["TYPE", &self.of.key("workers")]).await?;
        let (mut incarnations, mut sound, mut any) = (BTreeSet::new(), true, false);
        for key in self.keys().await? {
            let Some(name) = key.strip_prefix(&self.of.prefix()).map(ToOwned::to_owned) else { continue };
            any = true;
            let Some(right) = kind(&name) else {
                self.tally.add(Flaw::Unknown, "keys", shown(name.as_bytes()), false);
                continue;
            };
            let there: String = self.command(&["TYPE", &key]).await?;
            if there != right && there != "none" {
                sound = false;
                self.tally.add(Flaw::WrongType, "keys", format!("{name} is a {there}, not a {right}"), false);
            }
            if let Some(incarnation) = name.strip_prefix(RUNNING) {
                incarnations.extend(self.named("keys", incarnation.into()));
            }
        }
        self.listed(any).await?;
        self.incarnations = incarnations.into_iter().collect();
        Ok(sound)
    }

    /// The keys that the server has of the queue. All keys of the server are walked over, some hundred
    /// at a time.
    async fn keys(&self) -> Result<BTreeSet<String>, Error> {
        let pattern = format!("{}*", self.of.prefix());
        let (mut keys, mut cursor) = (BTreeSet::new(), "0".to_owned());
        for _ in 0..MAX_PAGES {
            let step = ["SCAN", &cursor, "MATCH", &pattern, "COUNT", KEYS_A_STEP];
            let (next, some): (String, Vec<Vec<u8>>) = self.command(&step).await?;
            keys.extend(some.iter().map(|key| String::from_utf8_lossy(key).into_owned()));
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        Ok(keys)
    }

    /// A queue with keys stands in the list of queues. What is no list keeps no script from reading the queue.
    async fn listed(&mut self, any: bool) -> Result<(), Error> {
        let (tag, key) = queues(&self.broker.namespace);
        let there: String = self.command_at(&tag, &["TYPE", &key]).await?;
        if there != "set" && there != "none" {
            self.tally.add(Flaw::WrongType, "queues", format!("queues is a {there}, not a set"), false);
            return Ok(());
        }
        let name = self.queue.as_str();
        if any && !self.command_at::<bool>(&tag, &["SISMEMBER", &key, name]).await? {
            if self.repair {
                self.command_at::<i64>(&tag, &["SADD", &key, name]).await?;
            }
            self.tally.add(Flaw::Unlisted, "queues", self.queue.as_str(), self.repair);
        }
        Ok(())
    }

    /// Looks at each incarnation of which there is a trace.
    pub(super) async fn workers(&mut self) -> Result<(), Error> {
        let mut all: BTreeSet<_> = self.incarnations.drain(..).collect();
        for place in ["workers", "steps", "meta"] {
            let mut cursor = "0".to_owned();
            for _ in 0..MAX_PAGES {
                let call = self.call(&script::FSCK_NAMES, &[]).arg(place).arg(&*cursor);
                let (next, names) = self.ask(call, answer::names).await?;
                for name in names {
                    all.extend(match place {
                        "meta" => self.fact(&name),
                        _ => self.named(place, name),
                    });
                }
                cursor = next;
                if cursor == "0" {
                    break;
                }
            }
        }
        for incarnation in all {
            self.worker(&incarnation).await?;
            self.incarnations.push(incarnation);
        }
        Ok(())
    }

    /// The incarnation of this name; one that is none was put there by a program of others.
    fn named(&mut self, place: &str, name: Vec<u8>) -> Option<Incarnation> {
        let what = shown(&name);
        let incarnation = Incarnation::from_stored(name);
        if incarnation.is_none() {
            self.tally.add(Flaw::Unknown, place, what, false);
        }
        incarnation
    }

    /// The incarnation that a field of `meta` names, if any.
    fn fact(&mut self, field: &[u8]) -> Option<Incarnation> {
        const KNOWN: [&str; 7] = ["paused", "token", "timer", "step", "forgotten", "done", "kept"];
        if let Some(name) = field.strip_prefix(BOARD.as_bytes()) {
            return self.named("meta", name.to_owned());
        }
        if !KNOWN.iter().any(|known| known.as_bytes() == field) {
            self.tally.add(Flaw::Unknown, "meta", shown(field), false);
        }
        None
    }

    async fn worker(&mut self, incarnation: &Incarnation) -> Result<(), Error> {
        let running = std::slice::from_ref(incarnation);
        let call = self.call(&script::FSCK_WORKER, running).flag(self.repair).incarnation(incarnation).arg(LEASE_MS);
        let (flaw, repaired, on_loan) = self.ask(call, answer::worker).await?;
        self.on_loan |= on_loan > 0;
        if let Some(flaw) = flaw {
            let place = if flaw == Flaw::Leftover { "meta" } else { "workers" };
            self.tally.add(flaw, place, incarnation.as_str(), repaired);
        }
        Ok(())
    }
}
