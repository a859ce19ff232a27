//! One cache of a text: the keys that it may have, and the builder that they make.

use std::time::Duration;

use toml::{Table, Value};

use super::super::cache::Cache;
use super::super::codec::Codec;
use super::super::compression::Compression;
use super::super::error::{CacheError, setting};
use super::super::guard::OnOutage;
use super::super::key::shown;
use super::super::settings::{CacheBuilder, DEFAULT_MEMORY_BYTES, DEFAULT_MEMORY_KEYS};
use super::super::ttl::Ttl;
use super::alternatives;
use super::server::Server;

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Time,
    /// Of texts.
    List,
}

/// Every key that a cache may have.
pub(super) const KEYS: [(&str, Kind); 19] = [
    ("url", Kind::Text),
    ("host", Kind::Text),
    ("port", Kind::Number),
    ("db", Kind::Number),
    ("user", Kind::Text),
    ("password", Kind::Text),
    ("tls", Kind::Flag),
    ("replicas", Kind::List),
    ("prefix", Kind::Text),
    ("version", Kind::Number),
    ("ttl", Kind::Time),
    ("codec", Kind::Text),
    ("compression", Kind::Text),
    ("compress_from", Kind::Number),
    ("max_value_bytes", Kind::Number),
    ("on_outage", Kind::Text),
    ("deadline", Kind::Time),
    ("memory_keys", Kind::Number),
    ("memory_bytes", Kind::Number),
];

/// Those that take the place of a URL.
pub(super) const PARTS: [&str; 6] = ["host", "port", "db", "user", "password", "tls"];

const CODECS: [(&str, Codec); 2] = [("json", Codec::Json), ("msgpack", Codec::MessagePack)];
const COMPRESSIONS: [(&str, Compression); 3] =
    [("none", Compression::None), ("zstd", Compression::Zstd), ("lz4", Compression::Lz4)];
const ON_OUTAGE: [(&str, OnOutage); 2] = [("fail", OnOutage::Fail), ("miss", OnOutage::Miss)];

/// A cache that was made from its keys, and where it is.
pub(super) struct Made {
    pub(super) cache: Cache,
    pub(super) prefix: String,
    /// The URL of its server; none in the memory of the process.
    pub(super) url: Option<String>,
}

/// The cache that these keys describe.
pub(super) fn cache_of(name: &str, mut table: Table) -> Result<Made, CacheError> {
    if let Some(key) = table.keys().find(|key| !KEYS.iter().any(|(known, _)| known == key)) {
        let known = alternatives("one of", key, KEYS.iter().map(|(known, _)| *known));
        return Err(setting(format!("caches.{name}.{}", shown(key).escape_debug()), "no key of a cache", known));
    }
    let mut fields = Fields { path: format!("caches.{name}"), table: &mut table };
    let prefix = fields.text("prefix")?.unwrap_or_else(|| name.to_owned());
    let mut builder = Cache::builder().prefix(&prefix);
    let url = fields.url()?;
    if let Some(url) = &url {
        builder = at(builder, url, fields.replicas()?, &fields.path)?;
    } else if fields.table.contains_key("replicas") {
        return Err(fields.wrong("replicas", "there", "a `url` or a `host` beside it"));
    }
    if let Some(version) = fields.number("version", 1, u32::MAX)? {
        builder = builder.version(version);
    }
    if let Some(ttl) = fields.ttl()? {
        builder = builder.ttl(ttl);
    }
    if let Some(codec) = fields.word("codec", &CODECS)? {
        builder = builder.codec(codec);
    }
    if let Some(compression) = fields.word("compression", &COMPRESSIONS)? {
        builder = builder.compression(compression);
    }
    if let Some(bytes) = fields.number("compress_from", 0, usize::MAX)? {
        builder = builder.compress_from(bytes);
    }
    if let Some(bytes) = fields.number("max_value_bytes", 1, usize::MAX)? {
        builder = builder.max_value_bytes(bytes);
    }
    if let Some(on_outage) = fields.word("on_outage", &ON_OUTAGE)? {
        builder = builder.on_outage(on_outage);
    }
    if let Some(deadline) = fields.time("deadline", "a time such as `\"30ms\"`, or a number of seconds")? {
        builder = builder.deadline(deadline);
    }
    let keys = fields.number("memory_keys", 1, usize::MAX)?.unwrap_or(DEFAULT_MEMORY_KEYS);
    let bytes = fields.number("memory_bytes", 1, usize::MAX)?.unwrap_or(DEFAULT_MEMORY_BYTES);
    let path = fields.path.clone();
    let cache = builder.memory(keys, bytes).build().map_err(|error| within(&path, error))?;
    Ok(Made { cache, prefix, url })
}

