//! The commands that the views of a cache send, carried out in memory by the rules of Redis.

mod hash;
mod set;
mod sorted;

use super::space::{Held, Space, Value};
use super::{end_of, wrong_kind};
use crate::cache::error::CacheError;
use crate::cache::raw::Reply;
use crate::cache::store::{Command, Life};

pub(super) use self::hash::Fields;
pub(super) use self::set::Members;
pub(super) use self::sorted::Scores;

type Told = Result<Reply, CacheError>;

/// A kind of collection, and its commands. One that is empty answers as one that is not there.
trait Collection: Default {
    /// Commands that change nothing.
    const LOOKS: &'static [&'static str];
    /// Commands that may change it. When one fails, it has changed nothing.
    const CHANGES: &'static [&'static str];

    fn of(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
    fn look(&self, name: &str, args: &[Vec<u8>]) -> Told;
    fn change(&mut self, name: &str, args: &[Vec<u8>]) -> Told;
}

/// Carries out a command; one that changes something gives what is there then the end of `life`.
pub(super) fn carry_out(space: &mut Space, key: &str, command: &Command, life: Option<Life>, now: i64) -> Told {
    let name = command.name.to_ascii_uppercase();
    let end = life.filter(|_| !command.looks).map(|life| end_of(life, now));
    let call = Call { name: &name, args: &command.args, key, now, end };
    match name.as_str() {
        "GET" | "GETDEL" | "INCRBY" => call.on_text(space),
        name if is_of::<Fields>(name) => call.on::<Fields>(space),
        name if is_of::<Members>(name) => call.on::<Members>(space),
        name if is_of::<Scores>(name) => call.on::<Scores>(space),
        _ => Err(unknown(command.name)),
    }
}

struct Call<'a> {
    name: &'a str,
    args: &'a [Vec<u8>],
    key: &'a str,
    now: i64,
    /// The end that what is there then gets; `Some(None)` is never.
    end: Option<Option<i64>>,
}

impl Call<'_> {
    fn on<C: Collection>(&self, space: &mut Space) -> Told {
        if C::LOOKS.contains(&self.name) {
            return match space.get_mut(self.key, self.now) {
                None => C::default().look(self.name, self.args),
                Some(held) => self.as_kind::<C>(held)?.look(self.name, self.args),
            };
        }
        self.change(space, C::default().into_value(), |held| self.as_kind::<C>(held)?.change(self.name, self.args))
    }

    fn on_text(&self, space: &mut Space) -> Told {
        match (self.name, self.args) {
            ("GET", []) => match space.get(self.key, self.now) {
                None => Ok(Reply::Nil),
                Some(Held { value: Value::Bytes(bytes), .. }) => Ok(Reply::Bytes(bytes.clone())),
                Some(_) => Err(wrong_kind(self.key)),
            },
            ("GETDEL", []) => match space.get(self.key, self.now) {
                None => Ok(Reply::Nil),
                Some(Held { value: Value::Bytes(_), .. }) => match space.remove(self.key) {
                    Some(Value::Bytes(bytes)) => Ok(Reply::Bytes(bytes)),
                    _ => Ok(Reply::Nil),
                },
                Some(_) => Err(wrong_kind(self.key)),
            },
            ("INCRBY", [by]) => {
                let by = integer(by)?;
                // One that fails leaves nothing behind, because what it adds to zero always fits.
                self.change(space, Value::Bytes(b"0".to_vec()), |held| {
                    let Value::Bytes(bytes) = &mut held.value else { return Err(wrong_kind(self.key)) };
                    let sum = sum(integer(bytes)?, by)?;
                    *bytes = sum.to_string().into_bytes();
                    Ok(Reply::Int(sum))
                })
            }
            _ => Err(wrong_arguments(self.name)),
        }
    }

    fn change(&self, space: &mut Space, fresh: Value, call: impl FnOnce(&mut Held) -> Told) -> Told {
        let told = space.change(self.key, self.now, Some(fresh), |held| {
            let reply = call(held)?;
            if let Some(end) = self.end {
                held.end = end;
            }
            Ok(reply)
        });
        told.unwrap_or(Ok(Reply::Nil))
    }

    fn as_kind<'h, C: Collection>(&self, held: &'h mut Held) -> Result<&'h mut C, CacheError> {
        C::of(&mut held.value).ok_or_else(|| wrong_kind(self.key))
    }
}

