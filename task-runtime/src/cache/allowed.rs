//! What the settings of caches and of sessions allow alike.

use std::time::Duration;

/// How long a call may take unless told else.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);
/// Longest deadline.
const MAX_DEADLINE: Duration = Duration::from_secs(30);
/// Longest name that keeps keys apart, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Says what was given, and what is expected, of a name that cannot be the beginning of keys.
pub(super) fn check_name(name: &str) -> Result<(), (String, &'static str)> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let shown: String = name.escape_debug().take(MAX_NAME_BYTES).collect();
    Err((format!("`{shown}`"), "1 to 64 letters, digits, `_`, `-` or `.`"))
}

/// The same of a deadline.
pub(super) fn check_deadline(deadline: Duration) -> Result<(), (String, &'static str)> {
    match deadline.is_zero() || deadline > MAX_DEADLINE {
        true => Err((format!("{deadline:?}"), "more than 0, and 30 s at most")),
        false => Ok(()),
    }
}
