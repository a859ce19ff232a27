//! Caches from a text in TOML, and from the environment of the process.

use std::fs::File;
use std::io::Read as _;

use toml::{Table, Value};

use super::super::allowed::check_name;
use super::super::error::{CacheError, setting};
use super::super::key::shown;
use super::fields::{KEYS, Kind, Made, PARTS, cache_of};
use super::{Caches, alternatives};

/// Longest text of settings, in bytes.
const MAX_TEXT_BYTES: u64 = 1024 * 1024;
/// Most caches that a text may name.
const MAX_CACHES: usize = 100;

/// The variable that holds the text.
const TEXT: &str = "CACHES";
/// The variable that names the file of the text.
const FILE: &str = "CACHES_FILE";
/// What variables for single keys begin with.
const START: &str = "CACHE_";

impl Caches {
    /// The caches that a text in TOML describes: one table `caches.NAME` for each; other tables of the text are left to
    /// others.
    ///
    /// ```
    /// use task_runtime::cache::Caches;
    ///
    /// let caches = Caches::from_toml(r#"
    ///     [caches.default]
    ///     host = "redis.example"
    ///     port = 6379
    ///     db = 1
    ///     user = "shop"
    ///     password = "p@ss/word"              # as it is, nothing is to be encoded
    ///     replicas = ["redis://replica.example/1"]
    ///     ttl = "10m"
    ///     on_outage = "miss"
    ///
    ///     [caches.pages]
    ///     url = "redis://redis.example/2"
    ///     prefix = "shop-pages"
    ///     version = 3
    ///     ttl = "forever"
    ///     compress_from = 4096
    ///     max_value_bytes = 1_000_000
    ///     deadline = "50ms"
    ///
    ///     [caches.near]                       # in the memory of this process
    ///     ttl = 2.5
    ///     memory_keys = 10_000
    ///     memory_bytes = 10_000_000
    /// "#)?;
    /// let pages = caches.get("pages")?;
    /// # assert_eq!(caches.names().collect::<Vec<_>>(), ["default", "near", "pages"]);
    /// # Ok::<(), task_runtime::cache::CacheError>(())
    /// ```
    ///
    /// Without `url` and `host` a cache is in the memory of the process. A time is a text such as `"90s"` or `"1h 30m"`,
    /// or a number of seconds. What is absent is as [`CacheBuilder`](super::super::CacheBuilder) says.
    ///
    /// | key | is | Django and django-redis |
    /// |---|---|---|
    /// | `url` | the server or cluster, `redis://`, `rediss://` or `unix://` | `LOCATION` |
    /// | `host`, `port`, `db` | the same in parts: 6379 and 0 if absent | `LOCATION` |
    /// | `user`, `password` | the login, as it is | `LOCATION`, `OPTIONS.PASSWORD` |
    /// | `tls` | `true`: through TLS | `LOCATION` with `rediss://` |
    /// | `replicas` | URLs of replicas, from which values are read | `LOCATION` with several URLs |
    /// | `prefix` | what its keys begin with; the name of the cache | `KEY_PREFIX` |
    /// | `version` | a part of every key; 1 | `VERSION` |
    /// | `ttl` | a time, or `"forever"`; 5 minutes | `TIMEOUT`, where `None` is for ever |
    /// | `codec` | `"json"` or `"msgpack"` | `OPTIONS.SERIALIZER` |
    /// | `compression` | `"none"`, `"zstd"` or `"lz4"` | `OPTIONS.COMPRESSOR` |
    /// | `compress_from` | bytes from which values are compressed; 1,024 | `min_length` of the compressor |
    /// | `max_value_bytes` | most bytes of a value; 16 MiB | none |
    /// | `on_outage` | `"fail"` or `"miss"` | `OPTIONS.IGNORE_EXCEPTIONS` |
    /// | `deadline` | how long a call may take; 2 s, or 30 ms with `"miss"` | `OPTIONS.SOCKET_TIMEOUT`, `OPTIONS.SOCKET_CONNECT_TIMEOUT` |
    /// | `memory_keys` | most keys in memory; 100,000 | `OPTIONS.MAX_ENTRIES` |
    /// | `memory_bytes` | most bytes in memory; 256 MiB | none |
    ///
    /// Without a counterpart here: `KEY_FUNCTION` and `REVERSE_KEY_FUNCTION`, because keys are `PREFIX:VERSION:KEY`;
    /// `OPTIONS.CULL_FREQUENCY`, because what was not used for longest goes first; `OPTIONS.PARSER_CLASS`,
    /// `OPTIONS.CLIENT_CLASS` and `OPTIONS.CONNECTION_POOL_KWARGS`, because one connection serves all calls.
    ///
    /// # Errors
    /// [`CacheError::Setting`] names the cache and the key, as in `caches.pages.ttl`, with what was given and what is
    /// expected; it never repeats a URL, a user or a password. Two caches with one prefix on one server are refused, for
    /// each would have the keys of the other.
    pub fn from_toml(text: &str) -> Result<Self, CacheError> {
        made(tables(text)?)
    }

