//! What sessions are told before they begin.

use std::sync::Arc;
use std::time::Duration;

use super::super::allowed::{DEFAULT_DEADLINE, check_deadline, check_name};
use super::Sessions;
use super::cookie::{CookieForm, SameSite};
use super::error::{SessionError, setting};
use super::limits::{
    DEFAULT_FIELD_BYTES, DEFAULT_FIELDS, DEFAULT_SESSION_BYTES, DEFAULT_TOUCH_PERCENT, DEFAULT_TTL,
    DEFAULT_USER_SESSIONS, Life, Limits,
};
use super::memory::{DEFAULT_MEMORY_BYTES, DEFAULT_MEMORY_SESSIONS, MemoryStore};
use super::outage::Patience;
#[cfg(feature = "redis")]
use super::redis::RedisStore;
use super::sessions::Shared;
use super::store::Store;

/// Where sessions are kept unless told else.
const DEFAULT_NAMESPACE: &str = "session";
/// How long one call may wait for the store unless told else, where an outage is an anonymous visitor, whose page must not wait for it.
const DEFAULT_ANONYMOUS_DEADLINE: Duration = Duration::from_millis(250);

/// What a request sees of its session while the store cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// An error of the call, which is a response with status 503 where the handler passes it on. This is what happens
    /// unless told else: nobody is logged out by an outage, and nothing that was written is lost in silence.
    Fail,
    /// A visitor without a session: reads find nothing, and what is written is dropped. The cookie stays as it is, so
    /// that the session is there again afterwards. For sites whose pages are of use without one.
    ///
    /// What must not be dropped in silence is an error all the same: [`destroy`](super::Session::destroy),
    /// [`update`](super::Session::update), [`increment`](super::Session::increment),
    /// [`save`](super::Session::save), and a batch with a log-in in it
    /// ([`set_user`](super::Session::set_user), [`cycle_id`](super::Session::cycle_id)).
    Anonymous,
}

/// Builds [`Sessions`]; everything has a default.
///
/// ```
/// use std::time::Duration;
/// use task_runtime::cache::session::{SameSite, Sessions};
///
/// let sessions = Sessions::builder()
///     .ttl(Duration::from_secs(8 * 3600))
///     .lifetime(Duration::from_secs(7 * 24 * 3600))
///     .same_site(SameSite::Strict)
///     .max_session_bytes(256 * 1024)
///     .build()?;
/// # Ok::<(), task_runtime::cache::session::SessionError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SessionsBuilder {
    url: Option<String>,
    namespace: String,
    ttl: Duration,
    lifetime: Option<Duration>,
    touch_percent: u8,
    limits: Limits,
    memory: (usize, usize),
    cookie: CookieForm,
    on_outage: OnOutage,
    deadline: Option<Duration>,
}

impl Default for SessionsBuilder {
    fn default() -> Self {
        let limits = Limits {
            fields: DEFAULT_FIELDS,
            field_bytes: DEFAULT_FIELD_BYTES,
            session_bytes: DEFAULT_SESSION_BYTES,
            user_sessions: DEFAULT_USER_SESSIONS,
        };
        Self {
            url: None,
            namespace: DEFAULT_NAMESPACE.into(),
            ttl: DEFAULT_TTL,
            lifetime: None,
            touch_percent: DEFAULT_TOUCH_PERCENT,
            limits,
            memory: (DEFAULT_MEMORY_SESSIONS, DEFAULT_MEMORY_BYTES),
            cookie: CookieForm::default(),
            on_outage: OnOutage::Fail,
            deadline: None,
        }
    }
}

impl SessionsBuilder {
    /// The server or cluster that keeps the sessions, as in `redis://127.0.0.1/`; without it the memory of this process
    /// does. It is never shown.
    #[cfg(feature = "redis")]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Keeps applications on one server apart; `session` unless told else. 1 to 64 letters, digits, `_`, `-` or `.`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a session lives after it was last used; 14 days unless told else, 1 ms to 400 days.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long a session lives at most, however much it is used; without end unless told else.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Which part of the `ttl` may pass, in percent, until a request that only reads moves the end of its session on
    /// and has the cookie sent anew; 10 unless told else, 0 is at every read, 90 at most.
    ///
    /// Writes move the end on in any case.
    pub fn touch_percent(mut self, percent: u8) -> Self {
        self.touch_percent = percent;
        self
    }

