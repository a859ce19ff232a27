//! A cache in Redis or Valkey: a command where one does it, and a script where it takes several.

mod replica;
mod reply;
mod script;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use self::replica::Replica;
use super::{Added, Answer, Command, End, Ended, Left, Life, Page, Store, When};
use crate::cache::error::{CacheError, argument, of_fault, setting};
use crate::cache::raw::Reply;
use crate::cache::script::Call;
use crate::connection::{Fault, Limits, Malformed, Primary, Request, Servers, Source, Target};
use crate::error::Error;

/// Most arguments of a command that is a step of a script: Lua puts them on its stack.
const MAX_ARGS: usize = 4_000;

/// Room for the arguments of most commands, and for their bytes beside those of keys and entries.
const FEW_ARGS: usize = 6;
const FEW_BYTES: usize = 64;
/// How long an answer is waited for at least, before its connection is given up.
const MIN_ANSWER: Duration = Duration::from_millis(500);
/// How often a lock is asked for again, with the same token, when the answer was lost.
const LOCKED_AGAIN: u32 = 2;
/// It is if the answer was lost so soon; after a time-out whoever asked has waited long enough.
const LOCK_AGAIN_WITHIN: Duration = Duration::from_secs(1);

type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// The store.
pub(in crate::cache) struct RedisStore {
    servers: Servers,
    replicas: Vec<Replica>,
    /// Whether it is a cluster, whose nodes take no command for keys of several slots.
    is_cluster: AtomicBool,
}

impl RedisStore {
    /// The store on the server at `url`, or on the cluster of which it names nodes; nothing is connected before the
    /// first call. Who calls waits no longer than `deadline`; a connection on which nothing came for as long as that is
    /// given up.
    pub(in crate::cache) fn new(url: &str, replicas: &[String], deadline: Duration) -> Result<Self, CacheError> {
        let target = |what: &str, url: &str| {
            Target::parse(url).map_err(|error| match error {
                Error::InvalidOption { given, expected, .. } => setting(what, given, expected),
                other => setting(what, other, "a URL such as `redis://127.0.0.1/`"),
            })
        };
        // A connection that is only slow must not be given up whenever a caller is impatient.
        let answer = deadline.max(MIN_ANSWER);
        let replica = |url: &String| Ok(Replica::new(&target("replicas", url)?, deadline));
        Ok(Self {
            servers: Servers::new(&target("url", url)?, Limits { answer, block: answer, firm: true }),
            replicas: replicas.iter().map(replica).collect::<Result<_, CacheError>>()?,
            is_cluster: AtomicBool::new(false),
        })
    }

    async fn send<T>(
        &self,
        key: &str,
        request: Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, CacheError> {
        self.servers.send(key, &request, read).await.map_err(|fault| of_fault(fault, key))
    }

    async fn call<T>(
        &self,
        key: &str,
        call: Call,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, CacheError> {
        call.send(&self.servers, read).await.map_err(|fault| of_fault(fault, key))
    }

    /// Reads from a replica, if there is one that answers, and else from the server itself.
    async fn look_up<T>(
        &self,
        key: &str,
        request: Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        if let Some(replica) = fastrand::choice(&self.replicas)
            && let Some(answer) = replica.send(key, &request, &read).await
        {
            return answer;
        }
        self.servers.send(key, &request, &read).await
    }

    /// One command for all keys, or in a cluster one for each of them at the same time.
    async fn for_all<'a, T>(
        &'a self,
        keys: &'a [String],
        all: fn(&'a Self, &'a [String]) -> Asked<'a, T>,
        join: impl Fn(Vec<T>) -> T,
    ) -> Result<T, CacheError> {
        let key = keys.first().map_or("", String::as_str);
        if !self.is_cluster.load(Ordering::Relaxed) {
            match all(self, keys).await {
                Err(Fault::Apart(_)) => self.is_cluster.store(true, Ordering::Relaxed),
                answer => return answer.map_err(|fault| of_fault(fault, key)),
            }
        }
        let each = keys.chunks(1).map(|key| all(self, key));
        try_join_all(each).await.map(join).map_err(|fault| of_fault(fault, key))
    }

    fn entries_of<'a>(&'a self, keys: &'a [String]) -> Asked<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(async move {
            let Some(first) = keys.first() else { return Ok(Vec::new()) };
            match self.look_up(first, Request::marked(many("MGET", keys)), |reply| reply::entries(keys, reply)).await {
                // Of one among many, who asks for it alone is told.
                Err(Fault::Foreign(_)) => {
                    let read = |reply| reply::entries_but_others(keys, reply);
                    self.look_up(first, Request::plain(many("MGET", keys)), read).await
                }
                answer => answer,
            }
        })
    }

    fn unlink<'a>(&'a self, keys: &'a [String]) -> Asked<'a, u64> {
        Box::pin(async move {
            let Some(first) = keys.first() else { return Ok(0) };
            self.servers.send(first, &Request::plain(many("UNLINK", keys)), reply::count).await
        })
    }

    fn numbers_of<'a>(&'a self, keys: &'a [String]) -> Asked<'a, Vec<Option<u64>>> {
        Box::pin(async move {
            let Some(first) = keys.first() else { return Ok(Vec::new()) };
            self.servers.send(first, &Request::plain(many("MGET", keys)), reply::numbers).await
        })
    }

    async fn primaries(&self) -> Result<Vec<Primary>, CacheError> {
        self.servers.primaries().await.map_err(|fault| of_fault(fault, ""))
    }
}

