//! The sessions of all visitors: where they begin, and what can be done with those of a user.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use http::HeaderMap;

use super::cookie::CookieForm;
use super::error::SessionError;
use super::field::check_user;
use super::layer::SessionLayer;
use super::limits::{Life, Limits, MAX_USER_SESSIONS};
use super::outage::{Patience, Repeat};
use super::session::Session;
use super::settings::{OnOutage, SessionsBuilder};
use super::store::{Found, Head, Listed, Store};
use super::token::SessionHandle;
use super::visit::Visit;

/// How long a session may be listed and not yet be that of the user: it is listed first, and written then.
const BEING_WRITTEN: Duration = Duration::from_secs(60);
/// How often the list is read anew while sessions in it change their ids.
const MAX_ROUNDS: usize = 8;
/// How many sessions of a user are asked for at a time.
const AT_A_TIME: usize = 16;

/// The sessions of all visitors of an application. Clones are the same sessions.
///
/// ```no_run
/// use task_runtime::cache::session::Sessions;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::connect("redis://127.0.0.1/")?; // or Sessions::in_memory()
/// // let app = Router::new().route("/", get(page)).layer(sessions.layer());
/// # let _ = sessions.layer();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
}

/// What all sessions go by.
pub(super) struct Shared {
    pub(super) life: Life,
    pub(super) limits: Limits,
    pub(super) store: Arc<dyn Store>,
    pub(super) cookie: CookieForm,
    pub(super) on_outage: OnOutage,
    pub(super) patience: Patience,
}

/// A session of a user, as in a list of the places where one is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSession {
    /// Names it, and gives no access to it.
    pub handle: SessionHandle,
    /// When it began, by the server's clock.
    pub created: SystemTime,
    /// When it was last written to, or last read with its end moved on: exact to the part of the `ttl` that
    /// [`touch_percent`](SessionsBuilder::touch_percent) says.
    pub last_seen: SystemTime,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { life, limits, on_outage, .. } = &*self.shared;
        formatter
            .debug_struct("Sessions")
            .field("life", life)
            .field("limits", limits)
            .field("on_outage", on_outage)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// Sessions on the server at `url`, or on the cluster of which it names nodes, with the default settings; nothing is
    /// connected before the first call.
    ///
    /// # Errors
    /// [`SessionError::Setting`] when the URL is none that is understood; it is never repeated.
    #[cfg(feature = "redis")]
    pub fn connect(url: &str) -> Result<Self, SessionError> {
        Self::builder().url(url).build()
    }

    /// Sessions in the memory of this process, and lost with it, with the default settings.
    ///
    /// ```
    /// let sessions = task_runtime::cache::session::Sessions::in_memory();
    /// ```
    #[must_use]
    pub fn in_memory() -> Self {
        Self::builder().build().expect("the defaults are allowed")
    }

    /// Sessions with settings of their own.
    pub fn builder() -> SessionsBuilder {
        SessionsBuilder::default()
    }

    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    #[cfg(feature = "tower-sessions")]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The layer that gives each request its [`Session`], and writes what the request has written when its handler has
    /// returned. It goes around the routes that use sessions.
    #[must_use]
    pub fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.clone())
    }

    /// The session of a request with these headers: what the layer does first. For servers without layers, and tests;
    /// [`finish`](Session::finish) is its other half.
    #[must_use]
    pub fn open(&self, request: &HeaderMap) -> Session {
        let token = self.shared.cookie.read(request);
        Session { visit: Arc::new(Visit::new(Arc::clone(&self.shared), token)) }
    }

    /// Whether a session is one of these.
    pub(super) fn has(&self, session: &Session) -> bool {
        Arc::ptr_eq(&self.shared, &session.visit.shared)
    }

    /// The sessions of a user that there are, the one seen last first.
    ///
    /// # Errors
    /// [`SessionError::Name`] for a name that no user can have; errors of the store pass.
    ///
    /// # Cancel safety
    /// Safe: nothing changes but that sessions that are no more leave the list.
    pub async fn of_user(&self, user: &str) -> Result<Vec<UserSession>, SessionError> {
        check_user(user)?;
        let shared = &self.shared;
        let listed = shared.listed(user).await?;
        let heads =
            iter(listed.clone()).map(|one| shared.head_of(user, one)).buffered(AT_A_TIME).collect::<Vec<_>>().await;
        let (mut sessions, mut stale) = (Vec::new(), Vec::new());
        for (one, head) in listed.iter().zip(heads) {
            match head? {
                Some(head) => sessions.push(UserSession {
                    handle: one.session,
                    created: at(head.created_ms),
                    last_seen: at(head.seen_ms),
                }),
                None if is_old(one) => stale.push(one.session),
                None => {}
            }
        }
        shared.no_longer(user, &stale).await;
        sessions.sort_unstable_by_key(|session| std::cmp::Reverse((session.last_seen, session.handle)));
        Ok(sessions)
    }

    /// Ends one session of a user, and says whether it was there. One that belongs to another user is left alone, so
    /// that the handle may come from a form.
    ///
    /// # Errors
    /// As for [`of_user`](Self::of_user); it can be ended again.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have ended the session.
    pub async fn end(&self, user: &str, handle: SessionHandle) -> Result<bool, SessionError> {
        check_user(user)?;
        let ended = matches!(self.shared.end(user, handle).await?, Found::There(_));
        if ended {
            self.shared.no_longer(user, &[handle]).await;
        }
        Ok(ended)
    }

    /// Ends all sessions of a user, or all but one, and gives how many there were: "log out everywhere", and what a
    /// changed password calls for. A session that changes its id meanwhile ends too; one whose log-in is under way
    /// counts as begun afterwards.
    ///
    /// # Errors
    /// As for [`of_user`](Self::of_user); some of the sessions may have ended. It can be called again.
    ///
    /// # Cancel safety
    /// A call that is dropped may have ended some of the sessions.
    pub async fn end_all(&self, user: &str, except: Option<SessionHandle>) -> Result<usize, SessionError> {
        check_user(user)?;
        let (shared, mut count) = (&self.shared, 0);
        for _ in 0..MAX_ROUNDS {
            let mut listed = shared.listed(user).await?;
            listed.retain(|one| Some(one.session) != except);
            let ends = iter(listed.clone()).map(|one| shared.end(user, one.session)).buffered(AT_A_TIME);
            let ends: Vec<_> = ends.collect().await;
            let (mut gone, mut elsewhere) = (Vec::new(), false);
            for (one, end) in listed.iter().zip(ends) {
                match end? {
                    Found::There(_) => {
                        count += 1;
                        gone.push(one.session);
                    }
                    _ if is_old(one) => gone.push(one.session),
                    // It may have another id by now, which was listed before it got that.
                    Found::Ended | Found::Unknown => elsewhere = true,
                }
            }
            shared.no_longer(user, &gone).await;
            if !elsewhere && listed.len() < MAX_USER_SESSIONS {
                break;
            }
        }
        Ok(count)
    }
}