    /// Most fields of a session; 128 unless told else, 1,024 at most.
    pub fn max_fields(mut self, fields: usize) -> Self {
        self.limits.fields = fields;
        self
    }

    /// Most bytes of one value, as JSON; 1 MiB unless told else.
    pub fn max_field_bytes(mut self, bytes: usize) -> Self {
        self.limits.field_bytes = bytes;
        self
    }

    /// Most bytes of all names and values of a session; 4 MiB unless told else, 64 MiB at most.
    pub fn max_session_bytes(mut self, bytes: usize) -> Self {
        self.limits.session_bytes = bytes;
        self.limits.field_bytes = self.limits.field_bytes.min(bytes);
        self
    }

    /// Most sessions of one user; the ones not seen for longest end when there are more. 100 unless told else, 1,000 at
    /// most.
    pub fn max_sessions_per_user(mut self, sessions: usize) -> Self {
        self.limits.user_sessions = sessions;
        self
    }

    /// Most sessions, and bytes of their fields, that the memory of this process holds; 100,000 and 256 MiB unless told
    /// else. Those that would end first go first. It says nothing of a server, which has its `maxmemory`.
    pub fn memory(mut self, sessions: usize, bytes: usize) -> Self {
        self.memory = (sessions, bytes);
        self
    }

    /// The name of the cookie; `session` unless told else. It gets the prefix `__Host-`, or `__Secure-` when it has a
    /// domain or a path of its own, unless it is not secure.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie.name = name.into();
        self
    }

    /// Whether browsers send the cookie through TLS only; they do unless told else, and also to `localhost`.
    ///
    /// With `false` whoever can listen to the traffic can take over sessions.
    pub fn secure(mut self, secure: bool) -> Self {
        self.cookie.secure = secure;
        self
    }

    /// When browsers send the cookie along with requests that another site causes; [`SameSite::Lax`] unless told else.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.cookie.same_site = same_site;
        self
    }

    /// The path below which browsers send the cookie; `/` unless told else. It is no protection.
    pub fn cookie_path(mut self, path: impl Into<String>) -> Self {
        self.cookie.path = path.into();
        self
    }

    /// Has browsers send the cookie to all hosts of a domain; only to the host itself unless told else.
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie.domain = Some(domain.into());
        self
    }

    /// Has browsers forget the cookie when they are closed, and not when the session ends.
    pub fn until_browser_closes(mut self) -> Self {
        self.cookie.until_browser_closes = true;
        self
    }

    /// What a request sees while the store cannot be used; an error unless told else.
    pub fn on_outage(mut self, on_outage: OnOutage) -> Self {
        self.on_outage = on_outage;
        self
    }

    /// How long one call waits for the store; 2 s unless told else, or 250 ms with [`OnOutage::Anonymous`]. 30 s at most.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Builds them. Nothing is connected before the first call.
    ///
    /// # Errors
    /// [`SessionError::Setting`] names the setting that cannot be used.
    pub fn build(self) -> Result<Sessions, SessionError> {
        check_name(&self.namespace).map_err(|(given, expected)| setting("namespace", given, expected))?;
        self.limits.check()?;
        if self.memory.0 == 0 || self.memory.1 == 0 {
            return Err(setting("memory", "0 sessions or bytes", "1 or more of both"));
        }
        let deadline = self.deadline.unwrap_or(match self.on_outage {
            OnOutage::Fail => DEFAULT_DEADLINE,
            OnOutage::Anonymous => DEFAULT_ANONYMOUS_DEADLINE,
        });
        check_deadline(deadline).map_err(|(given, expected)| setting("deadline", given, expected))?;
        Ok(Sessions::new(Shared {
            life: Life::new(self.ttl, self.lifetime, self.touch_percent)?,
            limits: self.limits,
            store: self.store(deadline)?,
            cookie: self.cookie.checked()?,
            on_outage: self.on_outage,
            patience: Patience::new(deadline, self.on_outage == OnOutage::Anonymous),
        }))
    }

    fn store(&self, deadline: Duration) -> Result<Arc<dyn Store>, SessionError> {
        match &self.url {
            #[cfg(feature = "redis")]
            Some(url) => Ok(Arc::new(RedisStore::new(url, &self.namespace, deadline)?)),
            _ => {
                let _ = deadline;
                Ok(Arc::new(MemoryStore::new(self.memory.0, self.memory.1)))
            }
        }
    }
}
