//! Sessions in Redis or Valkey, one atomic script a verb.

mod keys;
mod reply;
mod script;

use std::time::Duration;

use redis::Value;

use self::keys::{Key, Keys};
use super::changes::{Change, Keep};
use super::error::{SessionError, setting};
use super::limits::{Life, TOMBSTONE, millis};
use super::store::{Answer, Found, Head, Listed, Read, Store, Whole, Write, Written};
use super::token::SessionHandle;
use crate::cache::script::Call;
use crate::connection::{Limits, Malformed, Request, Servers, Source, Target};
use crate::error::Error;

/// Most sessions that one call takes out of a list.
const MAX_DELISTED: usize = 1_000;

/// The store.
pub(crate) struct RedisStore {
    keys: Keys,
    servers: Servers,
}

impl RedisStore {
    /// The store on the server at `url`, or on the cluster of which it names nodes; nothing is connected before the
    /// first call. Who calls waits no longer than `deadline`; a connection on which nothing came for three quarters of
    /// that is given up, before its caller is gone.
    pub(crate) fn new(url: &str, namespace: &str, deadline: Duration) -> Result<Self, SessionError> {
        let target = Target::parse(url).map_err(|error| match error {
            Error::InvalidOption { given, expected, .. } => setting("url", given, expected),
            other => setting("url", other.to_string(), "a URL such as `redis://127.0.0.1/`"),
        })?;
        let answer = deadline * 3 / 4;
        let servers = Servers::new(&target, Limits { answer, block: answer, firm: true });
        Ok(Self { keys: Keys::new(namespace), servers })
    }

    fn call(&self, script: &'static Source, at: SessionHandle) -> Call {
        call(script, [&self.keys.session(&at)])
    }

    async fn send<T>(&self, call: Call, read: impl Fn(Value) -> Result<T, Malformed>) -> Result<T, SessionError> {
        Ok(call.send(&self.servers, read).await?)
    }
}

impl Store for RedisStore {
    fn read<'a>(&'a self, at: SessionHandle, fields: &'a [String], life: Option<Life>) -> Answer<'a, Found<Read>> {
        let call = self.call(&script::READ, at);
        let call = match life {
            Some(life) => call.arg(millis(life.ttl)).arg(lifetime(life)).arg(life.touch_percent),
            None => call.arg("").arg("").arg(""),
        };
        let call = fields.iter().fold(call, |call, name| call.arg(name));
        Box::pin(self.send(call, reply::read))
    }

    fn whole(&self, at: SessionHandle) -> Answer<'_, Found<Whole>> {
        Box::pin(async move {
            // Through a script, a large answer costs the server several times as much. It is needed only if a field may
            // have ended, which the clock of the server decides.
            let key = self.keys.session(&at);
            let request = Request::plain(redis::cmd("HGETALL").arg(&key.key).take());
            match self.servers.send(&key.tag, &request, reply::plain_whole).await? {
                Some(found) => Ok(found),
                None => self.send(self.call(&script::WHOLE, at), reply::whole).await,
            }
        })
    }

    fn write<'a>(&'a self, at: SessionHandle, write: &'a Write) -> Answer<'a, Written> {
        let (session, next) = (self.keys.session(&at), self.keys.session(&write.next.unwrap_or(at)));
        let user = write.user.as_ref().map(|user| user.as_deref().unwrap_or_default().as_bytes());
        let (guard, expected) = match &write.guard {
            Some((name, expected)) => (Some(name.as_bytes()), expected.as_deref()),
            None => (None, None),
        };
        let (add, by) = write.add.as_ref().map_or((None, 0), |(name, by)| (Some(name.as_bytes()), *by));
        let mut call = call(&script::WRITE, [&session, &next])
            .arg(if write.create { "create" } else { "live" })
            .arg(millis(write.life.ttl))
            .arg(lifetime(write.life))
            .arg(write.life.touch_percent)
            .arg(write.limits.fields)
            .arg(write.limits.field_bytes)
            .arg(write.limits.session_bytes)
            .arg(millis(TOMBSTONE))
            .optional(user)
            .arg(if write.next.is_some() { "cycle" } else { "" })
            .arg(if write.replace { "replace" } else { "" })
            .optional(guard)
            .optional(expected)
            .optional(add)
            .arg(by)
            .arg(write.ttl.map_or(String::new(), |ttl| millis(ttl).to_string()));
        for (name, change) in &write.fields {
            call = call.arg(name);
            call = match change {
                Change::Set { value, keep } => call.arg("set").arg(&value[..]).arg(kept(*keep)),
                Change::Remove => call.arg("remove").arg("").arg(0),
            };
        }
        Box::pin(self.send(call, reply::written))
    }

    fn end<'a>(&'a self, at: SessionHandle, of: Option<&'a str>) -> Answer<'a, Found<Head>> {
        let call = self.call(&script::END, at).arg(millis(TOMBSTONE)).optional(of.map(str::as_bytes));
        Box::pin(self.send(call, reply::ended))
    }

    fn enlist<'a>(
        &'a self,
        user: &'a str,
        session: SessionHandle,
        ttl: Duration,
        most: usize,
    ) -> Answer<'a, Vec<SessionHandle>> {
        let call = call(&script::ENLIST, [&self.keys.user(user)]);
        let call = call.arg(session.to_string()).arg(millis(ttl)).arg(most);
        Box::pin(self.send(call, reply::handles))
    }

    fn delist<'a>(&'a self, user: &'a str, sessions: &'a [SessionHandle]) -> Answer<'a, ()> {
        Box::pin(async move {
            for some in sessions.chunks(MAX_DELISTED) {
                let call = call(&script::DELIST, [&self.keys.user(user)]);
                let call = some.iter().fold(call, |call, session| call.arg(session.to_string()));
                self.send(call, reply::count).await?;
            }
            Ok(())
        })
    }

    fn listed<'a>(&'a self, user: &'a str, most: usize) -> Answer<'a, Vec<Listed>> {
        let call = call(&script::LISTED, [&self.keys.user(user)]).arg(most);
        Box::pin(self.send(call, reply::listed))
    }
}

/// A call whose keys share a hash tag.
fn call<const N: usize>(script: &'static Source, keys: [&Key; N]) -> Call {
    Call::new(script, &keys[0].tag, keys.map(|key| key.key.as_str()))
}

/// 0 is none.
fn lifetime(life: Life) -> i64 {
    life.lifetime.map_or(0, millis)
}

fn kept(keep: Keep) -> i64 {
    match keep {
        Keep::WithSession => 0,
        Keep::For(time) => millis(time),
        Keep::AsBefore => -1,
    }
}