    /// The caches that the environment describes: those of the text in `CACHES`, as
    /// [`from_toml`](Self::from_toml) reads it, or of the file that `CACHES_FILE` names.
    ///
    /// Variables such as `CACHE_PAGES_TTL=5m` then give single keys another value: the name of the cache and the key, in
    /// capitals and with `_` for what is no letter and no digit. Without a text they name the caches themselves:
    /// `CACHE_DEFAULT_URL` alone is enough. `CACHE_…_URL` takes the place of `host` and its parts, and `CACHE_…_HOST`
    /// that of a `url`; URLs in `CACHE_…_REPLICAS` have spaces between them. An empty variable is none.
    ///
    /// Variables that begin with `CACHE_` and end with none of the keys are left to others, unless they name a cache.
    ///
    /// # Errors
    /// As those of [`from_toml`](Self::from_toml); also when the file cannot be read, when both variables are there, and
    /// when none is.
    pub fn from_env() -> Result<Self, CacheError> {
        let ours = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let ours = ours.filter(|(name, _)| name == TEXT || name == FILE || name.starts_with(START));
        let text = |(name, value): (String, std::ffi::OsString)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(setting(name, "no text", "UTF-8")),
        };
        Self::from_variables(ours.map(text).collect::<Result<Vec<_>, _>>()?)
    }

    /// The same with the names and values of an environment of another kind.
    ///
    /// ```
    /// use task_runtime::cache::Caches;
    ///
    /// let text = "[caches.default]\nttl = 60\n[caches.pages]";
    /// let caches = Caches::from_variables([("CACHES", text), ("CACHE_PAGES_TTL", "5m")])?;
    /// # Ok::<(), task_runtime::cache::CacheError>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`from_env`](Self::from_env).
    pub fn from_variables(
        variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self, CacheError> {
        let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let pairs: Vec<(String, String)> = pairs.filter(|(_, value): &(_, String)| !value.is_empty()).collect();
        let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let (mut all, is_named) = match (value(TEXT), value(FILE)) {
            (Some(_), Some(_)) => return Err(setting(TEXT, format!("there beside `{FILE}`"), "one of the two")),
            (Some(text), None) => (tables(text)?, true),
            (None, Some(path)) => (tables(&content_of(path)?)?, true),
            (None, None) => (Vec::new(), false),
        };
        for (name, value) in &pairs {
            let Some(rest) = name.strip_prefix(START) else { continue };
            override_with(&mut all, is_named, name, rest, value)?;
        }
        if all.is_empty() {
            let expected = format!("it, `{FILE}` or a variable such as `CACHE_DEFAULT_URL`");
            return Err(setting(TEXT, "not there", expected));
        }
        made(all)
    }
}

/// The tables of a text, each with the name of its cache.
fn tables(text: &str) -> Result<Vec<(String, Table)>, CacheError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        // All that the error shows beside its message is a part of the text, which may hold a password.
        let before = text.get(..error.span().unwrap_or_default().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        setting("caches", format!("no TOML at line {line} ({})", error.message()), "a text in TOML")
    })?;
    let expected = "tables such as `[caches.default]`";
    let caches = match table.into_iter().find(|(key, _)| key == "caches") {
        Some((_, Value::Table(caches))) => caches,
        Some(_) => return Err(setting("caches", "no table", expected)),
        None => return Err(setting("caches", "not there", expected)),
    };
    if caches.is_empty() || caches.len() > MAX_CACHES {
        return Err(setting("caches", format!("{} tables", caches.len()), format!("1 to {MAX_CACHES}")));
    }
    let named = |(name, value): (String, Value)| match value {
        Value::Table(table) => Ok((name, table)),
        _ => Err(setting(format!("caches.{}", shown(&name).escape_debug()), "no table", expected)),
    };
    caches.into_iter().map(named).collect()
}