impl Shared {
    async fn listed(&self, user: &str) -> Result<Vec<Listed>, SessionError> {
        self.patience.ask(Repeat::Harmless, || self.store.listed(user, MAX_USER_SESSIONS)).await
    }

    /// A session that is the user's.
    async fn head_of(&self, user: &str, one: Listed) -> Result<Option<Head>, SessionError> {
        let found = self.patience.ask(Repeat::Harmless, || self.store.read(one.session, &[], None)).await?;
        Ok(match found {
            Found::There(read) if read.head.user.as_deref() == Some(user) => Some(read.head),
            _ => None,
        })
    }

    async fn end(&self, user: &str, session: SessionHandle) -> Result<Found<Head>, SessionError> {
        self.patience.ask(Repeat::Harmless, || self.store.end(session, Some(user))).await
    }

    /// Says in the list of a user that a session was seen. The next time does if this one does not.
    pub(super) async fn seen(&self, user: &str, session: SessionHandle, own_ttl: Option<Duration>) {
        let ttl = own_ttl.unwrap_or(self.life.ttl);
        let enlist = || self.store.enlist(user, session, ttl, MAX_USER_SESSIONS);
        if let Err(error) = self.patience.ask(Repeat::Harmless, enlist).await {
            tracing::warn!(%error, "a session could not be told to the list of its user; it is later");
        }
    }

    /// Takes sessions out of the list of a user. Whoever reads the list next does if this does not.
    pub(super) async fn no_longer(&self, user: &str, sessions: &[SessionHandle]) {
        if sessions.is_empty() {
            return;
        }
        let delist = || self.store.delist(user, sessions);
        if let Err(error) = self.patience.ask(Repeat::Harmless, delist).await {
            tracing::debug!(%error, "sessions that are no more stay in the list of their user for now");
        }
    }

    /// Ends sessions of a user that are too many. The next log-in does if this one does not.
    pub(super) async fn end_those(&self, user: &str, sessions: &[SessionHandle]) {
        for session in sessions {
            match self.end(user, *session).await {
                Ok(_) => self.no_longer(user, &[*session]).await,
                Err(error) => {
                    tracing::warn!(%error, "a session beyond the limit of its user could not be ended; it is later");
                }
            }
        }
    }
}

/// Whether a session that is not the user's is no longer on its way to be.
fn is_old(one: &Listed) -> bool {
    one.age_ms > i64::try_from(BEING_WRITTEN.as_millis()).unwrap_or(i64::MAX)
}

fn at(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
