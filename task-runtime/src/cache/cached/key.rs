//! The key of a call: the name of the function and the JSON of its arguments, and no two lists of arguments share one.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::error::CacheError;
use crate::null::{letters, says_null};

/// Longest key that is written out, in bytes. Of a longer one the hash is stored.
pub(super) const LONGEST_BYTES: usize = 200;

/// Goes before what is told of the nulls of an argument, so that it is no part of the JSON.
const MARK: char = '?';

/// The arguments of one call that its key is made of, in order.
pub struct Arguments {
    json: Result<Vec<u8>, String>,
    /// What tells the nulls of the arguments apart.
    nulls: String,
}

impl Arguments {
    /// None yet.
    #[expect(clippy::new_without_default, reason = "only generated code makes them")]
    pub fn new() -> Self {
        Self { json: Ok(Vec::new()), nulls: String::new() }
    }

    /// The same with one more.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, argument: &T) -> Self {
        let written = self.json.and_then(|mut json| {
            json.push(if json.is_empty() { b'[' } else { b',' });
            let start = json.len();
            serde_json::to_writer(&mut json, argument).map_err(|error| error.to_string())?;
            if says_null(&json[start..]) {
                self.nulls.push(MARK);
                self.nulls += &letters(argument)?;
            }
            Ok(json)
        });
        self.json = written;
        self
    }

    /// The key of these arguments under a name, which has no `[` or `@` in it.
    ///
    /// # Errors
    /// [`CacheError::Encode`] when an argument cannot be written as JSON.
    pub(super) fn key(self, name: &str, version: u32) -> Result<String, CacheError> {
        let start = if version == 1 { name.to_owned() } else { format!("{name}@{version}") };
        let mut json = match self.json.and_then(|json| String::from_utf8(json).map_err(|error| error.to_string())) {
            Ok(json) => json,
            Err(fault) => return Err(CacheError::Encode { key: start, fault }),
        };
        json.push_str(if json.is_empty() { "[]" } else { "]" });
        json.push_str(&self.nulls);
        let key = format!("{start}:{json}");
        if key.len() <= LONGEST_BYTES {
            return Ok(key);
        }
        // Nobody finds two texts of the same SHA-256, and JSON does not begin with `#`.
        let shown = if start.len() <= LONGEST_BYTES / 2 { &start } else { "" };
        let hash: String = Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{shown}:#{hash}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use super::*;

    fn key(arguments: Arguments) -> String {
        arguments.key("f", 1).unwrap()
    }

    #[test]
    fn a_short_key_can_be_read() {
        assert_eq!(key(Arguments::new()), "f:[]");
        assert_eq!(key(Arguments::new().with(&7).with("Ada")), r#"f:[7,"Ada"]"#);
        assert_eq!(key(Arguments::new().with(&Some(7))), "f:[7]");
        assert_eq!(Arguments::new().with(&7).key("f", 2).unwrap(), "f@2:[7]");
    }

    #[test]
    fn no_two_lists_of_arguments_share_a_key() {
        let text = |text: &str| key(Arguments::new().with(text).with(""));
        let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let keys = [
            key(Arguments::new().with("a").with("b")),
            key(Arguments::new().with("a,b")),
            key(Arguments::new().with("a\",\"b")),
            key(Arguments::new().with(&["a", "b"])),
            key(Arguments::new().with(&["a"]).with("b")),
            text("a"),
            text("A"),
            text("a "),
            text("]null"),
            key(Arguments::new().with(&1).with(&12)),
            key(Arguments::new().with(&11).with(&2)),
            key(Arguments::new().with("1").with(&12)),
            key(Arguments::new().with(&1.5)),
            key(Arguments::new().with(&f64::NAN)),
            key(Arguments::new().with(&f64::INFINITY)),
            key(Arguments::new().with(&f64::NEG_INFINITY)),
            key(Arguments::new().with(&None::<Option<u8>>)),
            key(Arguments::new().with(&Some(None::<u8>))),
            key(Arguments::new().with(&Some(()))),
            key(Arguments::new().with(&())),
            key(Arguments::new().with(&[None, Some(None::<u8>)])),
            key(Arguments::new().with(&[Some(None::<u8>), None])),
            key(Arguments::new().with("null")),
            key(Arguments::new().with(&map("a", "b"))),
            key(Arguments::new().with(&map("b", "a"))),
        ];
        let distinct: HashSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "{keys:#?}");
    }

    #[test]
    fn a_long_key_is_a_hash() {
        let long = |end: &str| key(Arguments::new().with(&("x".repeat(200) + end)));
        assert_eq!(long("a").len(), "f:#".len() + 64);
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
        let name = "n".repeat(300);
        assert_ne!(Arguments::new().with(&1).key(&name, 1).unwrap(), Arguments::new().with(&2).key(&name, 1).unwrap());
        assert_ne!(Arguments::new().with(&1).key(&name, 1).unwrap(), Arguments::new().with(&1).key(&name, 2).unwrap());
    }

    #[test]
    fn an_argument_that_is_no_json_is_told() {
        let arguments = Arguments::new().with(&HashMap::from([((1, 2), 3)])).with(&1);
        let error = arguments.key("f", 1).unwrap_err();
        assert_eq!(error.to_string(), "the value of cache key `f` cannot be encoded: key must be a string");
    }
}
