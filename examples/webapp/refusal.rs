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
    /// A file that is larger than is allowed.
    #[error("The file is too large: at most 5 MiB are read.")]
    TooLarge,
    /// A file that is no text, or not in UTF-8.
    #[error("The file is no text in UTF-8. Save it as CSV in UTF-8, or as plain text, and upload it again.")]
    NoText,
    /// A file with nothing in it.
    #[error("The file is empty.")]
    Empty,
    /// The upload did not come to its end in time.
    #[error("The upload took too long.")]
    TooSlow,
    /// The uploaded file could not be stored.
    #[error("The file cannot be stored at the moment.")]
    Storage(#[from] std::io::Error),
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
            Self::Form(_) | Self::Empty => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoText => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
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
            Self::Storage(error) => tracing::error!(%error, "an uploaded file cannot be stored"),
            Self::Tasks(error) => tracing::warn!(%error, "a request fails because of the tasks"),
            _ => {}
        }
        let status = self.status();
        (status, pages::refused(status, &self.to_string())).into_response()
    }
}
