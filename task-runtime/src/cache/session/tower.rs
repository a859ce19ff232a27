//! The same storage behind the crate `tower-sessions`, field by field.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::BuildHasher as _;
use std::time::Duration;

use async_trait::async_trait;
use foldhash::quality::FixedState;
use serde_json::Value;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};
use tower_sessions_core::{ExpiredDeletion, SessionStore};

use super::changes::{Change, Keep};
use super::error::SessionError;
use super::field::{check_field, encode};
use super::limits::{Life, MAX_TTL, MIN_TTL};
use super::outage::Repeat;
use super::sessions::Sessions;
use super::store::{Found, Write, Written};
use super::token::SessionHandle;

/// The entry of a loaded record that says what its fields were when it was loaded: name → hash.
const AS_LOADED: &str = "\0as loaded";
/// What the two halves of a hash begin with.
const SEEDS: [u64; 2] = [0x5e55_1017, 0x0dd5_eed5];
/// How often another id is made up because there is a session with the one that was.
const MAX_IDS: usize = 8;

/// A store for the crate `tower-sessions` that writes only what changed, so that an application that uses that crate
/// switches by one line.
///
/// ```
/// use task_runtime::cache::session::{Sessions, TowerStore};
/// use tower_sessions::SessionManagerLayer;
///
/// let sessions = Sessions::in_memory(); // or Sessions::connect("redis://127.0.0.1/")?
/// let layer = SessionManagerLayer::new(TowerStore::new(sessions));
/// # let _ = layer;
/// ```
///
/// `tower-sessions` loads a whole record and saves a whole record. This store keeps each entry of it as a field of its
/// own, and remembers in the loaded record what was loaded (an entry whose name begins with a zero byte, which its
/// `Session` does not show). When the record is saved, it writes the fields that differ from that and removes those that
/// are gone, in one script. So two requests that change different entries lose nothing; of two that change the same one,
/// the last stands. The end of the session is the one that `tower-sessions` gives it, set in the same script. A session
/// that was deleted while a request was under way is not begun anew by it.
///
/// The id is stored as a hash, and limits on fields and bytes are those of the [`Sessions`]; the cookie is the business of
/// `tower-sessions`. Its `cycle_id` deletes the old record first and creates the new one at the end of the request, so
/// that what a concurrent request writes in between is lost, and the session with it if the process dies in between;
/// [`Session::cycle_id`](super::Session::cycle_id) has neither flaw. A second `save` in one request writes again what the
/// first one wrote.
#[derive(Clone)]
pub struct TowerStore {
    sessions: Sessions,
}

impl fmt::Debug for TowerStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TowerStore").field("sessions", &self.sessions).finish()
    }
}

impl TowerStore {
    /// A store that keeps its records where `sessions` are kept.
    #[must_use]
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }

    async fn write(&self, record: &Record, create: bool) -> Result<Written> {
        let shared = self.sessions.shared();
        let left = record.expiry_date - cookie::time::OffsetDateTime::now_utc();
        let ttl = Duration::try_from(left).unwrap_or(MIN_TTL).clamp(MIN_TTL, MAX_TTL);
        let changed = Changed::of(record, create)?;
        let write = Write {
            create,
            next: None,
            life: Life { ttl, lifetime: shared.life.lifetime, touch_percent: 0 },
            limits: shared.limits,
            user: None,
            ttl: None,
            guard: None,
            add: None,
            fields: changed.fields,
            replace: changed.replace,
        };
        let handle = handle(&record.id);
        shared.patience.ask(Repeat::Harmless, || shared.store.write(handle, &write)).await.map_err(told)
    }

    async fn exists(&self, id: &Id) -> Result<bool> {
        let (shared, handle) = (self.sessions.shared(), handle(id));
        let read = || shared.store.read(handle, &[], None);
        Ok(!matches!(shared.patience.ask(Repeat::Harmless, read).await.map_err(told)?, Found::Unknown))
    }
}

