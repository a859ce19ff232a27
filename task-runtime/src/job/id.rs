//! What identifies one job.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

use super::MAX_NAME_BYTES;

/// The identity of a job: a UUID of version 7 unless the caller chose one.
///
/// A chosen id makes an enqueue repeatable: while the job is known, enqueueing the same id again
/// in the same queue changes nothing and returns a handle to the job that is there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Arc<str>);

impl JobId {
    /// A new id; ids made later sort later.
    #[must_use]
    pub fn random() -> Self {
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        Self((&*Uuid::now_v7().hyphenated().encode_lower(&mut buffer)).into())
    }

    /// An id chosen by the caller: 1 to 64 bytes of printable ASCII without spaces.
    ///
    /// # Errors
    /// [`Error::InvalidName`] says which character or length is not allowed.
    pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = text.as_ref();
        let fault = if text.is_empty() {
            "is empty".into()
        } else if text.len() > MAX_NAME_BYTES {
            format!("has {} bytes, at most {MAX_NAME_BYTES} are allowed", text.len())
        } else if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic()) {
            format!("contains {c:?}; printable ASCII without spaces is allowed")
        } else {
            return Ok(Self(text.into()));
        };
        let name = text.chars().take(MAX_NAME_BYTES).collect();
        Err(Error::InvalidName { what: "job id", name, fault })
    }

    /// An id that a broker holds, whoever put it there.
    #[cfg(feature = "redis")]
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// When an id made by [`JobId::random`] was made, in milliseconds since 1970.
    #[must_use]
    pub fn created_ms(&self) -> Option<i64> {
        let (seconds, nanos) = Uuid::try_parse(&self.0).ok()?.get_timestamp()?.to_unix();
        i64::try_from(seconds * 1000 + u64::from(nanos) / 1_000_000).ok()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for JobId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_tells_when_it_was_made_and_sorts_by_it() {
        let (first, second) = (JobId::random(), JobId::random());
        assert!(first < second);
        assert!(first.created_ms().is_some());
        assert_eq!(JobId::new("order-42").unwrap().created_ms(), None);
    }

    #[test]
    fn an_id_with_a_space_or_a_nul_is_refused() {
        for text in ["", "a b", "a\0b", "ü", &"x".repeat(65)] {
            assert!(JobId::new(text).is_err(), "{text:?}");
        }
    }
}
