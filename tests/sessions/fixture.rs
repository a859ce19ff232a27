//! Where sessions are kept in a test, and visitors who keep cookies as a browser does.

use std::time::Duration;

use support::redis::{FromRedisValue, Value};
use support::{Place, Server, namespace};
use task_runtime::cache::session::{Session, SessionError, Sessions, SessionsBuilder};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

/// How long anything may take that a test waits for.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// The way to sessions, and past them to the keys.
pub(crate) struct Raw {
    place: Place,
    namespace: String,
}

impl Raw {
    pub(crate) fn at(place: Place) -> Self {
        Self { place, namespace: namespace() }
    }

    /// The same place, for other sessions.
    pub(crate) fn another(&self) -> Self {
        Self::at(self.place.clone())
    }

    /// Settings of sessions that are kept there.
    pub(crate) fn builder(&self) -> SessionsBuilder {
        let builder = Sessions::builder().namespace(&self.namespace);
        match self.place.url() {
            Some(url) => builder.url(url),
            None => builder,
        }
    }

    /// Sessions that are kept there.
    pub(crate) fn sessions(&self) -> Sessions {
        self.builder().build().expect("the settings of a test are allowed")
    }

    /// The URL and the namespace, for another process.
    pub(crate) fn place(&self) -> (String, String) {
        (self.place.url().expect("it is on a server").to_owned(), self.namespace.clone())
    }

    /// Every key, with the server that has it; none in the memory of the process.
    pub(crate) fn keys(&self) -> Vec<(&'static Server, String)> {
        self.place.keys(&format!("{{{}:*", self.namespace))
    }

    /// Every key has a time to live. Gives how many there are.
    pub(crate) fn every_key_has_its_end(&self) -> usize {
        self.place.every_key_has_its_end(&format!("{{{}:*", self.namespace))
    }

    /// Everything that is stored, as text: names of keys, fields and what they hold.
    pub(crate) fn everything(&self) -> String {
        let all = self.keys().into_iter().map(|(server, key)| {
            let kind = String::from_redis_value(server.command(&["TYPE", &key])).expect("a type is text");
            let held = match &*kind {
                "hash" => server.command(&["HGETALL", &key]),
                "zset" => server.command(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
                _ => Value::Nil,
            };
            format!("{key} {}\n", text(&held))
        });
        all.collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Array(parts) | Value::Set(parts) => parts.iter().map(|part| text(part) + " ").collect(),
        Value::Map(pairs) => pairs.iter().map(|(name, held)| format!("{} {} ", text(name), text(held))).collect(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// One who comes again and again, with the cookie that was set last.
#[derive(Clone)]
pub(crate) struct Visitor {
    sessions: Sessions,
    /// `NAME=VALUE`.
    pub(crate) cookie: Option<String>,
}

impl Visitor {
    pub(crate) fn new(sessions: &Sessions) -> Self {
        Self { sessions: sessions.clone(), cookie: None }
    }

    /// One with a cookie that someone else had, or made up.
    pub(crate) fn with(sessions: &Sessions, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..Self::new(sessions) }
    }

    /// A request of this visitor that begins, and has not come to its end.
    pub(crate) fn open(&self) -> Session {
        let mut headers = HeaderMap::new();
        if let Some(cookie) = &self.cookie {
            headers.insert(header::COOKIE, HeaderValue::from_str(cookie).expect("a cookie is plain text"));
        }
        self.sessions.open(&headers)
    }

    /// The end of that request; gives the headers that the response has because of the session.
    pub(crate) async fn finish(&mut self, session: &Session) -> Result<HeaderMap, SessionError> {
        let mut headers = HeaderMap::new();
        let sent = session.finish(StatusCode::OK, &mut headers).await;
        self.keep(&headers);
        sent.map(|()| headers)
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a cookie is plain text");
            let pair = cookie.split(';').next().expect("a cookie begins with its name");
            self.cookie = (!cookie.contains("Max-Age=0")).then(|| pair.to_owned());
        }
    }

    /// A whole request; what its handler gives, when all went well.
    pub(crate) async fn request<T>(
        &mut self,
        handler: impl AsyncFnOnce(&Session) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        let session = self.open();
        let answer = handler(&session).await?;
        self.finish(&session).await?;
        Ok(answer)
    }

    /// A request that sets one field.
    pub(crate) async fn sets(&mut self, field: &str, value: &str) {
        self.request(async |session| session.set(field, value)).await.expect("the field can be set");
    }

    /// A request that reads one field.
    pub(crate) async fn reads(&mut self, field: &str) -> Option<String> {
        self.request(async |session| session.get(field).await).await.expect("the field can be read")
    }
}
