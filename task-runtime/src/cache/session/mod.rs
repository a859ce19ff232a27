//! Sessions of visitors for axum, field by field, in Redis, Valkey or the memory of the process.
//!
//! A session is one hash, and each of its fields is read and written on its own: a page that needs the theme does not load
//! the cart, and two requests of one visitor that write different fields do not overwrite each other.
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::Router;
//! use axum::routing::{get, post};
//! use task_runtime::{Session, SessionError, Sessions};
//!
//! async fn page(session: Session) -> Result<String, SessionError> {
//!     // One round trip for one field, whatever else the session holds.
//!     let name: Option<String> = session.get("name").await?;
//!     Ok(format!("Hello {}", name.as_deref().unwrap_or("stranger")))
//! }
//!
//! async fn log_in(session: Session) -> Result<(), SessionError> {
//!     session.set_user("42")?; // gives the session a new id: the old one is dead at once
//!     session.set("name", "Ada")
//! }
//!
//! async fn log_out(session: Session) -> Result<(), SessionError> {
//!     session.destroy().await // and sessions.end_all("42", None) is everywhere
//! }
//!
//! let sessions = Sessions::in_memory(); // or Sessions::connect("redis://127.0.0.1/")?
//! let app: Router = Router::new()
//!     .route("/", get(page))
//!     .route("/log-in", post(log_in))
//!     .route("/log-out", post(log_out))
//!     .layer(sessions.layer());
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! # What a request costs
//! Nothing, unless its handler uses the session. The first read of a field is one call, and fields that are named together
//! are one call; a field is loaded once per request. All writes of a request are one call at its end.
//!
//! # How long a session lives
//! Each session has its end from its first write on, and every write moves it on in the same script. A request that only
//! reads moves it on when 10 % of the `ttl` have passed ([`SessionsBuilder::touch_percent`]), and has the cookie sent
//! anew; so a session that is used never ends, unless it has a [`SessionsBuilder::lifetime`]. A field can have a time of
//! its own ([`Session::set_for`]), on every server: it is kept beside the value, because a server can only do that from
//! Redis 7.4 and Valkey 9 on.
//!
//! # What keeps sessions apart
//! An id is 128 bits of chance from the operating system, in a cookie that scripts of a page cannot read and that other
//! sites cannot plant. The store knows its SHA-256 alone: who can read the store can read what is in the sessions, and can
//! take over none. An id that a visitor made up belongs to no session, and never will: a session that begins gets a new one.
//! Limits on the fields, the bytes of a value and of a session are checked in the script that writes.
//!
//! # A visitor who is new
//! Requests that a browser without a cookie sends at the same time know nothing of each other: each that writes begins a
//! session, and the visitor goes on with the one whose cookie came last. What must not be lost is written after the first
//! answer, as a log-in is.
//!
//! # What ends, stays ended
//! [`Session::destroy`], [`Session::cycle_id`] and [`Sessions::end_all`] leave a mark in the place of the old id for 60 s.
//! A request that was under way at that time writes nothing, and sends no cookie that would replace a newer one.
//!
//! # When the store is away
//! A call waits for it at most 2 s ([`SessionsBuilder::deadline`]), and is an error then; [`OnOutage::Anonymous`] makes
//! visitors without a session of those who come meanwhile.
//!
//! # Applications with `tower-sessions`
//! With the feature `tower-sessions`, `TowerStore` keeps the sessions of that crate in the same form, so that concurrent
//! requests do not overwrite each other's fields.

mod changes;
mod cookie;
mod error;
mod field;
mod layer;
mod limits;
mod memory;
mod outage;
#[cfg(feature = "redis")]
mod redis;
mod sending;
#[expect(clippy::module_inception, reason = "it is what the module is about")]
mod session;
mod sessions;
mod settings;
mod store;
mod token;
#[cfg(feature = "tower-sessions")]
mod tower;
mod visit;

pub use self::cookie::SameSite;
pub use self::error::SessionError;
pub use self::field::{MAX_FIELD_NAME_BYTES, MAX_USER_BYTES};
pub use self::layer::{SessionLayer, SessionService};
pub use self::limits::{
    DEFAULT_FIELD_BYTES, DEFAULT_FIELDS, DEFAULT_SESSION_BYTES, DEFAULT_TOUCH_PERCENT, DEFAULT_TTL,
    DEFAULT_USER_SESSIONS, MAX_FIELDS, MAX_SESSION_BYTES, MAX_TTL, MAX_USER_SESSIONS, MIN_TTL,
};
pub use self::memory::{DEFAULT_MEMORY_BYTES, DEFAULT_MEMORY_SESSIONS};
pub use self::session::Session;
pub use self::sessions::{Sessions, UserSession};
pub use self::settings::{OnOutage, SessionsBuilder};
pub use self::token::SessionHandle;
#[cfg(feature = "tower-sessions")]
pub use self::tower::TowerStore;