#[cfg(feature = "redis")]
fn at(builder: CacheBuilder, url: &str, replicas: Vec<String>, _: &str) -> Result<CacheBuilder, CacheError> {
    Ok(replicas.into_iter().fold(builder.url(url), CacheBuilder::replica))
}

#[cfg(not(feature = "redis"))]
fn at(_: CacheBuilder, _: &str, _: Vec<String>, path: &str) -> Result<CacheBuilder, CacheError> {
    Err(setting(format!("{path}.url"), "there", "none, or the cargo feature `redis` of task-runtime"))
}

/// The same error, of this cache.
fn within(path: &str, error: CacheError) -> CacheError {
    match error {
        CacheError::Setting { setting, given, expected } => {
            let setting = format!("{path}.{setting}");
            CacheError::Setting { setting, given, expected }
        }
        other => other,
    }
}

/// The keys of one cache that are not read yet.
struct Fields<'a> {
    /// `caches.NAME`.
    path: String,
    table: &'a mut Table,
}

impl Fields<'_> {
    fn wrong(&self, key: &str, given: impl ToString, expected: impl ToString) -> CacheError {
        setting(format!("{}.{key}", self.path), given, expected)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, CacheError> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(Value::String(_)) => Err(self.wrong(key, "empty", "some text, or no such key")),
            Some(other) => Err(self.wrong(key, kind_of(&other), "a text")),
        }
    }

    fn number<T: TryFrom<i64> + ToString>(&mut self, key: &str, least: i64, most: T) -> Result<Option<T>, CacheError> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        // The largest that is allowed may be larger than any number of a text.
        let most = most.to_string().parse().unwrap_or(i64::MAX);
        let number = value.as_integer().filter(|number| (least..=most).contains(number));
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, repeated(&value), format!("a whole number from {least} to {most}"))),
        }
    }

    fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, CacheError> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        match words.iter().find(|(word, _)| value.as_str() == Some(word)) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let given = value.as_str().unwrap_or_default();
                let expected = alternatives("one of", given, words.iter().map(|(word, _)| *word));
                Err(self.wrong(key, repeated(&value), expected))
            }
        }
    }

    fn ttl(&mut self) -> Result<Option<Ttl>, CacheError> {
        if self.table.get("ttl").and_then(Value::as_str) == Some("forever") {
            self.table.remove("ttl");
            return Ok(Some(Ttl::Forever));
        }
        let expected = "a time such as `\"5m\"`, a number of seconds, or `\"forever\"`";
        Ok(self.time("ttl", expected)?.map(Ttl::For))
    }

    fn time(&mut self, key: &str, expected: &str) -> Result<Option<Duration>, CacheError> {
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let time = match &value {
            Value::String(text) => humantime::parse_duration(text).ok(),
            Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Value::Float(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        };
        time.map(Some).ok_or_else(|| self.wrong(key, repeated(&value), expected))
    }

    fn replicas(&mut self) -> Result<Vec<String>, CacheError> {
        let text = |value| match value {
            Value::String(url) if !url.is_empty() => Some(url),
            _ => None,
        };
        match self.table.remove("replicas") {
            None => Ok(Vec::new()),
            Some(Value::Array(urls)) => urls
                .into_iter()
                .map(text)
                .collect::<Option<_>>()
                .ok_or_else(|| self.wrong("replicas", "a list of something else", "a list of URLs")),
            Some(other) => Err(self.wrong("replicas", kind_of(&other), "a list of URLs")),
        }
    }

    /// Where its server is; none for the memory of the process.
    fn url(&mut self) -> Result<Option<String>, CacheError> {
        let url = self.text("url")?;
        let part = PARTS.into_iter().find(|part| self.table.contains_key(*part));
        match (url, part) {
            (url, None) => Ok(url),
            (Some(_), Some(part)) => Err(self.wrong("url", format!("there beside `{part}`"), "one of the two")),
            (None, Some(part)) if !self.table.contains_key("host") => {
                Err(self.wrong(part, "there without `host`", "both, or a `url`"))
            }
            (None, Some(_)) => {
                let server = Server {
                    host: self.text("host")?.unwrap_or_default(),
                    port: self.number("port", 1, u16::MAX)?,
                    db: self.number("db", 0, i64::from(i32::MAX))?,
                    user: self.text("user")?,
                    password: self.text("password")?,
                    tls: match self.table.remove("tls") {
                        None => false,
                        Some(Value::Boolean(tls)) => tls,
                        Some(other) => return Err(self.wrong("tls", repeated(&other), "true or false")),
                    },
                };
                server.url(&self.path).map(Some)
            }
        }
    }
}

/// A value that is no secret, as an error shows it.
fn repeated(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", shown(text).escape_debug()),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        other => kind_of(other).into(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
