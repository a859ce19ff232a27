//! The secret in a visitor's cookie, and the handle under which a session is stored.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::error::SessionError;

/// Bytes of chance in a token: 128 bits, as OWASP asks for at least 64.
const RANDOM_BYTES: usize = 16;
/// The partition stands before them.
const TOKEN_BYTES: usize = 1 + RANDOM_BYTES;
/// What a handle is made of: the partition and the hash of the token.
const HANDLE_BYTES: usize = 1 + 32;

/// The secret that a cookie carries: who has it has the session. It never reaches the store.
///
/// The first byte is the partition, which is no secret: all keys of a partition share one hash tag, so that the
/// new id of a session can be on the same node of a cluster as the old one. The rest is chance of the operating system.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token([u8; TOKEN_BYTES]);

impl Token {
    /// A new one, anywhere.
    pub(crate) fn random() -> Result<Self, SessionError> {
        let mut bytes = [0; TOKEN_BYTES];
        fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// A new one in the same partition.
    pub(crate) fn successor(&self) -> Result<Self, SessionError> {
        let mut bytes = self.0;
        fill(&mut bytes[1..])?;
        Ok(Self(bytes))
    }

    /// What a cookie holds, if that has the form of a token; whether there is such a session is another question.
    pub(crate) fn read(text: &str) -> Option<Self> {
        Some(Self(decode(text)?))
    }

    /// What the cookie is to hold.
    pub(crate) fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Where the session is stored. The way back would be to guess 128 bits.
    pub(crate) fn handle(&self) -> SessionHandle {
        SessionHandle::new(self.0[0], &Sha256::digest(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// Names one session for those who look after sessions, without giving access to it: a hash of what the visitor's
/// cookie holds. It may be shown on a page "where you are logged in", and come back from a form as text.
///
/// It changes with [`Session::cycle_id`](super::Session::cycle_id).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHandle([u8; HANDLE_BYTES]);

impl SessionHandle {
    fn new(partition: u8, hash: &[u8]) -> Self {
        let mut bytes = [0; HANDLE_BYTES];
        bytes[0] = partition;
        bytes[1..].copy_from_slice(hash);
        Self(bytes)
    }

    /// That of a session whose secret another crate made up.
    #[cfg(feature = "tower-sessions")]
    pub(crate) fn of_foreign(secret: &[u8]) -> Self {
        let hash = Sha256::digest(secret);
        Self::new(hash[0], &hash)
    }

    /// Which keys share a hash tag with it.
    #[cfg(feature = "redis")]
    pub(crate) fn partition(&self) -> u8 {
        self.0[0]
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionHandle({self})")
    }
}

impl FromStr for SessionHandle {
    type Err = SessionError;

    /// Reads what `to_string` wrote.
    fn from_str(text: &str) -> Result<Self, SessionError> {
        decode(text).map(Self).ok_or_else(|| SessionError::Name {
            what: "session handle",
            name: text.chars().take(HANDLE_BYTES * 2).collect(),
            fault: "is none; expected what `SessionHandle::to_string` gives".into(),
        })
    }
}

/// The hash of a user's name, which may be long or secret, and the partition of what is kept of the user.
#[cfg(feature = "redis")]
pub(crate) fn user_hash(user: &str) -> (u8, String) {
    let hash = Sha256::digest(user);
    (hash[0], URL_SAFE_NO_PAD.encode(hash))
}

fn fill(bytes: &mut [u8]) -> Result<(), SessionError> {
    getrandom::fill(bytes).map_err(|error| SessionError::Unavailable {
        reason: format!("the operating system gives no chance for a session id: {error}"),
    })
}

/// Reads exactly `N` bytes. The decoder refuses every other text for the same bytes.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The decoder would read any length first.
    if text.len() > N * 2 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_cookie_and_nothing_else_is_one() {
        let token = Token::random().unwrap();
        let secret = token.secret();
        assert_eq!(Token::read(&secret), Some(token.clone()));
        let (mut long, mut other) = (secret.clone(), secret.clone());
        long.push('A');
        // The last of 23 characters carries four bits of the last byte and two that must be zero.
        other.replace_range(22.., "B");
        for wrong in ["", "x", &secret[1..], &long, &other, "../../etc/passwd", "\u{e4}", &"A".repeat(100_000)] {
            assert_eq!(Token::read(wrong), None, "{wrong:.40}");
        }
    }

    #[test]
    fn what_is_stored_and_what_is_logged_does_not_tell_the_secret() {
        let token = Token::random().unwrap();
        let shown = format!("{} {:?} {:?}", token.handle(), token.handle(), token);
        assert!(!shown.contains(&token.secret()[2..]), "{shown}");
        assert_eq!(Token::read(&token.handle().to_string()), None, "a handle is no token");
    }

    #[test]
    fn ids_are_not_repeated_and_every_bit_of_their_chance_varies() {
        let first = Token::random().unwrap();
        let (mut ones, mut zeros) = ([0; RANDOM_BYTES], [0; RANDOM_BYTES]);
        for _ in 0..200 {
            let next = first.successor().unwrap();
            assert!(next != first && next.0[0] == first.0[0] && next.handle() != first.handle());
            for (at, byte) in next.0[1..].iter().enumerate() {
                ones[at] |= byte;
                zeros[at] |= !byte;
            }
        }
        assert_eq!((ones, zeros), ([0xff; RANDOM_BYTES], [0xff; RANDOM_BYTES]));
    }

    #[test]
    fn a_handle_comes_back_from_its_text() {
        let handle = Token::random().unwrap().handle();
        assert_eq!(handle.to_string().parse::<SessionHandle>().unwrap(), handle);
        let error = "42".parse::<SessionHandle>().unwrap_err().to_string();
        assert_eq!(error, "session handle `42` is none; expected what `SessionHandle::to_string` gives");
    }
}
