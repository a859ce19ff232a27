//! What a request writes, on its way to the store.

use super::changes::{Change, Changes};
use super::error::{SessionError, over};
use super::outage::Repeat;
use super::session::long_field;
use super::store::{Found, Write, Written};
use super::token::{SessionHandle, Token};
use super::visit::{At, CookieTask, Visit};

/// How often a write looks for its session: where the cookie says, and then in a new one.
const MAX_PLACES: usize = 2;

/// What an update sends beside the batch, and not with it.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) guard: Option<(String, Option<Vec<u8>>)>,
    pub(super) change: Option<(String, Change)>,
}

impl Visit {
    /// Sends the batch.
    pub(super) async fn send(&self) -> Result<(), SessionError> {
        let _turn = self.turn.lock().await;
        let mut changes = std::mem::take(&mut self.state().changes);
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(Some(user)) = &changes.user
            && !changes.cycle
        {
            // Who knew the id of the one before must not have the session of the one who logs in.
            if self.state().head.is_none() {
                self.fetch(&[]).await?;
            }
            changes.cycle = self.state().head.as_ref().and_then(|head| head.user.as_ref()) != Some(user);
        }
        self.place(&changes, None, None).await.map(drop)
    }

    /// Writes something that does not wait for the batch; `None` when there was nothing to write and no session for it.
    pub(super) async fn write_at_once(
        &self,
        extra: Extra,
        add: Option<(String, i64)>,
    ) -> Result<Option<Written>, SessionError> {
        let _turn = self.turn.lock().await;
        let changes = Changes { fields: extra.change.into_iter().collect(), ..Changes::default() };
        self.place(&changes, extra.guard, add).await
    }

    /// Writes to the session of the cookie, or to a new one if there is none. Only who holds the turn may.
    async fn place(
        &self,
        changes: &Changes,
        guard: Option<(String, Option<Vec<u8>>)>,
        add: Option<(String, i64)>,
    ) -> Result<Option<Written>, SessionError> {
        let shared = &self.shared;
        let mut write = Write {
            create: false,
            next: None,
            life: shared.life,
            limits: shared.limits,
            user: changes.user.clone(),
            ttl: changes.ttl,
            guard,
            add,
            fields: changes.fields.iter().map(|(name, change)| (name.clone(), change.clone())).collect(),
            replace: false,
        };
        for _ in 0..MAX_PLACES {
            let at = self.state().at.clone();
            let (token, create) = match at {
                At::Given(token) | At::Live(token) => (token, false),
                At::Nowhere => (Token::random()?, true),
                // Who asks for a new id wants a session, and gets an empty one.
                At::Ended if changes.cycle => (Token::random()?, true),
                At::Ended => return Err(SessionError::Ended),
                At::Away(_) => {
                    let reason = "it did not answer earlier in this request".into();
                    return Err(SessionError::Unavailable { reason });
                }
            };
            if create && !changes.stores_something() && write.add.is_none() {
                return Ok(None);
            }
            if (create || changes.cycle) && self.state().finished {
                return Err(SessionError::TooLate);
            }
            write.create = create;
            write.next = None;
            let next = if changes.cycle && !create { Some(token.successor()?) } else { None };
            write.next = next.as_ref().map(Token::handle);
            match self.write(&token, next.as_ref(), &write).await? {
                Written::Ended => self.state().ended(),
                Written::Unknown => self.state().not_there(),
                written => return self.refused(written, &write).map(Some),
            }
        }
        // A new one was made, and someone ended it already.
        Err(SessionError::Ended)
    }

