//! A task that fails is tried again after growing pauses, until its attempts are used up.
//!
//! `cargo run --example retries`; with `REDIS_URL=redis://127.0.0.1/` before it, on a server.

use std::sync::atomic::{AtomicU32, Ordering};

use task_runtime::prelude::*;

/// A shop that answers only now and then.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// Orders from the shop: four attempts in all, after 50, 100 and 200 milliseconds.
#[task(max_attempts = 4, backoff = exponential("50ms", cap = "1s"), timeout = 10)]
async fn order(item: &str, #[inject] ctx: &Context) -> Result<String, String> {
    println!("attempt {}: order {item}", ctx.attempt());
    match CALLS.fetch_add(1, Ordering::SeqCst) % 3 {
        2 => Ok(format!("{item}, ordered at attempt {}", ctx.attempt())),
        _ => Err("the shop is closed".into()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = match std::env::var("REDIS_URL") {
        Ok(url) => Client::connect(&url).await?,
        Err(_) => Client::in_memory(),
    };
    let worker = Worker::builder(client.clone()).queue("default").build()?;
    let (handle, running) = (worker.handle(), tokio::spawn(worker.run()));

    let tea = Order::new("tea").options().enqueue_on(&client).await?;
    println!("{}", tea.result().await?);

    // A call may give fewer attempts than the task has.
    let coffee = Order::new("coffee").options().max_attempts(2).enqueue_on(&client).await?;
    if let Err(error) = coffee.result().await {
        println!("{error}");
    }
    println!("coffee is {:?}", coffee.status().await?);

    handle.stop();
    Ok(running.await??)
}
