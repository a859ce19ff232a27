//! One request of one visitor: where the session is, what was loaded of it, and what is to be written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::changes::Changes;
use super::error::{SessionError, over};
use super::field::check_field;
use super::limits::MAX_FIELDS;
use super::outage::Repeat;
use super::sessions::Shared;
use super::settings::OnOutage;
use super::store::{Found, Head};
use super::token::Token;

/// What all clones of a [`Session`](super::Session) share.
pub(super) struct Visit {
    pub(super) shared: Arc<Shared>,
    state: Mutex<State>,
    /// Held by whoever asks the store, so that a field is loaded once and batches go one after the other.
    pub(super) turn: tokio::sync::Mutex<()>,
}

pub(super) struct State {
    pub(super) at: At,
    /// What the store held when it was asked, or holds because this request wrote it.
    pub(super) loaded: HashMap<String, Option<Vec<u8>>>,
    pub(super) head: Option<Head>,
    pub(super) changes: Changes,
    pub(super) cookie: Option<CookieTask>,
    /// Whether the response depends on the cookie.
    pub(super) used: bool,
    /// Whether the head of the response has left.
    pub(super) finished: bool,
}

/// Where the visitor's session is.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// There is none: no cookie, or one that belongs to no session. An id that a visitor made up is never taken on.
    Nowhere,
    /// The cookie names one; nobody has looked yet.
    Given(Token),
    /// It was there when the store was last asked.
    Live(Token),
    /// It was ended, or got another id. Nothing is written, so that it is not begun anew.
    Ended,
    /// The store could not be asked, and the visitor counts as anonymous for this request.
    Away(Token),
}

/// What is to become of the cookie.
#[derive(Clone, Debug)]
pub(super) enum CookieTask {
    Keep(Token),
    Forget,
}

impl Visit {
    pub(super) fn new(shared: Arc<Shared>, token: Option<Token>) -> Self {
        let state = State {
            at: token.map_or(At::Nowhere, At::Given),
            loaded: HashMap::new(),
            head: None,
            changes: Changes::default(),
            cookie: None,
            used: false,
            finished: false,
        };
        Self { shared, state: Mutex::new(state), turn: tokio::sync::Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, noted as used.
    pub(super) fn used(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.used = true;
        state
    }

    /// Sees to it that fields are loaded, those that are not with one call.
    pub(super) async fn load(&self, names: &[&str]) -> Result<(), SessionError> {
        names.iter().try_for_each(|name| check_field(name))?;
        if names.len() > MAX_FIELDS {
            return Err(over("a read".into(), format!("{} fields", names.len()), MAX_FIELDS, "read fewer at a time"));
        }
        if self.used().missing(names).is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let missing = self.state().missing(names);
        if !missing.is_empty() {
            self.fetch(&missing).await?;
        }
        Ok(())
    }

    /// Sees to it that it is known whose session it is.
    pub(super) async fn load_head(&self) -> Result<(), SessionError> {
        self.state().used = true;
        let _turn = self.turn.lock().await;
        let known = self.state().head.is_some();
        if known { Ok(()) } else { self.fetch(&[]).await }
    }

    /// Every field of the session, as the store holds it.
    pub(super) async fn whole(&self) -> Result<BTreeMap<String, Vec<u8>>, SessionError> {
        self.load_head().await?;
        let _turn = self.turn.lock().await;
        let Some(token) = self.state().token() else { return Ok(BTreeMap::new()) };
        let (shared, handle) = (&self.shared, token.handle());
        Ok(match shared.patience.ask(Repeat::Harmless, || shared.store.whole(handle)).await? {
            Found::There(whole) => whole.fields.into_iter().collect(),
            Found::Ended | Found::Unknown => BTreeMap::new(),
        })
    }

    /// Asks the store for fields; only who holds the turn may.
    pub(super) async fn fetch(&self, names: &[String]) -> Result<(), SessionError> {
        let Some(token) = self.state().token() else { return Ok(()) };
        let (shared, handle) = (&self.shared, token.handle());
        let read = || shared.store.read(handle, names, Some(shared.life));
        let found = match shared.patience.ask(Repeat::Harmless, read).await {
            Err(error) if shared.on_outage == OnOutage::Anonymous && error.is_outage() => {
                tracing::warn!(%error, "a visitor counts as anonymous for one request");
                self.state().at = At::Away(token);
                return Ok(());
            }
            found => found?,
        };
        let moved = {
            let mut state = self.state();
            match found {
                Found::There(read) => {
                    state.loaded.extend(names.iter().cloned().zip(read.values));
                    state.at = At::Live(token.clone());
                    state.head = Some(read.head.clone());
                    read.head.moved.then_some((read.head, token))
                }
                Found::Ended => {
                    state.ended();
                    None
                }
                Found::Unknown => {
                    state.not_there();
                    None
                }
            }
        };
        if let Some((head, token)) = moved {
            self.state().cookie = Some(CookieTask::Keep(token));
            if let Some(user) = head.user {
                self.shared.seen(&user, handle, head.ttl).await;
            }
        }
        Ok(())
    }
}

impl State {
    /// The secret of the session, if there may be one and it may be asked for.
    fn token(&self) -> Option<Token> {
        match &self.at {
            At::Given(token) | At::Live(token) => Some(token.clone()),
            At::Nowhere | At::Ended | At::Away(_) => None,
        }
    }

    /// Which fields would have to be asked for.
    fn missing(&self, names: &[&str]) -> Vec<String> {
        if self.token().is_none() {
            return Vec::new();
        }
        let mut missing: Vec<String> = Vec::new();
        for name in names {
            let known = self.changes.seen(name).is_some() || self.loaded.contains_key(*name);
            if !known && !missing.iter().any(|other| other == name) {
                missing.push((*name).to_owned());
            }
        }
        missing
    }

    /// What a field holds for this request: what it wrote itself, else what was loaded.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        match self.changes.seen(name) {
            Some(value) => value,
            None => self.loaded.get(name).and_then(Option::as_deref),
        }
    }

    /// The session was ended, or got another id.
    pub(super) fn ended(&mut self) {
        self.leave(At::Ended);
    }

    /// There is no session. One that was there in this request has ended meanwhile.
    pub(super) fn not_there(&mut self) {
        self.leave(if matches!(self.at, At::Live(_)) { At::Ended } else { At::Nowhere });
    }

    /// What was loaded belongs to the session that it was loaded from.
    pub(super) fn leave(&mut self, at: At) {
        self.loaded.clear();
        self.head = None;
        self.at = at;
    }
}
