//! A web application that the tests of sessions start as a process, and end in the middle of what it does.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use task_runtime::cache::session::{Session, SessionError, Sessions};

#[derive(Deserialize)]
struct Given {
    value: String,
}

async fn set(
    Path(field): Path<String>,
    Query(Given { value }): Query<Given>,
    session: Session,
) -> Result<(), SessionError> {
    // What was there is read first, as a handler does that decides by it.
    let _: Option<serde_json::Value> = session.get(&field).await?;
    session.set(&field, &value)
}

async fn count(Path(field): Path<String>, session: Session) -> Result<String, SessionError> {
    Ok(session.increment(&field, 1).await?.to_string())
}

async fn append(
    Path(field): Path<String>,
    Query(Given { value }): Query<Given>,
    session: Session,
) -> Result<(), SessionError> {
    let add = |list: Option<Vec<String>>| {
        let mut list = list.unwrap_or_default();
        list.push(value.clone());
        Some(list)
    };
    session.update(&field, add).await.map(drop)
}

async fn log_in(Path(user): Path<String>, session: Session) -> Result<(), SessionError> {
    session.cycle_id();
    session.set_user(user)
}

async fn log_out(session: Session) -> Result<(), SessionError> {
    session.destroy().await
}

async fn all(session: Session) -> Result<Json<serde_json::Value>, SessionError> {
    let (user, fields) = (session.user().await?, session.all().await?);
    Ok(Json(serde_json::json!({ "user": user, "fields": fields })))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, namespace) = (std::env::var("SESSIONS_URL")?, std::env::var("SESSIONS_NAMESPACE")?);
    let sessions = Sessions::builder().url(url).namespace(namespace).secure(false).build()?;
    let router = Router::new()
        .route("/set/{field}", post(set))
        .route("/count/{field}", post(count))
        .route("/append/{field}", post(append))
        .route("/log-in/{user}", post(log_in))
        .route("/log-out", post(log_out))
        .route("/all", get(all))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(sessions.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listens on {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
