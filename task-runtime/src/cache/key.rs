//! Every key that a cache has on its server.

use super::error::{CacheError, argument};

/// Longest key, tag or name of a lock, in bytes.
pub const MAX_KEY_BYTES: usize = 1_024;
/// Bytes of a name that an error shows.
const SHOWN_BYTES: usize = 64;

/// The keys of one cache in one version.
///
/// | key | type | holds |
/// |---|---|---|
/// | `PREFIX:VERSION:KEY` | any | what the program keeps; an entry ([`entry`](super::entry)), or what a view keeps |
/// | `PREFIX:!tag:TAG` | STRING | the number that entries with this tag bear; without it none of them is valid |
/// | `PREFIX:!lock:NAME` | HASH | `token`, `until` in ms, `fence` |
/// | `PREFIX:!fill:VERSION:KEY` | HASH | the same: who fills the entry just now |
///
/// A prefix has no `:` in it, so that no cache has keys of another one.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    version: u32,
    /// `PREFIX:VERSION:`.
    start: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, version: u32) -> Self {
        Self { prefix: prefix.to_owned(), version, start: format!("{prefix}:{version}:") }
    }

    pub(super) fn with_version(&self, version: u32) -> Self {
        Self::new(&self.prefix, version)
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn of(&self, key: &str) -> Result<String, CacheError> {
        checked("cache key", key)?;
        Ok([&self.start, key].concat())
    }

    pub(super) fn tag(&self, tag: &str) -> Result<String, CacheError> {
        checked("tag", tag)?;
        Ok(format!("{}:!tag:{tag}", self.prefix))
    }

    pub(super) fn lock(&self, name: &str) -> Result<String, CacheError> {
        checked("lock", name)?;
        Ok(format!("{}:!lock:{name}", self.prefix))
    }

    pub(super) fn fill(&self, key: &str) -> String {
        format!("{}:!fill:{}:{key}", self.prefix, self.version)
    }

    /// The pattern of all entries and views of this version whose key is like `pattern`.
    pub(super) fn like(&self, pattern: &str) -> Result<String, CacheError> {
        checked("pattern", pattern)?;
        Ok([&self.start, pattern].concat())
    }

    /// The pattern of all entries and views, whatever their version.
    pub(super) fn all(&self) -> String {
        format!("{}:[0-9]*", self.prefix)
    }

    /// The key as the program knows it.
    pub(super) fn plain<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.start)
    }
}

fn checked(what: &'static str, name: &str) -> Result<(), CacheError> {
    let fault = match name.len() {
        0 => "is empty".to_owned(),
        length if length > MAX_KEY_BYTES => format!("has {length} bytes, more than {MAX_KEY_BYTES}"),
        _ => return Ok(()),
    };
    Err(CacheError::Name { what, name: shown(name), fault })
}

/// So much of a name as an error shows.
pub(super) fn shown(name: &str) -> String {
    name[..name.floor_char_boundary(SHOWN_BYTES)].to_owned()
}

pub(super) fn checked_version(version: u32) -> Result<u32, CacheError> {
    if version == 0 { Err(argument("version", 0, "1 or more")) } else { Ok(version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_prefix_and_version() {
        let keys = Keys::new("shop", 2);
        assert_eq!(keys.of("user:1").unwrap(), "shop:2:user:1");
        assert_eq!(keys.plain("shop:2:user:1"), Some("user:1"));
        assert_eq!(keys.plain("shop:1:user:1"), None);
        assert_eq!(keys.with_version(3).of("a").unwrap(), "shop:3:a");
        assert_eq!(keys.all(), "shop:[0-9]*");
    }

    #[test]
    fn a_name_that_cannot_be_used_is_told() {
        let keys = Keys::new("shop", 1);
        assert_eq!(keys.of("").unwrap_err().to_string(), "cache key `` is empty");
        let long = keys.tag(&"ä".repeat(600)).unwrap_err().to_string();
        assert!(long.starts_with("tag `ää") && long.ends_with("has 1200 bytes, more than 1024"), "{long}");
    }
}