    /// Makes one write, with what it means for the lists of users and for the cookie.
    async fn write(&self, token: &Token, next: Option<&Token>, write: &Write) -> Result<Written, SessionError> {
        let (shared, old) = (&self.shared, token.handle());
        let new = next.unwrap_or(token);
        if next.is_some() && self.state().head.is_none() {
            self.fetch(&[]).await?;
        }
        let before = self.state().head.as_ref().and_then(|head| head.user.clone());
        // The list comes first: a session of a user that is in no list could not be ended by the user.
        let user = match &write.user {
            Some(user) => user.clone(),
            None => before.clone().filter(|_| next.is_some()),
        };
        let mut too_many = Vec::new();
        if let Some(user) = &user {
            let own = write.ttl.or_else(|| self.state().head.as_ref().and_then(|head| head.ttl));
            let ttl = own.unwrap_or(shared.life.ttl);
            let enlist = || shared.store.enlist(user, new.handle(), ttl, shared.limits.user_sessions);
            too_many = shared.patience.ask(Repeat::Harmless, enlist).await?;
        }
        let written = self.written(old, write).await?;
        let Written::Done { head, .. } = &written else { return Ok(written) };
        {
            let mut state = self.state();
            state.at = At::Live(new.clone());
            state.head = Some(head.clone());
            for (name, change) in &write.fields {
                let value = match change {
                    Change::Set { value, .. } => Some(value.clone()),
                    Change::Remove => None,
                };
                state.loaded.insert(name.clone(), value);
            }
            if let (Some((name, _)), Written::Done { sum, .. }) = (&write.add, &written) {
                state.loaded.insert(name.clone(), sum.map(|sum| sum.to_string().into_bytes()));
            }
            if write.create || next.is_some() || write.ttl.is_some() || head.moved {
                state.cookie = Some(CookieTask::Keep(new.clone()));
            }
        }
        if let Some(before) = before.filter(|before| next.is_some() || head.user.as_ref() != Some(before)) {
            shared.no_longer(&before, &[old]).await;
        }
        if let Some(now) = &head.user
            && (head.moved || next.is_some() || write.ttl.is_some())
            && user.as_ref() != Some(now)
        {
            shared.seen(now, new.handle(), head.ttl).await;
        }
        if let Some(user) = &user {
            shared.end_those(user, &too_many).await;
        }
        Ok(written)
    }

    /// What became of a write; if the answer of one that gave a new id is lost, the new id tells.
    async fn written(&self, at: SessionHandle, write: &Write) -> Result<Written, SessionError> {
        let shared = &self.shared;
        let harmless = write.guard.is_none() && write.add.is_none() && write.next.is_none();
        let repeat = if harmless { Repeat::Harmless } else { Repeat::IfNothingHappened };
        let written = shared.patience.ask(repeat, || shared.store.write(at, write)).await;
        let (Err(SessionError::Unknown { .. }), Some(next)) = (&written, write.next) else { return written };
        let read = || shared.store.read(next, &[], None);
        match shared.patience.ask(Repeat::Harmless, read).await? {
            Found::There(read) => Ok(Written::Done { head: read.head, sum: None }),
            _ => written,
        }
    }

    /// What a write was refused for, as an error; what is to be tried again passes.
    fn refused(&self, written: Written, write: &Write) -> Result<Written, SessionError> {
        let limits = self.shared.limits;
        Err(match written {
            Written::LongField { name, bytes } => long_field(&name, bytes, limits.field_bytes),
            Written::ManyFields(fields) => over(
                "a session".into(),
                format!("{fields} fields"),
                format!("{} fields", limits.fields),
                "put several values into one field, or remove some",
            ),
            Written::ManyBytes(bytes) => over(
                "a session".into(),
                format!("{bytes} bytes"),
                format!("{} bytes", limits.session_bytes),
                "store large values elsewhere, and in the session where they are",
            ),
            Written::NotANumber => {
                let field = write.add.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
                SessionError::NotANumber { field }
            }
            other => return Ok(other),
        })
    }

    /// Ends the session.
    pub(super) async fn destroy(&self) -> Result<(), SessionError> {
        let _turn = self.turn.lock().await;
        let at = {
            let mut state = self.used();
            state.changes = Changes::default();
            state.at.clone()
        };
        if let At::Given(token) | At::Live(token) | At::Away(token) = at {
            let (shared, handle) = (&self.shared, token.handle());
            let ended = shared.patience.ask(Repeat::Harmless, || shared.store.end(handle, None)).await?;
            if let Found::There(head) = ended
                && let Some(user) = head.user
            {
                shared.no_longer(&user, &[handle]).await;
            }
            self.state().cookie = Some(CookieTask::Forget);
        }
        self.state().leave(At::Nowhere);
        Ok(())
    }
}
