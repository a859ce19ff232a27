//! What stands around handlers: it gives a request its session, and sends what was written when the handler has returned.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum_core::extract::FromRequestParts;
use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, SET_COOKIE, VARY};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::error::SessionError;
use super::session::Session;
use super::sessions::Sessions;
use super::settings::OnOutage;
use super::visit::{CookieTask, Visit};

/// The layer that brings a [`Session`] to handlers; [`Sessions::layer`] makes it.
///
/// When the handler has returned, the batch is sent before the response leaves, so that the next request sees it. If it
/// cannot be written, the response is replaced by that of the error, because it would tell the visitor of something that
/// did not happen; only a session that has ended meanwhile changes nothing about the response.
///
/// Around routes that have it already it does nothing, so that nested routers may each have it.
///
/// A response that depends on the session says `Vary: Cookie`, and one with a cookie says that no shared cache may keep
/// it. A visitor for whom nothing was stored gets neither cookie nor key.
#[derive(Clone, Debug)]
pub struct SessionLayer {
    sessions: Sessions,
}

impl SessionLayer {
    pub(super) fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService { sessions: self.sessions.clone(), inner }
    }
}

/// A service with sessions; [`SessionLayer`] makes it.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    sessions: Sessions,
    inner: S,
}

impl<S, In, Out> Service<Request<In>> for SessionService<S>
where
    S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
    Out: Default + Send,
{
    type Response = Response<Out>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Out>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        // The one that said that it is ready is the one to call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        if request.extensions().get::<Session>().is_some_and(|session| self.sessions.has(session)) {
            // The same layer is around this one already.
            return Box::pin(inner.call(request));
        }
        let session = self.sessions.open(request.headers());
        request.extensions_mut().insert(session.clone());
        Box::pin(async move {
            let mut response = inner.call(request).await?;
            let status = response.status();
            let mut headers = HeaderMap::new();
            if let Err(error) = session.finish(status, &mut headers).await {
                tracing::error!(%error, "a response is replaced, because what its request wrote to its session is lost");
                response = Response::new(Out::default());
                *response.status_mut() = error.status();
            }
            for (name, value) in &headers {
                response.headers_mut().append(name, value.clone());
            }
            Ok(response)
        })
    }
}

impl Session {
    /// Sends the batch and writes the headers of the response: what the layer does last, for those who do without it. A
    /// `status` of 500 or more drops the batch. Afterwards a new session cannot begin.
    ///
    /// # Errors
    /// As for [`save`](Session::save), but for a session that has ended meanwhile: what was written to it is dropped.
    /// The headers are written also then, because what went at once may need the cookie.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have written the batch.
    pub async fn finish(&self, status: StatusCode, headers: &mut HeaderMap) -> Result<(), SessionError> {
        let visit = &self.visit;
        if status.is_server_error() {
            self.discard();
        }
        let sent = visit.at_the_end().await;
        let (cookie, used, ttl) = {
            let mut state = visit.state();
            state.finished = true;
            (state.cookie.take(), state.used, state.head.as_ref().and_then(|head| head.ttl))
        };
        let shared = &visit.shared;
        let cookie = cookie.map(|task| match task {
            CookieTask::Keep(token) => shared.cookie.keep(&token, ttl.unwrap_or(shared.life.ttl)),
            CookieTask::Forget => shared.cookie.forget(),
        });
        if let Some(cookie) = cookie {
            headers.append(SET_COOKIE, cookie);
            // `private` for the caches that know no fields, which are most.
            headers.append(CACHE_CONTROL, HeaderValue::from_static("private, no-cache=\"set-cookie\""));
        }
        if used {
            headers.append(VARY, HeaderValue::from_static("cookie"));
        }
        sent
    }
}

impl Visit {
    /// Sends the batch as the last of a request.
    async fn at_the_end(&self) -> Result<(), SessionError> {
        let log_in = {
            let changes = &self.state().changes;
            changes.user.is_some() || changes.cycle
        };
        match self.send().await {
            Err(SessionError::Ended) => {
                tracing::debug!("what a request wrote is dropped: its session has ended");
                Ok(())
            }
            Err(error) if self.shared.on_outage == OnOutage::Anonymous && error.is_outage() && !log_in => {
                tracing::warn!(%error, "what an anonymous visitor wrote is dropped");
                Ok(())
            }
            sent => sent,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionError;

    /// The session that the layer brought; asks the store for nothing.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        parts.extensions.get::<Self>().cloned().ok_or(SessionError::NoLayer)
    }
}