fn is_of<C: Collection>(name: &str) -> bool {
    C::LOOKS.contains(&name) || C::CHANGES.contains(&name)
}

/// A whole number in the one form in which it is written.
pub(super) fn whole_number(bytes: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == bytes).then_some(number)
}

fn integer(bytes: &[u8]) -> Result<i64, CacheError> {
    whole_number(bytes).ok_or_else(|| server("value is not an integer or out of range"))
}

fn count(bytes: &[u8]) -> Result<usize, CacheError> {
    usize::try_from(integer(bytes)?).map_err(|_| server("value is out of range, must be positive"))
}

fn float(bytes: &[u8]) -> Result<f64, CacheError> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.filter(|number: &f64| !number.is_nan()).ok_or_else(|| server("value is not a valid float"))
}

fn sum(number: i64, by: i64) -> Result<i64, CacheError> {
    number.checked_add(by).ok_or_else(|| server("increment or decrement would overflow"))
}

fn int(number: usize) -> Reply {
    Reply::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn bytes(bytes: &[u8]) -> Reply {
    Reply::Bytes(bytes.to_vec())
}

fn unknown(name: &str) -> CacheError {
    server(&format!("the memory of a process knows no command `{name}`; it needs a server"))
}

fn wrong_arguments(name: &str) -> CacheError {
    server(&format!("the memory of a process does not know command `{name}` with these arguments"))
}

/// What a server would say.
fn server(reason: &str) -> CacheError {
    CacheError::Server { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after<C: Collection>(calls: &[&str]) -> C {
        let mut collection = C::default();
        for call in calls {
            let mut words = call.split(' ');
            let name = words.next().unwrap();
            let args: Vec<_> = words.map(|word| word.as_bytes().to_vec()).collect();
            collection.change(name, &args).unwrap();
        }
        collection
    }

    #[test]
    fn what_a_collection_costs_follows_from_what_is_in_it() {
        let hash = after::<Fields>(&["HSET a 1 b long", "HSET a 22222", "HINCRBY n 1000", "HDEL b x", "HSETNX a 3"]);
        assert_eq!(hash.cost(), after::<Fields>(&["HSET n 1000 a 22222"]).cost());
        let set = after::<Members>(&["SADD a bb ccc a", "SREM bb x", "SADD ccc"]);
        assert_eq!(set.cost(), after::<Members>(&["SADD ccc a"]).cost());
        assert_eq!(after::<Members>(&["SADD a bb ccc", "SPOP 2", "SPOP 2"]).cost(), 0);
        let scores =
            after::<Scores>(&["ZADD 1 a 2 bb 3 ccc 4 d", "ZADD XX 9 a", "ZINCRBY 1 e", "ZREM bb", "ZPOPMAX 1"]);
        assert_eq!(scores.cost(), after::<Scores>(&["ZADD 1 ccc 1 d 1 e"]).cost());
        assert_eq!(after::<Scores>(&["ZADD 1 a 2 bb 3 c", "ZREMRANGEBYSCORE (1 2", "ZPOPMIN 9"]).cost(), 0);
    }

    #[test]
    fn a_command_that_memory_does_not_know_is_told() {
        let mut space = Space::new(10, 10_000);
        let mut run = |name, args: &[&str]| {
            let args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
            carry_out(&mut space, "k", &Command { name, args, looks: true }, None, 0).map_err(|error| error.to_string())
        };
        assert_eq!(run("sadd", &["a", "b"]), Ok(Reply::Int(2)), "a command can be in small letters");
        assert_eq!(run("SCARD", &[]), Ok(Reply::Int(2)));
        assert!(run("SETRANGE", &["0", "x"]).unwrap_err().contains("no command `SETRANGE`; it needs a server"));
        assert!(run("SPOP", &[]).unwrap_err().contains("command `SPOP` with these arguments"));
        assert!(run("SPOP", &["-1"]).unwrap_err().contains("must be positive"));
    }
}
