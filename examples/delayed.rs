//! Jobs that are due later, by a delay or at a time, and by priority when they are due together.
//!
//! `cargo run --example delayed`; with `REDIS_URL=redis://127.0.0.1/` before it, on a server.

use std::time::{Duration, Instant, SystemTime};

use task_runtime::prelude::*;

/// Rings, and says how late.
#[task(queue = "bells")]
async fn ring(bell: &str, #[inject] start: &Data<Instant>) {
    println!("{bell} rings after {:?}", start.elapsed());
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = match std::env::var("REDIS_URL") {
        Ok(url) => Client::connect(&url).await?,
        Err(_) => Client::in_memory(),
    };
    set_default_client(client.clone());
    // One job at a time, so that the order is seen.
    let worker = Worker::builder(client).queue("bells").concurrency(1).data(Instant::now()).build()?;
    let (handle, running) = (worker.handle(), tokio::spawn(worker.run()));

    let second = Duration::from_secs(1);
    let noon = SystemTime::now() + second;
    let bells = [
        Ring::new("the quiet bell").options().at(noon).priority(1).enqueue().await?,
        Ring::new("the loud bell").options().at(noon).priority(9).enqueue().await?,
        Ring::new("the late bell").options().delay(second * 3 / 2).enqueue().await?,
        Ring::new("the first bell").enqueue().await?,
    ];
    for bell in bells {
        bell.result().await?;
    }

    handle.stop();
    Ok(running.await??)
}