fn content_of(path: &str) -> Result<String, CacheError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(setting(FILE, format!("`{path}`, which cannot be read ({error})"), "a file of TOML")),
        Ok(_) if text.len() as u64 > MAX_TEXT_BYTES => {
            Err(setting(FILE, format!("`{path}`, which is longer"), format!("{MAX_TEXT_BYTES} bytes at most")))
        }
        Ok(_) => Ok(text),
    }
}

/// Gives one key of a cache another value. `rest` is what stands behind `CACHE_`.
fn override_with(
    all: &mut Vec<(String, Table)>,
    is_named: bool,
    variable: &str,
    rest: &str,
    value: &str,
) -> Result<(), CacheError> {
    let split = KEYS.into_iter().find_map(|(key, kind)| {
        let name = rest.strip_suffix(&key.to_ascii_uppercase())?.strip_suffix('_')?;
        (!name.is_empty()).then_some((name, key, kind))
    });
    let Some((name, key, kind)) = split else {
        let is_ours = |name: &str| rest.strip_prefix(&in_capitals(name)).is_some_and(|key| key.starts_with('_'));
        return match is_named && all.iter().any(|(name, _)| is_ours(name)) {
            true => Err(setting(variable, "no key of a cache", one_of_the_keys(rest))),
            false => Ok(()),
        };
    };
    let at = match all.iter().position(|(cache, _)| in_capitals(cache) == name) {
        Some(at) => at,
        None if is_named => {
            let names: Vec<String> = all.iter().map(|(name, _)| in_capitals(name)).collect();
            let expected = alternatives("one of", name, names.iter().map(String::as_str));
            return Err(setting(variable, format!("for a cache `{}`", shown(name).escape_debug()), expected));
        }
        None if all.len() == MAX_CACHES => {
            return Err(setting(variable, "one cache too many", format!("{MAX_CACHES} at most")));
        }
        None => {
            all.push((name.to_ascii_lowercase(), Table::new()));
            all.len() - 1
        }
    };
    let table = &mut all[at].1;
    if is_named {
        // A place that was given in full takes that of the text.
        match key {
            "url" => PARTS.iter().for_each(|part| drop(table.remove(*part))),
            "host" => drop(table.remove("url")),
            _ => {}
        }
    }
    table.insert(key.into(), value_of(kind, value));
    Ok(())
}

/// The name of a cache as a variable writes it.
fn in_capitals(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' }).collect()
}

fn one_of_the_keys(rest: &str) -> String {
    let keys: Vec<String> = KEYS.iter().map(|(key, _)| key.to_ascii_uppercase()).collect();
    alternatives("one of", rest.rsplit('_').next().unwrap_or(rest), keys.iter().map(String::as_str))
}

/// What a variable says; what is none of its kind stays a text, and is told as such.
fn value_of(kind: Kind, text: &str) -> Value {
    let is_number = |text: &str| text.parse().ok().map(Value::Integer);
    let read = match kind {
        Kind::Text => None,
        Kind::Number => is_number(text),
        Kind::Flag => text.parse().ok().map(Value::Boolean),
        Kind::Time => is_number(text).or_else(|| text.parse().ok().map(Value::Float)),
        Kind::List => Some(text.split_whitespace().map(Value::from).collect::<Vec<_>>().into()),
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Makes all of them, and looks whether two have the same keys.
fn made(tables: Vec<(String, Table)>) -> Result<Caches, CacheError> {
    let mut caches = Caches::new();
    let mut places: Vec<(String, Made)> = Vec::new();
    for (name, table) in tables {
        check_name(&name).map_err(|(given, expected)| setting("caches", format!("the name {given}"), expected))?;
        let cache = cache_of(&name, table)?;
        if let Some((other, _)) = places.iter().find(|(_, other)| is_same_place(&cache, other)) {
            let given = format!("`{}`, as that of cache `{other}` on the same server", cache.prefix);
            return Err(setting(format!("caches.{name}.prefix"), given, "another one"));
        }
        caches = caches.with(&name, cache.cache.clone());
        places.push((name, cache));
    }
    Ok(caches)
}

#[cfg(feature = "redis")]
fn is_same_place(one: &Made, two: &Made) -> bool {
    let target = |made: &Made| crate::connection::Target::parse(made.url.as_deref()?).ok();
    one.prefix == two.prefix && target(one).zip(target(two)).is_some_and(|(one, two)| one.overlaps(&two))
}

#[cfg(not(feature = "redis"))]
fn is_same_place(one: &Made, two: &Made) -> bool {
    one.prefix == two.prefix && one.url.is_some() && one.url == two.url
}
