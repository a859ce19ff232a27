//! The session of the visitor of one request, as handlers see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::changes::{Change, Keep};
use super::error::{SessionError, over};
use super::field::{check_field, check_user, decode, encode};
use super::limits::check_time;
use super::sending::Extra;
use super::store::Written;
use super::token::SessionHandle;
use super::visit::{At, Visit};

/// How often an update is tried while others write the same field.
const MAX_UPDATES: usize = 32;

/// The session of a visitor: a handful of named fields, each read and written on its own.
///
/// It is an extractor of axum; [`Sessions::layer`](super::Sessions::layer) brings it. Clones are the same session.
///
/// - **Reads** ask the store for the fields that are named and no others, once per request.
/// - **Writes** ([`set`](Self::set), [`remove`](Self::remove), [`cycle_id`](Self::cycle_id),
///   [`set_user`](Self::set_user), [`set_ttl`](Self::set_ttl)) are kept until the handler has returned, and then sent as one batch: all of it is
///   written, or nothing. The request sees its own writes.
/// - **At once**, and without the batch, go [`update`](Self::update), [`increment`](Self::increment),
///   [`take`](Self::take) and [`destroy`](Self::destroy).
///
/// Two requests that write different fields at the same time lose nothing; of two that [`set`](Self::set) the same
/// field, the last stands, and [`update`](Self::update) loses neither.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use task_runtime::cache::session::{Session, SessionError};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Cart(Vec<u32>);
///
/// async fn add_to_cart(session: Session) -> Result<String, SessionError> {
///     let cart = session
///         .update("cart", |cart: Option<Cart>| {
///             let mut cart = cart.unwrap_or_default();
///             cart.0.push(42);
///             Some(cart)
///         })
///         .await?;
///     session.set("last_page", "cart")?;
///     let theme: Option<String> = session.get("theme").await?;
///     Ok(format!("{} items, {theme:?}", cart.unwrap_or_default().0.len()))
/// }
/// ```
///
/// # When the request does not come to its end
/// The batch is sent when the handler has returned. If it panics, or its future is dropped because the visitor has gone,
/// nothing of the batch is written; what went at once stays written. A response with a status of 500 or more drops the
/// batch too. While the batch is on its way it may or may not be written, but never in part.
#[derive(Clone)]
pub struct Session {
    pub(super) visit: Arc<Visit>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the secret nor what is stored.
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// What a field holds; `None` when it is not there. Loads that field alone, once per request.
    ///
    /// # Errors
    /// [`SessionError::Decode`] when it holds another type; [`SessionError::Unavailable`], [`SessionError::Unknown`] and
    /// [`SessionError::Refused`] of the store pass.
    ///
    /// # Cancel safety
    /// Safe: nothing changes but that the session lives on.
    pub async fn get<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, SessionError> {
        self.visit.load(&[field]).await?;
        self.visit.state().value(field).map(|value| decode(field, value)).transpose()
    }

    /// What several fields hold, in the order in which they are named, with one round trip for those that are not
    /// loaded yet.
    ///
    /// For fields of different types, [`load`](Self::load) them and [`get`](Self::get) each.
    ///
    /// # Errors
    /// As for [`get`](Self::get); [`SessionError::Limit`] for more than 1,024 fields.
    ///
    /// # Cancel safety
    /// As for [`get`](Self::get).
    pub async fn get_many<T: DeserializeOwned>(&self, fields: &[&str]) -> Result<Vec<Option<T>>, SessionError> {
        self.visit.load(fields).await?;
        let state = self.visit.state();
        fields.iter().map(|field| state.value(field).map(|value| decode(field, value)).transpose()).collect()
    }

    /// Loads several fields with one round trip, so that [`get`](Self::get) needs none for them.
    ///
    /// # Errors
    /// As for [`get_many`](Self::get_many).
    ///
    /// # Cancel safety
    /// As for [`get`](Self::get).
    pub async fn load(&self, fields: &[&str]) -> Result<(), SessionError> {
        self.visit.load(fields).await
    }

