//! What visitors see: a real server, real cookies, requests at the same time.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::header;
use serde::Deserialize;
use support::{namespace, shared_redis};
use task_runtime::cache::session::{Session, SessionError, Sessions, UserSession};
use tokio::sync::Notify;

/// An application of a few pages.
#[derive(Clone)]
struct App {
    sessions: Sessions,
    /// Lets `/slow` go on.
    go_on: Arc<Notify>,
    /// Says that `/slow` waits.
    waits: Arc<Notify>,
}

#[derive(Deserialize)]
struct Value {
    value: String,
}

async fn read(Path(field): Path<String>, session: Session) -> Result<Json<Option<String>>, SessionError> {
    Ok(Json(session.get(&field).await?))
}

async fn write(
    Path(field): Path<String>,
    Query(Value { value }): Query<Value>,
    session: Session,
) -> Result<(), SessionError> {
    session.set(&field, &value)
}

async fn log_in(Path(user): Path<String>, session: Session) -> Result<(), SessionError> {
    session.cycle_id();
    session.set_user(user)
}

async fn who(session: Session) -> Result<String, SessionError> {
    Ok(session.user().await?.unwrap_or_else(|| "nobody".into()))
}

async fn log_out(session: Session) -> Result<(), SessionError> {
    session.destroy().await
}

async fn panics(session: Session) -> Result<(), SessionError> {
    session.set("a", "written by one that panics")?;
    panic!("as it is meant to");
}

async fn fails(session: Session) -> Result<StatusCode, SessionError> {
    session.set("a", "written by one that fails")?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn too_much(session: Session) -> Result<&'static str, SessionError> {
    session.set("large", &"x".repeat(900))?;
    session.set("larger", &"x".repeat(900))?;
    Ok("saved")
}

impl App {
    async fn start(sessions: Sessions) -> (Self, SocketAddr) {
        let app = Self { sessions: sessions.clone(), go_on: Arc::default(), waits: Arc::default() };
        let (slow, everywhere) = (app.clone(), app.clone());
        let slow = async move |session: Session| {
            let before: Option<String> = session.get("a").await?;
            session.set("slow", "1")?;
            slow.waits.notify_one();
            slow.go_on.notified().await;
            Ok::<_, SessionError>(before.unwrap_or_default())
        };
        let list = async move |session: Session| {
            let Some(user) = session.user().await? else { return Ok(String::new()) };
            let list = everywhere.sessions.of_user(&user).await?;
            let list: Vec<String> = list.iter().map(|UserSession { handle, .. }| handle.to_string()).collect();
            Ok::<_, SessionError>(list.join("\n"))
        };
        let router = Router::new()
            .route("/field/{field}", get(read).post(write))
            .route("/log-in/{user}", post(log_in))
            .route("/log-out", post(log_out))
            .route("/who", get(who))
            .route("/sessions", get(list))
            .route("/slow", post(slow))
            .route("/panics", post(panics))
            .route("/fails", post(fails))
            .route("/too-much", post(too_much))
            .route("/plain", get(async || "nothing about you"))
            .nest("/nested", Router::new().route("/field/{field}", post(write)).layer(sessions.layer()))
            .layer(sessions.layer())
            .route("/without", get(who));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (app, address)
    }
}

/// A browser.
#[derive(Clone)]
struct Browser {
    client: reqwest::Client,
    address: SocketAddr,
}

