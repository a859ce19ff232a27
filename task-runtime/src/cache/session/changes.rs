//! What a request has written and not sent yet: pure, in memory, the last word on each field.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long a field is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// As long as its session.
    WithSession,
    /// No longer than this, from the write on.
    For(Duration),
    /// As long as was said before.
    AsBefore,
}

/// What becomes of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set { value: Vec<u8>, keep: Keep },
    Remove,
}

/// The batch of a request, which is sent as one script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) fields: BTreeMap<String, Change>,
    /// Whose session it is to be; `Some(None)` for nobody's.
    pub(crate) user: Option<Option<String>>,
    /// How long the session is to live after it was last used, if not as long as all.
    pub(crate) ttl: Option<Duration>,
    /// Whether the session is to get a new id.
    pub(crate) cycle: bool,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.user.is_none() && self.ttl.is_none() && !self.cycle
    }

    /// Whether there would be something to keep if no session existed: who stores nothing gets none.
    pub(crate) fn stores_something(&self) -> bool {
        self.fields.values().any(|change| matches!(change, Change::Set { .. })) || matches!(self.user, Some(Some(_)))
    }

    pub(crate) fn set(&mut self, name: &str, value: Vec<u8>, keep: Keep) {
        // What is not written yet has nothing before it but this batch.
        let keep = match (keep, self.fields.get(name)) {
            (Keep::AsBefore, Some(Change::Set { keep, .. })) => *keep,
            (Keep::AsBefore, Some(Change::Remove)) => Keep::WithSession,
            (keep, _) => keep,
        };
        self.fields.insert(name.to_owned(), Change::Set { value, keep });
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.fields.insert(name.to_owned(), Change::Remove);
    }

    /// What a read of the field is to see, if the batch says something about it.
    pub(crate) fn seen(&self, name: &str) -> Option<Option<&[u8]>> {
        self.fields.get(name).map(|change| match change {
            Change::Set { value, .. } => Some(&**value),
            Change::Remove => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_field_is_what_is_sent_and_what_is_read() {
        let mut changes = Changes::default();
        assert!(changes.is_empty() && changes.seen("a").is_none());
        changes.set("a", b"1".into(), Keep::WithSession);
        changes.set("a", b"2".into(), Keep::WithSession);
        changes.set("b", b"3".into(), Keep::WithSession);
        changes.remove("b");
        assert_eq!(changes.seen("a"), Some(Some(&b"2"[..])));
        assert_eq!(changes.seen("b"), Some(None));
        assert_eq!(changes.fields.len(), 2);
    }

    #[test]
    fn a_batch_that_only_removes_begins_no_session() {
        let mut changes = Changes { cycle: true, user: Some(None), ttl: Some(Duration::MAX), ..Changes::default() };
        changes.remove("a");
        assert!(!changes.is_empty() && !changes.stores_something());
        changes.set("b", b"1".into(), Keep::WithSession);
        assert!(changes.stores_something());
        assert!(Changes { user: Some(Some("42".into())), ..Changes::default() }.stores_something());
    }

    #[test]
    fn a_value_that_is_updated_before_it_was_sent_keeps_its_time() {
        let (mut changes, soon) = (Changes::default(), Keep::For(Duration::from_secs(5)));
        changes.set("a", b"1".into(), soon);
        changes.set("a", b"2".into(), Keep::AsBefore);
        assert_eq!(changes.fields["a"], Change::Set { value: b"2".into(), keep: soon });
        changes.remove("a");
        changes.set("a", b"3".into(), Keep::AsBefore);
        assert_eq!(changes.fields["a"], Change::Set { value: b"3".into(), keep: Keep::WithSession });
    }
}
