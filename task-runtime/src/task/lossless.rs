//! Whether what JSON writes as `null` comes back as it was.

use serde::Serialize;

use crate::null::{NOT_FINITE, SOME, letters, says_null};

/// Whether `read`, which `json` gave, has all that `sent` had, of which `json` was written.
pub(super) fn comes_back<T: Serialize>(sent: &T, read: &T, json: &[u8]) -> Result<(), String> {
    if !says_null(json) {
        return Ok(());
    }
    // Counted, not compared in order, because maps and sets come in any.
    let (sent, read) = (letters(sent)?, letters(read)?);
    if read.matches(NOT_FINITE).count() < sent.matches(NOT_FINITE).count() {
        return Err(
            "a float that is infinite or not a number comes back as nothing; JSON has only finite numbers".into()
        );
    }
    if read.matches(SOME).count() < sent.matches(SOME).count() {
        return Err("a `Some` comes back as `None`, because JSON writes what is in it as `null` too".into());
    }
    Ok(())
}
