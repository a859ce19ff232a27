//! One job for each file of a folder: its lines, words, bytes and SHA-256; then the totals.
//!
//! `cargo run --release --example quickstart [FOLDER]` does all of it in this process, `REDIS_URL=redis://127.0.0.1/`
//! before it on that server; then `--role worker` and `--role producer` can be different processes.

#[path = "quickstart/summary.rs"]
mod summary;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use futures_util::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use task_runtime::prelude::*;

use summary::{Contents, Summary};

/// Reads one file. It blocks, so it runs beside the async tasks.
#[task(queue = "files", timeout = "5m", max_attempts = 1, blocking)]
fn read_file(path: &str) -> std::io::Result<Contents> {
    let bytes = std::fs::read(path)?;
    Ok(Contents::of(&bytes, hex::encode(Sha256::digest(&bytes))))
}

/// Enqueues a job for each file, and collects what they give as they end.
async fn produce(client: &Client, folder: &str) -> Result<()> {
    let (files, mut summary) = Summary::begin(folder)?;
    for files in files.chunks(10_000) {
        let jobs = client.enqueue_all(files.iter().map(ReadFile::new)).await?;
        let results = files.iter().zip(jobs).map(async |(file, job)| (file, job.result().await));
        let mut results = stream::iter(results).buffer_unordered(256);
        while let Some((file, result)) = results.next().await {
            summary.add(file, result);
        }
    }
    summary.print();
    Ok(())
}

/// Counts what is in the files of a folder, one job a file.
#[derive(Parser)]
struct Arguments {
    /// The folder
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    folder: String,
    /// What this process does
    #[arg(long, value_enum, default_value = "both")]
    role: Role,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Role {
    Producer,
    Worker,
    Both,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { folder, role } = Arguments::parse();
    let url = std::env::var("REDIS_URL").ok();
    println!("The jobs are {}.", if url.is_some() { "on the server of REDIS_URL" } else { "in this process" });
    let client = match (url, role) {
        (Some(url), _) => Client::connect(&url).await?,
        (None, Role::Both) => Client::in_memory(),
        (None, _) => anyhow::bail!("--role needs REDIS_URL: other processes cannot see the jobs of this one"),
    };
    let worker = Worker::builder(client.clone()).queue("files").build()?;
    match role {
        Role::Producer => produce(&client, &folder).await,
        Role::Worker => worker.run().await.context("the worker stopped"),
        Role::Both => {
            let (handle, running) = (worker.handle(), tokio::spawn(worker.run()));
            let produced = produce(&client, &folder).await;
            handle.stop();
            running.await??;
            produced
        }
    }
}
