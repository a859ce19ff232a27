//! Names that become part of keys: checked once, trusted afterwards.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

use super::MAX_NAME_BYTES;

/// Says why `text` cannot be a name, or nothing when it can.
fn fault(text: &str, also: &str) -> Option<String> {
    if text.is_empty() {
        return Some("is empty".into());
    }
    if text.len() > MAX_NAME_BYTES {
        return Some(format!("has {} bytes, at most {MAX_NAME_BYTES} are allowed", text.len()));
    }
    text.chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "_.-".contains(*c) || also.contains(*c)))
        .map(|c| format!("contains {c:?}; letters, digits and `_.-{also}` are allowed"))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $also:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks `text`: 1 to 64 bytes of ASCII letters, digits and a few signs.
            ///
            /// # Errors
            /// [`Error::InvalidName`] names the first byte that is not allowed, or the length.
            pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
                let text = text.as_ref();
                match fault(text, $also) {
                    None => Ok(Self(text.into())),
                    Some(fault) => Err(Error::InvalidName {
                        what: $what,
                        name: text.chars().take(MAX_NAME_BYTES).collect(),
                        fault,
                    }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// The name of a queue: `[A-Za-z0-9_.-]{1,64}`.
    QueueName, "queue", ""
);
name!(
    /// What keeps the keys of one application apart from those of another on the same server:
    /// `[A-Za-z0-9_.-]{1,64}`.
    Namespace, "namespace", ""
);
name!(
    /// The name under which a task is stored and found: `[A-Za-z0-9_.:-]{1,64}`.
    TaskName, "task", ":"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_key_are_refused() {
        for text in ["", "a b", "a{b}", "a:b", "*", "a\nb", "é", &"x".repeat(65)] {
            let error = QueueName::new(text).unwrap_err().to_string();
            assert!(error.starts_with("queue name"), "{text:?}: {error}");
        }
        assert!(QueueName::new("mail-2.high_prio").is_ok());
        assert!(TaskName::new("emails:send").is_ok());
    }
}
