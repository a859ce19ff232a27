//! What all requests share, and which handler answers which path.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use task_runtime::cache::session::Sessions;
use task_runtime::{CancellationToken, Client};

use crate::refusal::Refusal;
use crate::tasks::Workshop;
use crate::upload::{self, MAX_REQUEST_BYTES};
use crate::{board, events, log_in, preferences, reports, summary};

/// Everything on a page comes from here: no script and no style of others, and no frame around it.
const POLICY: &str = "default-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What all requests share. Clones are the same application.
#[derive(Clone)]
pub(crate) struct App {
    /// Where jobs are enqueued and followed.
    pub(crate) client: Client,
    /// Where uploads are stored, and how far the jobs of this process are.
    pub(crate) workshop: Workshop,
    /// Whether jobs and sessions outlive the process.
    pub(crate) on_server: bool,
    /// Is cancelled when the application stops.
    pub(crate) stopping: CancellationToken,
}

impl App {
    /// All pages; those that know their visitor are inside the layer of the sessions.
    pub(crate) fn router(self, sessions: &Sessions) -> Router {
        Router::new()
            .route("/", get(reports::home))
            .route("/log-in", post(log_in::log_in))
            .route("/log-out", post(log_in::log_out))
            .route("/reports", post(upload::upload).layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES)))
            .route("/reports/{id}", get(reports::report))
            .route("/reports/{id}/events", get(events::report))
            .route("/reports/{id}/ticket", post(reports::ticket))
            .route("/reports/{id}/ticket/events", get(events::ticket))
            .route("/numbers", get(summary::page))
            .route("/tasks", get(board::page))
            .route("/preferences", get(preferences::page).post(preferences::save))
            .fallback(async || Refusal::NotFound)
            .layer(sessions.layer())
            .route("/style.css", get(async || file("text/css", include_str!("style.css"))))
            .route("/follow.js", get(async || file("text/javascript", include_str!("follow.js"))))
            .layer(from_fn(headers))
            .with_state(self)
    }
}

/// A file that is the same for all.
fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

/// What browsers are told with every answer; nothing is kept in a cache.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