#[async_trait]
impl SessionStore for TowerStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        for _ in 0..MAX_IDS {
            if !self.exists(&record.id).await? {
                return done(self.write(record, true).await?);
            }
            record.id = Id::default();
        }
        Err(Error::Backend(format!("each of {MAX_IDS} new session ids is that of a session")))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        match self.write(record, false).await? {
            // It was deleted, or has ended, while the request was under way.
            Written::Ended | Written::Unknown => Ok(()),
            written => done(written),
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let (shared, handle) = (self.sessions.shared(), handle(id));
        let whole = shared.patience.ask(Repeat::Harmless, || shared.store.whole(handle)).await.map_err(told)?;
        let Found::There(whole) = whole else { return Ok(None) };
        let mut record = Record {
            id: *id,
            data: Default::default(),
            // The store ends a session by itself; what is left of it is decided anew when it is saved.
            expiry_date: cookie::time::OffsetDateTime::now_utc() + shared.life.ttl,
        };
        let mut as_loaded = serde_json::Map::new();
        for (name, bytes) in whole.fields {
            let value = serde_json::from_slice(&bytes)
                .map_err(|_| Error::Decode(format!("session field `{}` is not JSON", name.escape_debug())))?;
            as_loaded.insert(name.clone(), Value::String(hash(&bytes)));
            record.data.insert(name, value);
        }
        record.data.insert(AS_LOADED.to_owned(), Value::Object(as_loaded));
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let (shared, handle) = (self.sessions.shared(), handle(id));
        shared.patience.ask(Repeat::Harmless, || shared.store.end(handle, None)).await.map_err(told).map(drop)
    }
}

#[async_trait]
impl ExpiredDeletion for TowerStore {
    /// Does nothing: every key has its end, and the store keeps to it.
    async fn delete_expired(&self) -> Result<()> {
        Ok(())
    }
}

/// What a record would change.
struct Changed {
    fields: Vec<(String, Change)>,
    /// Whether it is not known what was loaded, so that the record is all there is.
    replace: bool,
}

impl Changed {
    fn of(record: &Record, create: bool) -> Result<Self> {
        let as_loaded = match record.data.get(AS_LOADED) {
            Some(Value::Object(as_loaded)) if !create => Some(as_loaded),
            _ => None,
        };
        // In the order of names, so that the same record is the same call.
        let mut fields = BTreeMap::new();
        for (name, value) in record.data.iter().filter(|(name, _)| *name != AS_LOADED) {
            check_field(name).map_err(told)?;
            let value = encode(name, value).map_err(told)?;
            let before = as_loaded.and_then(|loaded| loaded.get(name)).and_then(Value::as_str);
            if before != Some(&hash(&value)) {
                fields.insert(name.clone(), Change::Set { value, keep: Keep::AsBefore });
            }
        }
        for name in as_loaded.into_iter().flat_map(|loaded| loaded.keys()) {
            if !record.data.contains_key(name) {
                fields.insert(name.clone(), Change::Remove);
            }
        }
        Ok(Self { fields: fields.into_iter().collect(), replace: as_loaded.is_none() })
    }
}

fn handle(id: &Id) -> SessionHandle {
    SessionHandle::of_foreign(&id.0.to_le_bytes())
}

/// 128 bits that tell one value from another. Nobody gains by two values with one hash: it is a visitor's own entry that
/// would not be written.
fn hash(bytes: &[u8]) -> String {
    let [one, other] = SEEDS.map(|seed| FixedState::with_seed(seed).hash_one(bytes));
    format!("{one:016x}{other:016x}")
}

fn done(written: Written) -> Result<()> {
    Err(Error::Backend(match written {
        Written::Done { .. } => return Ok(()),
        Written::LongField { name, bytes } => {
            format!("the value of session field `{name}` has {bytes} bytes, which is over the limit")
        }
        Written::ManyFields(fields) => format!("a session of {fields} fields is over the limit"),
        Written::ManyBytes(bytes) => format!("a session of {bytes} bytes is over the limit"),
        _ => "the session ended as it was created".into(),
    }))
}

fn told(error: SessionError) -> Error {
    match error {
        SessionError::Encode { .. } => Error::Encode(error.to_string()),
        other => Error::Backend(other.to_string()),
    }
}
