//! What all requests share, and which handler answers which path.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use task_runtime::cache::session::Sessions;
use task_runtime::{CancellationToken, Client};

use crate::refusal::Refusal;
use crate::{log_in, preferences};

/// Everything on a page comes from here: no script and no style of others, and no frame around it.
const POLICY: &str = "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What all requests share. Clones are the same application.
#[derive(Clone)]
pub(crate) struct App {
    /// Where jobs are enqueued and followed.
    pub(crate) client: Client,
    /// Is cancelled when the application stops.
    pub(crate) stopping: CancellationToken,
}

impl App {
    /// All pages; those that know their visitor are inside the layer of the sessions.
    pub(crate) fn router(self, sessions: &Sessions) -> Router {
        Router::new()
            .route("/", get(log_in::home))
            .route("/log-in", post(log_in::log_in))
            .route("/log-out", post(log_in::log_out))
            .route("/preferences", get(preferences::page).post(preferences::save))
            .fallback(async || Refusal::NotFound)
            .layer(sessions.layer())
            .route("/style.css", get(style))
            .layer(from_fn(headers))
            .with_state(self)
    }
}

async fn style() -> impl IntoResponse {
    let kept = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")];
    (kept, include_str!("style.css"))
}

/// What browsers are told with every answer. Pages of a visitor are kept in no cache.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
