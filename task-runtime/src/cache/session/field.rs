//! The names of fields and users, and how a value is written: as JSON, so that whole numbers can be counted up.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SessionError;

/// Longest name of a field, in bytes.
pub const MAX_FIELD_NAME_BYTES: usize = 128;
/// Longest name of a user, in bytes.
pub const MAX_USER_BYTES: usize = 256;

/// Checks the name of a field.
pub(crate) fn check_field(name: &str) -> Result<(), SessionError> {
    check("session field", name, MAX_FIELD_NAME_BYTES)
}

/// Checks the name of a user.
pub(crate) fn check_user(name: &str) -> Result<(), SessionError> {
    check("user", name, MAX_USER_BYTES)
}

fn check(what: &'static str, name: &str, most: usize) -> Result<(), SessionError> {
    let fault = match name.len() {
        0 => "is empty; expected a name".to_owned(),
        long if long > most => format!("has {long} bytes; expected {most} at most"),
        _ => return Ok(()),
    };
    Err(SessionError::Name { what, name: name[..name.floor_char_boundary(most)].to_owned(), fault })
}

/// Writes a value; it is never empty.
pub(crate) fn encode<T: Serialize + ?Sized>(field: &str, value: &T) -> Result<Vec<u8>, SessionError> {
    serde_json::to_vec(value)
        .map_err(|error| SessionError::Encode { field: field.to_owned(), fault: error.to_string() })
}

/// Reads a value as the type that is asked for.
pub(crate) fn decode<T: DeserializeOwned>(field: &str, bytes: &[u8]) -> Result<T, SessionError> {
    serde_json::from_slice(bytes).map_err(|error| SessionError::Decode {
        field: field.to_owned(),
        wanted: type_name::<T>(),
        // What serde says may repeat the value, which is not for the log.
        fault: format!("{:?} at column {} of {} bytes", error.classify(), error.column(), bytes.len()),
    })
}

/// The whole number that a value is, in the one form in which it is written.
pub(crate) fn whole_number(bytes: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_type_is_an_error_that_names_field_and_type_and_not_the_value() {
        let bytes = encode("card", &"4111 1111").unwrap();
        let error = decode::<u32>("card", &bytes).unwrap_err().to_string();
        assert_eq!(error, "session field `card` does not hold a `u32`: Data at column 11 of 11 bytes");
    }

    #[test]
    fn only_the_form_in_which_a_whole_number_is_written_is_one() {
        assert_eq!(whole_number(b"-42"), Some(-42));
        assert_eq!(whole_number(b"9223372036854775807"), Some(i64::MAX));
        for other in ["", "+1", "01", "1.0", "-0", " 1", "9223372036854775808", "\"1\"", "null"] {
            assert_eq!(whole_number(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn names_are_neither_empty_nor_long() {
        assert!(check_field("cart").is_ok() && check_field(&"x".repeat(MAX_FIELD_NAME_BYTES)).is_ok());
        assert_eq!(check_field("").unwrap_err().to_string(), "session field `` is empty; expected a name");
        let long = check_field(&"\u{e4}".repeat(65)).unwrap_err().to_string();
        assert!(long.ends_with("` has 130 bytes; expected 128 at most"), "{long}");
    }
}
