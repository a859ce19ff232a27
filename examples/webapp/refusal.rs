//! Why a request is refused, and the page that says so.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use task_runtime::SessionError;

use crate::pages;

/// Why a request gets another page than the one it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such page, or it belongs to another visitor; which of both is not told.
    #[error("There is no such page, or it is not yours.")]
    NotFound,
    /// A form without the token of this session: it was sent by another site, or before a log-in or log-out.
    #[error("This form is not from this session. Go back, load the page anew, and send it again.")]
    Forged,
    /// A form that lacks a field, or has one that cannot be.
    #[error("This form cannot be read: {0}.")]
    Form(String),
    /// The session could not be read or written.
    #[error("Your session cannot be reached at the moment. Try again in a few seconds.")]
    Session(#[from] SessionError),
    /// The jobs could not be reached.
    #[error("The tasks cannot be reached at the moment. Try again in a few seconds.")]
    Tasks(#[from] task_runtime::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Form(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Session(error) => error.status(),
            Self::Tasks(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Visitors get a sentence, the log gets the reason.
        match &self {
            Self::Session(error) => tracing::warn!(%error, "a request fails because of its session"),
            Self::Tasks(error) => tracing::warn!(%error, "a request fails because of the tasks"),
            _ => {}
        }
        let status = self.status();
        (status, pages::refused(status, &self.to_string())).into_response()
    }
}
