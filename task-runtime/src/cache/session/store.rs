//! The seam between sessions and where they are kept.

use std::pin::Pin;
use std::time::Duration;

use super::changes::Change;
use super::error::SessionError;
use super::limits::{Life, Limits};
use super::token::SessionHandle;

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

/// Where sessions are kept. Each call is atomic. A session has its end from the first write on, and every write moves
/// it on.
///
/// # Cancel safety
/// Dropping an answer does not take the call back: it may still be carried out, wholly or not at all.
pub(crate) trait Store: Send + Sync + 'static {
    /// Some fields of a session, in the order in which they are named, and no others. Moves the end of the session on
    /// if that is due by `life`, and not at all without one.
    fn read<'a>(&'a self, at: SessionHandle, fields: &'a [String], life: Option<Life>) -> Answer<'a, Found<Read>>;

    /// Every field of a session. Moves nothing.
    fn whole(&self, at: SessionHandle) -> Answer<'_, Found<Whole>>;

    /// Checks everything, then writes everything or nothing.
    fn write<'a>(&'a self, at: SessionHandle, write: &'a Write) -> Answer<'a, Written>;

    /// Ends a session; with a user, only if it is that user's. Its id is remembered for a while as one that is no more.
    fn end<'a>(&'a self, at: SessionHandle, of: Option<&'a str>) -> Answer<'a, Found<Head>>;

    /// Adds a session to those of a user, or says that it was seen now, and gives those that are one too many. None of
    /// them is taken out, so that each can be found until it has ended.
    fn enlist<'a>(
        &'a self,
        user: &'a str,
        session: SessionHandle,
        ttl: Duration,
        most: usize,
    ) -> Answer<'a, Vec<SessionHandle>>;

    /// Takes sessions out of those of a user.
    fn delist<'a>(&'a self, user: &'a str, sessions: &'a [SessionHandle]) -> Answer<'a, ()>;

    /// The sessions that a user may have, the one that was seen last first.
    fn listed<'a>(&'a self, user: &'a str, most: usize) -> Answer<'a, Vec<Listed>>;
}

/// Whether there is a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    There(T),
    /// There was one until a moment ago: it was ended, or got another id.
    Ended,
    /// There is none, or it is not the one that was meant.
    Unknown,
}

/// What is known of a session beside its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// When it began, in milliseconds since 1970.
    pub(crate) created_ms: i64,
    /// When it was last written to or its end moved on, in milliseconds since 1970.
    pub(crate) seen_ms: i64,
    pub(crate) user: Option<String>,
    /// How long it lives after it was last used, if not as long as all.
    pub(crate) ttl: Option<Duration>,
    /// Whether the end was moved on so far that the cookie is to be sent anew.
    pub(crate) moved: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) head: Head,
    pub(crate) values: Vec<Option<Vec<u8>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) head: Head,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

/// What is to be written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// Begins the session if it is not there. Only for an id that was just made up.
    pub(crate) create: bool,
    /// The id that the session is to have from now on, in the same partition.
    pub(crate) next: Option<SessionHandle>,
    pub(crate) life: Life,
    pub(crate) limits: Limits,
    /// Whose session it is to be; `Some(None)` for nobody's.
    pub(crate) user: Option<Option<String>>,
    /// How long the session is to live after it was last used, from now on, if not as before.
    pub(crate) ttl: Option<Duration>,
    /// A field that must hold these bytes, or not be there, else nothing is written.
    pub(crate) guard: Option<(String, Option<Vec<u8>>)>,
    /// A field to count up, which is none of `fields`.
    pub(crate) add: Option<(String, i64)>,
    pub(crate) fields: Vec<(String, Change)>,
    /// Whether fields that are not named are to be removed.
    pub(crate) replace: bool,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done {
        head: Head,
        /// What the field that was counted up holds now.
        sum: Option<i64>,
    },
    Ended,
    Unknown,
    /// The guarded field holds something else.
    Differs(Option<Vec<u8>>),
    /// The field to count up holds no whole number, or the sum does not fit.
    NotANumber,
    /// A value is too long.
    LongField {
        name: String,
        bytes: usize,
    },
    /// There would be so many fields.
    ManyFields(usize),
    /// There would be so many bytes.
    ManyBytes(usize),
}

/// A session that a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) session: SessionHandle,
    /// How long ago it was enlisted, or seen, in milliseconds.
    pub(crate) age_ms: i64,
}
