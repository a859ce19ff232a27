//! What must hold whatever bytes come: one check for each fuzz target. Not for people.
//!
//! A check stands beside what it checks and panics when a promise is broken. The targets in `fuzz/`
//! and the test suite `tests/fuzzing` both call it through here, so that there is one of it.

use crate::{broker, cli, connection, job, task};

/// A check of any bytes.
pub type Check = fn(&[u8]);

/// Every check, by the name of its target and of its corpus.
pub const CHECKS: [(&str, Check); 8] = [
    ("envelope", job::fuzzing::envelope),
    ("records", job::fuzzing::records),
    ("backoff", job::fuzzing::backoff),
    ("args", task::fuzzing::args),
    ("names", broker::redis::fuzzing::names),
    ("replies", broker::redis::fuzzing::replies),
    ("server", connection::fuzzing::server),
    ("command_line", cli::fuzzing::command_line),
];

/// The check of one target.
///
/// # Panics
/// When there is none of this name.
#[must_use]
pub fn check(target: &str) -> Check {
    let found = CHECKS.iter().find(|(name, _)| *name == target);
    found.unwrap_or_else(|| panic!("there is no target `{target}`")).1
}
