//! Which slot of a cluster a key is in.

use crc16::{State, XMODEM};

/// How many slots every cluster has.
const SLOTS: u16 = 16_384;

/// The slot of a key: that of what stands between its first braces, if anything does, so that keys which share it are
/// kept together; else that of the whole key. Source: the specification of Redis Cluster, "Hash tags".
pub(super) fn slot_of(key: &str) -> u16 {
    State::<XMODEM>::calculate(tag_of(key).as_bytes()) % SLOTS
}

fn tag_of(key: &str) -> &str {
    key.split_once('{')
        .and_then(|(_, behind)| behind.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty())
        .unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_servers() {
        // As `CLUSTER KEYSLOT` answers.
        for (key, slot) in [("foo", 12_182), ("123456789", 12_739), ("{user1000}.following", 3_443), ("", 0)] {
            assert_eq!(slot_of(key), slot, "{key}");
        }
    }

    #[test]
    fn only_what_stands_between_the_first_braces_counts() {
        assert_eq!(tag_of("{user}.a"), "user");
        assert_eq!(tag_of("a{b}{c}"), "b");
        for whole in ["plain", "foo{}{bar}", "open{", "shut}", "}{"] {
            assert_eq!(tag_of(whole), whole);
        }
        assert_eq!(tag_of("foo{{bar}}zap"), "{bar");
    }
}
