use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use task_runtime::cached;

#[derive(Serialize, Deserialize)]
pub struct Page(String);

/// It is no error, cannot be cloned, and cannot be stored.
pub struct Fault;

type Answer<T> = std::result::Result<T, Fault>;

#[cached]
async fn nothing(id: u64) {
    let _ = id;
}

#[cached]
async fn page(id: u64) -> Page {
    Page(id.to_string())
}

#[cached]
async fn option(id: u64) -> Option<Page> {
    (id > 0).then(|| Page(id.to_string()))
}

#[cached]
async fn result(id: u64) -> Result<Page, Fault> {
    if id > 0 { Ok(Page(id.to_string())) } else { Err(Fault) }
}

#[cached]
async fn alias(id: u64) -> Answer<Vec<Page>> {
    Ok(vec![Page(id.to_string())])
}

#[cached]
async fn io() -> std::io::Result<()> {
    Ok(())
}

#[cached]
async fn boxed() -> Result<BTreeMap<String, Page>, Box<dyn std::error::Error + Send + Sync>> {
    Err("none".into())
}

#[cached(cache_errors = 1)]
async fn both(id: u64) -> Result<u64, String> {
    id.checked_sub(1).ok_or_else(|| "none".to_owned())
}

#[cached(cache_errors = 1, stale = "1h", early = true)]
async fn all(id: u64) -> Answer2 {
    Ok(id)
}

type Answer2 = Result<u64, String>;

fn main() {}
