//! Commands that no method has a name for.

use super::cache::Cache;
use super::error::CacheError;
use super::store::Command;

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A whole number.
    Int(i64),
    /// Bytes, or text.
    Bytes(Vec<u8>),
    /// Several; pairs come one part after the other.
    List(Vec<Reply>),
}

impl Reply {
    /// The number, also when it is written as text.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Bytes(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

/// A command that is being written; see [`Cache::command`].
#[must_use = "nothing is sent until `send` is called"]
#[derive(Debug)]
pub struct RawCommand<'a> {
    cache: &'a Cache,
    name: &'a str,
    key: &'a str,
    args: Vec<Vec<u8>>,
}

impl<'a> RawCommand<'a> {
    pub(super) fn new(cache: &'a Cache, name: &'a str, key: &'a str) -> Self {
        Self { cache, name, key, args: Vec::new() }
    }

    /// One more argument, behind the key.
    pub fn arg(mut self, value: impl ToString) -> Self {
        self.args.push(value.to_string().into_bytes());
        self
    }

    /// One more argument, of bytes.
    pub fn bytes(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// What the server says, as [`CacheError::Server`], and the errors of every call. An outage that is a miss is
    /// [`Reply::Nil`].
    ///
    /// # Cancel safety
    /// When the future is dropped, the command may still be carried out.
    pub async fn send(self) -> Result<Reply, CacheError> {
        let key = self.cache.keys().of(self.key)?;
        let command = Command { name: self.name, args: self.args, looks: true };
        self.cache.ask(Reply::Nil, |store| store.command(&key, &command, None)).await
    }
}
