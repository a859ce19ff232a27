//! One key of a cache as something with parts: a hash, a set, a sorted set or a counter.

mod counter;
mod hash;
mod score;
mod set;
mod sorted;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::{Cache, MAX_MANY};
use super::codec;
use super::compression::Compression;
use super::entry::{Entry, Form, Head};
use super::error::{CacheError, argument};
use super::raw::Reply;
use super::store::{Command, Life};
use super::ttl::Ttl;

pub use self::counter::Counter;
pub use self::hash::Hash;
pub use self::score::ScoreIf;
pub use self::set::SetOf;
pub use self::sorted::Sorted;

/// Most fields or members of one command. A call for more sends several: each of them is atomic, all together are not.
const MAX_PARTS: usize = 1_000;

impl Cache {
    /// The hash under a key: named fields, each with a value; see [`Hash`](struct@Hash).
    #[must_use]
    pub fn hash<'a, V>(&'a self, key: &'a str) -> Hash<'a, V> {
        Hash::new(View::new(self, key))
    }

    /// The set under a key: members, each of which is there once; see [`SetOf`].
    #[must_use]
    pub fn set_of<'a, M>(&'a self, key: &'a str) -> SetOf<'a, M> {
        SetOf::new(View::new(self, key))
    }

    /// The sorted set under a key: members with scores, in their order; see [`Sorted`].
    #[must_use]
    pub fn sorted<'a, M>(&'a self, key: &'a str) -> Sorted<'a, M> {
        Sorted::new(View::new(self, key))
    }

    /// The counter under a key, which begins at 0; see [`Counter`].
    #[must_use]
    pub fn counter<'a>(&'a self, key: &'a str) -> Counter<'a> {
        Counter::new(View::new(self, key))
    }
}

/// What all views are made of: the commands of one key, and the parts that they take as JSON.
#[derive(Clone, Copy, Debug)]
struct View<'a> {
    cache: &'a Cache,
    key: &'a str,
    ttl: Ttl,
}

impl<'a> View<'a> {
    fn new(cache: &'a Cache, key: &'a str) -> Self {
        Self { cache, key, ttl: cache.shared.ttl }
    }

    /// Sends a command that changes nothing.
    async fn look(&self, name: &str, args: Vec<Vec<u8>>) -> Result<Reply, CacheError> {
        self.send(name, args, None).await
    }

    /// Sends a command that may change something; what is there then lives for the time to live from now on.
    async fn change(&self, name: &str, args: Vec<Vec<u8>>) -> Result<Reply, CacheError> {
        self.send(name, args, Some(self.ttl.life()?)).await
    }

    async fn send(&self, name: &str, args: Vec<Vec<u8>>, life: Option<Life>) -> Result<Reply, CacheError> {
        let key = self.cache.keys().of(self.key)?;
        let command = Command { name, args, looks: life.is_none() };
        let told = self.cache.ask(Reply::Nil, |store| store.command(&key, &command, life)).await;
        told.map_err(|error| self.in_our_words(error))
    }

    /// What the server says of numbers.
    fn in_our_words(&self, error: CacheError) -> CacheError {
        let CacheError::Server { reason } = &error else { return error };
        if reason.contains("is not an integer") || reason.contains("would overflow") {
            return CacheError::NotANumber { key: self.key.to_owned() };
        }
        if reason.contains("is not a number (NaN)") {
            return argument("a score", "what `inf` and `-inf` are together", "a number");
        }
        error
    }

    /// The same for many parts, each of `N` arguments, in as few commands as take them; gives the sum of the answers.
    async fn change_all<const N: usize>(
        &self,
        name: &str,
        options: &[&str],
        parts: Vec<[Vec<u8>; N]>,
    ) -> Result<u64, CacheError> {
        checked_count(parts.len())?;
        let mut total = 0;
        for parts in in_commands(parts) {
            let options = options.iter().map(|option| option.as_bytes().to_vec());
            let args = options.chain(parts.into_iter().flatten()).collect();
            total += self.count(self.change(name, args).await?)?;
        }
        Ok(total)
    }

    /// Looks at many parts, and gives the answer for each in their order.
    async fn look_all(&self, name: &str, parts: Vec<[Vec<u8>; 1]>) -> Result<Vec<Reply>, CacheError> {
        checked_count(parts.len())?;
        let mut answers = Vec::with_capacity(parts.len());
        for parts in in_commands(parts) {
            let count = parts.len();
            match self.look(name, parts.into_iter().flatten().collect()).await? {
                Reply::Nil => answers.extend(vec![Reply::Nil; count]),
                Reply::List(each) if each.len() == count => answers.extend(each),
                other => return Err(self.unexpected(&other)),
            }
        }
        Ok(answers)
    }

