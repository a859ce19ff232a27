//! A web application in one process: visitors upload files, workers make reports of them, and pages show how far they are.
//!
//! `cargo run --example webapp`, then open the address that it prints. With `REDIS_URL=redis://127.0.0.1/` before it,
//! jobs and sessions are on that server and outlive the process; without it they are in its memory.

mod app;
mod csrf;
mod log_in;
mod pages;
mod preferences;
mod refusal;
mod settings;
mod visitor;

use std::time::Duration;

use anyhow::{Context as _, Result};
use task_runtime::CancellationToken;
use task_runtime::cache::session::Sessions;
use task_runtime::prelude::*;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use app::App;
use settings::Settings;

/// How long open requests may go on after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let settings = Settings::from_environment()?;
    let (client, sessions) = match &settings.redis_url {
        Some(url) => (Client::connect(url).await?, Sessions::builder().url(url)),
        None => (Client::in_memory(), Sessions::builder()),
    };
    let sessions = sessions.secure(settings.behind_tls).build()?;

    let stopping = CancellationToken::new();
    let listener = TcpListener::bind(&settings.address).await.with_context(|| format!("no {}", settings.address))?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = App { client, stopping: stopping.clone() };
    tokio::spawn(obey_signals(stopping.clone())?);
    serve(listener, app.router(&sessions), stopping).await
}

/// Serves until the application stops. A request that hangs then, such as an upload that stands still, is cut off.
async fn serve(listener: TcpListener, router: axum::Router, stopping: CancellationToken) -> Result<()> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopping.clone().cancelled_owned());
    tokio::select! {
        served = serving.into_future() => Ok(served?),
        () = async { stopping.cancelled().await; let _ = timeout(LAST_REQUESTS, std::future::pending::<()>()).await; } => Ok(()),
    }
}

/// The first SIGTERM or SIGINT (Ctrl-C) stops the application in good order, the second one at once.
fn obey_signals(stopping: CancellationToken) -> Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        tracing::info!("stopping");
        stopping.cancel();
        next().await;
        std::process::exit(1);
    })
}
