//! State of the worker, and what a task makes of it for each attempt, never travels with the job.
//!
//! `cargo run --example state`; with `REDIS_URL=redis://127.0.0.1/` before it, on a server.

use std::collections::HashMap;
use std::sync::Mutex;

use task_runtime::prelude::*;

/// What all tasks of a worker share; in a real program a connection pool.
#[derive(Default)]
struct Shelf(Mutex<HashMap<String, u32>>);

/// Made anew for each attempt: who asks, by the id of the job.
struct Customer(String);

impl FromContext for Customer {
    async fn from_context(ctx: &Context) -> Result<Self, Failure> {
        let name = ctx.job_id().as_str().strip_prefix("for-").ok_or_else(|| Failure::new("an order of nobody"))?;
        Ok(Self(name.to_owned()))
    }
}

/// Puts books on the shelf and gives how many of that title are there now.
#[task(queue = "books", max_attempts = 1)]
async fn put(
    title: String,
    copies: u32,
    #[inject] shelf: &Data<Shelf>,
    #[inject] customer: Customer,
) -> Result<u32, String> {
    let mut shelf = shelf.0.lock().map_err(|_| "the shelf fell over")?;
    let count = shelf.entry(title).or_default();
    *count += copies;
    println!("{} put {copies} there, {count} in all", customer.0);
    Ok(*count)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = match std::env::var("REDIS_URL") {
        Ok(url) => Client::connect(&url).await?,
        Err(_) => Client::in_memory(),
    };
    let worker = Worker::builder(client.clone()).queue("books").data(Shelf::default()).build()?;
    let (handle, running) = (worker.handle(), tokio::spawn(worker.run()));

    for (id, copies) in [("for-ada", 2), ("for-alan", 3), ("for-ada", 9), ("nobody", 1)] {
        let job = Put::new("Sketch of the Engine", copies).options().id(id).enqueue_on(&client).await?;
        match job.result().await {
            Ok(count) => println!("job {id}: {count} (new: {})", job.is_new()),
            Err(error) => println!("job {id}: {error}"),
        }
    }
    // The function itself still works, with state of your own.
    let count = put("Notes".into(), 1, &Data::new(Shelf::default()), Customer("a test".into())).await;
    println!("called by hand: {count:?}");

    handle.stop();
    Ok(running.await??)
}