    fn encode<T: Serialize + ?Sized>(&self, part: &T) -> Result<Vec<u8>, CacheError> {
        let encode =
            |error: serde_json::Error| CacheError::Encode { key: self.key.to_owned(), fault: error.to_string() };
        let json = serde_json::to_vec(part).map_err(encode)?;
        let most = self.cache.shared.writing.max_value_bytes;
        if json.len() > most {
            let expected = format!("{most} bytes at most; raise `max_value_bytes`, or store less");
            return Err(argument("a value", format!("{} bytes", json.len()), expected));
        }
        Ok(json)
    }

    fn encode_each<'q, T>(&self, parts: impl IntoIterator<Item = &'q T>) -> Result<Vec<[Vec<u8>; 1]>, CacheError>
    where
        T: Serialize + ?Sized + 'q,
    {
        parts.into_iter().map(|part| Ok([self.encode(part)?])).collect()
    }

    fn decode<T: DeserializeOwned>(&self, json: &[u8]) -> Result<T, CacheError> {
        let (head, compression, length) = (Head::default(), Compression::None, json.len());
        codec::read(self.key, &Entry { form: Form::Json, head, compression, length, value: json }, length)
    }

    /// One part; `None` for nothing.
    fn part<T: DeserializeOwned>(&self, reply: Reply) -> Result<Option<T>, CacheError> {
        match reply {
            Reply::Nil => Ok(None),
            Reply::Bytes(json) => self.decode(&json).map(Some),
            other => Err(self.unexpected(&other)),
        }
    }

    fn parts<T: DeserializeOwned>(&self, reply: Reply) -> Result<Vec<T>, CacheError> {
        let each = self.list(reply)?.into_iter();
        each.map(|reply| self.part(reply)?.ok_or_else(|| self.unexpected(&Reply::Nil))).collect()
    }

    /// Several parts as they are written.
    fn texts(&self, reply: Reply) -> Result<Vec<Vec<u8>>, CacheError> {
        let text = |reply| match reply {
            Reply::Bytes(text) => Ok(text),
            other => Err(self.unexpected(&other)),
        };
        self.list(reply)?.into_iter().map(text).collect()
    }

    /// The same, two by two.
    fn pairs(&self, reply: Reply) -> Result<Vec<[Vec<u8>; 2]>, CacheError> {
        let mut texts = self.texts(reply)?.into_iter();
        let mut pairs = Vec::with_capacity(texts.len() / 2);
        while let Some(first) = texts.next() {
            pairs.push([first, texts.next().ok_or_else(|| self.unexpected(&Reply::Nil))?]);
        }
        Ok(pairs)
    }

    fn list(&self, reply: Reply) -> Result<Vec<Reply>, CacheError> {
        match reply {
            Reply::Nil => Ok(Vec::new()),
            Reply::List(each) => Ok(each),
            other => Err(self.unexpected(&other)),
        }
    }

    fn int(&self, reply: Reply) -> Result<i64, CacheError> {
        match reply {
            Reply::Nil => Ok(0),
            // A large sum comes as text.
            reply => reply.int().ok_or_else(|| self.unexpected(&reply)),
        }
    }

    fn count(&self, reply: Reply) -> Result<u64, CacheError> {
        self.int(reply).map(|number| u64::try_from(number).unwrap_or(0))
    }

    fn truth(&self, reply: Reply) -> Result<bool, CacheError> {
        self.int(reply).map(|number| number != 0)
    }

    /// Without what it holds, which is not for the log.
    fn unexpected(&self, reply: &Reply) -> CacheError {
        let kind = match reply {
            Reply::Nil => "nothing",
            Reply::Int(_) => "a number",
            Reply::Bytes(_) => "text",
            Reply::List(_) => "a list",
        };
        CacheError::Server { reason: format!("{kind} came where something else was expected, for key `{}`", self.key) }
    }
}

/// What is derived asks the same of the type of the parts.
macro_rules! derived {
    ($($view:ident)*) => {
        $(impl<T> Clone for $view<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $view<'_, T> {}

        impl<T> fmt::Debug for $view<'_, T> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($view)).field(&self.view).finish()
            }
        })*
    };
}

derived! { Hash SetOf Sorted }

/// The parts of each command.
fn in_commands<T>(parts: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut left = parts.into_iter();
    std::iter::from_fn(move || Some(left.by_ref().take(MAX_PARTS).collect::<Vec<_>>()).filter(|some| !some.is_empty()))
}

fn checked_count(count: usize) -> Result<(), CacheError> {
    if count > MAX_MANY {
        return Err(argument("a call", format!("for {count} fields or members"), format!("{MAX_MANY} at most")));
    }
    Ok(())
}
