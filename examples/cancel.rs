//! A job that is due later can be looked up and cancelled by its id, from any process.
//!
//! `cargo run --example cancel` keeps it in this process;
//! `REDIS_URL=redis://127.0.0.1/ cargo run --example cancel` on a server.

use std::time::Duration;

use task_runtime::prelude::*;

/// Reminds a customer of an unpaid invoice.
#[task(queue = "reminders", timeout = 30)]
async fn remind(invoice: u64) {
    println!("invoice {invoice} is still unpaid");
}

#[tokio::main]
async fn main() -> Result<(), task_runtime::Error> {
    let client = match std::env::var("REDIS_URL") {
        Ok(url) => Client::connect(&url).await?,
        Err(_) => Client::in_memory(),
    };
    set_default_client(client);

    let week = Duration::from_secs(7 * 24 * 60 * 60);
    // The id is the invoice's own, so that whoever learns of the payment can name the job.
    let job = Remind::new(42).options().delay(week).id("invoice-42").enqueue().await?;
    println!("job {} is {:?}", job.id(), job.status().await?);

    println!("paid: {:?}", job.cancel().await?);
    println!("job {} is {:?}", job.id(), job.status().await?);
    Ok(())
}
