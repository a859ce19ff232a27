//! How much a session may hold, and how long it lives.

use std::time::Duration;

use super::error::{SessionError, setting};

/// Fields of a session unless told else.
pub const DEFAULT_FIELDS: usize = 128;
/// Most fields that can be allowed: every script may look at all of them.
pub const MAX_FIELDS: usize = 1_024;
/// Bytes of one value unless told else.
pub const DEFAULT_FIELD_BYTES: usize = 1024 * 1024;
/// Bytes of all names and values of a session unless told else.
pub const DEFAULT_SESSION_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes that can be allowed for a session, and so for a value.
pub const MAX_SESSION_BYTES: usize = 64 * 1024 * 1024;
/// Sessions of one user unless told else; the ones that were not seen for longest end.
pub const DEFAULT_USER_SESSIONS: usize = 100;
/// Most sessions of one user that can be allowed.
pub const MAX_USER_SESSIONS: usize = 1_000;
/// How long a session lives after it was last used, unless told else: two weeks, as in Django.
pub const DEFAULT_TTL: Duration = Duration::from_secs(14 * 24 * 3600);
/// Shortest and longest time that a session or a field can be given.
pub const MIN_TTL: Duration = Duration::from_millis(1);
/// Longest time that a session or a field can be given: 400 days, as long as browsers keep a cookie.
pub const MAX_TTL: Duration = Duration::from_secs(400 * 24 * 3600);
/// Which part of the `ttl` may pass before a session that is only read is written to, so that it lives on.
pub const DEFAULT_TOUCH_PERCENT: u8 = 10;
/// How long an id that is no more is remembered, so that late requests do not begin a session anew.
pub(crate) const TOMBSTONE: Duration = Duration::from_secs(60);

/// How much a session may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) fields: usize,
    pub(crate) field_bytes: usize,
    pub(crate) session_bytes: usize,
    pub(crate) user_sessions: usize,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// After it was last used.
    pub(crate) ttl: Duration,
    /// After it began, however much it is used.
    pub(crate) lifetime: Option<Duration>,
    /// Which part of the time to live may pass until a read moves the end on.
    pub(crate) touch_percent: u8,
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), SessionError> {
        within("max_fields", self.fields, MAX_FIELDS)?;
        within("max_session_bytes", self.session_bytes, MAX_SESSION_BYTES)?;
        within("max_field_bytes", self.field_bytes, self.session_bytes)?;
        within("max_sessions_per_user", self.user_sessions, MAX_USER_SESSIONS)
    }
}

impl Life {
    pub(crate) fn new(ttl: Duration, lifetime: Option<Duration>, touch_percent: u8) -> Result<Self, SessionError> {
        check_time("ttl", ttl)?;
        if let Some(lifetime) = lifetime {
            check_time("lifetime", lifetime)?;
        }
        if touch_percent > 90 {
            return Err(setting("touch_percent", touch_percent.to_string(), "0 to 90, in percent of the ttl"));
        }
        Ok(Self { ttl, lifetime, touch_percent })
    }
}

/// Checks how long something is to live.
pub(crate) fn check_time(what: &'static str, time: Duration) -> Result<(), SessionError> {
    if (MIN_TTL..=MAX_TTL).contains(&time) {
        return Ok(());
    }
    Err(setting(what, format!("{time:?}"), "1 ms to 400 days"))
}

fn within(what: &'static str, given: usize, most: usize) -> Result<(), SessionError> {
    match (1..=most).contains(&given) {
        true => Ok(()),
        false => Err(setting(what, given.to_string(), format!("1 to {most}"))),
    }
}

/// Whole milliseconds, at least one: a server takes none for an order to delete.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1)
}
