//! Who is logged in, and how they want their pages.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use task_runtime::Session;

use crate::csrf;
use crate::preferences::{self, Preferences};
use crate::refusal::Refusal;

/// The field of the session with the name of the visitor; it is there from log-in to log-out.
pub(crate) const NAME: &str = "name";

/// A visitor who is logged in, as an extractor: others are sent to the log-in.
///
/// It loads three small fields of the session with one call. The list of uploads, which grows, is not among them.
pub(crate) struct Visitor {
    pub(crate) session: Session,
    pub(crate) name: String,
    pub(crate) preferences: Preferences,
    /// The token for the forms of the page.
    pub(crate) csrf: String,
}

impl Visitor {
    /// The visitor of a session, if it is logged in.
    ///
    /// # Errors
    /// What the session store says.
    pub(crate) async fn of(session: &Session) -> Result<Option<Self>, Refusal> {
        session.load(&[NAME, preferences::FIELD, csrf::FIELD]).await?;
        let Some(name) = session.get(NAME).await? else { return Ok(None) };
        let preferences = session.get(preferences::FIELD).await?.unwrap_or_default();
        let csrf = csrf::token(session).await?;
        Ok(Some(Self { session: session.clone(), name, preferences, csrf }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let visitor = Self::of(&session).await.map_err(IntoResponse::into_response)?;
        visitor.ok_or_else(|| Redirect::to("/").into_response())
    }
}
