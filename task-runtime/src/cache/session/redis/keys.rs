//! Every key of the sessions of a namespace.

use super::super::token::{SessionHandle, user_hash};

/// The keys; those of a partition share a hash tag, so that a cluster keeps them on one node.
///
/// | key | type | holds |
/// |---|---|---|
/// | `HANDLE` | HASH | a session: `.NAME` a field, `!NAME` when it ends on its own in ms, `created`, `seen`, `told` (when the cookie was last due) in ms, `user`, `ttl` in ms if it has one of its own, `fields` and `bytes` (how many there are), `soonest` (the first end of a field); of one that is no more `ended` alone |
/// | `user:HASH` | ZSET | handles of the sessions of a user, by when they were seen in ms |
///
/// Both have a time to live from their first write on.
pub(super) struct Keys {
    namespace: String,
}

/// A key and its hash tag.
pub(super) struct Key {
    pub(super) tag: String,
    pub(super) key: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    pub(super) fn session(&self, session: &SessionHandle) -> Key {
        self.key(session.partition(), &session.to_string())
    }

    pub(super) fn user(&self, user: &str) -> Key {
        let (partition, hash) = user_hash(user);
        self.key(partition, &format!("user:{hash}"))
    }

    /// There are few tags, so that where each of them is can be remembered.
    fn key(&self, partition: u8, name: &str) -> Key {
        let tag = format!("{{{}:{partition:02x}}}", self.namespace);
        Key { key: format!("{tag}:{name}"), tag }
    }
}