impl Browser {
    fn new(address: SocketAddr) -> Self {
        let client = reqwest::Client::builder().cookie_store(true).no_proxy().build().expect("a client can be built");
        Self { client, address }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("http://{}{path}", self.address)).send().await.expect("the server answers")
    }

    async fn post(&self, path: &str) -> reqwest::Response {
        self.client.post(format!("http://{}{path}", self.address)).send().await.expect("the server answers")
    }

    async fn reads(&self, field: &str) -> String {
        self.get(&format!("/field/{field}")).await.text().await.expect("the page is text")
    }

    async fn writes(&self, field: &str, value: &str) {
        let response = self.post(&format!("/field/{field}?value={value}")).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// Over plain HTTP, as browsers do not send a secure cookie.
fn on_redis() -> Sessions {
    let sessions = Sessions::builder().url(shared_redis().url()).namespace(namespace()).secure(false);
    sessions.max_session_bytes(1_000).build().expect("the settings of a test are allowed")
}

async fn started() -> (App, SocketAddr) {
    App::start(on_redis()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_visitors_do_not_see_each_others_fields() {
    let (_, address) = started().await;
    let (ada, bob) = (Browser::new(address), Browser::new(address));
    ada.writes("name", "Ada").await;
    bob.writes("name", "Bob").await;
    ada.post("/log-in/1").await;
    bob.post("/log-in/2").await;
    for (visitor, name, user) in [(&ada, "\"Ada\"", "1"), (&bob, "\"Bob\"", "2")] {
        assert_eq!(visitor.reads("name").await, name);
        assert_eq!(visitor.get("/who").await.text().await.unwrap(), user);
        assert_eq!(visitor.get("/sessions").await.text().await.unwrap().lines().count(), 1);
    }
    let mut all = Vec::new();
    for number in 0..40 {
        let (visitor, name) = if number % 2 == 0 { (ada.clone(), "\"Ada\"") } else { (bob.clone(), "\"Bob\"") };
        all.push(tokio::spawn(async move { assert_eq!(visitor.reads("name").await, name) }));
    }
    for one in all {
        one.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_visitor_at_the_same_time_lose_no_field() {
    let (_, address) = started().await;
    let visitor = Browser::new(address);
    visitor.writes("before", "1").await;
    let requests = (0..30).map(|number| {
        let visitor = visitor.clone();
        tokio::spawn(async move { visitor.writes(&format!("f{number}"), &number.to_string()).await })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap();
    }
    for number in 0..30 {
        assert_eq!(visitor.reads(&format!("f{number}")).await, format!("\"{number}\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_and_a_log_out_change_the_cookie_and_a_late_response_does_not_change_it_back() {
    let (app, address) = started().await;
    let visitor = Browser::new(address);
    visitor.writes("a", "1").await;
    let slow = {
        let visitor = visitor.clone();
        tokio::spawn(async move { visitor.post("/slow").await })
    };
    app.waits.notified().await;
    let response = visitor.post("/log-in/42").await;
    assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 1);
    app.go_on.notify_one();
    let late = slow.await.unwrap();
    assert_eq!((late.status(), late.headers().get(header::SET_COOKIE)), (StatusCode::OK, None));
    assert_eq!(late.text().await.unwrap(), "1");
    assert_eq!(visitor.get("/who").await.text().await.unwrap(), "42");
    assert_eq!((visitor.reads("a").await, visitor.reads("slow").await), ("\"1\"".into(), "null".into()));
    visitor.post("/log-out").await;
    assert_eq!(visitor.get("/who").await.text().await.unwrap(), "nobody");
    assert_eq!(visitor.reads("a").await, "null");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_says_what_protects_it_and_no_shared_cache_keeps_its_response() {
    let sessions = Sessions::builder().url(shared_redis().url()).namespace(namespace()).build().unwrap();
    let (_, address) = App::start(sessions).await;
    let response = Browser::new(address).post("/field/a?value=1").await;
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-session=") && pair.len() == "__Host-session=".len() + 23, "{cookie}");
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=1209600");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "private, no-cache=\"set-cookie\"");
    assert_eq!(response.headers()[header::VARY], "cookie");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_does_not_use_the_session_says_nothing_about_it() {
    let (_, address) = started().await;
    let visitor = Browser::new(address);
    for path in ["/plain", "/field/a", "/who"] {
        let response = visitor.get(path).await;
        assert_eq!(response.headers().get(header::SET_COOKIE), None, "{path}");
        assert_eq!(response.headers().contains_key(header::VARY), path != "/plain", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_wrote_that_panics_or_fails_or_is_left_is_not_there() {
    let (app, address) = started().await;
    let visitor = Browser::new(address);
    visitor.writes("a", "1").await;
    assert!(visitor.client.post(format!("http://{address}/panics")).send().await.is_err());
    assert_eq!(visitor.post("/fails").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    // A visitor who goes away while the handler waits.
    let leaving = {
        let visitor = Browser { client: visitor.client.clone(), address };
        tokio::spawn(async move { visitor.post("/slow").await })
    };
    app.waits.notified().await;
    leaving.abort();
    leaving.await.unwrap_err();
    assert_eq!(visitor.reads("a").await, "\"1\"");
    app.go_on.notify_one();
    assert_eq!(visitor.reads("slow").await, "null");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_written_takes_the_place_of_the_response() {
    let (_, address) = started().await;
    let visitor = Browser::new(address);
    visitor.writes("a", "1").await;
    let response = visitor.post("/too-much").await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.text().await.unwrap(), "");
    assert_eq!((visitor.reads("a").await, visitor.reads("large").await), ("\"1\"".into(), "null".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_inside_of_the_same_layer_is_one() {
    let (_, address) = started().await;
    let visitor = Browser::new(address);
    let response = visitor.post("/nested/field/a?value=1").await;
    assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 1);
    assert_eq!(response.headers().get_all(header::VARY).iter().count(), 1);
    assert_eq!(visitor.reads("a").await, "\"1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_without_the_layer_is_told_where_to_put_it() {
    let (_, address) = started().await;
    let response = Browser::new(address).get("/without").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error = SessionError::NoLayer.to_string();
    assert!(error.contains("`.layer(sessions.layer())`"), "{error}");
}