impl Store for RedisStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let request = Request::marked(one("GET", key));
            self.look_up(key, request, |reply| reply::entry(key, reply)).await.map_err(|fault| of_fault(fault, key))
        })
    }

    fn look<'a>(&'a self, key: &'a str) -> Answer<'a, Option<(Vec<u8>, Left)>> {
        Box::pin(async move {
            let (entry, left) = try_join(self.get(key), self.left(key)).await?;
            Ok(entry.filter(|_| left != Left::Missing).map(|entry| (entry, left)))
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> Answer<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(self.for_all(keys, Self::entries_of, |each| each.concat()))
    }

    fn set<'a>(&'a self, key: &'a str, entry: &'a [u8], life: Life, when: When) -> Answer<'a, bool> {
        let mut command = Cmd::with_capacity(FEW_ARGS, key.len() + entry.len() + FEW_BYTES);
        command.arg("SET").arg(key).arg(entry);
        if let Life::Ms(ms) = life {
            command.arg("PX").arg(ms);
        }
        let request = match when {
            When::Always => Request::marked(command),
            When::Absent => Request::plain(command.arg("NX").take()),
            When::Present => Request::plain(command.arg("XX").take()),
        };
        Box::pin(self.send(key, request, reply::was_set))
    }

    fn set_many<'a>(&'a self, entries: &'a [(String, Vec<u8>)], life: Life) -> Answer<'a, ()> {
        Box::pin(async move {
            let Some((first, _)) = entries.first() else { return Ok(()) };
            if !self.is_cluster.load(Ordering::Relaxed) {
                let keys = entries.iter().map(|(key, _)| key.as_str());
                let call = Call::for_many(&script::SET_MANY, first, keys).arg(ms(life));
                let call = entries.iter().fold(call, |call, (_, entry)| call.arg(&entry[..]));
                match call.send(&self.servers, reply::done).await {
                    Err(Fault::Apart(_)) => self.is_cluster.store(true, Ordering::Relaxed),
                    answer => return answer.map_err(|fault| of_fault(fault, first)),
                }
            }
            let each = entries.iter().map(|(key, entry)| self.set(key, entry, life, When::Always));
            try_join_all(each).await.map(drop)
        })
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(self.send(key, Request::plain(one("GETDEL", key)), reply::bytes))
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> Answer<'a, u64> {
        Box::pin(self.for_all(keys, Self::unlink, |each| each.into_iter().sum()))
    }

    fn left<'a>(&'a self, key: &'a str) -> Answer<'a, Left> {
        Box::pin(self.send(key, Request::plain(one("PTTL", key)), reply::left))
    }

    fn expire<'a>(&'a self, key: &'a str, end: End) -> Answer<'a, Option<Ended>> {
        let call = call(&script::EXPIRE, key);
        let call = match end {
            End::InMs(ms) => call.arg("PEXPIRE").arg(ms),
            End::InMsOrLater(ms) => call.arg("PEXPIRE").arg(ms).arg("GT"),
            End::AtMs(ms) => call.arg("PEXPIREAT").arg(ms),
            End::Never => call.arg("PERSIST"),
        };
        Box::pin(self.call(key, call, |reply| reply::ended(key, reply)))
    }

    fn add<'a>(&'a self, key: &'a str, by: i64) -> Answer<'a, Added> {
        Box::pin(self.call(key, call(&script::ADD, key).arg(by), reply::added))
    }

    fn tag<'a>(&'a self, key: &'a str, fresh: u64, life: Life) -> Answer<'a, u64> {
        Box::pin(self.call(key, call(&script::TAG, key).arg(fresh).arg(ms(life)), reply::number))
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> Answer<'a, Vec<Option<u64>>> {
        Box::pin(self.for_all(keys, Self::numbers_of, |each| each.concat()))
    }

    fn lock<'a>(&'a self, key: &'a str, token: &'a str, ttl: Duration, memory: Duration) -> Answer<'a, Option<u64>> {
        Box::pin(async move {
            let ask = || {
                let call = call(&script::LOCK, key).arg(token).arg(whole_ms(ttl)).arg(whole_ms(memory));
                self.call(key, call, reply::fence)
            };
            let asked = Instant::now();
            let mut answer = ask().await;
            for _ in 0..LOCKED_AGAIN {
                if !matches!(answer, Err(CacheError::Unknown { .. })) || asked.elapsed() >= LOCK_AGAIN_WITHIN {
                    break;
                }
                // It may be held by now, and would be for all of its time, by nobody.
                match ask().await {
                    again @ (Ok(_) | Err(CacheError::Unknown { .. })) => answer = again,
                    // It says nothing of the try before, which may have taken the lock.
                    Err(_) => break,
                }
            }
            answer
        })
    }

    fn renew<'a>(&'a self, key: &'a str, token: &'a str, ttl: Duration) -> Answer<'a, bool> {
        Box::pin(self.call(key, call(&script::RENEW, key).arg(token).arg(whole_ms(ttl)), reply::truth))
    }

    fn unlock<'a>(&'a self, key: &'a str, token: &'a str) -> Answer<'a, bool> {
        Box::pin(self.call(key, call(&script::UNLOCK, key).arg(token), reply::truth))
    }

    fn scan<'a>(&'a self, pattern: &'a str, from: Option<&'a str>, count: usize) -> Answer<'a, Page> {
        Box::pin(async move {
            // `CURSOR@NODE`; a server that stands alone has no name.
            let (cursor, name) = from.and_then(|from| from.split_once('@')).unwrap_or(("0", ""));
            let primaries = self.primaries().await?;
            let here = match from {
                None => 0,
                Some(_) => primaries.iter().position(|primary| primary.name() == name).ok_or_else(|| {
                    argument("a cursor", format!("of node `{name}`"), "one of a node that has keys; begin anew")
                })?,
            };
            let Some(primary) = primaries.get(here) else { return Ok(Page { keys: Vec::new(), next: None }) };
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count);
            let answer = primary.send(&Request::plain(command), reply::page).await;
            let (cursor, keys) = answer.map_err(|fault| of_fault(fault, pattern))?;
            let next = match (cursor.as_str(), primaries.get(here + 1)) {
                ("0", None) => None,
                ("0", Some(next)) => Some(format!("0@{}", next.name())),
                _ => Some(format!("{cursor}@{}", primary.name())),
            };
            Ok(Page { keys, next })
        })
    }

    fn command<'a>(&'a self, key: &'a str, command: &'a Command<'a>, life: Option<Life>) -> Answer<'a, Reply> {
        Box::pin(async move {
            if command.args.len() > MAX_ARGS {
                return Err(argument("a command", format!("with {} arguments", command.args.len()), "4,000 at most"));
            }
            match life {
                Some(life) if !command.looks => {
                    let call = call(&script::COMMAND, key).arg(ms(life)).arg(command.name);
                    let call = command.args.iter().fold(call, |call, arg| call.arg(&arg[..]));
                    self.call(key, call, reply::any).await
                }
                _ => {
                    let mut request = one(command.name, key);
                    command.args.iter().for_each(|arg| {
                        request.arg(&arg[..]);
                    });
                    self.send(key, Request::plain(request), reply::any).await
                }
            }
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.send("", Request::plain(cmd("PING")), reply::done))
    }
}

fn one(name: &str, key: &str) -> Cmd {
    let mut command = Cmd::with_capacity(FEW_ARGS, key.len() + FEW_BYTES);
    command.arg(name).arg(key);
    command
}

fn many(name: &str, keys: &[String]) -> Cmd {
    let bytes = keys.iter().map(String::len).sum::<usize>();
    let mut command = Cmd::with_capacity(keys.len() + 1, bytes + FEW_BYTES);
    command.arg(name).arg(keys);
    command
}

fn call(script: &'static Source, key: &str) -> Call {
    Call::new(script, key, [key])
}

/// '' is for ever.
fn ms(life: Life) -> String {
    match life {
        Life::Ms(ms) => ms.to_string(),
        Life::Forever => String::new(),
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
