//! The token that tells a form of ours from one that another site sends in a visitor's name.

use std::collections::HashMap;

use axum::extract::{Form, FromRequest, Request};
use task_runtime::{Session, SessionError};

use crate::refusal::Refusal;

/// The field of the session, and of each form.
pub(crate) const FIELD: &str = "csrf";

/// How long a token is, in characters of ASCII.
pub(crate) const TOKEN_CHARACTERS: usize = 32;

/// The token of a session, made at its first form and the same in all of them until it logs in or out.
///
/// # Errors
/// What the session store says.
pub(crate) async fn token(session: &Session) -> Result<String, Refusal> {
    match session.get(FIELD).await? {
        Some(token) => Ok(token),
        None => renew(session),
    }
}

/// Gives the session another token: one that was known before a log-in is of no use after it.
///
/// # Errors
/// What the session store says.
pub(crate) fn renew(session: &Session) -> Result<String, Refusal> {
    // 128 bits, as the id of a session has.
    let (high, low) = (random(), random());
    let token = format!("{high:016x}{low:016x}");
    session.set(FIELD, &token)?;
    Ok(token)
}

fn random() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers, else nothing here is safe")
}

/// Whether a form bears the token of the session.
///
/// # Errors
/// [`Refusal::Forged`] if not; what the session store says.
pub(crate) async fn check(session: &Session, given: &str) -> Result<(), Refusal> {
    let expected: Option<String> = session.get(FIELD).await?;
    match expected {
        Some(expected) if same(expected.as_bytes(), given.as_bytes()) => Ok(()),
        _ => Err(Refusal::Forged),
    }
}

/// Takes equally long for all texts of one length, so that the time tells nothing of where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The fields of a form that bears the token of its session. Handlers that change anything take this one.
pub(crate) struct Checked(HashMap<String, String>);

impl Checked {
    /// A field of it.
    ///
    /// # Errors
    /// [`Refusal::Form`] when it is not there.
    pub(crate) fn field(&self, name: &str) -> Result<&str, Refusal> {
        self.0.get(name).map(String::as_str).ok_or_else(|| Refusal::Form(format!("it has no `{name}`")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Checked {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let session = request.extensions().get::<Session>().cloned().ok_or(SessionError::NoLayer)?;
        let form = Form::<HashMap<String, String>>::from_request(request, state).await;
        let Form(fields) = form.map_err(|error| Refusal::Form(error.body_text()))?;
        check(&session, fields.get(FIELD).map_or("", String::as_str)).await?;
        Ok(Self(fields))
    }
}
