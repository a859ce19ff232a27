//! A web application in one process: visitors upload files, workers make reports of them, and pages show how far they are.
//!
//! `cargo run --example webapp`, then open the address that it prints. With `REDIS_URL=redis://127.0.0.1/` before it,
//! jobs, sessions and cache are on that server and outlive the process; without it they are in its memory.

mod app;
mod board;
mod column;
mod csrf;
mod events;
mod log_in;
mod pages;
mod preferences;
mod progress;
mod refusal;
mod report;
mod reports;
mod settings;
mod shelf;
mod summary;
mod tasks;
mod upload;
mod visitor;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use task_runtime::cache::session::Sessions;
use task_runtime::cache::{OnOutage, set_default_cache};
use task_runtime::prelude::*;
use task_runtime::{Cache, CancellationToken};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;

use app::App;
use progress::Progress;
use settings::Settings;
use tasks::Workshop;

/// How long a call waits for the cache. What is in it takes longer to make, so it is worth a wait on a busy machine.
const CACHE_DEADLINE: Duration = Duration::from_millis(250);
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
    // A page that cannot be taken from the cache is made, and nothing fails for it.
    let cache = Cache::builder().prefix("webapp").on_outage(OnOutage::Miss).deadline(CACHE_DEADLINE);
    let cache = match &settings.cache_url {
        Some(url) => cache.url(url).build()?,
        None => cache.build()?,
    };
    set_default_cache(cache.clone()); // for `#[cached]`

    // What visitors upload is not for other users of the machine.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&settings.folder);
    made.with_context(|| format!("no folder {}", settings.folder.display()))?;
    let workshop = Workshop {
        client: client.clone(),
        folder: settings.folder.clone(),
        pace: settings.pace,
        progress: Progress::new(cache),
    };

    let listener = TcpListener::bind(&settings.address).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", settings.address))?;
    let stopping = CancellationToken::new();
    tokio::spawn(obey_signals(stopping.clone())?);
    tokio::spawn(upload::sweep(settings.folder));
    let mut parts = JoinSet::new();
    for worker in workshop.workers(&client)? {
        let stop = stopping.clone().cancelled_owned();
        parts.spawn(async move { worker.run_until(stop).await.context("a worker stopped") });
    }
    let address = listener.local_addr()?;
    let on_server = settings.redis_url.is_some();
    let app = App { client, workshop, on_server, stopping: stopping.clone() };
    parts.spawn(serve(listener, app.router(&sessions), stopping.clone()));
    println!("listening on http://{address}");

    let mut ended = Ok(());
    while let Some(part) = parts.join_next().await {
        // Without one of its parts the application is of no use: the others stop in good order.
        stopping.cancel();
        ended = ended.and(part?);
    }
    ended
}

/// Serves until the application stops. A request that hangs then, such as an upload that stands still, is cut off.
async fn serve(listener: TcpListener, router: axum::Router, stopping: CancellationToken) -> Result<()> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopping.clone().cancelled_owned());
    let out_of_time = async {
        stopping.cancelled().await;
        sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        served = serving.into_future() => Ok(served?),
        () = out_of_time => Ok(()),
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
