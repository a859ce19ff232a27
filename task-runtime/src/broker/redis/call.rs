//! One call of a script: keys and arguments, written straight into the request.

use std::time::{Duration, Instant};

use redis::{Cmd, ToRedisArgs, Value};

use super::RedisBroker;
use super::keys::Keys;
use super::script::Script;
use crate::broker::{Due, Incarnation, NewJob, Retention};
use crate::connection::{Fault, Malformed, Request, Servers};
use crate::job::{JobId, PutBack, Settlement};

/// Room for the arguments of a call that carries no jobs.
const FEW_ARGS: usize = 64;
/// A look is repeated if it failed so soon; after a time-out whoever asked has waited long enough.
const LOOK_AGAIN_WITHIN: Duration = Duration::from_secs(1);
/// What stands before an end record, and never before an envelope (`lib/record.lua`).
const END: u8 = b'=';

/// Asks for something that changes nothing, and again when its connection died at once, which is no news of what it
/// looks for. Whatever fails, nothing happened.
pub(super) async fn look<T, F: Future<Output = Result<T, Fault>>>(ask: impl Fn() -> F) -> Result<T, Fault> {
    let started = Instant::now();
    let mut answer = ask().await;
    if matches!(answer, Err(Fault::Lost(_))) && started.elapsed() < LOOK_AGAIN_WITHIN {
        answer = ask().await;
    }
    answer.map_err(|fault| match fault {
        Fault::Lost(reason) => Fault::Away(reason),
        Fault::NoScript => Fault::Away("the answer was one to another request".into()),
        Fault::Broken(reason) | Fault::WrongKind(reason) | Fault::Foreign(reason) => Fault::Refused(reason),
        fault => fault,
    })
}

/// A request that is being written.
pub(super) struct Call {
    script: &'static Script,
    /// The hash tag of all its keys.
    tag: String,
    command: Cmd,
}

impl Call {
    /// A call of `script` on the keys of one queue; `running` are the incarnations whose sets it
    /// declares.
    pub(super) fn new(broker: &RedisBroker, script: &'static Script, of: &Keys, running: &[Incarnation]) -> Self {
        let mut command = script.source.call(script.key_count(running.len()), FEW_ARGS);
        script.for_each_key(of, running, |key| {
            command.arg(key);
        });
        match broker.clock.given_ms() {
            Some(ms) => command.arg(ms),
            None => command.arg(""),
        };
        Self { script, tag: of.tag().to_owned(), command }
    }

    /// Sends it, and has `read` read what the script answers.
    pub(super) async fn send<T>(
        self,
        servers: &Servers,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let request = Request::script(self.command);
        let send = || self.script.source.send(servers, &self.tag, &request, &read);
        if self.script.looks { look(send).await } else { send().await }
    }

    /// The command alone, for a client that is not ours.
    #[cfg(feature = "cli")]
    pub(super) fn bare(self) -> Cmd {
        // The text around a script takes the last argument for the number of the request.
        self.arg(0).command
    }

    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    pub(super) fn id(self, id: &JobId) -> Self {
        self.arg(id.as_str())
    }

    pub(super) fn ids<'a>(self, ids: impl IntoIterator<Item = &'a JobId>) -> Self {
        ids.into_iter().fold(self, Self::id)
    }

    pub(super) fn texts(self, texts: &[String]) -> Self {
        texts.iter().fold(self, Self::arg)
    }

    pub(super) fn incarnation(self, incarnation: &Incarnation) -> Self {
        self.arg(incarnation.as_str())
    }

    pub(super) fn incarnations(self, incarnations: &[Incarnation]) -> Self {
        incarnations.iter().fold(self, Self::incarnation)
    }

    /// A number, or '' for none.
    pub(super) fn optional(self, number: Option<usize>) -> Self {
        match number {
            Some(number) => self.arg(number),
            None => self.arg(""),
        }
    }

    pub(super) fn flag(self, flag: bool) -> Self {
        self.arg(u8::from(flag))
    }

    pub(super) fn ms(self, time: Duration) -> Self {
        self.arg(ms(time))
    }

    pub(super) fn retention(self, keep: &Retention) -> Self {
        self.arg(keep.finished).ms(keep.age).arg(keep.dead).ms(keep.dead_age)
    }

    /// What `count` jobs have in common, `first` among them (`enqueue.lua`).
    pub(super) fn group(self, count: usize, first: &NewJob) -> Self {
        let call = self.arg(count).arg(first.priority);
        match first.due {
            Due::Now => call.arg(""),
            Due::After(delay) => call.arg(format!("+{}", ms(delay))),
            Due::At(ms) => call.arg(ms),
        }
    }

    /// One move, five arguments (`lib/settle.lua`).
    pub(super) fn moved(self, kind: &str, id: &JobId, data: &[u8], x: impl ToRedisArgs, y: impl ToRedisArgs) -> Self {
        self.arg(kind).id(id).arg(data).arg(x).arg(y)
    }

    /// Groups of finished jobs by how long their records are kept, then the other settlements
    /// (`lib/settle.lua`). What has no time of its own goes without a record, unless `keeps` says that
    /// those are kept.
    pub(super) fn settlements(mut self, settlements: &[(JobId, Settlement)], keeps: bool) -> Self {
        let mut ends: Vec<(Option<Duration>, &JobId, &[u8])> = Vec::new();
        let mut others: Vec<(&JobId, &Settlement)> = Vec::new();
        for (id, settlement) in settlements {
            match settlement {
                Settlement::Finish { record, keep } => ends.push((*keep, id, record)),
                other => others.push((id, other)),
            }
        }
        // Few tasks have a time of their own for results, so that there is one group or two.
        ends.sort_by_key(|(keep, ..)| *keep);
        let mut stored = vec![END];
        for group in ends.chunk_by(|one, other| one.0 == other.0) {
            self = self.arg(group.len());
            self = match group[0].0 {
                Some(keep) => self.ms(keep),
                None if keeps => self.arg(""),
                None => {
                    self = self.arg("-").ids(group.iter().map(|(_, id, _)| *id));
                    continue;
                }
            };
            for (_, id, record) in group {
                stored.truncate(1);
                stored.extend_from_slice(record);
                self = self.id(id).arg(&*stored);
            }
        }
        self = self.arg(0);
        others.into_iter().fold(self, |call, (id, settlement)| call.settlement(id, settlement))
    }

    /// A settlement that does not finish its job.
    fn settlement(self, id: &JobId, settlement: &Settlement) -> Self {
        match settlement {
            // It stands in one of the groups.
            Settlement::Finish { .. } => self,
            Settlement::Dead { state } => self.moved("d", id, state, "", ""),
            Settlement::Retry { state, delay, priority } => self.moved("r", id, state, ms(*delay), *priority),
            Settlement::Release { to } => self.released(id, *to),
            Settlement::Park { task, priority, state } => self.moved("p", id, state, task, *priority),
        }
    }

    pub(super) fn released(self, id: &JobId, to: PutBack) -> Self {
        match to {
            PutBack::Ready(priority) => self.moved("l", id, &[], "", priority),
            PutBack::Few => self.moved("l", id, &[], "few", ""),
            PutBack::Alone => self.moved("l", id, &[], "alone", ""),
        }
    }
}

/// Milliseconds, as far as a server counts them.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