    /// Every field there is, with what it holds: to show a visitor what is stored, or to find a mistake. It loads the
    /// whole session, which is what [`get`](Self::get) is there to avoid.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn all(&self) -> Result<BTreeMap<String, serde_json::Value>, SessionError> {
        let mut held = self.visit.whole().await?;
        for (field, change) in &self.visit.state().changes.fields {
            match change {
                Change::Set { value, .. } => drop(held.insert(field.clone(), value.clone())),
                Change::Remove => drop(held.remove(field)),
            }
        }
        held.iter().map(|(field, value)| Ok((field.clone(), decode(field, value)?))).collect()
    }

    /// Has a field hold a value, as long as the session lives. It is written at the end of the request.
    ///
    /// # Errors
    /// [`SessionError::Encode`] when the value cannot be JSON, [`SessionError::Limit`] when it is too long,
    /// [`SessionError::Name`] for a name of none or more than 128 bytes. That the session as a whole would be too large
    /// is said when it is written.
    pub fn set<T: Serialize + ?Sized>(&self, field: &str, value: &T) -> Result<(), SessionError> {
        self.set_kept(field, value, Keep::WithSession)
    }

    /// The same for a field that is to be gone after `ttl`, or with its session if that is sooner. The time is counted
    /// from the write on.
    ///
    /// # Errors
    /// As for [`set`](Self::set); [`SessionError::Setting`] for a time below 1 ms or beyond 400 days.
    pub fn set_for<T: Serialize + ?Sized>(&self, field: &str, value: &T, ttl: Duration) -> Result<(), SessionError> {
        check_time("ttl of a field", ttl)?;
        self.set_kept(field, value, Keep::For(ttl))
    }

    fn set_kept<T: Serialize + ?Sized>(&self, field: &str, value: &T, keep: Keep) -> Result<(), SessionError> {
        check_field(field)?;
        let value = self.checked(field, encode(field, value)?)?;
        self.visit.used().changes.set(field, value, keep);
        Ok(())
    }

    /// Removes a field, at the end of the request.
    ///
    /// # Errors
    /// [`SessionError::Name`] for a name that no field can have.
    pub fn remove(&self, field: &str) -> Result<(), SessionError> {
        check_field(field)?;
        self.visit.used().changes.remove(field);
        Ok(())
    }

    /// Reads a field, changes it, and writes it back only if it was not written in between; else it is read and changed
    /// anew. `change` gets what the field holds and gives what it is to hold, `None` for not being there; it may be
    /// called several times. Goes at once; a field with a time of its own keeps it.
    ///
    /// Gives what the field holds now. A field that this request has [`set`](Self::set) and not sent yet is changed
    /// there.
    ///
    /// # Errors
    /// As for [`get`](Self::get) and [`save`](Self::save); [`SessionError::Contended`] when others wrote the field in
    /// the middle of each of 32 tries.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have changed the field.
    pub async fn update<T>(
        &self,
        field: &str,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<T>, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut changed = |bytes: Option<&[u8]>| -> Result<(Option<T>, Change), SessionError> {
            let new = change(bytes.map(|bytes| decode(field, bytes)).transpose()?);
            let write = match &new {
                Some(new) => Change::Set { value: self.checked(field, encode(field, new)?)?, keep: Keep::AsBefore },
                None => Change::Remove,
            };
            Ok((new, write))
        };
        self.visit.load(&[field]).await?;
        for _ in 0..MAX_UPDATES {
            let (expected, unsent) = {
                let state = self.visit.state();
                (state.value(field).map(<[u8]>::to_vec), state.changes.seen(field).is_some())
            };
            let (new, write) = changed(expected.as_deref())?;
            if unsent {
                let mut state = self.visit.state();
                match write {
                    Change::Set { value, keep } => state.changes.set(field, value, keep),
                    Change::Remove => state.changes.remove(field),
                }
                return Ok(new);
            }
            let extra = Extra { guard: Some((field.to_owned(), expected)), change: Some((field.to_owned(), write)) };
            match self.visit.write_at_once(extra, None).await? {
                Some(Written::Differs(held)) => drop(self.visit.state().loaded.insert(field.to_owned(), held)),
                _ => return Ok(new),
            }
        }
        Err(SessionError::Contended { field: field.to_owned(), tries: MAX_UPDATES })
    }

    /// Removes a field and gives what it held: of several requests that take it at the same time, one gets it. Goes at
    /// once. It suits messages that are shown once.
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have removed the field.
    pub async fn take<T: Serialize + DeserializeOwned>(&self, field: &str) -> Result<Option<T>, SessionError> {
        self.visit.load(&[field]).await?;
        if self.visit.state().value(field).is_none() {
            return Ok(None);
        }
        let mut taken = None;
        self.update(field, |held: Option<T>| {
            taken = held;
            None
        })
        .await?;
        Ok(taken)
    }

    /// Adds to a field that holds a whole number, and gives the sum; a field that is not there counts as 0. Goes at
    /// once, and none of any number of concurrent calls is lost. A field with a time of its own keeps it.
    ///
    /// A field that this request has [`set`](Self::set) and not sent yet is changed there.
    ///
    /// # Errors
    /// [`SessionError::NotANumber`] when it holds something else, or the sum does not fit in 64 bits; as for
    /// [`save`](Self::save).
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have been counted.
    pub async fn increment(&self, field: &str, by: i64) -> Result<i64, SessionError> {
        check_field(field)?;
        let unsent = self.visit.used().changes.seen(field).is_some();
        if unsent {
            let not_a_number = || SessionError::NotANumber { field: field.to_owned() };
            let mut state = self.visit.state();
            let held = state.value(field).map_or(Some(0), super::field::whole_number);
            let sum = held.and_then(|held| held.checked_add(by)).ok_or_else(not_a_number)?;
            state.changes.set(field, sum.to_string().into_bytes(), Keep::AsBefore);
            return Ok(sum);
        }
        match self.visit.write_at_once(Extra::default(), Some((field.to_owned(), by))).await? {
            Some(Written::Done { sum: Some(sum), .. }) => Ok(sum),
            _ => Err(SessionError::NotANumber { field: field.to_owned() }),
        }
    }

    /// Sends the batch now, and not when the handler has returned: to go on only when it is written, or to see the
    /// error. After an error the batch is dropped.
    ///
    /// # Errors
    /// Nothing was written after [`SessionError::Limit`], [`SessionError::Full`], [`SessionError::Unavailable`],
    /// [`SessionError::Refused`], [`SessionError::Ended`] (the session ended, or got another id, while the request was
    /// under way) and [`SessionError::TooLate`] (a new session needs a cookie, and the response has left). After
    /// [`SessionError::Unknown`] all of it may have been written, or nothing.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have written the batch, and drops it.
    pub async fn save(&self) -> Result<(), SessionError> {
        self.visit.send().await
    }

    /// Drops the batch: what this request has written and not sent.
    pub fn discard(&self) {
        self.visit.state().changes = super::changes::Changes::default();
    }

    /// Gives the session a new id, with the batch, in the same script that moves its fields. Call it at every change of
    /// rights; a log-in has it done by [`set_user`](Self::set_user): whoever knew the old id, or had planted it, has nothing then (session fixation).
    ///
    /// The old id is dead at once. What a concurrent request still writes under it is dropped, and does not begin the
    /// session anew. A visitor without a session gets none by this alone.
    pub fn cycle_id(&self) {
        self.visit.used().changes.cycle = true;
    }

    /// Says, with the batch, how long this session is to live after it was last used, in the place of the `ttl` of all:
    /// weeks for a visitor who wants to be remembered, minutes for one who does not. The `lifetime` of all stays.
    ///
    /// # Errors
    /// [`SessionError::Setting`] for a time below 1 ms or beyond 400 days.
    pub fn set_ttl(&self, ttl: Duration) -> Result<(), SessionError> {
        check_time("ttl of a session", ttl)?;
        self.visit.used().changes.ttl = Some(ttl);
        Ok(())
    }

    /// Says, with the batch, whose session it is, so that all sessions of a user can be listed and ended. If it was not
    /// that user's before, it gets a new id as with [`cycle_id`](Self::cycle_id), also when that is not called.
    ///
    /// # Errors
    /// [`SessionError::Name`] for an empty name, or one of more than 256 bytes.
    pub fn set_user(&self, user: impl Into<String>) -> Result<(), SessionError> {
        let user = user.into();
        check_user(&user)?;
        self.visit.used().changes.user = Some(Some(user));
        Ok(())
    }

    /// Has it be nobody's session, with the batch. A log-out is [`destroy`](Self::destroy).
    pub fn clear_user(&self) {
        self.visit.used().changes.user = Some(None);
    }

    /// Whose session it is.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    ///
    /// # Cancel safety
    /// As for [`get`](Self::get).
    pub async fn user(&self) -> Result<Option<String>, SessionError> {
        if let Some(user) = &self.visit.used().changes.user {
            return Ok(user.clone());
        }
        self.visit.load_head().await?;
        let state = self.visit.state();
        let live = matches!(state.at, At::Live(_));
        Ok(state.head.as_ref().filter(|_| live).and_then(|head| head.user.clone()))
    }

    /// The handle of the session, if there is one: to tell it from the user's others, not to get at it. One that is to
    /// begin, or to get a new id, has it when that is written ([`save`](Self::save)).
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    ///
    /// # Cancel safety
    /// As for [`get`](Self::get).
    pub async fn handle(&self) -> Result<Option<SessionHandle>, SessionError> {
        self.visit.load_head().await?;
        let state = self.visit.state();
        Ok(match &state.at {
            At::Live(token) => Some(token.handle()),
            _ => None,
        })
    }

    /// Ends the session, at once: its fields are gone, its id is dead, and the cookie is taken back. What was not sent
    /// is dropped; what is written afterwards begins a new session.
    ///
    /// # Errors
    /// As for [`get`](Self::get), also with [`OnOutage::Anonymous`](super::OnOutage::Anonymous): the session is still
    /// there then, or may be.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have ended the session.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.visit.destroy().await
    }

    fn checked(&self, field: &str, value: Vec<u8>) -> Result<Vec<u8>, SessionError> {
        let most = self.visit.shared.limits.field_bytes;
        match value.len() {
            length if length > most => Err(long_field(field, length, most)),
            _ => Ok(value),
        }
    }
}

/// A value is too long.
pub(super) fn long_field(field: &str, length: usize, most: usize) -> SessionError {
    let what = format!("the value of session field `{field}`");
    over(what, format!("{length} bytes"), format!("{most} bytes"), "store it elsewhere, and in the session where it is")
}
